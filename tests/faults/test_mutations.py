"""Whatever a file holds, its reader ends in success or in one line that says what is wrong, soon and in little memory.

The quick share is the same in every run; the long one (`make test-faults`) draws anew each time.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from builders import grey, row, tamper, write_dataset, write_png
from data.sources import imitations
from faults import mutants
from faults.mutants import Step
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from xrayaug.data import arms, dataset, image_sets, sources
from xrayaug.data.dataset import INDEX, open_dataset, reference_row
from xrayaug.data.images import greyscale
from xrayaug.data.images.arrays import IMAGES
from xrayaug.metrics import features, frechet
from xrayaug.metrics.frechet import RunningMoments
from xrayaug.networks import classifier, gans
from xrayaug.networks.gans import Shape
from xrayaug.options import Augment, Copies, Evaluate, Prepare, Sample, TrainClassifier, TrainGan
from xrayaug.sampling import sampler
from xrayaug.stages import augment, evaluate, sample
from xrayaug.storage import artifacts, manifests, weights
from xrayaug.storage.builder import build_artifact
from xrayaug.storage.files import WEIGHTS_FILE
from xrayaug.storage.manifests import MANIFEST

PUBLIC_SETS = ("cbis-ddsm", "nih-chestxray14", "vindr-cxr")  # with lists of text
QUICK, LONG = 150, 4000  # mutated inputs for each reader

Put = Callable[[Path, bytes], Any]


@dataclass(frozen=True)
class Reader:
    """A reader, the files that it reads, and how one of them is replaced."""

    files: Sequence[Path]
    read: Callable[[Path], Any]  # the file that was replaced is told
    text: bool = False
    put: Put = Path.write_bytes


def seal(file: Path, content: bytes) -> None:
    """Replace a file of an artifact and its hash with it, so that the hash does not hide the reader."""
    tamper(file.parent, file.name, lambda _: content)


def seal_again(file: Path, content: bytes) -> None:
    """Replace a manifest and its seal with it."""
    file.write_bytes(content)
    with suppress(ValueError, RecursionError, UnicodeEncodeError):
        value = json.loads(content)
        if isinstance(value, dict):
            manifests.write(file.parent, value)


def build_sets(root: Path) -> tuple[Path, Path]:
    """Write a dataset, and an arm of it with synthetic images; return both paths."""
    rows = [
        row(
            patient=f"p{place}", study=f"p{place}/s1", label=label, split=split, file=f"{place}.png", extra={"age": "7"}
        )
        for place, (label, split) in enumerate(
            [("normal", "train"), ("abnormal", "train"), ("normal", "valid"), ("normal", "test")]
        )
    ]
    real = write_dataset(root / "real", rows, pixels=grey(4, 16))
    drawn = write_dataset(root / "drawn", [row(patient="", synthetic=True)] * 2, pixels=grey(2, 16))

    def build(directory: Path) -> dict[str, Any]:
        lent = [reference_row(each, "real") for each in open_dataset(real).rows]
        dataset.write_index(directory, lent + [reference_row(each, "synthetic") for each in open_dataset(drawn).rows])
        arm = {"percent": 100.0, "real_fraction": 1.0, "label": "normal", "added": 2, "real": 2}
        return {"split_by": "patient", "arm": arm}

    build_artifact(Augment(real=real, synthetic=(drawn,), percent=100, out=root / "arm"), "dataset", build)
    return real, root / "arm"


def manifest(root: Path) -> Reader:
    found = build_sets(root)
    return Reader([path / MANIFEST for path in found], lambda file: artifacts.open_artifact(file.parent), text=True)


def dataset_manifest(root: Path) -> Reader:
    def read(file: Path) -> None:
        opened = open_dataset(file.parent)
        opened.pixels(opened.rows, 16)
        assert file.parent.name != "arm" or arms.read_arm(opened.artifact)

    return Reader([path / MANIFEST for path in build_sets(root)], read, text=True, put=seal_again)


def gan_run(root: Path) -> Reader:
    real, _ = build_sets(root)
    shape = Shape(32, 4)

    def build(directory: Path) -> dict[str, Any]:
        network = gans.load("dcgan").generator(shape)
        weights.save(directory / "generator.safetensors", weights.cpu_state_dict(network))
        return {
            "arch": "dcgan", "size": 32, "latent": 4, "classes": 0, "width": 1.0, "training_images": {"normal": 1},
        }  # fmt: skip

    def read(file: Path) -> None:
        sample.plan(Sample(run=file.parent, out=root / "out"))
        sampler.TrainedGan(artifacts.open_artifact(file.parent, "gan-run")).generator()

    build_artifact(TrainGan(data=real, out=root / "gan"), "gan-run", build)
    return Reader([root / "gan" / MANIFEST], read, text=True, put=seal_again)


def classifier_run(root: Path) -> Reader:
    _, arm = build_sets(root)

    def build(directory: Path) -> dict[str, Any]:
        weights.save(directory / "weights.safetensors", {"w": torch.ones(1)})
        return {"arm": arms.read_arm(artifacts.open_artifact(arm)).record}

    build_artifact(TrainClassifier(data=arm, out=root / "run"), "classifier-run", build)
    options = Evaluate(runs=(root / "run",), out=root / "out")
    manifest = root / "run" / MANIFEST
    return Reader([manifest], lambda _: evaluate.tables(evaluate.plan(options)), text=True, put=seal_again)


def features_of_a_run(root: Path) -> Reader:
    real, _ = build_sets(root)

    def build(directory: Path) -> dict[str, Any]:
        weights.save(directory / WEIGHTS_FILE, classifier.state_of(classifier.build("squeezenet1_1", size=32)))
        return {"arch": "squeezenet1_1", "size": 32, "train": {"synthetic": {"normal": 0, "abnormal": 0}}}

    def read(file: Path) -> None:
        found = features.load_extractor(str(file.parent), torch.device("cpu"))
        assert found.learnt_from

    build_artifact(TrainClassifier(data=real, out=root / "run"), "classifier-run", build)
    return Reader([root / "run" / MANIFEST], read, text=True, put=seal_again)


def screening(root: Path) -> Reader:
    real, _ = build_sets(root)
    given: dict[str, Any] = {"real": real, "synthetic": root / "drawn", "percent": 100}
    result = {"verdict": "pass", "quarantined": [1]}
    build_artifact(Copies(synthetic=root / "drawn", real=real, out=root / "copies"), "copies", lambda _: result)
    options = Augment(**given, copies=(root / "copies",), out=root / "screened")
    return Reader([root / "copies" / MANIFEST], lambda _: augment.plan(options), text=True, put=seal_again)


def read_set(file: Path) -> None:
    opened = open_dataset(file.parent)
    opened.pixels(opened.rows, 16)


def index(root: Path) -> Reader:
    return Reader([path / INDEX for path in build_sets(root)], read_set, text=True, put=seal)


def images(root: Path) -> Reader:
    return Reader([build_sets(root)[0] / IMAGES], read_set, put=seal)


def listed(root: Path, name: str, lists: dict[str, str], pictures: Sequence[str]) -> Reader:
    """Return the reader of a raw set of `pictures`, whose lists are mutated."""
    for picture in pictures:
        write_png(root / picture, grey(1)[0])
    for list_name, content in lists.items():
        (root / list_name).write_text(content)
    options = Prepare(source=name, input=root, part="all", out=root.parent / "out")

    def read(_: Path) -> None:
        listing = sources.load(name).read(options)
        outside = [record.file for record in listing.records if ".." in record.file or record.file.startswith("/")]
        assert not outside, "it leads out of the set"

    return Reader([root / list_name for list_name in lists], read, text=True)


def mura(root: Path) -> Reader:
    studies = [f"train/XR_HAND/patient{n:05}/study1_{word}" for n, word in enumerate(("positive", "negative") * 3)]
    pictures = [f"{study}/image{n}.png" for study in studies for n in (1, 2)]
    lists = {
        "train_image_paths.csv": "".join(f"MURA-v1.1/{picture}\n" for picture in pictures),
        "train_labeled_studies.csv": "".join(f"MURA-v1.1/{each}/,{int('positive' in each)}\n" for each in studies),
    }
    return listed(root / "MURA", "mura", lists, pictures)


def rsna(root: Path) -> Reader:
    lists = {
        "boneage-training-dataset.csv": "id,boneage,male\n" + "".join(f"{n},{12 * n}.0,True\n" for n in range(1, 9)),
        "validation.csv": "Image ID,male,Bone Age (months)\n" + "".join(f"{n},FALSE,{n}\n" for n in range(20, 24)),
        "test.csv": "Case ID,Sex\n4360,M\n4361,F\n",
    }
    numbers = [*range(1, 9), *range(20, 24), 4360, 4361]
    return listed(root / "rsna", "rsna", lists, [f"images/{number}.png" for number in numbers])


def table(root: Path) -> Reader:
    lines = [f"scans/{n}.png;{n % 2};p{n // 2};s{n};{'train' if n < 6 else 'test'}\n" for n in range(8)]
    lists = {"labels.csv": "file;label;patient;study;split\n" + "".join(lines)}
    return listed(root / "table", "table", lists, [f"scans/{n}.png" for n in range(8)])


def public_set(name: str, root: Path) -> Reader:
    imitations.MAKERS[name](root)
    options = Prepare(source=name, input=root, out=root.parent / "out")
    return Reader(sorted(root.rglob("*.csv")), lambda _: sources.load(name).read(options), text=True)


def pictures_of_every_kind(root: Path) -> list[Path]:
    random = np.random.default_rng(0)
    plain = Image.fromarray(random.integers(0, 256, (24, 20, 3), np.uint8))
    deep = Image.fromarray(random.integers(0, 60000, (24, 20)).astype(np.uint16))
    real = Image.fromarray(random.random((24, 20)).astype(np.float32))
    exif = Image.Exif()
    exif[0x0112] = 6
    clear = plain.convert("RGBA")
    clear.putalpha(plain.convert("L"))
    kinds: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "8.png": (plain.convert("L"), {"exif": exif}),
        "16.png": (deep, {"exif": exif}),
        "alpha.png": (clear, {}),
        "palette.png": (plain.convert("P"), {"transparency": 3}),
        "colour.jpg": (plain, {"exif": exif}),
        "cmyk.jpg": (plain.convert("CMYK"), {"progressive": True}),
        "8.tif": (plain.convert("L"), {"exif": exif}),
        "16.tif": (deep, {"compression": "tiff_lzw"}),
        "32.tif": (real, {}),
        "a.gif": (plain.convert("L"), {"save_all": True, "append_images": [plain.convert("L").rotate(9)]}),
        "a.bmp": (plain, {}),
        "a.webp": (clear, {"lossless": True, "exif": exif}),
        "a.ppm": (plain, {}),
        "16.pgm": (deep, {}),
        "a.jp2": (plain.convert("L"), {}),
    }
    for name, (picture, settings_) in kinds.items():
        picture.save(root / name, **settings_)
    return [root / name for name in kinds]


def picture_for_prepare(root: Path) -> Reader:
    return Reader(pictures_of_every_kind(root), greyscale.decode)


def picture_for_fid(root: Path) -> Reader:
    return Reader(pictures_of_every_kind(root), image_sets.read_image)


def weights_file(root: Path) -> Reader:
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3), torch.nn.BatchNorm2d(3))
    weights.save(root / "w.safetensors", weights.cpu_state_dict(network))
    torch.save(network.state_dict(), root / "new.pth")
    torch.save(network.state_dict(), root / "old.pth", _use_new_zipfile_serialization=False)
    names = ("w.safetensors", "new.pth", "old.pth")
    return Reader([root / name for name in names], lambda file: weights.load_into(network, file))


def statistics(root: Path) -> Reader:
    gathered = RunningMoments(5)
    gathered.add(np.random.default_rng(0).normal(size=(9, 5)))
    made = gathered.statistics({"features": "random", "network": "a" * 64})
    frechet.save(root / "ours.npz", made)
    np.savez_compressed(root / "theirs.npz", mu=made.mean, sigma=np.asfortranarray(made.covariance))

    def read(file: Path) -> None:
        side = frechet.load(file)
        assert np.isfinite(frechet.distance(side, side))

    return Reader([root / "ours.npz", root / "theirs.npz"], read)


def packed(archive: Path, read: Callable[[], Any]) -> Reader:
    """Return a reader of a zip archive whose members are mutated and packed again, so that checksums still match."""
    with ZipFile(archive) as whole:
        whole.extractall(archive.parent / "members")
    members = sorted(file for file in (archive.parent / "members").rglob("*") if file.is_file())

    def put(file: Path, content: bytes) -> None:
        file.write_bytes(content)
        with ZipFile(archive, "w") as again:
            for member in members:
                again.write(member, member.relative_to(archive.parent / "members"))

    return Reader(members, lambda _: read(), put=put)


def weights_packed_again(root: Path) -> Reader:
    made = weights_file(root)
    return packed(root / "new.pth", lambda: made.read(root / "new.pth"))


def statistics_packed_again(root: Path) -> Reader:
    made = statistics(root)
    return packed(root / "ours.npz", lambda: made.read(root / "ours.npz"))


READERS: dict[str, Callable[[Path], Reader]] = {
    "manifest": manifest,
    "manifest of a dataset": dataset_manifest,
    "manifest of a GAN run": gan_run,
    "manifest of a classifier run": classifier_run,
    "manifest of a run whose features are taken": features_of_a_run,
    "manifest of a screening": screening,
    "index.csv": index,
    "images.npy": images,
    "MURA's lists": mura,
    "RSNA's CSV files": rsna,
    "a table": table,
    **{f"the lists of {name}": partial(public_set, name) for name in PUBLIC_SETS},
    "a picture for prepare": picture_for_prepare,
    "a picture for fid": picture_for_fid,
    "weights": weights_file,
    "weights, packed again": weights_packed_again,
    "statistics": statistics,
    "statistics, packed again": statistics_packed_again,
}


def try_out(name: str, root: Path, count: int, *, derandomize: bool) -> None:
    """Give a reader `count` mutated files."""
    reader = READERS[name](root)
    whole = {file: file.read_bytes() for file in reader.files}
    for file in reader.files:
        reader.read(file)  # as it is, it is read: and what the first use loads does not count

    @settings(
        max_examples=count,
        derandomize=derandomize,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(file=st.sampled_from(reader.files), steps=mutants.steps(text=reader.text))
    def mutate(file: Path, steps: list[Step]) -> None:
        reader.put(file, mutants.mutated(whole[file], steps))
        try:
            mutants.survives(name, lambda: reader.read(file))
        finally:
            reader.put(file, whole[file])

    mutate()


@pytest.mark.parametrize("name", READERS)
def test_readers_refuse_mutated_files_cleanly(name: str, tmp_path: Path) -> None:
    try_out(name, tmp_path, QUICK, derandomize=True)


@pytest.mark.faults
@pytest.mark.parametrize("name", READERS)
def test_readers_refuse_many_mutated_files_cleanly(name: str, tmp_path: Path) -> None:
    try_out(name, tmp_path, LONG, derandomize=False)
