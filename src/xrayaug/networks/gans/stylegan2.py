"""StyleGAN2 for small sets of grey radiographs.

Karras et al.: Analyzing and Improving the Image Quality of StyleGAN, CVPR 2020, arXiv:1912.04958; with the settings
for small data of Karras et al.: Training Generative Adversarial Networks with Limited Data, NeurIPS 2020,
arXiv:2006.06676, Appendix C: two mapping layers, no style mixing, weight of the gradient penalty by size and batch.

It uses PyTorch's own operations. Differences from the paper: the generator ends in tanh, so images are in [-1, 1] and
the black around a hand is quiet; the deviation of a minibatch is over whatever a batch divides into; style mixing is
left out; conditional networks are truncated towards the average of their class.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from xrayaug.networks.equalized_lr import (
    BASE_SIZE,
    EPSILON,
    GAIN,
    Conv2d,
    Linear,
    count_channels,
    full_precision,
    leaky_relu,
    list_resolutions,
    minibatch_stddev,
    pixel_norm,
)
from xrayaug.networks.gans import Recipe, Shape
from xrayaug.runtime.distributed import sharing

PAPER = "Karras et al. 2020, arXiv:1912.04958"
SIZES = (32, 64, 128, 256, 512)
CONDITIONAL = "optional"
OUTPUT = "logit"

MAPPING_RATE = 0.01  # factor of the mapping network's learning rate
MAPPING_DEPTH = 2
AVERAGING = 0.998  # decay per step of the average style, after the first 500 steps
LENGTH_AVERAGING = 0.99  # decay per step of the average path length: Karras et al. 2020 section 3.2
HALF = math.sqrt(1 / 2)  # gain of each of two branches that are added
FIR = (1.0, 3.0, 3.0, 1.0)  # bilinear interpolation, in each direction


def recipe(size: int) -> Recipe:
    """Return the hyperparameters of arXiv:2006.06676; the average's half-life is 10,000 images at batch size 32."""
    batch_size = 32
    return Recipe(
        latent=512,
        batch_size=batch_size,
        lr=0.0025,
        beta1=0.0,
        beta2=0.99,
        loss="nonsaturating",
        r1=0.0002 * size**2 / batch_size,
        penalty_every=16,
        ema=10_000,
        d_augment="ada",
    )


def generator(shape: Shape) -> nn.Module:
    """Return a generator with Karras et al.'s initial weights."""
    return Generator(shape)


def discriminator(shape: Shape) -> nn.Module:
    """Return a discriminator with Karras et al.'s initial weights."""
    return Discriminator(shape)


