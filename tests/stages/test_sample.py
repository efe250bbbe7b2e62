"""A synthetic image depends on the run, the seed and its number alone."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from builders import MakeDataset, edit_manifest, tamper
from PIL import Image
from safetensors.torch import save as serialise

from xrayaug.data.dataset import open_dataset
from xrayaug.data.images import contact_sheets
from xrayaug.errors import ArtifactError, UsageError, WeightsError
from xrayaug.networks import gans
from xrayaug.networks.gans import dcgan
from xrayaug.options import Sample, TrainGan
from xrayaug.options.choices import LABELS
from xrayaug.sampling import sampler
from xrayaug.stages import sample, train_gan
from xrayaug.storage import artifacts, weights
from xrayaug.storage.artifacts import open_artifact


@pytest.fixture(scope="module")
def runs(make_dataset: MakeDataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two GANs of one epoch: of the normal images, and of all."""
    folder = tmp_path_factory.mktemp("runs")
    data = make_dataset(folder / "data")
    options = TrainGan(data=data, epochs=1, latent=4, batch_size=8, device="cpu", out=folder / "all")
    train_gan.run(options)
    train_gan.run(replace(options, only_label="normal", out=folder / "normal"))
    return {name: folder / name for name in ("all", "normal")}


def images(out: Path) -> npt.NDArray[np.uint8]:
    found: npt.NDArray[np.uint8] = np.load(out / "images.npy")
    return found


def command(run: Path, out: Path, **changes: Any) -> Sample:
    return Sample(**{"run": run, "count": 3, "device": "cpu", "out": out, **changes})


def test_an_image_does_not_depend_on_the_count(runs: dict[str, Path], tmp_path: Path) -> None:
    """Counts below, above and far above one pass through the generator."""
    drawn = {}
    for count in (3, sampler.BATCH_SIZE + 6, 2 * sampler.BATCH_SIZE + 2):
        sample.run(command(runs["normal"], tmp_path / str(count), count=count))
        drawn[count] = images(tmp_path / str(count))
        assert drawn[count].shape == (count, 32, 32)
    few, more, many = drawn.values()
    np.testing.assert_array_equal(few, many[: len(few)])
    np.testing.assert_array_equal(more, many[: len(more)])
    assert len({picture.tobytes() for picture in many}) == len(many)


