"""The inputs of an evaluation, opened once: runs, the facts of checks, the evidence of the report."""
