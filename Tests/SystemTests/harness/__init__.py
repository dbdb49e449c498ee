"""What the system tests are built from.

Processes, scripted peers, log sinks, log parsers and network namespaces, each bounded in time
and cleaned up whatever happens. Nothing here knows a particular test.
"""
