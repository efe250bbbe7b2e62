"""Hundreds of runs as one study: planned, run side by side or on a cluster, and where it stands."""
