"""Fixtures that several rooms share: tiny datasets and artifacts, the program as a process, and a browser."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from browser import Browser, browsing
from builders import build, phantom
from faults import program, tally
from faults.program import Program

from xrayaug.data import dataset
from xrayaug.data.dataset import Row
from xrayaug.data.images import arrays
from xrayaug.options import Prepare, Sample
from xrayaug.storage import builder
from xrayaug.storage.builder import build_artifact

MakeDataset = Callable[..., Path]
SLOWEST_FILE = "test_readme.py"  # run first, or the other workers would wait for it at the end


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the slowest file first, so that parallel workers end at about the same time."""
    items.sort(key=lambda item: item.path.name != SLOWEST_FILE)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send the figures of the fault tests from a worker to the main process."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tally"] = tally.counted()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add up the figures of a worker, unless it died."""
    if "tally" in getattr(node, "workeroutput", {}):
        tally.add(node.workeroutput["tally"])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many runs were killed, run again and lost."""
    for line in tally.lines():
        terminalreporter.write_line(line)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Use one thread, on which tiny networks are faster than on many."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def make_dataset(tmp_path_factory: pytest.TempPathFactory) -> MakeDataset:
    """Return a function that writes a dataset whose abnormal images are bright, and returns its path."""
    raw = tmp_path_factory.mktemp("raw") / "list.csv"
    raw.touch()

    def make(
        path: Path,
        *,
        studies: int = 4,
        synthetic: int = 0,
        synthetic_label: str = "normal",
        size: int = 32,
        splits: Sequence[str] = dataset.SPLITS,
        labels: Sequence[str] = dataset.LABELS,
        result: dict[str, Any] | None = None,
        seed: int = 0,
    ) -> Path:
        """Write `studies` studies of two images for each split and label, one study for each patient."""
        rows = [
            _row(split, label, study, synthetic=False)
            for split in splits
            for label in labels
            for study in range(studies)
            for _ in range(2)
        ]
        rows += [_row("train", synthetic_label, number, synthetic=True) for number in range(synthetic)]
        rows = [Row(**{**vars(row), "row": number, "file": f"{number}.png"}) for number, row in enumerate(rows)]

        def build(directory: Path) -> dict[str, Any]:
            bright = np.array([170 if row.label == "abnormal" else 60 for row in rows])[:, None, None]
            noise = np.random.default_rng(seed).integers(-40, 41, (len(rows), size, size))
            np.save(directory / arrays.IMAGES, (bright + noise).astype(np.uint8))
            dataset.write_index(directory, rows)
            return {"split_by": "patient", **(result or {})}

        builder.build_artifact(Prepare(source="folder", input=raw, out=path, size=size), "dataset", build)
        return path

    return make


def _row(split: str, label: str, number: int, *, synthetic: bool) -> Row:
    patient = "" if synthetic else f"{split}-{label}-{number}"
    source = "gan" if synthetic else "folder"
    study = f"{patient}/study1" if patient else ""
    return Row("images.npy", 0, split, label, patient, study, source, synthetic)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Return the path of a finished raw set."""
    build_artifact(phantom(tmp_path / "made"), "raw", build)
    return tmp_path / "made"


@pytest.fixture
def chain(tmp_path: Path) -> tuple[Path, Path]:
    """Return the paths of a finished GAN run and of the finished dataset that was sampled from it."""
    run, out = tmp_path / "tree" / "runs" / "gan", tmp_path / "tree" / "data" / "synthetic"
    build_artifact(phantom(run), "gan-run", build)
    build_artifact(Sample(run=run, out=out), "dataset", build)
    return run, out


@pytest.fixture(scope="session")
def xrayaug() -> Iterator[Program]:
    """Start the program, whose processes are forked, so that they start fast and can be killed."""
    with program.serving() as served:
        yield served


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start a real Chromium; the test is skipped if there is none."""
    with browsing(tmp_path_factory.mktemp("browser")) as opened:
        yield opened
