"""Events of a training run for TensorBoard, in the directory `<out>.tensorboard` beside it.

They repeat `log.jsonl` and the previews, and are made anew from them when a training begins, is resumed, or is found
complete. So they never hold an epoch that a stopped run takes again. They are no part of the run: its manifest does not
list them, and a run with events has the same bytes as one without.
"""

import importlib
import importlib.util
import json
import time
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from xrayaug.errors import UsageError
from xrayaug.options import TrainClassifier, TrainGan
from xrayaug.options.mixins import TensorBoardOptions
from xrayaug.runtime.distributed import ranks
from xrayaug.storage import files
from xrayaug.storage.files import EVENTS_ENDING, LOG_FILE, PREVIEWS_DIRECTORY, Log

EVENT_FILES = "events.out.tfevents.*"  # as TensorBoard names them
EPOCH, SECONDS = "epoch", "seconds"  # keys of the log's lines

TrainingOptions = TrainGan | TrainClassifier
Line = dict[str, Any]


class EventLog(Log):
    """A log whose lines are also written as events.

    Args:
        path: `log.jsonl`; the previews are beside it.
        lines: the log so far.
        directory: directory of the events; those of an earlier run are deleted.
    """

    def __init__(self, path: Path, lines: Iterable[Line], directory: Path) -> None:
        super().__init__(path, lines)
        self._writer = _open_writer(directory)
        weakref.finalize(self, self._writer.close)
        _write_events(self._writer, self.lines, path.parent / PREVIEWS_DIRECTORY)

    def append(self, line: Line) -> None:
        """Append one line to the log, to the file and to the events."""
        super().append(line)
        _add_line(self._writer, line, time.time())
        self._writer.flush()

    def add_preview(self, epoch: int, file: Path) -> None:
        """Add the preview of an epoch to the events."""
        _add_preview(self._writer, epoch, file, time.time())
        self._writer.flush()


def check_installed(options: TensorBoardOptions) -> None:
    """Check that the events that are asked for can be written, before any work.

    Raises:
        UsageError: tensorboard is not installed.
    """
    if options.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise UsageError("--tensorboard needs the package tensorboard", "pip install tensorboard")


def open_log(options: TrainingOptions, directory: Path, lines: Iterable[Line] = ()) -> Log:
    """Return the log of a training run in `directory`; with `--tensorboard`, one that also writes events.

    Args:
        options: the command.
        directory: directory in which the run is built.
        lines: the log so far.
    """
    if options.tensorboard and ranks.is_first():
        return EventLog(directory / LOG_FILE, lines, events_directory(options))
    return Log(directory / LOG_FILE, lines)


def add_preview(log: Log, epoch: int, file: Path) -> None:
    """Add the preview of an epoch to the events of a log, if it has any."""
    if isinstance(log, EventLog):
        log.add_preview(epoch, file)


def complete_events(options: TrainingOptions) -> None:
    """Write the events of the finished run at `--out` if there are none, or only those of another run before it.

    A run that was trained without `--tensorboard` gets its events in this way.
    """
    if not options.tensorboard or not ranks.is_first():
        return
    log, directory = options.out / LOG_FILE, events_directory(options)
    if any(file.stat().st_mtime_ns >= log.stat().st_mtime_ns for file in directory.glob(EVENT_FILES)):
        return  # events are written after the line of the log that they repeat
    writer = _open_writer(directory)
    try:
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        _write_events(writer, lines, options.out / PREVIEWS_DIRECTORY)
    finally:
        writer.close()


def events_directory(options: TrainingOptions) -> Path:
    """Return the directory of the events of a run."""
    return files.sibling(options.out, EVENTS_ENDING)


def _open_writer(directory: Path) -> Any:
    """Return a new writer of events, after deleting those that are there.

    With `purge_step`, a running TensorBoard forgets the events that it has read from the deleted files.
    """
    for file in directory.glob(EVENT_FILES):
        file.unlink()
    module = importlib.import_module("torch.utils.tensorboard")  # only here, since it needs the package tensorboard
    return module.SummaryWriter(str(directory), purge_step=0)


def _write_events(writer: Any, lines: list[Line], previews: Path) -> None:
    """Write the events of a log and of its previews.

    Their times are such that the last epoch ends now, and each epoch took as long as the log says.
    """
    ended, left = time.time(), sum(line[SECONDS] for line in lines)
    for line in lines:
        left -= line[SECONDS]
        _add_line(writer, line, ended - left)
        file = previews / files.preview_name(line[EPOCH])
        if file.exists():
            _add_preview(writer, line[EPOCH], file, ended - left)
    writer.flush()


def _add_line(writer: Any, line: Line, at: float) -> None:
    """Add the numbers of one line; the step is the epoch."""
    for name, value in line.items():
        if name != EPOCH and value is not None:
            writer.add_scalar(name, value, line[EPOCH], walltime=at)


def _add_preview(writer: Any, epoch: int, file: Path, at: float) -> None:
    with Image.open(file) as image:
        writer.add_image("preview", np.asarray(image), epoch, walltime=at, dataformats="HW")
