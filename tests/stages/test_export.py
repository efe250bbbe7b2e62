"""An export has the pixels, labels and patients of the dataset, in every format, however often it was stopped."""

import csv
import gc
import io
import json
import signal
import tarfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from builders import MakeDataset, row, write_dataset
from peak import peak_of
from PIL import Image
from torch.nn import functional
from torch.utils.data import DataLoader

from xrayaug.data import dataset, exporters
from xrayaug.data.dataset import LABELS, Row, open_dataset
from xrayaug.errors import DataError, UsageError
from xrayaug.options import Augment, Export, Prepare
from xrayaug.runtime import stopping
from xrayaug.stages import augment, export, prepare
from xrayaug.storage import files, manifests
from xrayaug.storage.artifacts import open_artifact

FORMATS = exporters.names()
SIDE = 16

Pixels = npt.NDArray[np.uint8]


def noise(count: int, side: int = SIDE) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (count, side, side), np.uint8)


ROWS = [
    *(row(label=label, split=split, patient=f"0{split}{label}{number}", study=f"s{number}", file=f"raw/{number}.png",
          extra={"age": str(number), "file_name": "theirs", "note": "=1+2, \"ü\""})
      for split in dataset.SPLITS for label in LABELS for number in range(4)),
    *(row(label="abnormal", patient="", study="", source="gan", synthetic=True) for _ in range(3)),
    *(row(label="normal", patient="0trainnormal0", study="s0", file="raw/0.png", copy=copy) for copy in (1, 2)),
]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real images of all splits and labels, synthetic ones, and two copies that have pixels of their own here."""
    return write_dataset(tmp_path_factory.mktemp("data") / "arm", ROWS, pixels=noise(len(ROWS)))


def command(data: Path, out: Path, format: str, **changes: Any) -> Export:
    return Export(data=data, out=out, format=format, **changes)


def tree(out: Path) -> dict[str, bytes]:
    """Return the content of every file but the manifest, which holds times."""
    return {file.relative_to(out).as_posix(): file.read_bytes()
            for file in sorted(out.rglob("*")) if file.is_file() and file.name != "manifest.json"}  # fmt: skip


def decode(content: bytes) -> Pixels:
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.mode) == ("PNG", "L")
        return np.asarray(image)


def read_back(out: Path, format: str) -> list[tuple[str, dict[str, Any], Pixels]]:
    """Return name, description and pixels of every exported image, sorted by name, as another program would."""
    found = []
    if format == "csv":
        for line in csv.DictReader(io.StringIO((out / "images.csv").read_text(encoding="utf-8"), newline="")):
            file = line.pop("file_name")
            described = {name: cell.removeprefix("'") for name, cell in line.items()}
            described |= {"synthetic": line["synthetic"] == "1", "copy": int(line["copy"])}
            found.append((Path(file).stem, described, decode((out / file).read_bytes())))
    elif format == "imagefolder":
        for split in sorted(folder for folder in out.iterdir() if folder.is_dir()):
            for text in (split / "metadata.jsonl").read_text(encoding="utf-8").splitlines():
                entry = json.loads(text)
                file = entry.pop("file_name")
                assert Path(file).parts[0] == entry["label"] or entry["label"] == ""
                assert split.name == entry["split"]
                found.append((Path(file).stem, entry, decode((split / file).read_bytes())))
    else:
        for shard in sorted(out.glob("*.tar")):
            found += read_shard(shard)
    return sorted(found, key=lambda each: each[0])


def read_shard(shard: Path) -> Iterable[tuple[str, dict[str, Any], Pixels]]:
    with tarfile.open(shard) as tar:
        contents = {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]
    for name, content in contents.items():
        if name.endswith(".png"):
            stem = name.removesuffix(".png")
            described = json.loads(contents[f"{stem}.json"])
            classes = contents.get(f"{stem}.cls")
            assert (None if classes is None else LABELS[int(classes)]) == (described["label"] or None)
            assert shard.name.startswith(f"{described['split']}-")
            yield stem, described, decode(content)


@pytest.mark.parametrize("format", FORMATS)
def test_pixels_and_rows_are_those_of_the_dataset(data: Path, tmp_path: Path, format: str) -> None:
    result = export.run(command(data, tmp_path / "out", format, shard_size=5))
    found = read_back(tmp_path / "out", format)
    rows = open_dataset(data).rows
    assert len(found) == len(rows) == len({name for name, _, _ in found})
    for place, (name, described, pixels) in enumerate(found):
        expected = rows[place]
        assert name == f"{place:06}{'-synthetic' if expected.synthetic else ''}"
        np.testing.assert_array_equal(pixels, noise(len(rows))[place])
        for column in ("label", "split", "patient", "study", "synthetic", "copy", "source"):
            assert described[column] == getattr(expected, column), column
        assert described["original_file"] == expected.file
        extra = {"age": "age", "note": "note", "list_file_name_": "file_name"}
        assert {ours: described[ours] for ours in extra} == {
            ours: expected.extra[theirs] for ours, theirs in extra.items()
        }
    shards = 3 + 2 + 2  # 13 training images with 8 of each other split, five in a shard
    assert result["files"] == (shards if format == "webdataset" else len(rows))
    assert (result["images"], result["synthetic"], result["copies"]) == (len(rows), 3, 2)
    assert result["counts"] == dataset.count_images(rows)
    assert result["sizes"] == {str(SIDE): len(rows)}
    assert open_artifact(tmp_path / "out", "export").result == result


@pytest.mark.parametrize("format", FORMATS)
def test_images_without_a_label(tmp_path: Path, format: str) -> None:
    rows = [row(label="", patient="", study="", source="gan", synthetic=True)] * 3
    synthetic = write_dataset(tmp_path / "synthetic", rows, pixels=noise(3))
    export.run(command(synthetic, tmp_path / "out", format))
    assert [(name, described["label"]) for name, described, _ in read_back(tmp_path / "out", format)] == [
        (f"00000{number}-synthetic", "") for number in range(3)
    ]
    if format == "imagefolder":
        assert (tmp_path / "out" / "train" / "unlabelled" / "000002-synthetic.png").is_file()


@pytest.mark.parametrize("format", FORMATS)
def test_an_arm_with_images_of_two_sizes(make_dataset: MakeDataset, tmp_path: Path, format: str) -> None:
    real = make_dataset(tmp_path / "real")
    synthetic = make_dataset(tmp_path / "synthetic", synthetic=30, size=SIDE)
    augment.run(Augment(real=real, synthetic=(synthetic,), percent=100, label="normal", out=tmp_path / "arm"))
    result = export.run(command(tmp_path / "arm", tmp_path / "out", format))
    assert result["sizes"] == {"16": 8, "32": 48}
    arm = open_dataset(tmp_path / "arm")
    stack = arm.stack(arm.rows, 32)
    for place, (_, described, pixels) in enumerate(read_back(tmp_path / "out", format)):
        np.testing.assert_array_equal(pixels, stack.picture(place))
        assert described["synthetic"] == (len(pixels) == SIDE)
    assert result["arm"]["percent"] == 100


def test_a_control_that_repeats_images_has_a_file_for_each(make_dataset: MakeDataset, tmp_path: Path) -> None:
    real = make_dataset(tmp_path / "real")
    augment.run(Augment(real=real, percent=200, control="duplicate", out=tmp_path / "arm"))
    result = export.run(command(tmp_path / "arm", tmp_path / "out", "imagefolder"))
    assert result["copies"] == 16
    assert len(list((tmp_path / "out" / "train" / "normal").glob("*.png"))) == 8 + 16
    assert [table.notes[-1] for table in export.tables(result)] == [
        "images that a control adds once more: 16, each with a file of its own"
    ]


def test_weights_of_a_control_are_said_to_be_lost(
    make_dataset: MakeDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real = make_dataset(tmp_path / "real")
    augment.run(Augment(real=real, percent=50, control="reweight", out=tmp_path / "arm"))
    capsys.readouterr()
    export.run(command(tmp_path / "arm", tmp_path / "out", "csv"))
    assert "as if there were 12 normal and 8 abnormal images" in capsys.readouterr().err


def test_training_images_are_shuffled_among_shards_by_the_seed(data: Path, tmp_path: Path) -> None:
    def order(seed: int) -> list[str]:
        out = tmp_path / str(seed)
        export.run(command(data, out, "webdataset", shard_size=1000, seed=seed))
        with tarfile.open(out / "train-000000.tar") as tar:
            return [name for name in tar.getnames() if name.endswith(".png")]

    first, second = order(0), order(1)
    assert sorted(first) == sorted(second)
    assert len({tuple(first), tuple(second), tuple(sorted(first))}) == 3


def test_settings_that_change_nothing_find_the_export_complete(data: Path, tmp_path: Path) -> None:
    options = command(data, tmp_path / "out", "csv")
    assert export.run(options) == export.run(replace(options, seed=5, shard_size=2))
    assert options.identity()["seed"] is None
    assert command(data, tmp_path, "webdataset").identity()["seed"] == 0


def test_a_shard_holds_no_time_and_no_user(data: Path, tmp_path: Path) -> None:
    export.run(command(data, tmp_path / "out", "webdataset"))
    with tarfile.open(tmp_path / "out" / "train-000000.tar") as tar:
        for member in tar:
            assert (member.mtime, member.uid, member.gid, member.uname, member.mode) == (0, 0, 0, "", 0o644)
    assert (tmp_path / "out" / "train-000000.tar").stat().st_size % tarfile.RECORDSIZE == 0


def stop_after(count: int, options: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command that is asked to stop after so many files of images."""
    write, written = files.write_pieces, 0

    def counted(path: Path, *given: Any, **named: Any) -> None:
        nonlocal written
        write(path, *given, **named)
        written += path.suffix in (".png", ".tar")
        if written == count:
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch, pytest.raises(stopping.Stopped), stopping.handle_signals():
        patch.setattr(files, "write_pieces", counted)
        export.run(options)


