"""Program that tests of several processes start on every rank: it runs the commands of a file one after another.

Each command is a list of words. After the word `stop`, the last rank alone is asked to stop at its fourth step. Each
rank writes `rank-<number>.json` to the directory: the exit code of each command, and the hash of every saved state.
"""

import hashlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from xrayaug import cli
from xrayaug.runtime.distributed import ranks
from xrayaug.storage import checkpoints
from xrayaug.storage.checkpoints import Checkpoints

STOP_AT = 4


def main() -> None:
    """Run the commands of the directory that is the first argument."""
    directory = Path(sys.argv[1])
    saved: list[str] = []
    _record_states(saved)
    ends = [_run_command(words) for words in json.loads((directory / "commands.json").read_text())]
    report = {"ends": ends, "saved": saved, "pid": os.getpid()}
    (directory / f"rank-{ranks.current_rank().number}.json").write_text(json.dumps(report))


def _run_command(words: list[str]) -> int:
    save_if_due = Checkpoints.save_if_due
    if words[0] == "stop":
        words = words[1:]
        _stop_last_rank()
    try:
        return cli.app(words, standalone_mode=False) or 0
    except SystemExit as ending:
        return int(ending.code or 0)
    finally:
        Checkpoints.save_if_due = save_if_due  # type: ignore[method-assign]


def _stop_last_rank() -> None:
    save_if_due, calls = Checkpoints.save_if_due, []
    is_last = ranks.current_rank().number == ranks.current_rank().count - 1

    def counting_save(self: Checkpoints, *given: Any, **settings: Any) -> None:
        calls.append(1)
        if is_last and len(calls) == STOP_AT:
            os.kill(os.getpid(), signal.SIGUSR1)
        save_if_due(self, *given, **settings)

    Checkpoints.save_if_due = counting_save  # type: ignore[method-assign]


def _record_states(saved: list[str]) -> None:
    packed = checkpoints._serialize

    def recording(state: Any) -> bytes:
        content = packed(state)
        tensors = content[8 + int.from_bytes(content[:8], "little") :]  # the header holds seconds
        saved.append(hashlib.sha256(tensors).hexdigest())
        return content

    checkpoints._serialize = recording
