"""A study of many commands: planned, run in parallel or on a cluster, and its status."""
