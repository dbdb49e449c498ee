"""The parity scenarios: importing a module registers its plays."""
