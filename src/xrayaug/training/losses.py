"""What the two networks of a GAN are trained to lower: losses by name, and penalties on the discriminator's gradient.

Judgements are `[N]`: for the loss `bce` probabilities of being real, for every other logits. All is computed in the
precision of what is given, which is to be float32, and outside autocast: second derivatives do not stand bfloat16.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from xrayaug.errors import UsageError
from xrayaug.options import Loss
from xrayaug.runtime.distributed import sharing

Judge = Callable[[Tensor], Tensor]  # images [N, 1, H, W] -> judgements [N], each of its image alone


def discriminator_loss(name: Loss, d_real: Tensor, d_fake: Tensor) -> Tensor:
    """What the discriminator lowers, a scalar; NaN in, NaN out.

    - `bce`: -log D(x) - log(1 - D(G(z))), Goodfellow et al. 2014, equation 1.
    - `nonsaturating`: the same of logits.
    - `hinge`: max(0, 1 - D(x)) + max(0, 1 + D(G(z))), Lim and Ye 2017, arXiv:1705.02894.
    - `wgan`: D(G(z)) - D(x), Arjovsky et al. 2017, arXiv:1701.07875; it wants the gradient penalty.
    - `relativistic`: -log sigmoid(D(x) - D(G(z))) of pairs, Huang et al. 2024 (R3GAN), arXiv:2501.05441, equation 2,
      after Jolicoeur-Martineau 2019; it wants R1 and R2.
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
    """What the generator lowers, a scalar; NaN in, NaN out.

    `bce` and `nonsaturating` are -log D(G(z)), the form of Goodfellow et al. 2014, section 3, that does not saturate.
    Only `relativistic` looks at `d_real`, which is None for the others.
    """
    if name == "bce":
        return cross_entropy(d_fake, 1.0)
    if name == "nonsaturating":
        return F.softplus(-d_fake).mean()
    if name == "relativistic":
        assert d_real is not None
        return F.softplus(d_real - d_fake).mean()
    return -d_fake.mean()


def zero_centred(judge: Judge, images: Tensor) -> Tensor:
    """E |grad D(x)|² / 2 over the images `[N, 1, H, W]`.

    Times gamma it is, on real images, R1, and on generated ones R2: Mescheder et al. 2018, arXiv:1801.04406,
    equations 9 and 10.
    """
    return _gradients(judge, images).square().sum(1).mean() / 2


def one_centred(judge: Judge, real: Tensor, fake: Tensor, shares: Tensor) -> Tensor:
    """E (|grad D(x)| - 1)² between real and generated images: `shares` `[N]` in [0, 1] say where between.

    Times lambda it is WGAN-GP's penalty: Gulrajani et al. 2017, arXiv:1704.00028, equation 3.
    """
    between = torch.lerp(real, fake, shares[:, None, None, None])
    lengths: Tensor = torch.linalg.vector_norm(_gradients(judge, between), dim=1)
    return (lengths - 1).square().mean()


def cross_entropy(d: Tensor, target: float) -> Tensor:
    """Mean binary cross entropy of probabilities `[N]`; NaN stays NaN.

    PyTorch's own raises on NaN, on CUDA by an assertion that ends the process: training could not say what happened.
    """
    loss = F.binary_cross_entropy(d.nan_to_num(), torch.full_like(d, target))
    return torch.where(d.isnan().any(), torch.nan, loss)


def check_fit(name: Loss, output: Literal["probability", "logit"], arch: str) -> None:
    """Hold a loss to what a discriminator gives.

    Raises:
        UsageError: it is of the other kind.
    """
    if (name == "bce") == (output == "probability"):
        return
    hint = "only bce is of probabilities" if output == "probability" else "every loss but bce is of logits"
    raise UsageError(f"--loss {name} does not fit {arch}, whose discriminator gives a {output}", hint)


def _gradients(judge: Judge, images: Tensor) -> Tensor:
    """Of each judgement, by its own image: `[N, H * W]`, itself open to differentiation."""
    given = images.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(sharing.counted(judge(given)).sum(), given, create_graph=True)
    return gradients.flatten(1)
