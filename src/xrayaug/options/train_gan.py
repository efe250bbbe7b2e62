"""The options of `xrayaug train-gan`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xrayaug.options.base import Command, Panel, Role, find_value, format_value, option
from xrayaug.options.choices import ARCHITECTURES, Augmentation, Loss
from xrayaug.options.mixins import (
    CacheOptions,
    CheckpointOptions,
    CollapseOptions,
    DeviceOptions,
    LabelOptions,
    StepOptions,
    TensorBoardOptions,
    TrainingOptions,
    run_input,
)
from xrayaug.options.prepare import Prepare
from xrayaug.options.recipes import Recipe
from xrayaug.runtime import plugins


def _recipe_option(name: str, help: str, panel: Panel = Panel.TRAINING, **bounds: Any) -> Any:
    """Declare an option whose default is in the recipe of the architecture."""
    default_text = f"{format_value(getattr(Recipe, name))} for dcgan; see --arch"
    return option(None, help=help, panel=panel, default_text=default_text, **bounds)


@dataclass(frozen=True, kw_only=True)
class TrainGan(
    LabelOptions,
    TrainingOptions,
    CollapseOptions,
    CheckpointOptions,
    CacheOptions,
    DeviceOptions,
    StepOptions,
    TensorBoardOptions,
    Command,
):
    """Train a generative adversarial network (GAN) on the training images of a dataset."""

    name = "train-gan"
    example = "xrayaug train-gan --data data/rsna --arch dcgan --epochs 100 --out runs/gan"
    is_shared = True

    data: Path = option(help="Dataset to train on. Only its train split is used.", role=Role.INPUT)
    init: Path | None = option(
        None,
        help="GAN run of the same architecture, size, width and latent vector whose weights training starts from. "
        "projected can also start from a run of smaller images.",
        role=Role.INPUT,
        panel=Panel.MODEL,
        default_text="random weights",
    )
    arch: str = option(
        "dcgan",
        choices=ARCHITECTURES,
        help="Architecture. Its recipe gives the defaults of many options; --arch NAME --help shows them.",
    )
    epochs: int = option(100, help="Passes over the training images.", minimum=1)
    batch_size: int | None = _recipe_option("batch_size", "Images per optimiser step.", minimum=1)
    lr: float | None = _recipe_option("lr", "Learning rate of Adam, for both networks.", above=0)
    beta1: float | None = _recipe_option(
        "beta1", "Decay rate of Adam's first moment estimate.", minimum=0, maximum=0.9999
    )
    beta2: float | None = _recipe_option(
        "beta2", "Decay rate of Adam's second moment estimate.", minimum=0, maximum=0.999999
    )
    latent: int | None = _recipe_option("latent", "Length of the latent vector z.", Panel.MODEL, minimum=1)
    loss: Loss | None = _recipe_option("loss", "Adversarial loss. bce is for dcgan alone, which takes no other.")
    r1: float | None = _recipe_option(
        "r1", "Weight gamma of the R1 penalty (on D's gradient at real images); 0 for none.", minimum=0
    )
    r2: float | None = _recipe_option(
        "r2", "Weight gamma of the R2 penalty (on D's gradient at generated images); 0 for none.", minimum=0
    )
    gradient_penalty: float | None = _recipe_option(
        "gradient_penalty", "Weight lambda of the gradient penalty of WGAN-GP; 0 for none.", minimum=0
    )
    path_length: float | None = _recipe_option(
        "path_length", "Weight of the path length penalty of the generator; 0 for none.", minimum=0
    )
    penalty_every: int | None = _recipe_option(
        "penalty_every",
        "Steps between steps with penalties (lazy regularisation). Penalties are scaled up to make up for it.",
        minimum=1,
    )
    ema: int | None = _recipe_option(
        "ema",
        "Half-life of the moving average of the generator's weights, in images; 0 for none. The averaged generator is "
        "the one that is sampled.",
        minimum=0,
    )
    d_augment: Augmentation | None = _recipe_option(
        "d_augment",
        "Augmentation of the images that the discriminator sees: none, geometric (small "
        "translations, scalings and rotations), diffaugment (larger ones, and other exposures and cutout), or ada "
        "(those of diffaugment, adapted to overfitting).",
    )
    width: float = option(
        1.0,
        help="Factor of the number of channels of all layers.",
        panel=Panel.MODEL,
        above=0,
        maximum=16,
    )
    conditional: bool | None = option(
        None,
        help="Condition the networks on labels, so that images of either label can be sampled.",
        panel=Panel.DATA,
        default_text="only if the architecture requires it",
    )
    mirror: bool = option(
        False,
        help="Randomly flip training images left to right. Generated left hands may then look like right ones.",
        panel=Panel.DATA,
    )
    preview_every: int = option(
        5,
        help="Epochs between previews, grids of images from fixed noise; 0 draws only the last one.",
        panel=Panel.OUTPUT,
        minimum=0,
    )
    fid_every: int = option(
        0,
        help="Epochs between measurements of the distance to the training images. The best generator is kept; 0 for "
        "no measurements.",
        panel=Panel.EVALUATION,
        minimum=0,
    )
    fid_features: str = option(
        "inception",
        help="Features for --fid-every: inception, imagenet (EfficientNet-Lite0), radiomics, random (Inception with "
        "seeded random weights), dinov2, rad-dino, or the directory of a classifier run.",
        panel=Panel.EVALUATION,
        metavar="NAME|RUN",
    )

    @classmethod
    def dependent_defaults(cls, words: Sequence[str]) -> dict[str, str]:
        """Return the recipe of the architecture among the words, at the default size of images; imports torch."""
        arch = find_value(words, "arch")
        if arch not in ARCHITECTURES:
            return {}
        module = plugins.load("networks.gans", arch)
        recipe = vars(module.recipe(Prepare.size))
        others = [vars(module.recipe(size)) for size in module.SIZES]
        defaults = {}
        for name, value in recipe.items():
            depends_on_size = any(other[name] != value for other in others)
            at_size = f" at {Prepare.size} pixels" if depends_on_size else ""
            defaults[name] = f"{format_value(value)} for {arch}{at_size}"
        is_conditional = module.CONDITIONAL == "always"
        return defaults | {"conditional": f"{'on' if is_conditional else 'off'} for {arch}"}

    def identity(self) -> dict[str, Any]:
        """Return the settings, without the path of a classifier run, as its content is an input."""
        return super().identity() | ({"fid_features": "run"} if run_input(self.fid_features) else {})

    def inputs(self) -> dict[str, Path]:
        """Return the dataset, and the classifier run whose features measure the distance."""
        return super().inputs() | (run_input(self.fid_features) if self.fid_every else {})