def test_every_pass_has_the_same_size(runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU's rounding may differ between batch sizes."""
    latents, passes = sampler.latents, []

    def recorded(seed: int, indices: range, length: int) -> torch.Tensor:
        passes.append(indices)
        return latents(seed, indices, length)

    monkeypatch.setattr(sampler, "latents", recorded)
    sample.run(command(runs["normal"], tmp_path / "out", count=sampler.BATCH_SIZE + 1))
    assert passes == [range(sampler.BATCH_SIZE), range(sampler.BATCH_SIZE, 2 * sampler.BATCH_SIZE)]


def test_a_latent_vector_depends_on_seed_and_number_alone() -> None:
    torch.testing.assert_close(sampler.latents(5, range(2, 4), 7), sampler.latents(5, range(4), 7)[2:], rtol=0, atol=0)
    assert not torch.equal(sampler.latents(5, range(1), 7), sampler.latents(6, range(1), 7))


def test_another_seed_draws_other_images(runs: dict[str, Path], tmp_path: Path) -> None:
    for seed in (0, 1):
        sample.run(command(runs["normal"], tmp_path / str(seed), seed=seed))
    first, second = images(tmp_path / "0"), images(tmp_path / "1")
    assert not any(np.array_equal(a, b) for a in first for b in second)


def test_png_files_hold_the_same_pixels(runs: dict[str, Path], tmp_path: Path) -> None:
    sample.run(command(runs["normal"], tmp_path / "out", png=True))
    files = sorted((tmp_path / "out" / "png").iterdir())
    assert [file.name for file in files] == ["000000.png", "000001.png", "000002.png"]
    for file, picture in zip(files, images(tmp_path / "out"), strict=True):
        with Image.open(file) as image:
            np.testing.assert_array_equal(np.asarray(image), picture)


@pytest.mark.parametrize(("learnt", "label"), [("normal", "normal"), ("all", "")])
def test_the_label_is_that_of_the_training_images(
    runs: dict[str, Path], tmp_path: Path, learnt: str, label: str
) -> None:
    sample.run(command(runs[learnt], tmp_path / "out"))
    opened = open_dataset(tmp_path / "out")
    assert [(each.split, each.label, each.synthetic, each.patient, each.source) for each in opened.rows] == [
        ("train", label, True, "", "dcgan")
    ] * 3
    np.testing.assert_array_equal(opened.pixels(opened.rows), images(tmp_path / "out"))


def test_the_manifest_chains_to_the_run(runs: dict[str, Path], tmp_path: Path) -> None:
    sample.run(command(runs["normal"], tmp_path / "out"))
    made = open_artifact(tmp_path / "out", "dataset")
    assert made.manifest["inputs"]["run"]["sha256"] == artifacts.digest(runs["normal"])
    assert set(made.manifest["files"]) == {"images.npy", "index.csv", "contact-sheet.png"}


def test_a_dataset_is_refused_as_a_run(make_dataset: MakeDataset, tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", studies=1)
    with pytest.raises(ArtifactError, match=r"'dataset' .* expected gan-run") as refusal:
        sample.run(command(data, tmp_path / "out"))
    assert "xrayaug train-gan" in refusal.value.hint
    assert not (tmp_path / "out").exists()


def test_a_broken_generator_draws_nothing(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "read", lambda path: {"w": torch.tensor([float("nan")])})
    with pytest.raises(WeightsError, match="NaN"):
        sample.run(command(runs["normal"], tmp_path / "out"))


def test_a_plan_writes_nothing(runs: dict[str, Path], tmp_path: Path) -> None:
    planned = sample.plan(command(runs["normal"], tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []
    assert planned == sample.run(command(runs["normal"], tmp_path / "out"))
    assert sample.tables(planned)[0].rows[0] == ("images", "3")


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("size", 10**9, "'result/size' is 1000000000, must be one of 32, 64, 128, 256"),
        ("size", -1, "'result/size' is -1"),
        ("latent", 10**12, "'result/latent' is 1000000000000, must be from 1 to"),
        ("latent", 0, "'result/latent' is 0"),
        ("latent", None, "'result/latent' is missing"),
        ("arch", "../secret", "'result/arch' is ../secret, must be one of "),
        ("training_images", ["normal"], "'result/training_images' is missing or of another type"),
        ("training_images", {"=cmd": 3}, "=cmd"),
    ],
)
def test_a_run_with_impossible_values_is_refused(
    runs: dict[str, Path], tmp_path: Path, name: str, value: Any, complaint: str
) -> None:
    shutil.copytree(runs["normal"], tmp_path / "run")
    edit_manifest(tmp_path / "run", lambda manifest: manifest["result"].update({name: value}))
    with pytest.raises(ArtifactError, match=re.escape(complaint)):
        sample.run(command(tmp_path / "run", tmp_path / "out"))


def test_a_latent_that_the_weights_do_not_have_is_refused_before_the_network_is_made(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(runs["normal"], tmp_path / "run")
    edit_manifest(tmp_path / "run", lambda manifest: manifest["result"].update(latent=1 << 20))  # 68 GB of weights
    with pytest.raises(WeightsError, match="does not fit"):
        sample.run(command(tmp_path / "run", tmp_path / "out"))


@pytest.fixture(scope="module")
def conditional_runs(make_dataset: MakeDataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Conditional GANs, trained just long enough to draw dark normal and bright abnormal images."""
    folder = tmp_path_factory.mktemp("conditional")
    data = make_dataset(folder / "data", splits=["train"], studies=8)
    runs = {name: folder / name for name in gans.names() if gans.load(name).CONDITIONAL == "always"}
    for name, out in runs.items():
        epochs = 60 if name == "projection" else 30  # what fits a label is a term that begins near zero
        settings: dict[str, Any] = {
            "epochs": epochs,
            "batch_size": 16,
            "width": 0.25,
            "lr": 1e-3,
            "on_collapse": "warn",
        }
        train_gan.run(TrainGan(data=data, arch=name, preview_every=0, device="cpu", out=out, **settings))
    return runs


def brightness(out: Path) -> npt.NDArray[np.float64]:
    return np.asarray(images(out).mean(axis=(1, 2)), np.float64)


def test_conditional_generators_draw_the_requested_label(conditional_runs: dict[str, Path], tmp_path: Path) -> None:
    """The images of the labels differ by 110 in mean brightness; a threshold between them tells nearly all."""
    for name, run in conditional_runs.items():
        for label in ("normal", "abnormal"):
            out = tmp_path / f"{name}-{label}"
            sample.run(command(run, out, label=label, count=32))
            opened = open_dataset(out)
            assert {row.label for row in opened.rows} == {label}
            bright = brightness(out) > 115
            assert bright.mean() > 0.9 if label == "abnormal" else bright.mean() < 0.1, (name, label)


def test_labels_alternate_by_default_and_an_image_does_not_depend_on_the_count(
    conditional_runs: dict[str, Path], tmp_path: Path
) -> None:
    for count in (3, sampler.BATCH_SIZE + 5):
        assert sample.run(command(conditional_runs["cgan"], tmp_path / str(count), count=count))["label"] == "balanced"
    few, many = (open_dataset(tmp_path / str(count)) for count in (3, sampler.BATCH_SIZE + 5))
    assert [row.label for row in few.rows] == ["normal", "abnormal", "normal"]
    assert [row.label for row in many.rows] == [LABELS[index % 2] for index in range(sampler.BATCH_SIZE + 5)]
    np.testing.assert_array_equal(images(few.path), images(many.path)[:3])
    asked = sample.run(command(conditional_runs["cgan"], tmp_path / "asked", count=3, label="balanced"))
    assert asked["label"] == "balanced"
    np.testing.assert_array_equal(images(tmp_path / "asked"), images(few.path))


def test_an_index_gives_the_same_image_with_one_label_or_alternating_labels(
    conditional_runs: dict[str, Path], tmp_path: Path
) -> None:
    for label in (None, "abnormal"):
        sample.run(command(conditional_runs["cgan"], tmp_path / str(label), label=label, count=4))
    balanced, one = images(tmp_path / "None"), images(tmp_path / "abnormal")
    np.testing.assert_array_equal(balanced[1::2], one[1::2])
    assert not np.array_equal(balanced[::2], one[::2])


def test_options_that_a_run_does_not_support_are_refused(
    runs: dict[str, Path], conditional_runs: dict[str, Path], tmp_path: Path
) -> None:
    for run, changes, complaint in (
        (runs["all"], {"label": "normal"}, "--label normal"),
        (conditional_runs["cgan"], {"truncation": 0.7}, "--truncation .* cgan"),
        (runs["all"], {"snapshot": "best"}, "no best snapshot"),
    ):
        for show in (sample.plan, sample.run):
            with pytest.raises(UsageError, match=complaint):
                show(command(run, tmp_path / "out", **changes))
        assert not (tmp_path / "out").exists()


def test_the_best_snapshot_is_sampled_if_requested(make_dataset: MakeDataset, tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", splits=["train"])
    settings: dict[str, Any] = {"latent": 4, "width": 0.125, "device": "cpu", "fid_every": 1, "fid_features": "random"}
    train_gan.run(TrainGan(data=data, epochs=2, out=tmp_path / "run", **settings))
    names = ("generator.safetensors", "best-generator.safetensors")
    best = weights.read(tmp_path / "run" / names[1])
    with torch.no_grad():
        tamper(tmp_path / "run", names[0], lambda _: serialise({name: 2 * tensor for name, tensor in best.items()}))
    for snapshot in ("last", "best"):
        sample.run(command(tmp_path / "run", tmp_path / snapshot, snapshot=snapshot))
    assert not np.array_equal(images(tmp_path / "last"), images(tmp_path / "best"))


def test_truncation_calls_the_generators_method(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def truncated(self: dcgan.Generator, z: torch.Tensor, labels: None, psi: float) -> torch.Tensor:
        return self.forward(psi * z, labels)

    monkeypatch.setattr(dcgan.Generator, "truncated", truncated, raising=False)
    for psi in (None, 1.0, 0.0):
        sample.run(command(runs["all"], tmp_path / str(psi), truncation=psi))
    plain, full, none = (images(tmp_path / str(psi)) for psi in (None, 1.0, 0.0))
    np.testing.assert_array_equal(plain, full)
    assert len({picture.tobytes() for picture in none}) == 1


@pytest.mark.parametrize(("label", "rows"), [(None, 2), ("abnormal", 1)])
def test_an_interpolation_begins_and_ends_at_its_images_in_each_label(
    conditional_runs: dict[str, Path], tmp_path: Path, label: str | None, rows: int
) -> None:
    sample.run(
        command(conditional_runs["cgan"], tmp_path / "out", count=9, label=label, interpolate=(7, 5 if label else 2))
    )
    strip = read_interpolation(tmp_path / "out", rows)
    last = rows - 1
    np.testing.assert_allclose(strip[last][0], images(tmp_path / "out")[7], atol=1)  # passes may round differently
    np.testing.assert_allclose(strip[0][-1], images(tmp_path / "out")[5 if label else 2], atol=1)


def test_an_interpolation_without_labels_is_one_row(runs: dict[str, Path], tmp_path: Path) -> None:
    sample.run(command(runs["all"], tmp_path / "out", count=9, interpolate=(7, 2)))
    (row,) = read_interpolation(tmp_path / "out", 1)
    np.testing.assert_allclose(row[0], images(tmp_path / "out")[7], atol=1)
    np.testing.assert_allclose(row[-1], images(tmp_path / "out")[2], atol=1)


def read_interpolation(out: Path, rows: int) -> list[list[npt.NDArray[np.int64]]]:
    """The pictures of the strip, row by row."""
    with Image.open(out / "interpolation.png") as image:
        strip = np.asarray(image).astype(np.int64)
    step = 32 + contact_sheets.GAP
    assert strip.shape == (rows * step + contact_sheets.GAP, 8 * step + contact_sheets.GAP)
    return [
        [
            strip[step * row :, step * column :][contact_sheets.GAP : step, contact_sheets.GAP : step]
            for column in range(8)
        ]
        for row in range(rows)
    ]


def test_an_interpolation_may_end_at_an_image_that_is_not_drawn(runs: dict[str, Path], tmp_path: Path) -> None:
    sample.run(command(runs["all"], tmp_path / "out", interpolate=(0, 10**9)))
    assert (tmp_path / "out" / "interpolation.png").exists()


def test_interpolated_latent_vectors_keep_their_length() -> None:
    first, last = sampler.latents(0, range(2), 100)
    path = sampler.slerp(first, last)
    torch.testing.assert_close(path[0], first)
    torch.testing.assert_close(path[-1], last)
    lengths = path.norm(dim=1)
    assert lengths.min() > 0.95 * min(first.norm(), last.norm())
    torch.testing.assert_close(sampler.slerp(first, first), first.expand(sampler.BATCH_SIZE, -1))


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("classes", 3, "'result/classes' is 3, must be one of 0, 2"),
        ("classes", 2, "dcgan cannot be conditional"),
        ("width", 1e9, "'result/width' is 1000000000"),
        ("width", "1", "'result/width' is missing or of another type"),
    ],
)
def test_impossible_labels_and_widths_are_refused(
    runs: dict[str, Path], tmp_path: Path, name: str, value: Any, complaint: str
) -> None:
    shutil.copytree(runs["normal"], tmp_path / "run")
    edit_manifest(tmp_path / "run", lambda manifest: manifest["result"].update({name: value}))
    with pytest.raises(ArtifactError, match=re.escape(complaint)):
        sample.run(command(tmp_path / "run", tmp_path / "out"))
