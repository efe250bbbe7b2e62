"""Artifacts, checkpoints and weights on disk: written atomically, hashed, locked and resumable."""
