"""Losses of GANs by name, penalties on the discriminator's gradient, and the classifier's weighted loss.

Discriminator outputs are `[N]`: probabilities of being real for the loss `bce`, logits for every other loss. They must
be float32, and the functions must be called outside autocast: second derivatives are too inaccurate in bfloat16.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from xrayaug.errors import UsageError
from xrayaug.options import Loss
from xrayaug.runtime.distributed import sharing

DiscriminatorFunction = Callable[[Tensor], Tensor]  # images [N, 1, H, W] -> outputs [N], each a function of one image


def discriminator_loss(name: Loss, d_real: Tensor, d_fake: Tensor) -> Tensor:
    """Return the discriminator's loss, a scalar; NaN if any input is NaN.

    - `bce`: -log D(x) - log(1 - D(G(z))), Goodfellow et al. 2014, equation 1.
    - `nonsaturating`: the same, computed from logits.
    - `hinge`: max(0, 1 - D(x)) + max(0, 1 + D(G(z))), Lim and Ye 2017, arXiv:1705.02894.
    - `wgan`: D(G(z)) - D(x), Arjovsky et al. 2017, arXiv:1701.07875; to be used with the gradient penalty.
    - `relativistic`: -log sigmoid(D(x) - D(G(z))) of pairs, Huang et al. 2024 (R3GAN), arXiv:2501.05441, equation 2,
      after Jolicoeur-Martineau 2019; to be used with R1 and R2.
    """
    if name == "bce":
        return cross_entropy(d_real, 1.0) + cross_entropy(d_fake, 0.0)
    if name == "nonsaturating":
        return F.softplus(-d_real).mean() + F.softplus(d_fake).mean()
    if name == "hinge":
        return F.relu(1 - d_real).mean() + F.relu(1 + d_fake).mean()
    if name == "wgan":
        return d_fake.mean() - d_real.mean()
    return F.softplus(d_fake - d_real).mean()


def generator_loss(name: Loss, d_real: Tensor | None, d_fake: Tensor) -> Tensor:
    """Return the generator's loss, a scalar; NaN if any input is NaN.

    `bce` and `nonsaturating` are -log D(G(z)), the non-saturating form of Goodfellow et al. 2014, section 3. Only
    `relativistic` uses `d_real`, which is None for the others.
    """
    if name == "bce":
        return cross_entropy(d_fake, 1.0)
    if name == "nonsaturating":
        return F.softplus(-d_fake).mean()
    if name == "relativistic":
        assert d_real is not None
        return F.softplus(d_real - d_fake).mean()
    return -d_fake.mean()


def r1_penalty(discriminator: DiscriminatorFunction, images: Tensor) -> Tensor:
    """Return E |grad D(x)|² / 2 over the images `[N, 1, H, W]`, a scalar.

    Multiplied by gamma, it is R1 for real images and R2 for generated ones: Mescheder et al. 2018, arXiv:1801.04406,
    equations 9 and 10.
    """
    return _gradients(discriminator, images).square().sum(1).mean() / 2


def wgan_gp_penalty(discriminator: DiscriminatorFunction, real: Tensor, fake: Tensor, weights: Tensor) -> Tensor:
    """Return E (|grad D(x)| - 1)² at interpolations of real and generated images `[N, 1, H, W]`, a scalar.

    Multiplied by lambda, it is the penalty of WGAN-GP: Gulrajani et al. 2017, arXiv:1704.00028, equation 3.

    Args:
        discriminator: whose gradient is penalised.
        real: real images.
        fake: generated images.
        weights: of the generated image in each interpolation, `[N]` in [0, 1].
    """
    interpolated = torch.lerp(real, fake, weights[:, None, None, None])
    norms: Tensor = torch.linalg.vector_norm(_gradients(discriminator, interpolated), dim=1)
    return (norms - 1).square().mean()


def cross_entropy(d: Tensor, target: float) -> Tensor:
    """Return the mean binary cross-entropy of probabilities `[N]`; NaN if any is NaN.

    PyTorch's own raises on NaN, and on CUDA by an assertion that ends the process, so that training could not report
    what happened.
    """
    loss = F.binary_cross_entropy(d.nan_to_num(), torch.full_like(d, target))
    return torch.where(d.isnan().any(), torch.nan, loss)


def class_weights(normal: int, abnormal: int) -> tuple[float, float]:
    """Return the loss weights `(w0, w1)` of normal and abnormal images: each class has the other's share.

    w0 = N_abnormal / N and w1 = N_normal / N: Rajpurkar et al. 2018, section 3.1.
    """
    return abnormal / (normal + abnormal), normal / (normal + abnormal)


def importance_weights(counts: tuple[int, int], wanted: tuple[int, int]) -> tuple[float, float]:
    """Return importance weights of normal and abnormal images: their share in `wanted` over their share in `counts`.

    Their mean over the images is 1.

    Args:
        counts: of the normal and abnormal training images.
        wanted: the class counts that the weighted images are to stand for.
    """
    e0, e1 = (there / sum(wanted) * sum(counts) / here for here, there in zip(counts, wanted, strict=True))
    return e0, e1


def weighted_bce(logits: Tensor, labels: Tensor, w0: float, w1: float) -> Tensor:
    """Return the batch mean of -w1 y log p - w0 (1 - y) log (1 - p), p = sigmoid(logit), y in `labels` 0.0 or 1.0."""
    weight = labels * w1 + (1 - labels) * w0
    return F.binary_cross_entropy_with_logits(logits, labels, weight)


def check_loss(name: Loss, output: Literal["probability", "logit"], arch: str) -> None:
    """Check that a loss fits the discriminator's output.

    Raises:
        UsageError: the loss is for probabilities and the output is a logit, or the other way round.
    """
    if (name == "bce") == (output == "probability"):
        return
    hint = "use --loss bce" if output == "probability" else "every loss but bce fits it"
    raise UsageError(f"--loss {name} does not fit {arch}, whose discriminator gives a {output}", hint)


def _gradients(discriminator: DiscriminatorFunction, images: Tensor) -> Tensor:
    """Return the gradient of each output with respect to its image, `[N, H * W]`; it can be differentiated again."""
    inputs = images.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(sharing.zero_if_idle(discriminator(inputs)).sum(), inputs, create_graph=True)
    return gradients.flatten(1)
