"""Data-parallel training: each process computes a shard of every batch, and gradients are summed over all shards.

The batch is the same for any number of processes. Each process draws the random numbers of the whole batch from the
same streams and uses those of its shard. Losses are means over the whole batch, and layers that look at other images of
the batch see those of the other processes too. So one process and several give the same results up to rounding.

DistributedDataParallel does not fit: it weights every process's mean equally, however few images the last batch leaves
it, and its hooks fire once per parameter and backward pass, while a step here has two networks, second derivatives and
a recording as a CUDA graph. A single sum over all gradients avoids both.

Networks call these functions in training only. Without a shard, as in a single process, they change nothing.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from xrayaug.errors import UsageError
from xrayaug.runtime.distributed import group as process_group
from xrayaug.runtime.distributed import ranks


@dataclass(frozen=True)
class BatchShard:
    """A process's part of a batch: the images `start` to `stop` of `total`.

    A batch may have fewer images than there are processes. Idle processes compute the first one's shard, so that they
    take part in the same sums, with weight 0 (`counts` is false).
    """

    total: int
    start: int
    stop: int
    counts: bool = True

    @property
    def weight(self) -> float:
        """Weight of the shard's mean in the mean over the whole batch."""
        return (self.stop - self.start) / self.total if self.counts else 0.0

    def of(self, tensor: Tensor) -> Tensor:
        """Return the rows of this shard of a tensor of the whole batch, `[total, ...]`."""
        return tensor[self.start : self.stop]