def written_again(options: Export, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the files of images that a run writes."""
    write, written = files.write_pieces, []

    def counted(path: Path, *given: Any, **named: Any) -> None:
        write(path, *given, **named)
        written.append(path.name)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_pieces", counted)
        export.run(options)
    return [name for name in written if name.endswith((".png", ".tar"))]


@pytest.mark.parametrize("format", FORMATS)
def test_a_stopped_export_ends_with_the_same_bytes(
    data: Path, tmp_path: Path, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporters, "PART_IMAGES", 4)
    whole = command(data, tmp_path / "whole", format, shard_size=4)
    export.run(whole)
    stopped = replace(whole, out=tmp_path / "stopped")
    for count in (3, 6):
        stop_after(count, stopped, monkeypatch)
        assert not stopped.out.exists()
    total = len(ROWS) if format != "webdataset" else 4 + 2 + 2
    # Of files of four images, 2 and then 5 are whole parts; of PNG files, four are a part.
    kept = {True: 2 + 5, False: 4}[format == "webdataset"]
    assert len(written_again(stopped, monkeypatch)) == total - kept
    assert tree(stopped.out) == tree(whole.out)
    assert open_artifact(stopped.out).result == open_artifact(whole.out).result


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"not JSON\n", None], ids=["empty", "object", "text", "file"])
def test_a_part_that_is_damaged_is_written_again(
    data: Path, tmp_path: Path, damage: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporters, "PART_IMAGES", 4)
    whole, stopped = (command(data, tmp_path / name, "csv") for name in ("whole", "stopped"))
    export.run(whole)
    stop_after(14, stopped, monkeypatch)
    partial = tmp_path / "stopped.partial"
    if damage is None:
        (partial / "images" / "000005.png").write_bytes(b"half")
    else:
        journal = partial / "resume" / export.JOURNAL
        journal.write_bytes(journal.read_bytes().splitlines(keepends=True)[0] + damage)
    assert len(written_again(stopped, monkeypatch)) == len(ROWS) - 4
    assert tree(stopped.out) == tree(whole.out)


def test_another_dataset_is_not_mixed_with_a_stopped_export(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporters, "PART_IMAGES", 4)
    stop_after(6, command(data, tmp_path / "out", "csv"), monkeypatch)
    other = write_dataset(tmp_path / "other", ROWS, pixels=255 - noise(len(ROWS)))
    with pytest.raises(Exception, match="input data has another content"):
        export.run(command(other, tmp_path / "out", "csv"))


@pytest.mark.parametrize("format", FORMATS)
def test_more_files_than_a_manifest_lists_are_refused(
    data: Path, tmp_path: Path, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "MAX_FILES", len(ROWS) - 1)
    for start in (export.run, export.plan):
        with pytest.raises(UsageError) as refusal:
            start(command(data, tmp_path / "out", format, shard_size=1))
        assert f"{len(ROWS)} files" in refusal.value.message
        assert ("larger --shard-size" if format == "webdataset" else "--format webdataset") in refusal.value.hint
    assert not list(tmp_path.iterdir())
    if format == "webdataset":
        assert export.run(command(data, tmp_path / "out", format, shard_size=2))["files"] == 15


def test_a_manifest_of_the_most_files_is_small_enough() -> None:
    """Of the longest names: a manifest of more than its limit could not be read again."""
    name, number = "train/unlabelled/{:06}-synthetic.png", export.MAX_FILES
    entries = {name.format(place): {"bytes": 1 << 24, "sha256": "0" * 64} for place in range(number)}
    assert len(files.format_json({"files": entries})) < manifests.MAX_BYTES


def test_a_dry_run_says_what_would_be_written(data: Path, tmp_path: Path) -> None:
    options = command(data, tmp_path / "out", "webdataset", shard_size=5)
    planned = export.plan(options)
    assert not options.out.exists()
    assert planned == export.run(options)


def test_names_of_columns_never_collide() -> None:
    """Also those of a list that has a column of our names, or of the name that ours would be given."""
    extra = dict.fromkeys(("file_name", "image", "list_file_name_", "mask_file_names", "Original_File"), "x")
    described = exporters.describe_row(row(extra=extra), sorted(extra))
    assert [name for name in described if described[name] == "x"] == [
        "list_Original_File", "list_file_name_", "list_image", "list_list_file_name_", "mask_file_names_",
    ]  # fmt: skip


def test_names_have_digits_for_all_images() -> None:
    assert exporters.image_name(7, row(), 1_000_000) == "000007"
    assert exporters.image_name(7, row(), 1_000_001) == "0000007"


def test_memory_does_not_grow_with_the_pixels(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        path = tmp_path / str(count)
        write_dataset(path, [row(patient="")] * count, pixels=np.zeros((count, 128, 128), np.uint8))
        return peak_of(lambda: export.run(command(path, tmp_path / f"{count}-out", "webdataset", overwrite=True)))

    growth = peak(256) - peak(64)
    assert growth < 192 * 128**2 / 4, f"{growth:,} bytes for 3 MiB of pixels"


# Round trips, and trainings that start from an export.


def test_a_list_is_prepared_again_to_the_same_rows_and_pixels(tmp_path: Path) -> None:
    """`prepare` writes the patient before the study, since names of studies repeat among patients."""
    real = write_dataset(tmp_path / "real", ROWS[:24], pixels=noise(24))
    export.run(command(real, tmp_path / "out", "csv"))
    again = tmp_path / "again"
    prepare.run(Prepare(input=tmp_path / "out", source="table", size=SIDE, duplicates="exact", workers=1, out=again))

    def known(path: Path) -> dict[bytes, tuple[str, ...]]:
        found = open_dataset(path)
        pixels = found.pixels(found.rows)
        return {
            pixels[place].tobytes(): (each.label, each.split, each.patient, each.study, each.extra["age"])
            for place, each in enumerate(found.rows)
        }

    expected = {pixels: (*cells[:3], f"{cells[2]}/{cells[3]}", cells[4]) for pixels, cells in known(real).items()}
    assert known(again) == expected


def test_patients_that_are_unknown_stay_unknown_when_an_export_is_prepared_again(tmp_path: Path) -> None:
    raw, lines = tmp_path / "raw", ["file,patient,study,label"]
    raw.mkdir()
    for place, picture in enumerate(noise(8)):
        Image.fromarray(picture).save(raw / f"{place}.png")
        lines.append(
            f"{place}.png,{('p0', '')[place % 2]},{('', '', '', 's3')[place % 4]},{('normal', 'abnormal')[place % 2]}"
        )
    (raw / "list.csv").write_text("\n".join(lines) + "\n")
    settings: dict[str, Any] = {"source": "table", "size": SIDE, "duplicates": "exact", "workers": 1, "holdout": 0}
    results = [prepare.run(Prepare(input=raw, out=tmp_path / "data", **settings))]
    export.run(command(tmp_path / "data", tmp_path / "out", "csv"))
    results.append(prepare.run(Prepare(input=tmp_path / "out", out=tmp_path / "again", **settings)))
    assert [result["patients_unknown"] for result in results] == [4, 4]
    first, again = ([row.patient for row in open_dataset(tmp_path / name).rows] for name in ("data", "again"))
    assert first[::2] == again[::2] == ["p0"] * 4
    assert first[3] == again[3] == "study:s3"


def test_a_hand_of_rsna_keeps_the_patient_whose_number_is_its_name(tmp_path: Path) -> None:
    rows = [row(source="rsna", label="normal", patient="1377", study="1377", file="1377.png")]
    assert exporters.describe_row(rows[0], [])["patient"] == "1377"


def test_directories_are_prepared_again_to_the_same_labels_and_pixels(tmp_path: Path) -> None:
    real = write_dataset(tmp_path / "real", ROWS[:24], pixels=noise(24))
    export.run(command(real, tmp_path / "out", "imagefolder"))
    again = tmp_path / "again"
    prepare.run(Prepare(input=tmp_path / "out", source="folder", size=SIDE, duplicates="exact", workers=1, out=again))
    found = open_dataset(again)
    assert Counter((each.label, each.split, found.pixels([each]).tobytes()) for each in found.rows) == Counter(
        (each.label, each.split, noise(24)[place].tobytes()) for place, each in enumerate(ROWS[:24])
    )


def test_real_and_synthetic_images_of_an_arm_are_prepared_apart(data: Path, tmp_path: Path) -> None:
    """Never one as the other, which an arm of an arm would have no way of noticing."""
    export.run(command(data, tmp_path / "csv", "csv"))
    export.run(command(data, tmp_path / "folder", "imagefolder"))
    settings: dict[str, Any] = {"size": SIDE, "duplicates": "exact", "workers": 1, "max_lost": 1.0}
    table = {**settings, "input": tmp_path / "csv", "source": "table"}
    folder = {**settings, "input": tmp_path / "folder", "source": "folder"}
    for options, problem in (
        (Prepare(**table, out=tmp_path / "1"), "3 of 29 images are synthetic by its column 'synthetic'"),
        (Prepare(**table, synthetic=True, out=tmp_path / "2"), "26 of 29 images are not synthetic by its column"),
        (Prepare(**folder, out=tmp_path / "3"), "3 of 29 images are synthetic by their names, such as train/abnormal"),
    ):
        with pytest.raises(DataError) as refusal:
            prepare.run(options)
        assert problem in refusal.value.message
        assert "--only" in refusal.value.hint
    prepare.run(Prepare(**table, only=("synthetic=0",), out=tmp_path / "real"))
    prepare.run(Prepare(**table, only=("synthetic=1",), synthetic=True, out=tmp_path / "synthetic"))
    real, synthetic = (open_dataset(tmp_path / name) for name in ("real", "synthetic"))
    assert (len(real.select(synthetic=False)), len(real.rows)) == (26, 26)
    assert (len(synthetic.select(synthetic=True)), len(synthetic.rows)) == (3, 3)
    np.testing.assert_array_equal(synthetic.pixels(synthetic.rows), noise(len(ROWS))[24:27])


# These readers leave the closing of files to the garbage collector.
lets_files_be = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@lets_files_be
def test_torchvision_trains_from_it(data: Path, tmp_path: Path) -> None:
    import torchvision
    from torchvision.transforms.v2.functional import to_image

    export.run(command(data, tmp_path / "out", "imagefolder"))
    folders = {split: torchvision.datasets.ImageFolder(tmp_path / "out" / split, to_image) for split in dataset.SPLITS}
    assert all(folder.class_to_idx == {"abnormal": 0, "normal": 1} for folder in folders.values())
    assert Counter(folders["train"].targets) == {0: 4 + 3, 1: 4 + 2}
    network = torchvision.models.resnet18(num_classes=2)
    assert train(network, folders["train"]) > 0


@lets_files_be
def test_timm_trains_from_it(data: Path, tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    from timm.data.dataset_factory import create_dataset
    from torchvision.transforms.v2.functional import to_image

    export.run(command(data, tmp_path / "out", "imagefolder"))
    training = create_dataset("", root=str(tmp_path / "out"), split="train", transform=to_image)
    assert training.reader.class_to_idx == {"abnormal": 0, "normal": 1}
    assert len(training) == 13
    assert train(timm.create_model("resnet10t", num_classes=2), training) > 0


def train(network: torch.nn.Module, examples: Any) -> float:
    """Take one step over all examples and return how far it moved the weights."""
    batch, labels = next(iter(DataLoader(examples, batch_size=len(examples))))
    before = [parameter.detach().clone() for parameter in network.parameters()]
    images = functional.interpolate(batch[:, :1].float().repeat(1, 3, 1, 1) / 255, size=32)
    torch.autograd.backward(functional.cross_entropy(network(images), labels))
    torch.optim.SGD(network.parameters(), 0.1).step()
    moved = zip(before, network.parameters(), strict=True)
    return sum(float((now.detach() - then).abs().sum()) for then, now in moved)


def test_a_split_without_a_class_is_refused_and_not_numbered_otherwise(tmp_path: Path) -> None:
    """`ImageFolder` numbers classes by the directories of a split; one that lacked `abnormal` would call normal 0."""
    import torchvision

    rows = [row(), row(label="abnormal"), row(split="test", patient="p1")]
    path = write_dataset(tmp_path / "data", rows, pixels=noise(3))
    export.run(command(path, tmp_path / "out", "imagefolder"))
    assert torchvision.datasets.ImageFolder(tmp_path / "out" / "train").class_to_idx == {"abnormal": 0, "normal": 1}
    with pytest.raises(FileNotFoundError, match="abnormal"):
        torchvision.datasets.ImageFolder(tmp_path / "out" / "test")


@lets_files_be
def test_hugging_face_reads_it(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patients keep their leading zeros, and the empty ones of synthetic images do not change their type."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    export.run(command(data, tmp_path / "out", "imagefolder"))
    loaded = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(loaded[split]) for split in loaded} == {"train": 13, "validation": 8, "test": 8}
    training = [each for each in ROWS if each.split == "train"]
    assert loaded["train"]["patient"][:] == [each.patient for each in training]
    assert loaded["train"]["synthetic"][:] == [each.synthetic for each in training]
    pixels = noise(len(ROWS))
    for example, each in zip(loaded["train"], training, strict=True):
        np.testing.assert_array_equal(np.asarray(example["image"]), pixels[place_of(each)])


def place_of(wanted: Row) -> int:
    return next(place for place, each in enumerate(ROWS) if each is wanted)


@lets_files_be
def test_webdataset_reads_it(data: Path, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    export.run(command(data, tmp_path / "out", "webdataset", shard_size=5))
    shards = sorted(str(shard) for shard in (tmp_path / "out").glob("train-*.tar"))
    read = webdataset.WebDataset(shards, shardshuffle=False).decode("l8").to_tuple("__key__", "png", "cls", "json")
    found = {int(key[:6]): (pixels, label, described) for key, pixels, label, described in read}
    gc.collect()  # within this test
    assert sorted(found) == [place for place, each in enumerate(ROWS) if each.split == "train"]
    for place, (pixels, label, described) in found.items():
        np.testing.assert_array_equal(pixels, noise(len(ROWS))[place])
        assert LABELS[label] == described["label"] == ROWS[place].label
