"""Names of the files for a paper, within the directory of an evaluation."""

DIRECTORY = "paper"
CHECKLISTS_FIELD = "checklists"  # of the result of an evaluation that has these files
METHODS_FILE = f"{DIRECTORY}/methods.md"
FLOW_FILE = f"{DIRECTORY}/flow.svg"
FAILURES_CSV = f"{DIRECTORY}/failures.csv"
FAILURES_PICTURE = f"{DIRECTORY}/failures.png"
