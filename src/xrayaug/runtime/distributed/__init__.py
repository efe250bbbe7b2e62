"""Runs of several processes: ranks, the process group, failure detection, data parallelism and shared work."""
