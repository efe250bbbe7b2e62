"""Several processes that do one run: which this is, how they meet and part, what they share or do in turns."""
