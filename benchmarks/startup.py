"""How long do `xrayaug --help` and a TAB press take? They are compared with the start of Python alone.

    python benchmarks/startup.py

Rates are starts per second.
"""

import argparse
import os
import subprocess
import sys

from interleaved import Round, compare

STARTS = 5


def start(words: list[str], environment: dict[str, str]) -> Round:
    """Return a round that starts a command `STARTS` times."""

    def run() -> int:
        for _ in range(STARTS):
            subprocess.run(words, check=False, capture_output=True, env=os.environ | environment)
        return STARTS

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    program = [sys.executable, "-m", "xrayaug"]
    pressed = {"_XRAYAUG_COMPLETE": "complete_bash", "COMP_WORDS": "xrayaug train", "COMP_CWORD": "1"}
    compare(
        "start",
        parser,
        {
            "python": lambda _: start([sys.executable, "-c", "pass"], {}),
            "--help": lambda _: start([*program, "--help"], {}),
            "train-gan --help": lambda _: start([*program, "train-gan", "--help"], {}),
            "TAB": lambda _: start(program, pressed),
        },
    )


if __name__ == "__main__":
    main()
