"""The shards of a batch give together what one process computes from the whole batch.

Threads stand in for processes here, with a barrier at every sum.
"""

import copy
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from xrayaug.errors import UsageError
from xrayaug.networks import equalized_lr, gans
from xrayaug.networks.gans import Recipe, Shape
from xrayaug.runtime.distributed import group as process_group
from xrayaug.runtime.distributed import ranks, sharing
from xrayaug.runtime.distributed.sharing import BatchShard, SyncBatchNorm, make_shard, use_shard
from xrayaug.training import losses
from xrayaug.training.gan_model import GanModel


class ThreadGroup:
    """Fake process group: sums the tensors of several threads."""

    def __init__(self, count: int) -> None:
        self.barrier = threading.Barrier(count, timeout=20)
        self.tensors: dict[int, Tensor] = {}
        self.sums = 0

    def all_reduce_sum(self, tensor: Tensor) -> Tensor:
        self.tensors[threading.get_ident()] = tensor
        if self.barrier.wait() == 0:
            total = torch.stack([part.detach() for part in self.tensors.values()]).sum(dim=0)
            self.tensors = {place: total.clone() for place in self.tensors}
            self.sums += 1
        self.barrier.wait()
        with torch.no_grad():
            tensor.copy_(self.tensors[threading.get_ident()])
        self.barrier.wait()
        return tensor