class Generator(nn.Module):
    """Latent vectors `[N, latent]` -> images `[N, 1, size, size]` in [-1, 1].

    In training each pixel of each layer gets new noise from torch's global generator; in evaluation always the same,
    so that an image depends on its latent vector and label alone.
    """

    average: Tensor  # [classes or 1, latent], the mean style of each class
    noted: Tensor  # [classes or 1, 1], the steps that had images of it
    path_length: Tensor  # the mean length so far

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.mapping = Mapping(shape)
        self.constant = Constant(count_channels(BASE_SIZE, shape.width))
        self.blocks = nn.ModuleList(SynthesisBlock(pixels, shape) for pixels in list_resolutions(shape.size))
        self.register_buffer("average", torch.zeros(max(1, shape.classes), shape.latent))
        self.register_buffer("noted", torch.zeros(max(1, shape.classes), 1))
        self.register_buffer("path_length", torch.zeros(()))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Generate one image per latent vector."""
        w: Tensor = self.mapping(z, labels)
        if self.training:
            self._note(w.detach(), labels)
        return self.synthesised(w)

    def truncated(self, z: Tensor, labels: Tensor | None, psi: float) -> Tensor:
        """Return images of styles drawn towards the average: Karras et al. 2019, arXiv:1812.04948, Appendix B.

        Args:
            z: `[N, latent]`.
            labels: `[N]`; each image is drawn towards the average of its own class.
            psi: 1 leaves the styles as they are, 0 gives the average image; above 1, styles are moved away from it.
        """
        w: Tensor = self.mapping(z, labels)
        average = self.average[labels] if labels is not None else self.average.expand_as(w)
        return self.synthesised(torch.lerp(average, w, psi))

    def penalty(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the path length regulariser, equation 4: a step in w should change images equally everywhere."""
        w: Tensor = self.mapping(z, labels)
        images = self.synthesised(w)
        y = sharing.randn_like(images) / math.sqrt(images.shape[2] * images.shape[3])
        gradients = torch.autograd.grad((images * y).sum(), w, create_graph=True)[0]  # J^T y, [N, latent]
        lengths = (gradients.square().sum(dim=1) + EPSILON).sqrt()
        with torch.no_grad():
            self.path_length.lerp_(sharing.batch_mean(lengths), 1 - LENGTH_AVERAGING)
        return (lengths - self.path_length).square().mean()

    def synthesised(self, w: Tensor) -> Tensor:
        """Return the images of styles `[N, latent]`."""
        hidden = self.constant(w)
        image = w.new_zeros(len(w), 1, BASE_SIZE // 2, BASE_SIZE // 2)
        for block in self.blocks:
            hidden, image = block(hidden, image, w)
        return image.tanh()

    @torch.no_grad()
    def _note(self, w: Tensor, labels: Tensor | None) -> None:
        """Move each class's average style towards the mean of its images in the batch; without images it stays."""
        classes = torch.arange(len(self.average), device=w.device)
        indices = labels if labels is not None else classes.expand(len(w))  # without labels there is one class
        members = (indices[:, None] == classes).to(w.dtype)  # [N, classes]
        counts = sharing.batch_sum(members)[:, None]
        means = sharing.batch_sum(members[:, :, None] * w[:, None]) / counts.clamp(min=1)  # [classes, latent]
        self.noted += counts > 0
        rate = (1 / self.noted.clamp(min=1)).clamp(min=1 - AVERAGING)  # a plain mean over the first steps
        self.average += rate * (counts > 0) * (means - self.average)


class Mapping(nn.Module):
    """Latent vectors `[N, latent]` and labels -> styles w `[N, latent]`."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embedding = nn.Embedding(shape.classes, shape.latent) if shape.classes else None
        inputs = [shape.latent * (2 if shape.classes else 1), *[shape.latent] * (MAPPING_DEPTH - 1)]
        self.layers = nn.ModuleList(Linear(count, shape.latent, gain=GAIN, rate=MAPPING_RATE) for count in inputs)

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Return the style of each latent vector and label."""
        x = pixel_norm(z.float())
        if self.embedding is not None:
            x = torch.cat([x, pixel_norm(self.embedding(labels))], dim=1)
        for layer in self.layers:
            x = leaky_relu(layer(x))
        return x


class Constant(nn.Module):
    """Learnt constant input that every image starts from."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, channels, BASE_SIZE, BASE_SIZE))

    def forward(self, w: Tensor) -> Tensor:
        """Return the constant once per style, `[N, C, 4, 4]`."""
        return self.weight.expand(len(w), -1, -1, -1)


class SynthesisBlock(nn.Module):
    """Layers at one resolution and their contribution to the image: Karras et al. 2020, Figure 7, "output skips"."""

    def __init__(self, pixels: int, shape: Shape) -> None:
        super().__init__()
        after, before = count_channels(pixels, shape.width), count_channels(pixels // 2, shape.width)
        self.layers = nn.ModuleList()
        if pixels > BASE_SIZE:
            self.layers.append(SynthesisLayer(before, after, pixels, shape.latent, up=True))
        self.layers.append(SynthesisLayer(after, after, pixels, shape.latent))
        self.to_image = ToImage(after, shape.latent)

    def forward(self, hidden: Tensor, image: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """Return hidden layer and image at this block's resolution, from those of the block before."""
        for layer in self.layers:
            hidden = layer(hidden, w)
        detail: Tensor = self.to_image(hidden, w)
        return hidden, detail + F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)


