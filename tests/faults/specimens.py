"""Small versions of all commands, and the results of undisturbed runs of them."""

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from builders import write_png
from faults import trees
from faults.program import Ended, Program
from faults.shim import Plan

EVERY_STEP = ["--checkpoint-every", "1"]
CLASSIFIER = ["--arch", "squeezenet1_1", "--weights", "none", "--size", "32", "--epochs", "2", "--batch-size", "5"]
PREPARE = ["prepare", "--source", "folder", "--input", "../raw", "--size", "32", "--test", "0.2", "--holdout", "0.2"]
STUDY = [
    *("experiment", "--rsna", "../rsna/out", "--mura", "../mura/out", "--percents", "50", "--seeds", "1"),
    *("--gan-size", "32", "--gan-epochs", "1", "--gan-batch-size", "8", "--samples", "12"),
    *("--classifier-arch", "squeezenet1_1", "--classifier-weights", "none", "--classifier-size", "32"),
    *("--classifier-epochs", "1", "--classifier-batch-size", "5", "--workers", "1", "--on-collapse", "warn"),
]
PHANTOM = ["phantom", "--count", "10", "--height", "40", "--workers"]

COMMANDS = {
    "prepare": [*PREPARE, *EVERY_STEP],
    "train-gan": [
        *("train-gan", "--data", "../prepare/out", "--epochs", "2", "--batch-size", "4", "--latent", "8"),
        *("--preview-every", "1", "--on-collapse", "warn", *EVERY_STEP),
    ],
    "sample": ["sample", "--run", "../train-gan/out", "--count", "70", "--png", *EVERY_STEP],
    "rejection": ["sample", "--run", "../train-gan/out", "--count", "60", "--reject", "0.3", *EVERY_STEP],
    "fid": [
        *("fid", "../phantom/out", "../prepare/out", "--only-label", "normal"),
        *("--features", "../train-classifier/out", "--cache", "cache", "--batch-size", "4", *EVERY_STEP),
    ],
    "augment": [
        *("augment", "--real", "../prepare/out", "--synthetic", "../sample/out", "--percent", "50"),
        *("--label", "normal"),
    ],
    "classical": ["augment", "--real", "../prepare/out", "--percent", "90", "--control", "classical"],
    "copies": [
        *("copies", "../sample/out", "--real", "../prepare/out", "--features", "../train-classifier/out"),
        *("--batch-size", "20", *EVERY_STEP),
    ],
    "train-classifier": ["train-classifier", "--data", "../augment/out", *CLASSIFIER, *EVERY_STEP],
    "train-classifier-1": ["train-classifier", "--data", "../augment/out", "--seed", "1", *CLASSIFIER],
    "evaluate": ["evaluate", "../train-classifier/out", "../train-classifier-1/out"],
    "predict": [
        *("predict", "../train-classifier/out", "../train-classifier-1/out", "--data", "../phantom/out"),
        *("--workers", "1", *EVERY_STEP),
    ],
    "export": ["export", "../augment/out", "--format", "imagefolder"],
    "shards": ["export", "../augment/out", "--format", "webdataset", "--shard-size", "7"],
    "phantom": [*PHANTOM, "1", "--layout", "mura"],
    "phantom-2": [*PHANTOM, "2", "--layout", "mura"],
    "rsna": [*PHANTOM, "1", "--layout", "rsna"],
    "mura": [*PHANTOM, "1", "--layout", "mura", "--count", "24", "--seed", "1"],
    "experiment": [*STUDY, "--features", "none", *EVERY_STEP],  # without the distances, which take half the time
    "experiment-fid": [*STUDY, "--features", "random", *EVERY_STEP],
}
SINGLE_COMMANDS = ("prepare", "train-gan", "sample", "rejection", "fid", "copies", "augment", "classical",
                   "train-classifier", "predict", "evaluate", "export", "shards", "phantom")  # fmt: skip


@dataclass(frozen=True)
class Reference:
    """A run that was never stopped."""

    directory: Path
    words: list[str]
    ended: Ended
    seconds: float

    @property
    def out(self) -> Path:
        """Return the directory of the result."""
        return self.directory / self.words[-1]

    @cached_property
    def tree(self) -> trees.Tree:
        """Return the content of the result."""
        return trees.read(self.out)


class References:
    """The reference run of each command, made on first use, after those of its inputs."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._made: dict[str, Reference] = {}
        _write_raw(program.directory / "raw")

    def get(self, name: str) -> Reference:
        """Return the reference run of a command."""
        if name not in self._made:
            for word in COMMANDS[name]:
                if word.startswith("../") and word != "../raw":
                    self.get(word.split("/")[1])
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Reference:
        directory = self.program.directory / name
        directory.mkdir()
        words = [*COMMANDS[name], "--out", trees.STUDY_NAME if COMMANDS[name][0] == "experiment" else "out"]
        started = time.monotonic()
        ended = self.program.run(words, directory, Plan())
        assert ended.code == 0, ended.stderr
        return Reference(directory, words, ended, time.monotonic() - started)


def _write_raw(directory: Path) -> None:
    """Write two classes of twelve pictures, abnormal ones brighter, and a file that is no picture."""
    random = np.random.default_rng(0)
    for label, brightness in (("normal", 60), ("abnormal", 170)):
        for number in range(12):
            pixels = brightness + random.integers(-50, 51, (40, 36))
            write_png(directory / label / f"{number}.png", pixels.astype(np.uint8))
    (directory / "normal" / "broken.png").write_bytes(b"no picture")
