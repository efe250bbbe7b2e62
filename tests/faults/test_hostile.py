"""Nothing that is read is ever executed: pickles that would leave a mark do not, and bombs do not unfold."""

import contextlib
import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import MakeDataset, grey, row, tamper, write_dataset

from xrayaug.data.dataset import open_dataset
from xrayaug.data.images.arrays import IMAGES
from xrayaug.errors import ArtifactError, DataError, WeightsError, XrayaugError
from xrayaug.metrics import frechet
from xrayaug.options import Fid, TrainClassifier
from xrayaug.runtime.stopping import Interval
from xrayaug.stages import fid, train_classifier
from xrayaug.storage import weights
from xrayaug.storage.checkpoints import Checkpoints
from xrayaug.storage.files import sha256_bytes


class Hostile:
    """A pickle that makes a directory when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """Return the path that a hostile pickle makes if it is executed."""
    return tmp_path / "executed"


def torch_file(path: Path, content: Any, *, new: bool) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=new)
    return path


def state_dict(mark: Path) -> dict[str, Any]:
    return {"conv1.weight": torch.ones(2), "payload": Hostile(mark)}


FORMATS = {
    "zip": lambda path, mark: torch_file(path, state_dict(mark), new=True),
    "older": lambda path, mark: torch_file(path, state_dict(mark), new=False),
    "alone": lambda path, mark: path.write_bytes(pickle.dumps(Hostile(mark), protocol=2)),
}


def object_array(mark: Path) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([Hostile(mark)], dtype=object), allow_pickle=True)
    return stream.getvalue()


def test_unpickling_the_hostile_object_creates_the_mark(mark: Path) -> None:
    pickle.loads(pickle.dumps(Hostile(mark)))
    assert mark.exists()


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_train_classifier_executes_no_weights(
    tmp_path: Path, mark: Path, make_dataset: MakeDataset, write: Callable[[Path, Path], Any]
) -> None:
    write(tmp_path / "w.pth", mark)
    data = make_dataset(tmp_path / "data", studies=1)
    options = TrainClassifier(
        data=data, arch="squeezenet1_1", weights=str(tmp_path / "w.pth"), size=32, device="cpu", out=tmp_path / "out"
    )
    with pytest.raises(WeightsError, match=r"w\.pth cannot be read as weights"):
        train_classifier.run(options)
    assert not mark.exists()


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_fid_executes_no_weights(tmp_path: Path, mark: Path, write: Callable[[Path, Path], Any]) -> None:
    write(tmp_path / "w.pth", mark)
    data = write_dataset(tmp_path / "data", [row(), row()])
    options = Fid(a=data, b=data, weights=tmp_path / "w.pth", cache=tmp_path / "cache", device="cpu")
    with pytest.raises(WeightsError, match=r"w\.pth cannot be read as weights"):
        fid.run(options)
    assert not mark.exists()


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_a_pickle_named_safetensors_is_refused_and_not_executed(
    tmp_path: Path, mark: Path, write: Callable[[Path, Path], Any]
) -> None:
    write(tmp_path / "w.safetensors", mark)
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        weights.read(tmp_path / "w.safetensors")
    assert not mark.exists()


@pytest.mark.parametrize("named_by_its_hash", [True, False])
@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_no_checkpoint_is_executed(
    tmp_path: Path, mark: Path, write: Callable[[Path, Path], Any], named_by_its_hash: bool
) -> None:
    write(tmp_path / "w", mark)
    named = sha256_bytes((tmp_path / "w").read_bytes())[:16] if named_by_its_hash else "0" * 16
    (tmp_path / "kept").mkdir()
    (tmp_path / "w").rename(tmp_path / "kept" / f"{7:012}-{named}.safetensors")
    with contextlib.suppress(Exception):  # whatever becomes of it, it is not executed
        Checkpoints(tmp_path / "kept", Interval(seconds=60)).restore()
    assert not mark.exists()


@pytest.mark.parametrize("name", ["mu", "sigma", "n", "network"])
def test_no_statistics_are_executed(tmp_path: Path, mark: Path, name: str) -> None:
    arrays: dict[str, Any] = {"mu": np.zeros(2), "sigma": np.eye(2), name: np.array([Hostile(mark)], dtype=object)}
    np.savez(tmp_path / "s.npz", **arrays)
    with pytest.raises(DataError, match="cannot be read as statistics"):
        frechet.load(tmp_path / "s.npz")
    assert not mark.exists()


@pytest.mark.parametrize("content", [object_array, lambda mark: pickle.dumps(Hostile(mark))], ids=["array", "pickle"])
def test_a_pickle_named_npz_is_refused_and_not_executed(
    tmp_path: Path, mark: Path, content: Callable[[Path], bytes]
) -> None:
    (tmp_path / "s.npz").write_bytes(content(mark))
    with pytest.raises(DataError, match="cannot be read as statistics"):
        frechet.load(tmp_path / "s.npz")
    assert not mark.exists()


@pytest.mark.parametrize("content", [object_array, lambda mark: pickle.dumps(Hostile(mark))], ids=["array", "pickle"])
def test_no_images_are_executed(tmp_path: Path, mark: Path, content: Callable[[Path], bytes]) -> None:
    data = write_dataset(tmp_path / "data", [row()], pixels=grey(1))
    tamper(data, IMAGES, lambda _: content(mark))
    with pytest.raises(ArtifactError, match=r"images\.npy cannot be read"):
        open_dataset(data)
    assert not mark.exists()


def zip_of(path: Path, members: dict[str, bytes], compression: int) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_statistics_above_the_size_limit_are_refused_before_reading(tmp_path: Path) -> None:
    zeros = bytes(frechet.MAX_BYTES + 1)
    zip_of(tmp_path / "s.npz", {"mu.npy": zeros}, zipfile.ZIP_DEFLATED)
    assert (tmp_path / "s.npz").stat().st_size < 1 << 20
    with pytest.raises(DataError, match=r"s\.npz .*more than"):
        frechet.load(tmp_path / "s.npz")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_statistics_with_unusual_compression_are_refused(tmp_path: Path, compression: int) -> None:
    zip_of(tmp_path / "s.npz", {"mu.npy": b"", "sigma.npy": b""}, compression)
    with pytest.raises(DataError, match=r"s\.npz .*compress"):
        frechet.load(tmp_path / "s.npz")


def test_compressed_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(1 << 20)}, tmp_path / "w.pth")
    with zipfile.ZipFile(tmp_path / "w.pth") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    zip_of(tmp_path / "bomb.pth", members, zipfile.ZIP_DEFLATED)
    with pytest.raises(WeightsError, match="compressed or overlap"):
        weights.read(tmp_path / "bomb.pth")


@pytest.mark.parametrize("new", [True, False])
def test_a_tensor_that_claims_more_than_the_file_holds_is_refused(tmp_path: Path, new: bool) -> None:
    vast = torch.ones(1).expand(1 << 40)  # four bytes, and a stride of 0
    torch_file(tmp_path / "w.pth", {"w": vast}, new=new)
    with pytest.raises(WeightsError, match="'w' claims more numbers than it has"):
        weights.read(tmp_path / "w.pth")


@pytest.mark.parametrize(
    "tensor",
    [torch.ones(2).to_sparse(), torch.ones(2, device="meta"), torch.ones(2, dtype=torch.complex64)],
    ids=["sparse", "meta", "complex"],
)
def test_tensors_that_no_network_has_are_refused(tmp_path: Path, tensor: torch.Tensor) -> None:
    torch.save({"w": tensor}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"more than tensors|cannot be read"):
        weights.read(tmp_path / "w.pth")


def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    torch.save({7: torch.ones(1)}, tmp_path / "w.pth")
    with pytest.raises(XrayaugError, match="'7' is a Tensor"):
        weights.read(tmp_path / "w.pth")
