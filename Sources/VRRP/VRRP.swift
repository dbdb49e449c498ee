// The VRRP protocol as pure values: packets, the router machine, its timing.