def make_shard(total: int, number: int, count: int, min_size: int = 1) -> BatchShard:
    """Return the shard of process `number` of `count`: shards are nearly equal and have `min_size` images or more."""
    working = max(1, min(count, total // min_size))
    if number >= working:
        return BatchShard(total, 0, total // working, counts=False)
    return BatchShard(total, number * total // working, (number + 1) * total // working)


def local_shard(total: int, min_size: int = 1) -> BatchShard | None:
    """Return this process's shard of a batch; None without a process group."""
    rank = ranks.current_rank()
    return None if ranks.current_group() is None else make_shard(total, rank.number, rank.count, min_size)


def shard_batches(batches: Sequence[Tensor], min_size: int = 1) -> tuple[list[BatchShard | None], list[Tensor]]:
    """Return this process's shard of each batch, and the shard's indices out of each batch's `[B]`."""
    shards = [local_shard(len(batch), min_size) for batch in batches]
    return shards, [shard.of(batch) if shard else batch for shard, batch in zip(shards, batches, strict=True)]


def min_shard_size(networks: Sequence[nn.Module]) -> int:
    """Return the fewest images that a shard may have: two if batch norm uses the statistics of the shard alone."""
    return 2 if any(_is_local(module) for network in networks for module in network.modules()) else 1


def check_batch_size(batch_size: int, min_size: int) -> None:
    """Check that a batch is large enough for all processes.

    Raises:
        UsageError: the batch is too small.
    """
    count = ranks.current_rank().count
    if count > 1 and batch_size < count * min_size:
        needs = "batch norm needs two images in each" if min_size > 1 else "each needs an image"
        sync = ", or --sync-bn" if min_size > 1 and batch_size >= count else ""
        raise UsageError(
            f"--batch-size {batch_size} for {count} processes: {needs}",
            f"--batch-size {count * min_size}, fewer processes{sync}",
        )


# A context variable, because networks are called with images only.
_current: ContextVar[BatchShard | None] = ContextVar("shard", default=None)


@contextmanager
def use_shard(shard: BatchShard | None) -> Iterator[None]:
    """Context in which networks and losses are computed on a shard of a batch."""
    before = _current.set(shard)
    try:
        yield
    finally:
        _current.reset(before)


def gather_batch(x: Tensor) -> Tensor:
    """Gather the shards `[n, ...]` of all processes into the batch `[total, ...]`, in order; differentiable."""
    shard = _current.get()
    if shard is None:
        return x
    before, after = x.new_zeros(shard.start, *x.shape[1:]), x.new_zeros(shard.total - shard.stop, *x.shape[1:])
    return _all_reduce_sum(torch.cat([before, zero_if_idle(x), after]))


def local_part(x: Tensor) -> Tensor:
    """Return the rows of this shard of a tensor of the whole batch, `[total, ...]`."""
    shard = _current.get()
    return shard.of(x) if shard else x


def batch_sum(x: Tensor) -> Tensor:
    """Return the sum over all images of the batch of this shard's `[n, ...]`; differentiable."""
    shard_sum = x.sum(dim=0)
    return _all_reduce_sum(zero_if_idle(shard_sum)) if _current.get() else shard_sum


def batch_mean(x: Tensor) -> Tensor:
    """Return the mean over all images of the batch of this shard's `[n]`; differentiable."""
    shard = _current.get()
    return batch_sum(x) / shard.total if shard else x.mean()


def full_batch_size(images: int) -> int:
    """Return the number of images of the whole batch, given that of this shard."""
    shard = _current.get()
    return shard.total if shard else images


def zero_if_idle(x: Tensor) -> Tensor:
    """Return `x`, multiplied by 0 if this process is idle."""
    shard = _current.get()
    return x if shard is None or shard.counts else 0 * x


def scale_loss(loss: Tensor) -> Tensor:
    """Return this shard's part of a mean loss, multiplied by the shard's weight: the value to differentiate."""
    shard = _current.get()
    return shard.weight * loss if shard else loss


def randn_like(x: Tensor) -> Tensor:
    """Return this shard's normal random numbers `[n, ...]`, drawn for the whole batch."""
    shard = _current.get()
    if shard is None:
        return torch.randn_like(x)
    return shard.of(torch.randn(shard.total, *x.shape[1:], dtype=x.dtype, device=x.device))


def reduce_gradients(
    trained: nn.Module, *others: nn.Module, means: Sequence[Tensor] = (), sums: Sequence[Tensor] = ()
) -> list[Tensor]:
    """Sum the gradients of a network over all processes, in place.

    The gradients must be those of a loss scaled by `scale_loss`. Batch norm statistics of this network and `others`
    that each process computed from its shard are replaced by their mean over the shards. All of it is one all-reduce.

    Args:
        trained: the network.
        others: other networks that were called in training mode.
        means: scalars that are means over the shard.
        sums: scalars that are sums over the shard.

    Returns:
        `means`, then `sums`, of the whole batch.
    """
    numbers, shard = [*means, *sums], _current.get()
    if shard is None:
        return numbers
    gradients = [weight.grad for weight in trained.parameters() if weight.grad is not None]
    statistics = [statistic for network in (trained, *others) for statistic in _statistics(network)]
    flat = torch.cat(
        [
            *(gradient.reshape(-1) for gradient in gradients),
            *(shard.weight * mean.detach().reshape(-1) for mean in (*statistics, *means)),
            *(zero_if_idle(value.detach().reshape(-1)) for value in sums),
        ]
    )
    process_group.all_reduce_sum(flat)
    parts = iter(torch.split(flat, [tensor.numel() for tensor in (*gradients, *statistics, *numbers)]))
    for tensor in (*gradients, *statistics):
        tensor.copy_(next(parts).view(tensor.shape))
    return [part[0] for part in parts]


class SyncBatchNorm(_BatchNorm):
    """Batch norm with the statistics of the whole batch, over all processes.

    Ioffe and Szegedy 2015, arXiv:1502.03167. Unlike torch.nn.SyncBatchNorm it runs on any device and is twice
    differentiable. It needs more memory, because it is composed of PyTorch's basic operations.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `[N, C, ...]` by channel."""
        shard = _current.get()
        if not self.training or shard is None:
            return super().forward(x)
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        mean, variance, count = _moments(wide, shard)
        self._update_running_stats(mean.detach(), variance.detach() * count / max(count - 1, 1))
        places = (1, -1, *[1] * (x.ndim - 2))
        normal = (wide - mean.view(places)) * (variance.view(places) + self.eps).rsqrt()
        if self.affine:
            normal = normal * self.weight.view(places) + self.bias.view(places)
        return normal.to(x.dtype)

    @torch.no_grad()
    def _update_running_stats(self, mean: Tensor, variance: Tensor) -> None:
        if not self.track_running_stats or self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        new: Any = self.momentum if self.momentum is not None else 1 / self.num_batches_tracked.double()
        self.running_mean.lerp_(mean, new)
        self.running_var.lerp_(variance, new)

    def _check_input_dim(self, input: Tensor) -> None:
        """Accept any number of dimensions."""


def _moments(x: Tensor, shard: BatchShard) -> tuple[Tensor, Tensor, int]:
    """Return every channel's mean and variance `[C]` over the whole batch, and the number of pixels per channel.

    Shards are combined in float64, because the squares of the means nearly cancel.
    """
    variance, mean = torch.var_mean(x, [0, *range(2, x.ndim)], correction=0)
    parts = torch.stack([mean.double(), variance.double() + mean.double().square()])
    mean, square = _all_reduce_sum(shard.weight * parts)
    count = shard.total * x[0, 0].numel()
    return mean.to(x.dtype), (square - mean.square()).clamp(min=0).to(x.dtype), count


def convert_sync_batchnorm(network: nn.Module) -> nn.Module:
    """Replace batch norm by `SyncBatchNorm` with the same weights, if there are several processes."""
    if not ranks.is_distributed():
        return network
    for name, module in list(network.named_children()):
        network.register_module(
            name, _to_sync_batchnorm(module) if _is_local(module) else convert_sync_batchnorm(module)
        )
    return network


def _to_sync_batchnorm(norm: Any) -> SyncBatchNorm:
    converted = SyncBatchNorm(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    converted.weight, converted.bias = norm.weight, norm.bias
    for name, buffer in norm.named_buffers():
        setattr(converted, name, buffer)
    return converted.train(norm.training)


def _is_local(module: nn.Module) -> bool:
    """Return whether a module is batch norm that uses the statistics of its shard alone."""
    return isinstance(module, _BatchNorm) and not isinstance(module, SyncBatchNorm)


def _statistics(network: nn.Module) -> list[Tensor]:
    """Return the running statistics of the network's local batch norm layers."""
    return [
        buffer
        for module in network.modules()
        if _is_local(module) and module.training
        for buffer in module.buffers(recurse=False)
        if buffer.is_floating_point()
    ]


def _all_reduce_sum(x: Tensor) -> Tensor:
    total: Tensor = _AllReduceSum.apply(x)
    return total


class _AllReduceSum(torch.autograd.Function):
    """Differentiable sum over processes: the gradient of each input is the sum of all processes' gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return process_group.all_reduce_sum(x.clone(memory_format=torch.contiguous_format))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _AllReduceSum.apply(gradients[0])
