"""Files that can be trusted: written atomically, hashed, locked, and resumable."""
