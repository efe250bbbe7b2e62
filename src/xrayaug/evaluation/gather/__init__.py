"""Open the inputs of an evaluation, once: runs, facts for the checks, evidence for the report, files of readers."""