class SynthesisLayer(nn.Module):
    """Modulated convolution, noise, bias and leaky ReLU: Karras et al. 2020, Figure 2 (c)."""

    def __init__(self, before: int, after: int, pixels: int, latent: int, *, up: bool = False) -> None:
        super().__init__()
        self.style = Linear(latent, before, bias=1.0)
        self.convolution = ModulatedConv2d(before, after, up=up)
        self.smooth = Smooth(gain=4, padding=1) if up else None  # gain 4, because three of four pixels were zeros
        self.noise = Noise(after, pixels)

    def forward(self, hidden: Tensor, w: Tensor) -> Tensor:
        """Return `[N, after, H, W]` from `[N, before, H, W]`, twice as high and wide with `up`."""
        hidden = self.convolution(hidden, self.style(w))
        if self.smooth is not None:
            hidden = self.smooth(hidden)
        return leaky_relu(self.noise(hidden))


class ModulatedConv2d(nn.Module):
    """Convolution with separate weights for each image: Karras et al. 2020 section 2.2, equations 1 and 3.

    The weights of image n are w'_oik = s_ni w_oik / sqrt(sum over i, k of (s_ni w_oik)^2). A convolution is linear in
    its weights, so the same result comes from scaling input channel i by s_ni, convolving with weights that all images
    share, and dividing output channel o by the root: one dense convolution for the batch, where a grouped one is slow.
    He's constant cancels in the fraction and is left out.

    With `up` zeros are inserted between the pixels, and the output has `2 H + 1` rows, which `Smooth` must filter.
    """

    def __init__(self, before: int, after: int, *, up: bool = False) -> None:
        super().__init__()
        self.up = up
        channels = (before, after) if up else (after, before)  # PyTorch's order for transposed convolutions
        self.weight = nn.Parameter(torch.randn(*channels, 3, 3))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Return `[N, after, H, W]` for a leaky ReLU, of `[N, before, H, W]` and float32 styles `[N, before]`."""
        modulated = x * style.to(x.dtype)[:, :, None, None]
        if self.up:
            convolved = F.conv_transpose2d(modulated, self.weight, stride=2)
        else:
            convolved = F.conv2d(modulated, self.weight, padding=1)
        return convolved * self._demodulation(style).to(convolved.dtype)[:, :, None, None]

    def _demodulation(self, style: Tensor) -> Tensor:
        """Return equation 3's inverse root times the leaky ReLU's gain, float32 `[N, after]`."""
        squares = self.weight.square().sum(dim=(2, 3))
        with full_precision(style):
            return GAIN * (style.square() @ (squares if self.up else squares.t()) + EPSILON).rsqrt()


class Noise(nn.Module):
    """Noise of a learnt strength, the same for all channels, and a bias."""

    still: Tensor

    def __init__(self, channels: int, pixels: int) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("still", torch.randn(pixels, pixels))

    def forward(self, x: Tensor) -> Tensor:
        """Return `[N, C, H, W]` with noise and bias added."""
        noise = sharing.randn_like(self.still.expand(len(x), 1, -1, -1)) if self.training else self.still
        return x + (self.strength * noise).to(x.dtype) + self.bias.to(x.dtype)[:, None, None]


class ToImage(nn.Module):
    """Modulated 1 x 1 convolution to grey, without demodulation, in full precision."""

    def __init__(self, channels: int, latent: int) -> None:
        super().__init__()
        self.style = Linear(latent, channels, bias=1.0)
        self.grey = Grey(channels)

    def forward(self, hidden: Tensor, w: Tensor) -> Tensor:
        """Return the grey image float32 `[N, 1, H, W]` of `[N, C, H, W]`."""
        image: Tensor = self.grey(hidden, self.style(w))
        return image


class Grey(nn.Module):
    """Sum over the channels, weighted by learnt weights times each image's style."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = 1 / math.sqrt(channels)
        self.weight = nn.Parameter(torch.randn(channels))
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Return float32 `[N, 1, H, W]` from `[N, C, H, W]` and styles `[N, C]`."""
        weights = style * self.weight * self.scale
        pixels = x.float().permute(0, 2, 3, 1).flatten(1, 2)  # [N, H W, C], a view of channels-last memory
        with full_precision(x):
            grey = torch.bmm(pixels, weights[:, :, None]) + self.bias  # [N, H W, 1]
        return grey.reshape(len(x), 1, *x.shape[2:])


class Smooth(nn.Module):
    """Convolution of each channel with `FIR` in both directions, with a stride."""

    kernel: Tensor

    def __init__(self, *, padding: int, stride: int = 1, gain: float = 1.0) -> None:
        super().__init__()
        self.padding = padding
        self.stride = stride
        line = torch.tensor(FIR) / sum(FIR)
        self.register_buffer("kernel", gain * line[:, None] * line, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[N, C, H + 2 padding - 3, ...]` from `[N, C, H, W]`, or every other pixel of it with stride 2."""
        filtered: Tensor = _Filter.apply(x, self.kernel.expand(x.shape[1], 1, -1, -1), self.stride, self.padding)
        return filtered


