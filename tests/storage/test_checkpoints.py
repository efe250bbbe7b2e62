"""A checkpoint restores the state bit by bit; a damaged one is set aside; it contains no code."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from xrayaug.errors import TrainingError
from xrayaug.runtime import stopping
from xrayaug.runtime.stopping import Interval, Stopped
from xrayaug.storage import files
from xrayaug.storage.checkpoints import Checkpoints

ALWAYS, NEVER = Interval(images=1), Interval(seconds=3600)


def state(number: float = 1.0) -> dict[str, Any]:
    weight = torch.full((2, 3, 4, 5), number).contiguous(memory_format=torch.channels_last)
    return {
        "weight": weight,
        "steps": {0: {"step": torch.tensor(3.0), "exp_avg": torch.arange(4.0)}},
        "plain": [1, 0.1, True, None, "text", math.inf, []],
        "counter": torch.tensor(7),
    }


@pytest.fixture
def kept(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "checkpoints", ALWAYS)


def names(kept: Checkpoints) -> list[str]:
    return sorted(file.name for file in kept.directory.iterdir())


def test_a_saved_state_is_restored_exactly(kept: Checkpoints) -> None:
    kept.save_if_due(40, state)
    restored = Checkpoints(kept.directory, ALWAYS).restore()
    assert restored["plain"] == state()["plain"]
    assert restored["steps"].keys() == {0}  # an optimiser's parameters are numbered
    assert torch.equal(restored["steps"][0]["exp_avg"], torch.arange(4.0))
    assert restored["counter"].dtype == torch.int64
    assert torch.equal(restored["weight"], state()["weight"])
    assert restored["weight"].stride() == state()["weight"].stride()


def test_an_optimiser_goes_on_as_if_it_had_never_stopped(kept: Checkpoints) -> None:
    def step(network: torch.nn.Module, optimiser: torch.optim.Optimizer) -> None:
        optimiser.zero_grad()
        torch.autograd.backward(network(torch.ones(2, 3, 8, 8)).square().sum())
        optimiser.step()

    def made() -> tuple[torch.nn.Module, torch.optim.Adam]:
        torch.manual_seed(0)
        network = torch.nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        return network, torch.optim.Adam(network.parameters(), lr=0.01)

    network, optimiser = made()
    step(network, optimiser)
    kept.save_if_due(1, lambda: {"network": network.state_dict(), "optimiser": optimiser.state_dict()})
    step(network, optimiser)
    again, its_optimiser = made()
    restored = kept.restore()
    again.load_state_dict(restored["network"])
    its_optimiser.load_state_dict(restored["optimiser"])
    step(again, its_optimiser)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])


def test_without_checkpoints_nothing_is_restored(kept: Checkpoints) -> None:
    assert kept.restore() is None
    assert kept.last_good() is None
    kept.clear()


def test_two_checkpoints_are_kept(kept: Checkpoints) -> None:
    for seen in (1, 2, 3, 4):
        kept.save_if_due(seen, state)
    assert [name[:12] for name in names(kept)] == ["000000000003", "000000000004"]


def test_the_last_good_one_is_kept_besides(kept: Checkpoints) -> None:
    for seen, suspect in ((1, False), (2, False), (3, True), (4, True), (5, True)):
        kept.save_if_due(seen, state, suspect=suspect)
    assert [name[:12] for name in names(kept)] == ["000000000002", "000000000004", "000000000005"]
    good = kept.last_good()
    assert good is not None
    assert good.name.startswith("000000000002")
    kept.save_if_due(6, state)
    assert [name[:12] for name in names(kept)] == ["000000000005", "000000000006"]


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:9], lambda b: b"", lambda b: b[:-3] + b"xyz"])
def test_a_damaged_one_is_set_aside_and_the_one_before_is_used(
    kept: Checkpoints, damage: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    kept.save_if_due(1, lambda: state(1.0))
    kept.save_if_due(2, lambda: state(2.0))
    newest = kept.directory / names(kept)[-1]
    newest.write_bytes(damage(newest.read_bytes()))
    assert kept.restore()["weight"].unique().tolist() == [1.0]
    assert f"{newest} is damaged" in capsys.readouterr().err
    assert newest.with_name(newest.name + ".damaged").exists()
    kept.save_if_due(2, lambda: state(2.0))
    assert kept.restore()["weight"].unique().tolist() == [2.0]


def test_a_checkpoint_with_a_valid_hash_and_invalid_content_is_skipped(kept: Checkpoints) -> None:
    kept.save_if_due(1, lambda: state(1.0))
    for content in (b"", b"\xff" * 40, (9).to_bytes(8, "little") + b'{"a": 1}'):
        name = f"000000000002-{files.sha256_bytes(content)[:16]}.safetensors"
        (kept.directory / name).write_bytes(content)
        assert kept.restore()["weight"].unique().tolist() == [1.0]


def test_a_file_that_is_no_checkpoint_is_left_alone(kept: Checkpoints) -> None:
    kept.save_if_due(1, state)
    (kept.directory / "notes.txt").write_text("mine")
    assert kept.restore() is not None
    assert (kept.directory / "notes.txt").exists()


def test_it_is_plain_tensors_and_json(kept: Checkpoints) -> None:
    kept.save_if_due(1, state)
    (file,) = kept.directory.iterdir()
    assert all(isinstance(tensor, torch.Tensor) for tensor in load_file(file).values())
    header = json.loads(file.read_bytes()[8 : 8 + int.from_bytes(file.read_bytes()[:8], "little")])
    json.loads(header["__metadata__"]["state"])


def test_nan_is_never_saved(kept: Checkpoints) -> None:
    kept.save_if_due(1, state)
    with pytest.raises(TrainingError, match="became NaN or infinite"):
        kept.save_if_due(2, lambda: {"weight": torch.tensor([1.0, math.nan])})
    assert [name[:12] for name in names(kept)] == ["000000000001"]


def test_a_state_of_an_unsupported_type_raises_type_error(kept: Checkpoints) -> None:
    with pytest.raises(TypeError, match="cannot hold a set"):
        kept.save_if_due(1, lambda: {1, 2})


def test_a_checkpoint_is_saved_when_it_is_due(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, Interval(images=100))
    for seen in (50, 99, 100, 150, 199, 210):
        kept.save_if_due(seen, state)
    assert [name[:12] for name in names(kept)] == ["000000000100", "000000000210"]


def test_asked_to_stop_it_saves_and_then_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Checkpoints(tmp_path, NEVER)
    kept.save_if_due(1, state)
    assert names(kept) == []
    monkeypatch.setattr(stopping, "_request", Stopped("SIGTERM", 75))
    with pytest.raises(Stopped):
        kept.save_if_due(2, state)
    assert [name[:12] for name in names(kept)] == ["000000000002"]
