"""Tests of the generators of a study: images that were made elsewhere beside the GANs that it trains."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import edit_manifest, row, write_dataset, write_external
from planned import graph, lines

from xrayaug.data.dataset import LABELS
from xrayaug.errors import ArtifactError, DataError, UsageError
from xrayaug.options import Augment, Experiment, TrainGan
from xrayaug.stages import augment
from xrayaug.storage import builder
from xrayaug.studies import study_generators, study_settings
from xrayaug.studies.study_generators import ExternalGenerator

GIVEN: dict[str, Any] = {"percents": (0.0, 50.0), "seeds": 1, "controls": ("duplicate",), "gan_arch": ("cgan",)}
BOTH = ("normal", "abnormal", "normal", "normal")


@pytest.fixture
def ddpm(tmp_path: Path) -> Path:
    """Images of both labels of a generator from elsewhere."""
    return write_external(tmp_path, learnt_from="none", labels=BOTH)


def names_of(*synthetic: Path, **changes: Any) -> list[tuple[str, str]]:
    """Return the names of the generators of a study, and the suffixes of their directories."""
    options = Experiment(preset="demo", synthetic=synthetic, out=Path("s"), **changes)
    found = study_generators.find_generators(options, study_settings.resolve_settings(options))
    return [(each.name, each.suffix) for each in found]


def write_run(data: Path, path: Path, arch: str = "cgan", **changes: Any) -> Path:
    """Write the manifest of a GAN of the shape that GANs of the demo have, and return its path."""
    result = {"arch": arch, "size": 64, "latent": 100, "width": 1.0, "classes": 2} | changes
    builder.build_artifact(TrainGan(data=data, out=path, arch=arch), "gan-run", lambda _: result)
    return path


def test_a_generator_from_elsewhere_has_arms_beside_those_of_the_gan(ddpm: Path) -> None:
    found = lines(**GIVEN, synthetic=(ddpm,), screen=True)
    inputs = graph(**GIVEN, synthetic=(ddpm,), screen=True)
    assert [name for name in found if name.startswith(("gan", "synthetic"))] == ["gan", "synthetic"]
    assert inputs["arm-50-ddpm"] == {"mura", "copies-ddpm"}
    assert f"--synthetic {ddpm} " in found["arm-50-ddpm"]
    assert "--generator" not in found["arm-50-ddpm"]
    assert inputs["copies-ddpm"] == {"mura"}, "nothing is known of its training images"
    assert inputs["fid-synthetic-ddpm-rsna"] == {"rsna"}, "compared with the same images as those of the GAN"
    assert inputs["classifier-50-ddpm-seed-0"] == {"arm-50-ddpm"}
    assert inputs["evaluation"] >= {"classifier-50-ddpm-seed-0", "classifier-50-duplicate-ddpm-seed-0",
                                    "fid-synthetic-ddpm-rsna"}  # fmt: skip


@pytest.mark.parametrize("screen", [False, True])
@pytest.mark.parametrize("archs", [("cgan",), ("cgan", "acgan"), ("cgan", "dcgan")])
def test_a_generator_from_elsewhere_is_added_to_a_study_that_is_complete(
    ddpm: Path, archs: tuple[str, ...], *, screen: bool
) -> None:
    given = GIVEN | {"gan_arch": archs, "screen": screen}
    before, after = lines(**given), lines(**given, synthetic=(ddpm,))
    del before["evaluation"]
    assert before.items() <= after.items()
    assert "--generator ddpm" in after["arm-50-duplicate-ddpm"]


@pytest.mark.parametrize(
    ("labels", "changes", "is_shared"),
    [
        (BOTH, {}, False),
        (BOTH, {"labels": ("normal",)}, True),
        (LABELS * 4, {"samples": 8}, True),  # the very labels that the GAN will draw
        (LABELS * 4, {"samples": 8, "screen": True}, False),
        (LABELS * 4, {"samples": 10}, False),
        (("normal",) * 4, {}, False),
        (("normal",) * 4, {"gan_arch": ("dcgan",)}, True),  # as RSNA's images are all normal
        (("normal",) * 4, {"gan_arch": ("dcgan",), "rsna_source": "folder"}, False),
        (("normal",) * 4, {"gan_arch": ("dcgan",), "rsna_source": "mura", "gan_label": "normal"}, True),
        (("abnormal",) * 4, {"gan_arch": ("dcgan",)}, False),
    ],
)
def test_controls_of_real_images_are_shared_where_labels_are_surely_the_same(
    tmp_path: Path, labels: tuple[str, ...], changes: dict[str, Any], is_shared: bool
) -> None:
    made = write_external(tmp_path, labels=labels)
    found = lines(**GIVEN | changes, synthetic=(made,))
    duplicates = [name for name in found if name.startswith("arm") and "duplicate" in name]
    assert len(duplicates) == (1 if is_shared else 2)


def test_generators_from_elsewhere_are_judged_without_a_gan(ddpm: Path, tmp_path: Path) -> None:
    vae = write_external(tmp_path / "v", "vae", labels=BOTH)
    given = GIVEN | {"gan_arch": ("none",), "rsna_source": None, "samples": None}
    found, inputs = lines(**given, synthetic=(ddpm, vae)), graph(**given, synthetic=(ddpm, vae))
    assert not {line.split()[1] for line in found.values()} & {"train-gan", "sample"}
    assert [name for name in found if name.startswith(("raw", "mura", "rsna", "arm", "fid"))] == [
        "raw-mura", "mura", "fid-synthetic-ddpm-mura", "fid-synthetic-vae-mura",
        "arm-0", "arm-50-ddpm", "arm-50-duplicate", "arm-50-vae",
    ]  # fmt: skip
    assert "--synthetic" not in found["arm-0"]
    assert inputs["arm-50-vae"] == {"mura"}
    one = lines(**given, synthetic=(ddpm,))
    del one["evaluation"]
    assert one.items() <= found.items()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"synthetic": None}, "--gan-arch none leaves the study without a generator"),
        ({"gan_arch": ("none", "cgan")}, "--gan-arch is none,cgan"),
        ({"samples": 4}, "--samples does nothing with --gan-arch none"),
        ({"gan_size": 32}, "--gan-size does nothing"),
        ({"conditional": False}, "--conditional does nothing"),
        ({"rsna_source": "rsna"}, "--rsna-source does nothing"),
        ({"preset": "thesis", "mura": Path("m"), "rsna": Path("r")}, "--rsna does nothing"),
        ({"preset": "thesis"}, "--mura is missing"),
    ],
)
def test_options_that_do_not_fit_a_study_without_a_gan_are_refused(
    ddpm: Path, changes: dict[str, Any], said: str
) -> None:
    given: dict[str, Any] = {"rsna_source": None, "samples": None, "gan_arch": ("none",), "synthetic": (ddpm,)}
    with pytest.raises(UsageError, match=said):
        lines(**given | changes)


def test_images_are_screened_against_what_their_generator_was_trained_on(tmp_path: Path) -> None:
    declared = write_dataset(tmp_path / "declared", [row(), row(label="abnormal", patient="p1")])
    made = write_external(tmp_path, learnt_from=declared, labels=BOTH)
    found = lines(**GIVEN, synthetic=(made,), screen=True)
    assert f"--real {declared} " in found["copies-ddpm"]
    edit_manifest(declared, lambda manifest: manifest.update(version="another"))
    with pytest.raises(ArtifactError, match="changed since"):
        lines(**GIVEN, synthetic=(made,), screen=True)


def test_a_generator_whose_name_is_taken_is_called_by_its_directory(tmp_path: Path) -> None:
    first, second, third = (write_external(tmp_path / str(n), "cgan", sha256=f"{n}") for n in range(3))
    second, third = second.rename(tmp_path / "psi 0.7"), third.rename(tmp_path / "Psi-0.7")
    ddpm = write_external(tmp_path, "a/b: c", sha256="4")
    assert names_of(second, ddpm) == [("cgan", ""), ("psi 0.7", "-psi-0.7"), ("a/b: c", "-a-b-c")]
    assert names_of(second, gan_arch="acgan") == [("acgan", ""), ("cgan", "-cgan")]
    assert "--generator 'psi 0.7'" in lines(**GIVEN, synthetic=(second,))["arm-50-psi-0.7"]
    for synthetic in ((first,), (second, third)):
        with pytest.raises(UsageError, match=r"another generator of this study has the name of .*cgan"):
            names_of(*synthetic)
    with pytest.raises(UsageError, match="names one dataset twice"):
        names_of(ddpm, ddpm)


def test_a_generator_with_the_name_of_a_control_is_refused(tmp_path: Path) -> None:
    made = write_external(tmp_path, "duplicate", labels=BOTH)
    with pytest.raises(UsageError, match="would be called arm-50-duplicate") as refused:
        lines(**GIVEN, synthetic=(made,))
    assert "prepare --synthetic --generator" in refused.value.hint


def test_what_is_no_synthetic_dataset_is_refused(ddpm: Path, tmp_path: Path) -> None:
    real = write_dataset(tmp_path / "real", [row(), row(label="abnormal", patient="p1")])
    augment.run(Augment(real=real, synthetic=(ddpm,), percent=100, out=tmp_path / "arm"))
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "0.png").touch()
    for path, error, said in (
        (real, DataError, "holds real images"),
        (tmp_path / "arm", DataError, "is an arm"),
        (tmp_path / "made", DataError, "is a folder of images, not a synthetic dataset"),
        (tmp_path / "nowhere", ArtifactError, "nothing there"),
    ):
        with pytest.raises(error, match=said):
            lines(**GIVEN, synthetic=(path,))


def test_what_is_known_of_a_generator_is_said(tmp_path: Path, ddpm: Path) -> None:
    declared = write_dataset(tmp_path / "declared", [row()])
    sets = {
        "seen none of the images": ddpm,
        "what it was trained on is unknown": write_external(tmp_path / "u", "vae"),
        "are declared by the user": write_external(tmp_path / "d", "flow", learnt_from=declared),
    }
    options = Experiment(preset="demo", synthetic=tuple(sets.values()), out=Path("s"))
    found = study_generators.find_generators(options, study_settings.resolve_settings(options))
    external = [each for each in found if isinstance(each, ExternalGenerator)]
    assert len(external) == 3
    for said, each in zip(sets, external, strict=True):
        assert said in each.describe()
        assert f"{each.name} ({each.synthetic}: {len(each.labels)} images" in each.describe()


def test_a_set_from_elsewhere_beside_several_gans_is_of_one_generator(ddpm: Path) -> None:
    options = Experiment(preset="demo", synthetic=(ddpm,), seeds=3, gans="per-seed", out=Path("s"))
    found = study_generators.find_generators(options, study_settings.resolve_settings(options))
    assert [(each.name, each.seed) for each in found] == [("cgan", 0), ("cgan", 1), ("cgan", 2), ("ddpm", None)]
    several, elsewhere = study_generators.describe(found)
    assert several.startswith("3 GANs cgan, one for each seed of the classifiers: ")
    assert elsewhere.endswith("so verdicts on them are about this generator only")
    alone = study_generators.describe(found[2:])
    assert len(alone) == 1 and "only" not in alone[0]
    planned = lines(**GIVEN | {"seeds": 3, "gans": 3, "synthetic": (ddpm,)})
    data = {name: line.split("--data ")[1].split()[0] for name, line in planned.items()
            if name.startswith("classifier-50-ddpm")}  # fmt: skip
    assert data == {f"classifier-50-ddpm-seed-{seed}": "s/arm-50-ddpm" for seed in range(3)}


def test_gans_start_from_a_run_of_their_architecture(ddpm: Path, tmp_path: Path) -> None:
    init = write_run(ddpm, tmp_path / "before")
    planned = lines(**GIVEN | {"seeds": 2, "gans": 2, "gan_init": init})
    assert all(f"--init {init} " in planned[name] for name in ("gan", "gan-cgan-2"))
    assert "--init" not in lines(**GIVEN)["gan"]
    options = Experiment(preset="demo", seeds=2, gans=2, gan_init=init, out=Path("s"))
    found = study_generators.find_generators(options, study_settings.resolve_settings(options))
    assert study_generators.describe(found)[0].endswith(f"GANs of this kind that start from {init}")
    for archs, named in ((("cgan", "acgan"), "cgan, acgan"), (("none",), "none")):
        with pytest.raises(UsageError, match=f"is a run of cgan, and --gan-arch is {named}$"):
            names_of(ddpm, gan_init=init, gan_arch=archs)
    for name, value, described in (
        ("size", 128, "64"),
        ("latent", 64, "100"),
        ("width", 0.25, "1"),
        ("classes", 0, "2"),
    ):
        changes: dict[str, Any] = {name: value}
        other = write_run(ddpm, tmp_path / name, **changes)
        with pytest.raises(UsageError, match=f"has {name} {value}, and .* have {name} {described}$"):
            names_of(gan_init=other)
    with pytest.raises(ArtifactError, match="nothing there"):
        names_of(gan_init=tmp_path / "absent")


@pytest.mark.parametrize(("arch", "classes", "size", "conditional", "misfit"), [
    ("projected", 0, 64, True, ""), ("projected", 0, 64, False, ""), ("projected", 2, 64, False, "has classes 2,"),
    ("projected", 0, 32, True, ""), ("projected", 2, 32, True, ""), ("projected", 0, 128, True, "has size 128,"),
    ("projected", 2, 128, False, "has size 128, classes 2, and the GANs of this study have size 64, classes 0"),
    ("stylegan2", 0, 64, True, "has classes 0,"), ("stylegan2", 2, 64, True, ""),
    ("stylegan2", 2, 32, True, "has size 32,"),
])  # fmt: skip
def test_gans_start_from_runs_with_or_without_labels_and_of_smaller_images(
    ddpm: Path, tmp_path: Path, arch: str, classes: int, size: int, *, conditional: bool, misfit: str
) -> None:
    latent = {"projected": 128, "stylegan2": 512}[arch]
    init = write_run(ddpm, tmp_path / "before", arch=arch, latent=latent, classes=classes, size=size)
    try:
        names_of(gan_init=init, gan_arch=(arch,), conditional=conditional)
    except UsageError as problem:
        assert misfit and misfit in str(problem)
    else:
        assert not misfit


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"controls": ("shuffle",)}, "--controls shuffle needs a generator of both labels, and ddpm draws one"),
        ({"schedules": ("pretrain",)}, "--schedules pretrain needs a generator of both labels, and ddpm draws one"),
        ({"controls": ("low-resolution",), "classifier_size": 32}, "those of cgan have 64 px"),
        ({"controls": ("low-resolution",), "gan_arch": ("none",), "rsna_source": None, "samples": None,
          "classifier_size": 16, "synthetic_size": 16}, "those of ddpm have 16 px"),
    ],
)  # fmt: skip
def test_arms_that_images_from_elsewhere_cannot_make_are_refused(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    size = changes.pop("synthetic_size", 8)
    made = write_external(tmp_path, labels=("normal",) * 4, pixels=np.zeros((4, size, size), np.uint8))
    with pytest.raises(UsageError, match=said):
        lines(**GIVEN | changes, synthetic=(made,))