@pytest.fixture
def in_threads(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Return a function that calls another one in `count` threads, each with its shard, and returns their results."""

    def call(function: Callable[[int], Any], total: int, count: int = 2, min_size: int = 1) -> list[Any]:
        thread_group = ThreadGroup(count)
        monkeypatch.setattr(process_group, "all_reduce_sum", thread_group.all_reduce_sum)
        results: dict[int, Any] = {}

        def work(number: int) -> None:
            try:
                with use_shard(make_shard(total, number, count, min_size)):
                    results[number] = function(number)
            except BaseException as problem:
                thread_group.barrier.abort()
                results[number] = problem

        threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        problems = [result for result in results.values() if isinstance(result, BaseException)]
        if problems:
            raise problems[0]
        return [results[number] for number in range(count)]

    return call


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("min_size", [1, 2])
@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("total", [1, 2, 3, 7, 8, 100])
def test_every_image_counts_once(total: int, count: int, min_size: int) -> None:
    shards = [make_shard(total, number, count, min_size) for number in range(count)]
    counted = [index for shard in shards if shard.counts for index in range(total)[shard.start : shard.stop]]
    assert counted == list(range(total))
    assert sum(shard.weight for shard in shards) == pytest.approx(1)
    sizes = [shard.stop - shard.start for shard in shards]
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= min(min_size, total)


def test_a_batch_too_small_for_its_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sharing.check_batch_size(1, 2)  # a single process
    monkeypatch.setattr(ranks, "current_rank", lambda: ranks.Rank(0, 4, 0, 4))
    sharing.check_batch_size(8, 2)
    with pytest.raises(UsageError, match="--batch-size 4 for 4 processes") as problem:
        sharing.check_batch_size(4, 2)
    assert "--batch-size 8" in problem.value.hint and "--sync-bn" in problem.value.hint
    with pytest.raises(UsageError, match="each needs an image"):
        sharing.check_batch_size(3, 1)


def test_only_local_batch_norm_needs_two_images(monkeypatch: pytest.MonkeyPatch) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    assert sharing.convert_sync_batchnorm(network) is network and type(network[1]) is nn.BatchNorm2d  # alone
    assert sharing.min_shard_size([network]) == 2
    monkeypatch.setattr(ranks, "current_rank", lambda: ranks.Rank(0, 4, 0, 4))
    before = copy.deepcopy(network.state_dict())
    sharing.convert_sync_batchnorm(network)
    assert isinstance(network[1], SyncBatchNorm)
    assert sharing.min_shard_size([network]) == 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize(("total", "count"), [(6, 2), (7, 3), (2, 3)])
def test_batch_norm_over_shards_is_batch_norm(in_threads: Callable[..., list[Any]], total: int, count: int) -> None:
    x, weights = 3 + normal(total, 4, 2, 2), normal(total, 4, 2, 2, seed=1)
    alone = nn.BatchNorm2d(4).double()
    x.requires_grad_()
    torch.autograd.backward((alone(x).pow(2) * weights).sum())
    assert x.grad is not None and alone.weight.grad is not None

    def work(number: int) -> tuple[Tensor, SyncBatchNorm, BatchShard]:
        shard = make_shard(total, number, count)
        norm = SyncBatchNorm(4).double()
        part = shard.of(x.detach()).clone().requires_grad_()
        loss = sharing.zero_if_idle((norm(part).pow(2) * shard.of(weights)).sum())
        torch.autograd.backward(loss)
        assert part.grad is not None
        return part.grad, norm, shard

    found = in_threads(work, total, count)
    gradients = torch.cat([gradient for gradient, _, shard in found if shard.counts])
    torch.testing.assert_close(gradients, x.grad, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(sum(norm.weight.grad for _, norm, _ in found), alone.weight.grad, rtol=1e-5, atol=1e-5)
    for _, norm, _ in found:
        torch.testing.assert_close(norm.state_dict(), alone.state_dict(), rtol=1e-6, atol=1e-6)


def test_second_derivatives_go_through_batch_norm(in_threads: Callable[..., list[Any]]) -> None:
    x = normal(6, 3, 2, 2).float()
    head = normal(3 * 4, seed=2).float()

    def penalty(norm: nn.Module, images: Tensor) -> Tensor:
        return losses.r1_penalty(lambda shown: norm(shown).pow(3).flatten(1) @ head, images)

    alone = nn.BatchNorm2d(3)
    of_all = penalty(alone, x)
    torch.autograd.backward(of_all)

    def work(number: int) -> tuple[Tensor, Tensor]:
        norm = SyncBatchNorm(3)
        found = sharing.scale_loss(penalty(norm, make_shard(6, number, 2).of(x)))
        torch.autograd.backward(found)
        assert norm.weight.grad is not None
        return found.detach(), norm.weight.grad

    penalties, gradients = zip(*in_threads(work, 6), strict=True)
    torch.testing.assert_close(sum(penalties), of_all.detach(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(sum(gradients), alone.weight.grad, rtol=1e-3, atol=1e-3)


def test_the_deviation_of_a_minibatch_is_that_of_the_whole_batch(in_threads: Callable[..., list[Any]]) -> None:
    x = normal(6, 2, 3, 3)
    of_all = equalized_lr.minibatch_stddev(x)
    found = in_threads(lambda number: equalized_lr.minibatch_stddev(make_shard(6, number, 4).of(x)), 6, 4)
    torch.testing.assert_close(torch.cat(found), of_all)


def test_noise_is_drawn_for_the_whole_batch() -> None:
    torch.manual_seed(3)
    of_all = sharing.randn_like(torch.empty(5, 2))
    for number in range(2):
        torch.manual_seed(3)
        shard = make_shard(5, number, 2)
        with use_shard(shard):
            assert torch.equal(sharing.randn_like(torch.empty(shard.stop - shard.start, 2)), shard.of(of_all))


@pytest.mark.parametrize(
    ("arch", "recipe", "total"),
    [
        ("dcgan", Recipe(loss="bce"), 5),
        ("acgan", Recipe(loss="nonsaturating", r1=1.0, ema=100), 5),
        ("stylegan2", Recipe(loss="nonsaturating", r1=1.0, path_length=2.0), 5),
        ("stylegan2", Recipe(loss="relativistic", r1=1.0, r2=1.0), 2),
    ],
)
def test_two_steps_of_three_processes_are_those_of_one(
    in_threads: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch, arch: str, recipe: Recipe, total: int
) -> None:
    """With SGD, because Adam divides by the size of gradients and so enlarges the rounding of small ones."""
    classes = 0 if arch == "dcgan" else 2
    real, z = normal(total, 1, 32, 32).float().tanh(), normal(total, 8, seed=1).float()
    labels = torch.arange(total) % 2 if classes else None

    def made() -> GanModel:
        torch.manual_seed(0)
        g, d = (getattr(gans.load(arch), kind)(Shape(32, 8, classes, 0.05)) for kind in ("generator", "discriminator"))
        g, d = sharing.convert_sync_batchnorm(g), sharing.convert_sync_batchnorm(d)
        sgd: Any = [torch.optim.SGD(network.parameters(), lr=0.01) for network in (g, d)]
        return GanModel(recipe, g, d, *sgd)

    def steps(each: GanModel, shard: BatchShard | None) -> tuple[GanModel, Tensor]:
        of = shard.of if shard else (lambda tensor: tensor)
        own = None if labels is None else of(labels)
        for _ in range(2):
            found = each.step(of(real), of(z), own, penalised=True)
        return each, found

    with monkeypatch.context() as patched:
        patched.setattr(ranks, "current_rank", lambda: ranks.Rank(0, 3, 0, 3))
        several = [made() for _ in range(3)]
    monkeypatch.setattr(sharing, "randn_like", torch.zeros_like)  # threads have one random state between them
    alone, metrics = steps(made(), None)
    found = in_threads(lambda number: steps(several[number], make_shard(total, number, 3)), total, 3)
    for each, of_each in found:
        torch.testing.assert_close(of_each, metrics, rtol=1e-4, atol=1e-5)
        for network in ("generator", "discriminator"):
            torch.testing.assert_close(
                each.networks[network].state_dict(), alone.networks[network].state_dict(), rtol=1e-3, atol=1e-5
            )


def test_without_other_processes_nothing_changes() -> None:
    x, network = normal(3, 2), nn.Linear(2, 1).double()
    torch.autograd.backward(network(x).sum())
    before = [weight.grad.clone() for weight in network.parameters() if weight.grad is not None]
    assert sharing.gather_batch(x) is x and sharing.local_part(x) is x and sharing.scale_loss(x) is x
    assert sharing.reduce_gradients(network, means=[x[0, 0]]) == [x[0, 0]]
    after = [weight.grad for weight in network.parameters() if weight.grad is not None]
    assert all(torch.equal(now, was) for now, was in zip(after, before, strict=True))
