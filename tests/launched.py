"""What torchrun starts in the tests of several processes: the commands of a file, one after another, in one process.

A line of the file is a list of words; `stop` before them has the last rank alone be asked to stop at its fourth step.
Each rank leaves `rank-<number>.json` in the directory: how each command ended, and the hash of every state it saved.
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


def main(directory: Path) -> None:
    saved: list[str] = []
    _note_states(saved)
    ends = [_end_of(words) for words in json.loads((directory / "commands.json").read_text())]
    said = {"ends": ends, "saved": saved, "pid": os.getpid()}
    (directory / f"rank-{ranks.current_rank().number}.json").write_text(json.dumps(said))


def _end_of(words: list[str]) -> int:
    save_if_due = Checkpoints.save_if_due
    if words[0] == "stop":
        words = words[1:]
        _stop_the_last()
    try:
        return cli.app(words, standalone_mode=False) or 0
    except SystemExit as ending:
        return int(ending.code or 0)
    finally:
        Checkpoints.save_if_due = save_if_due  # type: ignore[method-assign]


def _stop_the_last() -> None:
    save_if_due, visits = Checkpoints.save_if_due, []
    is_last = ranks.current_rank().number == ranks.current_rank().count - 1

    def counted(self: Checkpoints, *given: Any, **settings: Any) -> None:
        visits.append(1)
        if is_last and len(visits) == STOP_AT:
            os.kill(os.getpid(), signal.SIGUSR1)
        save_if_due(self, *given, **settings)

    Checkpoints.save_if_due = counted  # type: ignore[method-assign]


def _note_states(saved: list[str]) -> None:
    packed = checkpoints._packed

    def noted(state: Any) -> bytes:
        content = packed(state)
        tensors = content[8 + int.from_bytes(content[:8], "little") :]  # the header holds seconds
        saved.append(hashlib.sha256(tensors).hexdigest())
        return content

    checkpoints._packed = noted


if __name__ == "__main__":
    main(Path(sys.argv[1]))
