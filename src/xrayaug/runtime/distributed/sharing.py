"""One batch shared among the processes of a run: who takes which images, and sums over all of them.

The batch is the same however many there are. Each draws the chances of all of it from the same streams and takes its
own stretch; losses are means over the whole batch, gradients their sums; what looks at other images of the batch sees
those of the other processes too. So one process and several give the same, to rounding.

Sums between processes stand here, and not in DistributedDataParallel: that counts every process's mean alike, however
few images the last batch leaves it; its hooks fire once for a parameter and a backward pass, and a step here has two
networks, second derivatives and one recording as a CUDA graph. One sum over all gradients in a row needs none of it.

Networks call these functions in training alone. Where no share is set, as in a single process, they do nothing.
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
class Share:
    """A process's stretch of a batch of `total` images.

    A batch may have fewer images than there are processes. Those left over compute what the first one does, to take
    part in the same sums, and count for nothing.
    """

    total: int
    start: int
    stop: int
    counts: bool = True

    @property
    def weight(self) -> float:
        """Its part of a mean over the whole batch."""
        return (self.stop - self.start) / self.total if self.counts else 0.0

    def of(self, tensor: Tensor) -> Tensor:
        """Of something of the whole batch, `[total, ...]`, what is of this share."""
        return tensor[self.start : self.stop]


def share_of(total: int, number: int, count: int, least: int = 1) -> Share:
    """What process `number` of `count` takes: as nearly as much as the others, and `least` images or none."""
    working = max(1, min(count, total // least))
    if number >= working:
        return Share(total, 0, total // working, counts=False)
    return Share(total, number * total // working, (number + 1) * total // working)


def own_share(total: int, least: int = 1) -> Share | None:
    """This process's share of a batch; None where there is no other process."""
    rank = ranks.own()
    return None if ranks.company() is None else share_of(total, rank.number, rank.count, least)


def stretches(batches: Sequence[Tensor], least: int = 1) -> tuple[list[Share | None], list[Tensor]]:
    """This process's share of each batch, and of its places `[B]` what is of that share."""
    shares = [own_share(len(batch), least) for batch in batches]
    return shares, [share.of(batch) if share else batch for share, batch in zip(shares, batches, strict=True)]


def least_of(networks: Sequence[nn.Module]) -> int:
    """Images that a share must have: two where batch norm goes by the share alone."""
    return 2 if any(_is_local(module) for network in networks for module in network.modules()) else 1


def check_fit(batch_size: int, least: int) -> None:
    """Hold a batch to giving every process something to do.

    Raises:
        UsageError: it is too small.
    """
    count = ranks.own().count
    if count > 1 and batch_size < count * least:
        needs = "batch norm needs two images in each" if least > 1 else "each needs an image"
        sync = ", or --sync-bn" if least > 1 and batch_size >= count else ""
        raise UsageError(
            f"--batch-size {batch_size} for {count} processes: {needs}",
            f"--batch-size {count * least}, fewer processes{sync}",
        )


_current: ContextVar[Share | None] = ContextVar("share", default=None)  # networks are called with images alone


@contextmanager
def of_batch(share: Share | None) -> Iterator[None]:
    """While inside, networks and losses are computed on that share of a batch."""
    before = _current.set(share)
    try:
        yield
    finally:
        _current.reset(before)


def gathered(x: Tensor) -> Tensor:
    """This share's `[n, ...]` and every other's, in the batch's order: `[total, ...]`; gradients go through."""
    share = _current.get()
    if share is None:
        return x
    before, after = x.new_zeros(share.start, *x.shape[1:]), x.new_zeros(share.total - share.stop, *x.shape[1:])
    return _summed(torch.cat([before, counted(x), after]))


def own(x: Tensor) -> Tensor:
    """Of something of the whole batch, `[total, ...]`, what is of this share."""
    share = _current.get()
    return share.of(x) if share else x


def total(x: Tensor) -> Tensor:
    """The sum over all images of the batch of this share's `[n, ...]`; gradients go through."""
    found = x.sum(dim=0)
    return _summed(counted(found)) if _current.get() else found


def mean(x: Tensor) -> Tensor:
    """The mean over all images of the batch of this share's `[n]`; gradients go through."""
    share = _current.get()
    return total(x) / share.total if share else x.mean()


def whole(images: int) -> int:
    """Images of the whole batch, where this share has so many."""
    share = _current.get()
    return share.total if share else images


def counted(x: Tensor) -> Tensor:
    """It, or nothing where this share counts for nothing."""
    share = _current.get()
    return x if share is None or share.counts else 0 * x


def weighed(loss: Tensor) -> Tensor:
    """This share's part of a loss that is a mean over the batch: what is to be differentiated."""
    share = _current.get()
    return share.weight * loss if share else loss


def randn_like(x: Tensor) -> Tensor:
    """Normal numbers of the shape `[n, ...]` of this share, as they are drawn for the whole batch."""
    share = _current.get()
    if share is None:
        return torch.randn_like(x)
    return share.of(torch.randn(share.total, *x.shape[1:], dtype=x.dtype, device=x.device))


