"""Pixels are copied to the machine's own disk once, whole or not at all, and are what the manifest says."""

import errno
import fcntl
import json
import os
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from builders import row, write_dataset

from xrayaug.data.dataset import Dataset, open_dataset
from xrayaug.data.images import local_cache
from xrayaug.data.images.arrays import IMAGES
from xrayaug.errors import ArtifactError, OutputError
from xrayaug.options import Augment, TrainClassifier
from xrayaug.stages import augment
from xrayaug.storage import artifacts, files


@pytest.fixture
def hands(tmp_path: Path) -> Path:
    rows = [
        row(patient=f"p{place}", file=f"{place}.png", label=("normal", "abnormal")[place % 2]) for place in range(6)
    ]
    return write_dataset(tmp_path / "shared" / "hands", rows)


def copies(cache: Path) -> list[Path]:
    return sorted((cache / local_cache.DIRECTORY).glob("*.npy"))


def pixels(data: Dataset) -> bytes:
    return data.pixels(data.rows).tobytes()


def in_place_of(name: str, where: Any, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Record the file that a function is called on; the function still works."""
    called: list[Path] = []
    original = getattr(where, name)

    def noting(file: Path, *others: Any) -> Any:
        called.append(file)
        return original(file, *others)

    monkeypatch.setattr(where, name, noting)
    return called


def test_pixels_are_read_from_a_copy_that_bears_their_hash(hands: Path, tmp_path: Path) -> None:
    opened = open_dataset(hands, tmp_path / "node")
    (copy,) = copies(tmp_path / "node")
    assert copy.stem == opened.artifact.manifest["files"][IMAGES]["sha256"] == files.sha256_file(hands / IMAGES)
    assert pixels(opened) == pixels(open_dataset(hands))
    (array,) = opened.arrays.values()
    assert isinstance(array, np.memmap)
    assert Path(str(array.filename)) == copy


def test_a_copy_is_made_once_whoever_asks_and_the_shared_file_is_not_read_again(
    hands: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = in_place_of("_copy_and_hash", local_cache, monkeypatch)
    threads = [threading.Thread(target=open_dataset, args=(hands, tmp_path / "node")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert copied == [hands / IMAGES]
    hashed = in_place_of("sha256_file", files, monkeypatch)
    open_dataset(hands, tmp_path / "node")
    assert copied == [hands / IMAGES]
    assert hands / IMAGES not in hashed


def test_where_no_locks_are_known_copies_made_at_once_are_whole(
    hands: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: Any) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    together, copied, opened = threading.Barrier(3), local_cache._copy_and_hash, list[bytes]()

    def at_once(file: Path, new: Path) -> str:
        together.wait(10)
        found = copied(file, new)
        together.wait(10)
        return found

    monkeypatch.setattr(fcntl, "flock", unsupported)
    monkeypatch.setattr(local_cache, "_copy_and_hash", at_once)
    asking = [threading.Thread(target=lambda: opened.append(pixels(open_dataset(hands, tmp_path / "node"))))
              for _ in range(3)]  # fmt: skip
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert opened == [pixels(open_dataset(hands))] * 3
    assert [file.suffix for file in sorted((tmp_path / "node" / "images").iterdir())] == [".lock", ".npy"]


def test_an_arm_shares_the_copy_of_what_it_was_made_from(hands: Path, tmp_path: Path) -> None:
    arm = Augment(real=hands, percent=100, control="classical", cache=tmp_path / "node", out=tmp_path / "arm")
    augment.run(arm)
    opened = open_dataset(tmp_path / "arm", tmp_path / "node")
    assert pixels(opened) == pixels(open_dataset(tmp_path / "arm"))
    assert len(copies(tmp_path / "node")) == 2  # the real images, and the arm's own changed ones
    recorded = json.loads((tmp_path / "arm" / "manifest.json").read_text())
    assert "cache" not in recorded["options"]
    assert recorded["inputs"]["real"] == {
        "path": os.path.relpath(hands, tmp_path / "arm"),
        "sha256": artifacts.digest(hands),
    }


def test_a_damaged_copy_is_made_again(hands: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_dataset(hands, tmp_path / "node")
    (copy,) = copies(tmp_path / "node")
    copy.write_bytes(copy.read_bytes()[:-1] + b"\0")
    assert pixels(open_dataset(hands, tmp_path / "node")) == pixels(open_dataset(hands))
    assert f"{copy} is damaged and is made again" in capsys.readouterr().err


def test_a_changed_original_is_found_while_it_is_copied(hands: Path, tmp_path: Path) -> None:
    content = (hands / IMAGES).read_bytes()
    (hands / IMAGES).write_bytes(content[:-1] + b"\x99")
    with pytest.raises(ArtifactError, match="changed since it was made"):
        open_dataset(hands, tmp_path / "node")
    (hands / IMAGES).write_bytes(content[:-1])
    with pytest.raises(ArtifactError, match="changed since it was made"):
        open_dataset(hands, tmp_path / "node")
    assert not list(tmp_path.glob("node/images/*.n*"))


@pytest.fixture(params=["before", "while"])
def full_disk(request: pytest.FixtureRequest, hands: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset, and then no room on the disk, which is seen at once or only while it is written."""

    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if request.param == "before":
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5))
    else:
        monkeypatch.setattr(files, "sync", full)
    return hands


def test_a_full_disk_is_one_clear_line_and_leaves_nothing(full_disk: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"--cache .* has no room for .*images\.npy") as refusal:
        open_dataset(full_disk, tmp_path / "node")
    assert "leave --cache out" in refusal.value.hint
    assert not list(tmp_path.glob("node/images/*.n*"))


def test_a_dry_run_copies_nothing(hands: Path, tmp_path: Path) -> None:
    options = TrainClassifier(data=hands, cache=tmp_path / "node", out=tmp_path / "run")
    assert options.local_cache == tmp_path / "node"
    dry = TrainClassifier(data=hands, cache=tmp_path / "node", dry_run=True, out=tmp_path / "run")
    assert dry.local_cache is None