class _Filter(torch.autograd.Function):
    """Convolution of each channel with a kernel that is not learnt.

    Its gradient is a transposed convolution, whose gradient is this convolution again. PyTorch does not use that: it
    differentiates the gradient of a grouped convolution group by group, with thousands of convolutions.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(kernel)
        ctx.shape, ctx.stride, ctx.padding = x.shape, stride, padding
        return F.conv2d(x, kernel.to(x.dtype), stride=stride, padding=padding, groups=x.shape[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (kernel,) = ctx.saved_tensors
        return _Unfilter.apply(gradients[0], kernel, (ctx.stride, ctx.padding), ctx.shape), None, None, None


class _Unfilter(torch.autograd.Function):
    """The gradient of `_Filter`; `shape` is that of `_Filter`'s input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, how: tuple[int, int], shape: torch.Size) -> Tensor:
        ctx.save_for_backward(kernel)
        ctx.stride, ctx.padding = stride, padding = how
        left = [
            before - ((after - 1) * stride - 2 * padding + len(FIR))
            for before, after in zip(shape[2:], x.shape[2:], strict=True)
        ]
        return F.conv_transpose2d(x, kernel.to(x.dtype), None, stride, padding, left, groups=x.shape[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (kernel,) = ctx.saved_tensors
        return _Filter.apply(gradients[0], kernel, ctx.stride, ctx.padding), None, None, None


class Discriminator(nn.Module):
    """Images `[N, 1, size, size]` in [-1, 1] -> logit of being real, `[N]`.

    With labels, it adds the product of the last layer and the label's embedding: Miyato and Koyama 2018,
    arXiv:1802.05637, equation 3.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        resolutions = list(reversed(list_resolutions(shape.size)))
        last = count_channels(BASE_SIZE, shape.width)
        self.from_image = Conv2d(1, count_channels(shape.size, shape.width), 1)
        self.blocks = nn.ModuleList(DiscriminatorBlock(pixels, shape) for pixels in resolutions[:-1])
        self.convolution = Conv2d(last + 1, last, 3)
        self.dense = Linear(last * BASE_SIZE**2, last, gain=GAIN)
        self.logit = Linear(last, 1)
        self.embedding = nn.Embedding(shape.classes, last) if shape.classes else None

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the logit of each image `[N]`, which also depends on the others of its batch (`minibatch_stddev`)."""
        hidden = leaky_relu(self.from_image(images))
        for block in self.blocks:
            hidden = block(hidden)
        with full_precision(hidden):
            hidden = leaky_relu(self.convolution(minibatch_stddev(hidden.float())))
        hidden = leaky_relu(self.dense(hidden.flatten(1)))
        logits: Tensor = self.logit(hidden)[:, 0]
        if self.embedding is None:
            return logits
        classes: Tensor = self.embedding(labels)
        return logits + (hidden * classes).sum(dim=1) / math.sqrt(hidden.shape[1])


class DiscriminatorBlock(nn.Module):
    """Two convolutions to half the size and a 1 x 1 residual branch: Karras et al. 2020, Figure 7, "residual"."""

    def __init__(self, pixels: int, shape: Shape) -> None:
        super().__init__()
        before, after = count_channels(pixels, shape.width), count_channels(pixels // 2, shape.width)
        self.convolution = Conv2d(before, before, 3)
        self.smooth = Smooth(padding=2)
        self.halving = Conv2d(before, after, 3, stride=2, gain=GAIN * HALF)
        self.smooth_past = Smooth(padding=1, stride=2)
        self.past = Conv2d(before, after, 1, gain=HALF, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[N, after, H / 2, W / 2]` from `[N, before, H, W]`."""
        deep = leaky_relu(self.halving(self.smooth(leaky_relu(self.convolution(x)))))
        past: Tensor = self.past(self.smooth_past(x))
        return deep + past
