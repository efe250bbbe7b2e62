"""A tiny study with all that a paper reports: raw images with ages, a GAN, two synthetic sets, arms and a control."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from builders import write_external, write_png

from xrayaug.evaluation.report import page
from xrayaug.options import Augment, Copies, Evaluate, Prepare, Sample, TrainClassifier, TrainGan
from xrayaug.stages import augment, copies, evaluate, prepare, sample, train_classifier, train_gan

PATIENTS = 48  # one of them has an image without a label
NAME = "Mustermann"  # in the names of all patients and files


def write_raw(home: Path) -> Prepare:
    """Raw images of named patients with a list; one has no label, and one file is no image."""
    noise = np.random.default_rng(0)
    lines = [("file", "label", "patient", "sex", "age", "part")]
    for number in range(PATIENTS):
        label = "" if number == 0 else ("normal", "abnormal")[number % 2]
        name = f"{NAME}{number:02}.png"
        pixels = noise.integers(0, 120, (32, 32)) + (100 if label == "abnormal" else 0)
        write_png(home / "images" / name, pixels.astype(np.uint8))
        lines.append((name, label, f"{NAME}-{number}", "FM"[number % 3 == 0], str(20 + number), "hand"))
    (home / "images" / f"{NAME}-broken.png").write_bytes(b"no image")
    lines.append((f"{NAME}-broken.png", "normal", f"{NAME}-x", "F", "99", "hand"))
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    (home / "list.csv").write_text(text.getvalue(), encoding="utf-8")
    return Prepare(
        source="table", input=home / "images", table=home / "list.csv", size=32, test=0.4, duplicates="exact",
        out=home / "hands",
    )  # fmt: skip


def evaluate_options(home: Path, out: Path, *, checklist: bool) -> Evaluate:
    """The command that judges all runs."""
    runs = tuple(sorted(home.glob("run-*")))
    return Evaluate(
        runs=runs, also=(home / "further",), out=out, device="cpu", resamples=100, audit_images=0, checklist=checklist
    )


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of the study, whose evaluation is judged without checklists."""
    home = tmp_path_factory.mktemp("study")
    prepare.run(write_raw(home))
    prepare.run(write_raw(home / "elsewhere"))
    (home / "elsewhere" / "hands").rename(home / "further")
    train_gan.run(
        TrainGan(data=home / "hands", out=home / "gan", epochs=1, batch_size=8, latent=4, width=0.125, preview_every=0,
                 only_label="normal", device="cpu")
    )  # fmt: skip
    sample.run(Sample(run=home / "gan", count=20, out=home / "synthetic", device="cpu"))
    copies.run(
        Copies(synthetic=home / "synthetic", real=home / "hands", features="random", dims="64", out=home / "copies",
               device="cpu")
    )  # fmt: skip
    noise = np.random.default_rng(1).integers(0, 256, (20, 32, 32)).astype(np.uint8)
    other = write_external(home, "ddpm", learnt_from=home / "hands", pixels=noise, labels=["normal"] * 20)
    arms = {
        "0": Augment(real=home / "hands", synthetic=None, percent=0, out=home / "arm-0"),
        "gan": Augment(
            real=home / "hands", synthetic=(home / "synthetic",), copies=(home / "copies",), keep_copies=True,
            percent=50, generator="dcgan", out=home / "arm-gan",
        ),
        "ddpm": Augment(real=home / "hands", synthetic=(other,), percent=50, generator="ddpm", out=home / "arm-ddpm"),
        "duplicate": Augment(
            real=home / "hands", synthetic=(other,), percent=50, control="duplicate", out=home / "arm-duplicate"
        ),
    }  # fmt: skip
    for name, arm in arms.items():
        augment.run(arm)
        for seed in range(2):
            train_classifier.run(
                TrainClassifier(data=arm.out, out=home / f"run-{name}-{seed}", arch="squeezenet1_1", weights="none",
                                size=32, epochs=1, batch_size=8, seed=seed, device="cpu")
            )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "render", lambda *_: "")  # which takes a second
        evaluate.run(evaluate_options(home, home / "evaluation", checklist=False))
    return home
