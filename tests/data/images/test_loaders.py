"""Images kept in memory and images read batch by batch are the same bytes."""

import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from builders import row

from xrayaug.data import dataset, image_sets
from xrayaug.data.images import arrays, loaders
from xrayaug.data.images.arrays import map_images
from xrayaug.data.images.loaders import ImageLoader, InMemoryLoader, StreamingLoader, make_loader
from xrayaug.data.images.stack import Stack
from xrayaug.networks import classifier
from xrayaug.options import Prepare
from xrayaug.storage import builder

CPU = torch.device("cpu")
BATCHES = torch.split(torch.tensor([4, 0, 3, 1, 2]), 2)


@pytest.fixture(params=[8, 6], ids=["as they lie", "resized"])
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Stack:
    """Five pictures of 8 px, given as 8 or as 6."""
    np.save(tmp_path / "images.npy", np.random.default_rng(0).integers(0, 256, (7, 8, 8), np.uint8))
    rows = np.array([6, 1, 2, 5, 0])
    return Stack([map_images(tmp_path / "images.npy")], np.zeros(5, np.int32), rows, (request.param, request.param))


def shown(pictures: ImageLoader) -> list[torch.Tensor]:
    return [pictures.gather(*given) for given in pictures.iter_batches(BATCHES)]


@pytest.mark.parametrize("prefetch", [0, 1, 4])
def test_a_streamed_batch_is_the_held_one(stack: Stack, prefetch: int) -> None:
    held, streamed = InMemoryLoader(torch.from_numpy(stack.read(slice(None)))), StreamingLoader(stack, CPU, prefetch)
    for one, other in zip(shown(held), shown(streamed), strict=True):
        assert torch.equal(one, other)
    for places in (slice(1, 4), torch.tensor([3, 3, 0])):
        assert torch.equal(held[places], streamed[places])
    assert len(held) == len(streamed) == 5
    assert held.device == streamed.device == CPU


def test_a_cpu_reads_what_lies_in_the_wanted_size_and_holds_what_it_resized(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = make_loader(stack, CPU)
    assert isinstance(found, InMemoryLoader if stack.has_resizing else StreamingLoader)
    monkeypatch.setattr(loaders, "MAX_IN_MEMORY_BYTES", stack.nbytes - 1)
    assert isinstance(make_loader(stack, CPU), StreamingLoader)


def test_images_are_loaded_to_the_device_in_chunks(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaders, "LOAD_CHUNK_BYTES", 2 * stack.shape[1] ** 2)
    assert torch.equal(loaders._load_to_device(stack, CPU), torch.from_numpy(stack.read(slice(None))))


def test_a_network_judges_streamed_pictures_as_it_does_held_ones(stack: Stack) -> None:
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(stack.shape[1] ** 2, 1), torch.nn.Flatten(0))
    held = torch.from_numpy(stack.read(slice(None)))
    one, other = (
        classifier.predict_probabilities(network, each, batch_size=2, device=CPU)
        for each in (held, StreamingLoader(stack, CPU))
    )
    assert np.array_equal(one, other)


ROWS, SIZE = 20_000, 40
MOST_A_ROW = 700  # bytes, of which about 500 stay


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty thousand black pictures, 32 MB."""
    directory = tmp_path_factory.mktemp("many")
    splits = {0: "valid", 1: "test"}
    rows = (
        row(row=i, patient=f"patient{i:06}", study=f"patient{i:06}/study1", split=splits.get(i % 10, "train"),
            file=f"train/patient{i:06}/study1/image1.png", sha256=f"{i:064x}")
        for i in range(ROWS)
    )  # fmt: skip

    def build(partial: Path) -> dict[str, Any]:
        header = arrays._header(ROWS, SIZE)
        with (partial / arrays.IMAGES).open("wb") as images:
            images.write(header)
            images.truncate(len(header) + ROWS * SIZE**2)  # sparse
        dataset.write_index(partial, list(rows))
        return {"split_by": "patient"}

    (directory / "raw").touch()
    builder.build_artifact(Prepare(input=directory / "raw", out=directory / "set"), "dataset", build)
    return directory / "set"


def test_memory_does_not_grow_with_the_pixels(many: Path) -> None:
    """Opened, fed to a training batch by batch, and hashed as fid does, within so many bytes a row."""
    tracemalloc.start()
    try:
        data = dataset.open_dataset(many)
        kept, most = tracemalloc.get_traced_memory()
        assert most < MOST_A_ROW * ROWS
        assert kept < 550 * ROWS
        tracemalloc.reset_peak()
        train = make_loader(data.stack(data.select(split="train")), CPU)
        seen = sum(len(train.gather(*given)) for given in train.iter_batches(torch.split(torch.arange(len(train)), 64)))
        side = image_sets.from_dataset(data, split="valid", label=None)
        assert len(image_sets.pixel_hash(side).content) == 64
        assert (seen, side.count) == (ROWS * 8 // 10, ROWS // 10)
        assert tracemalloc.get_traced_memory()[1] - kept < 100 * ROWS < ROWS * SIZE**2 // 10
    finally:
        tracemalloc.stop()


def test_a_gpu_holds_what_takes_half_of_its_free_memory(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    device = torch.device("cuda", 0)
    free = SimpleNamespace(bytes=2 * stack.nbytes)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free.bytes, free.bytes))
    monkeypatch.setattr(loaders, "_load_to_device", lambda stack, device: torch.from_numpy(stack.read(slice(None))))
    assert isinstance(make_loader(stack, device), InMemoryLoader)
    free.bytes -= 1
    streamed = make_loader(stack, device)
    assert isinstance(streamed, StreamingLoader)
    assert (streamed.device, streamed.prefetch) == (device, loaders.PREFETCH_BATCHES)
