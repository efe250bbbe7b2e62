"""Pictures held in memory and pictures read batch by batch are the same bytes."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from xrayaug import feeding
from xrayaug.arrays import map_images
from xrayaug.feeding import Feed, Held, Streamed, feed
from xrayaug.stack import Stack

CPU = torch.device("cpu")
BATCHES = torch.split(torch.tensor([4, 0, 3, 1, 2]), 2)


@pytest.fixture(params=[8, 6], ids=["as they lie", "resized"])
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Stack:
    """Five pictures of 8 px, given as 8 or as 6."""
    np.save(tmp_path / "images.npy", np.random.default_rng(0).integers(0, 256, (7, 8, 8), np.uint8))
    rows = np.array([6, 1, 2, 5, 0])
    return Stack([map_images(tmp_path / "images.npy")], np.zeros(5, np.int32), rows, (request.param, request.param))


def shown(pictures: Feed) -> list[torch.Tensor]:
    return [pictures.shown(*given) for given in pictures.each(BATCHES)]


@pytest.mark.parametrize("ahead", [0, 1, 4])
def test_a_streamed_batch_is_the_held_one(stack: Stack, ahead: int) -> None:
    held, streamed = Held(torch.from_numpy(stack.at(slice(None)))), Streamed(stack, CPU, ahead)
    for one, other in zip(shown(held), shown(streamed), strict=True):
        assert torch.equal(one, other)
    for places in (slice(1, 4), torch.tensor([3, 3, 0])):
        assert torch.equal(held[places], streamed[places])
    assert len(held) == len(streamed) == 5
    assert held.device == streamed.device == CPU


def test_a_cpu_reads_what_lies_in_the_wanted_size_and_holds_what_it_resized(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = feed(stack, CPU)
    assert isinstance(found, Held if stack.resizes else Streamed)
    monkeypatch.setattr(feeding, "HELD_BYTES", stack.nbytes - 1)
    assert isinstance(feed(stack, CPU), Streamed)


def test_what_is_held_is_loaded_piece_by_piece(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "LOAD_BYTES", 2 * stack.shape[1] ** 2)
    assert torch.equal(feeding._loaded(stack, CPU), torch.from_numpy(stack.at(slice(None))))


def test_a_gpu_holds_what_takes_half_of_its_free_memory(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    where = torch.device("cuda", 0)
    free = SimpleNamespace(bytes=2 * stack.nbytes)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free.bytes, free.bytes))
    monkeypatch.setattr(feeding, "_loaded", lambda stack, where: torch.from_numpy(stack.at(slice(None))))
    assert isinstance(feed(stack, where), Held)
    free.bytes -= 1
    streamed = feed(stack, where)
    assert isinstance(streamed, Streamed)
    assert (streamed.device, streamed.ahead) == (where, feeding.AHEAD)
