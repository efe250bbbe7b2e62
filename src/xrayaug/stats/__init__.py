"""Statistics that know nothing of files, networks or runs."""
