"""The hyperparameters of a GAN's training that its architecture decides. They are here so that help needs no torch."""

from dataclasses import dataclass

from xrayaug.options.choices import Augmentation, Loss


@dataclass(frozen=True)
class Recipe:
    """Default hyperparameters of an architecture's training: every field is an option of `train-gan`.

    The defaults of the fields are the thesis's, and so those of the default architecture, `dcgan`.
    """

    latent: int = 100
    batch_size: int = 100
    lr: float = 3.4e-4
    beta1: float = 0.5
    beta2: float = 0.999
    loss: Loss = "bce"
    r1: float = 0.0  # gamma of the R1 gradient penalty on real images; 0 disables it
    r2: float = 0.0  # gamma of the R2 gradient penalty on generated images; 0 disables it
    gradient_penalty: float = 0.0  # lambda of WGAN-GP's gradient penalty
    path_length: float = 0.0  # weight of the generator's own `penalty`
    penalty_every: int = 1  # steps between penalties; each is multiplied by this number
    ema: int = 0  # half-life, in images, of the averaged generator's weights; 0 disables averaging
    d_augment: Augmentation = "none"
