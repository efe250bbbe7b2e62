"""The settings of a study: the preset with the values that the user gave in its place, and the sets that it reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xrayaug.errors import UsageError
from xrayaug.options import PRESETS, Experiment
from xrayaug.options.base import flag_name
from xrayaug.options.experiment import PER_SEED, WITHOUT_GAN, Preset
from xrayaug.storage import artifacts, manifests
from xrayaug.storage.artifacts import Artifact
from xrayaug.studies import sequential_plan

RSNA, MURA = "rsna", "mura"  # directories of the prepared sets, whatever their layout
GAN_OPTIONS = ("rsna", "rsna_source", "conditional", "gan_label", "gan_size", "gan_epochs", "gan_batch_size", "samples")


@dataclass(frozen=True, kw_only=True)
class Settings(Preset):
    """The settings of a study; without a GAN, its data are those of the classifiers."""

    rsna: Path  # as it is given: raw, or prepared
    mura: Path
    gan_data: Path  # prepared, here or before
    classifier_data: Path
    gans: int  # of each architecture: 1, or one for each seed of the classifiers
    draws: int  # of each share of the real images: 1, or one for each seed of the classifiers
    labels: tuple[str | None, ...]  # None: as they were drawn, without saying so
    synthetic: tuple[Path, ...]  # datasets of generators from elsewhere


def resolve_settings(options: Experiment) -> Settings:
    """Return the values of the preset, replaced by those that the user gave.

    Raises:
        UsageError: a raw set is missing, or given to the demo; there is no generator; the seeds of the classifiers are
            to share some of several GANs; or the looks of a sequential study cannot be planned.
    """
    preset = vars(PRESETS[options.preset])
    given = {name: getattr(options, name) for name in preset}
    if isinstance(options.gan_arch, str):
        given["gan_arch"] = (options.gan_arch,)
    values = preset | {name: value for name, value in given.items() if value is not None}
    if options.sequential is not None:
        if options.seeds is not None:
            raise UsageError("--seeds and --sequential are both given", "--sequential alone names the numbers of seeds")
        values["seeds"] = sequential_plan.check_looks(options.sequential)[-1].seeds
    if WITHOUT_GAN in values["gan_arch"]:
        _check_without_gan(options, values["gan_arch"])
        values["gan_arch"] = ()
    rsna, mura = _find_raw_sets(options, has_gan=bool(values["gan_arch"]))
    classifier_data = mura if is_prepared(mura) else options.out / MURA
    gan_data = rsna if is_prepared(rsna) else options.out / RSNA
    return Settings(
        rsna=rsna,
        mura=mura,
        gan_data=gan_data if values["gan_arch"] else classifier_data,
        classifier_data=classifier_data,
        **values,
        gans=_count_per_seed(options, "gans", "GAN", values["seeds"]),
        draws=_count_draws(options, values["real_fractions"], values["seeds"]),
        labels=options.labels or (None,),
        synthetic=options.synthetic or (),
    )


def image_size(given: Path, data: Path, size: int) -> int:
    """Return the size of the images of a dataset: that of a given prepared one, or the one to prepare it at."""
    if given != data:
        return size
    return Artifact(data, manifests.read(data / manifests.MANIFEST)).get(int, "result", "size", minimum=1)


def is_prepared(path: Path) -> bool:
    """Return whether a set that is given to a study is a prepared dataset."""
    return artifacts.is_artifact(path) and manifests.read(path / manifests.MANIFEST)["kind"] == "dataset"


def _count_per_seed(options: Experiment, name: str, thing: str, seeds: int) -> int:
    """Return the number of GANs of each architecture, or of draws of the real images.

    Two seeds that are trained on the images of one GAN are not independent samples of GANs, as which the variance over
    seeds takes them, so either all seeds share one GAN, or each has its own. The same holds for draws.

    Raises:
        UsageError: it is neither 1 nor the number of seeds.
    """
    value = getattr(options, name)
    given = seeds if value == PER_SEED else value
    if given not in (1, seeds) or isinstance(given, str):
        raise UsageError(
            f"--{name} is {given} with {seeds} seeds: each seed needs a {thing} of its own, or all share one, because "
            f"two seeds of one {thing} are not independent",
            f"--{name} {PER_SEED}" + ("" if options.sequential else f", or --seeds {given}"),
        )
    return given


def _count_draws(options: Experiment, fractions: Sequence[float], seeds: int) -> int:
    """Return the number of draws of each share of the real images.

    Raises:
        UsageError: it is neither 1 nor the number of seeds, or no real image is left out.
    """
    draws = _count_per_seed(options, "draws", "draw", seeds)
    if draws > 1 and min(fractions) == 1:
        raise UsageError("--draws does nothing: all real images are kept", "--real-fractions below 1")
    return draws


def _check_without_gan(options: Experiment, archs: tuple[str, ...]) -> None:
    """Check that a study without a GAN has other generators, and no options of a GAN.

    Raises:
        UsageError: it has not.
    """
    if archs != (WITHOUT_GAN,):
        raise UsageError(f"--gan-arch is {','.join(archs)}", f"{WITHOUT_GAN} trains no GAN, so give it alone")
    if not options.synthetic:
        raise UsageError(
            f"--gan-arch {WITHOUT_GAN} leaves the study without a generator",
            "--synthetic names datasets of other generators",
        )
    if options.gans != 1:
        raise UsageError(f"--gans does nothing with --gan-arch {WITHOUT_GAN}", "leave it out")
    for name in GAN_OPTIONS:
        if getattr(options, name) is not None:
            raise UsageError(f"{flag_name(name)} does nothing with --gan-arch {WITHOUT_GAN}", "leave it out")


def _find_raw_sets(options: Experiment, *, has_gan: bool) -> tuple[Path, Path]:
    """Return the sets for the GAN and for the classifiers, raw or prepared; the second one twice without a GAN.

    Raises:
        UsageError: one is missing, or given to the demo.
    """
    if options.preset == "demo":
        if options.rsna or options.mura:
            raise UsageError("--preset demo draws its own phantoms", "leave out --rsna and --mura, or --preset thesis")
        sources = (options.rsna_source or PRESETS["demo"].rsna_source, options.mura_source)
        rsna, mura = (options.out / f"raw-{source}" for source in sources)
        return (rsna, mura) if has_gan else (mura, mura)
    given = {"rsna": options.rsna if has_gan else options.mura, "mura": options.mura}
    if given["rsna"] is None or given["mura"] is None:
        missing = [f"--{name}" for name, path in given.items() if path is None and (has_gan or name == "mura")]
        hint = "give the raw sets, or --preset demo to try it on phantoms"
        raise UsageError(f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing", hint)
    return given["rsna"], given["mura"]