def reduced(
    learnt: nn.Module, *others: nn.Module, means: Sequence[Tensor] = (), sums: Sequence[Tensor] = ()
) -> list[Tensor]:
    """Have the gradients of a network, which are of the `weighed` loss, be those of the whole batch.

    So, too, the statistics of batch norm, which are otherwise of each share, of this network and of `others`: what is
    kept of them is the mean over the shares. All of it is one sum between processes.

    Args:
        learnt: the network.
        others: networks that were computed in training mode besides.
        means: scalars that are means over the share.
        sums: scalars that are sums over it.

    Returns:
        `means`, then `sums`, of the whole batch.
    """
    numbers, share = [*means, *sums], _current.get()
    if share is None:
        return numbers
    gradients = [weight.grad for weight in learnt.parameters() if weight.grad is not None]
    statistics = [statistic for network in (learnt, *others) for statistic in _statistics(network)]
    flat = torch.cat(
        [
            *(gradient.reshape(-1) for gradient in gradients),
            *(share.weight * each.detach().reshape(-1) for each in (*statistics, *means)),
            *(counted(each.detach().reshape(-1)) for each in sums),
        ]
    )
    process_group.summed(flat)
    parts = iter(torch.split(flat, [each.numel() for each in (*gradients, *statistics, *numbers)]))
    for tensor in (*gradients, *statistics):
        tensor.copy_(next(parts).view(tensor.shape))
    return [part[0] for part in parts]


class SharedBatchNorm(_BatchNorm):
    """Batch norm by the statistics of the whole batch, whatever share of it each process has.

    Ioffe and Szegedy 2015, arXiv:1502.03167. Unlike torch.nn.SyncBatchNorm it computes on any device, and can be
    differentiated twice. It takes more memory, as its steps are PyTorch's own.
    """

    def forward(self, x: Tensor) -> Tensor:
        """`[N, C, ...]` -> the same shape, normalised."""
        share = _current.get()
        if not self.training or share is None:
            return super().forward(x)
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        mean, variance, count = _moments(wide, share)
        self._keep(mean.detach(), variance.detach() * count / max(count - 1, 1))
        places = (1, -1, *[1] * (x.ndim - 2))
        normal = (wide - mean.view(places)) * (variance.view(places) + self.eps).rsqrt()
        if self.affine:
            normal = normal * self.weight.view(places) + self.bias.view(places)
        return normal.to(x.dtype)

    @torch.no_grad()
    def _keep(self, mean: Tensor, variance: Tensor) -> None:
        if not self.track_running_stats or self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        new: Any = self.momentum if self.momentum is not None else 1 / self.num_batches_tracked.double()
        self.running_mean.lerp_(mean, new)
        self.running_var.lerp_(variance, new)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions will do."""


def _moments(x: Tensor, share: Share) -> tuple[Tensor, Tensor, int]:
    """Mean and variance `[C]` of every channel over the whole batch, and over how many pixels that is.

    In float64, where the parts of each share are put together: the squares of means nearly cancel there.
    """
    variance, mean = torch.var_mean(x, [0, *range(2, x.ndim)], correction=0)
    parts = torch.stack([mean.double(), variance.double() + mean.double().square()])
    mean, square = _summed(share.weight * parts)
    count = share.total * x[0, 0].numel()
    return mean.to(x.dtype), (square - mean.square()).clamp(min=0).to(x.dtype), count


def synchronise(network: nn.Module) -> nn.Module:
    """The network with `SharedBatchNorm` for batch norm, on the same weights, where there are several processes."""
    if not ranks.several():
        return network
    for name, module in list(network.named_children()):
        network.register_module(name, _shared(module) if _is_local(module) else synchronise(module))
    return network


def _shared(norm: Any) -> SharedBatchNorm:
    found = SharedBatchNorm(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    found.weight, found.bias = norm.weight, norm.bias
    for name, buffer in norm.named_buffers():
        setattr(found, name, buffer)
    return found.train(norm.training)


def _is_local(module: nn.Module) -> bool:
    """Whether it is batch norm that goes by its share alone."""
    return isinstance(module, _BatchNorm) and not isinstance(module, SharedBatchNorm)


def _statistics(network: nn.Module) -> list[Tensor]:
    """What the network's local batch norm keeps."""
    return [
        buffer
        for module in network.modules()
        if _is_local(module) and module.training
        for buffer in module.buffers(recurse=False)
        if buffer.is_floating_point()
    ]


def _summed(x: Tensor) -> Tensor:
    found: Tensor = _Sum.apply(x)
    return found


class _Sum(torch.autograd.Function):
    """The sum over processes; what each gives has the gradient of all losses' sum, which is the sum of gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return process_group.summed(x.clone(memory_format=torch.contiguous_format))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _Sum.apply(gradients[0])
