"""The images that `predict` predicts: those of a dataset, or of a folder, which are decoded as `prepare` does."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from xrayaug.data import dataset
from xrayaug.data.dataset import UNLABELLED, Dataset, Row
from xrayaug.data.image_sets import list_images
from xrayaug.data.images import arrays, bit_depth, decoding
from xrayaug.data.images.arrays import MAX_SIDE
from xrayaug.data.images.decoding import DecodeOptions, ImageMetadata
from xrayaug.data.images.stack import Stack
from xrayaug.errors import DataError, InputError
from xrayaug.evaluation.gather.networks import SavedNetwork
from xrayaug.options import Predict, Prepare
from xrayaug.runtime import console
from xrayaug.storage import artifacts, builder, manifests, raw_inputs
from xrayaug.storage import files as storage_files
from xrayaug.storage.files import Stamp
from xrayaug.storage.raw_inputs import DecodedImage, RawInput

DECODING_OPTIONS = ("size", "fit", "resample", "invert")  # of `prepare`
MAX_LINKS = 20  # arms made from arms


@dataclass(frozen=True)
class PredictedImages:
    """Images with their rows, in any size."""

    rows: Sequence[Row]
    stack: Callable[[int], Stack]  # of all images, at a size in pixels
    skipped: Sequence[tuple[str, str]] = ()  # files that could not be read, with the reason


@dataclass(frozen=True)
class Folder:
    """The image files under a folder, and how they are decoded."""

    path: Path
    files: Sequence[str]  # relative to the folder
    decoding: DecodeOptions

    def raw_input(self) -> RawInput:
        """Return the files as a raw input of the artifact."""
        return RawInput(self.path, self.files, self._hashes)

    def read(self, directory: Path, options: Predict) -> PredictedImages:
        """Decode all files into a file that is kept until the artifact is finished; a stopped run is continued.

        Args:
            directory: of the artifact that is built; the record of the files is written there.
            options: of the command.

        Raises:
            InputError: no file can be read.
        """
        work = directory / builder.RESUME / "images"
        work.mkdir(parents=True, exist_ok=True)
        notes: list[ImageMetadata] = []
        with arrays.writing_images(work, self.decoding.size, options.checkpoint_every, self._are_current) as writer:
            notes += [ImageMetadata(**note) for note in writer.notes]
            rest = self.files[len(notes) :]
            decoded = decoding.decode_all(self.path, rest, self.decoding, options.workers)
            progress = console.progress(len(self.files), "decode", done=len(notes))
            with closing(decoded) as images, progress as advance:
                for image in images:
                    advance(1)
                    notes.append(image.note)
                    writer.write(image.square, vars(image.note))
        skipped = [(note.file, note.unusable) for note in notes if note.unusable]
        usable = [note for note in notes if not note.unusable]
        if not usable:
            file, reason = skipped[0]
            raise InputError(f"no usable image under {self.path}; the first: {file}: {reason}", "check --data")
        if skipped:
            file, reason = skipped[0]
            console.warning(f"{len(skipped)} of {len(notes)} images cannot be read, such as {file}: {reason}")
        raw_inputs.write(directory, "data", {}, map(_to_decoded, notes))
        pixels = arrays.map_images(work / arrays.IMAGES)
        rows = [_make_row(place, note) for place, note in enumerate(usable)]
        return PredictedImages(rows, partial(_make_stack, pixels), skipped)

    def _hashes(self, names: Sequence[str]) -> "list[str]":
        with closing(decoding.decode_all(self.path, names, self.decoding)) as images:
            return [_to_decoded(image.note).sha256 for image in images]

    def _are_current(self, first: int, notes: list[Any]) -> bool:
        """Return whether files that a stopped run decoded, from number `first` on, are unchanged."""
        scale = [] if self.decoding.scale is None else list(astuple(self.decoding.scale))
        known = self.files[first : first + len(notes)]
        return len(known) == len(notes) and all(
            note.get("file") == file
            and note.get("scale") in ([], scale)
            and self._is_unchanged(file, note.get("stamp"))
            for file, note in zip(known, notes, strict=True)
        )

    def _is_unchanged(self, file: str, noted: Any) -> bool:
        stamp = storage_files.try_stamp(self.path / file)
        return (
            stamp is not None and isinstance(noted, list) and len(stamp) == len(noted) and stamp.matches(Stamp(*noted))
        )


def is_dataset(path: Path) -> bool:
    """Return whether a path is an artifact other than a raw set, which is a folder of images."""
    return artifacts.is_artifact(path) and manifests.read(path / manifests.MANIFEST)["kind"] != "raw"


def open_images(options: Predict) -> PredictedImages:
    """Open the images of a dataset: those of `--split`, else the test images, or all if there are none of these.

    Raises:
        DataError: there are no such images.
        ArtifactError: it is no dataset.
    """
    return select_images(dataset.open_dataset(options.data, options.local_cache), options.split)


def select_images(data: Dataset, split: str | None) -> PredictedImages:
    """Return the images of a split, or of `all`; without a split the test images, or all if there are none of these.

    Raises:
        DataError: there are none.
    """
    rows = data.rows if split == "all" else data.select(split=split or "test")
    if not rows and split is not None:
        raise DataError(f"{data.path} holds no {split} images", f"it holds {dataset.count_images(data.rows)}")
    if not rows:
        rows = [replace(row, split="test") for row in data.rows]
        console.info(f"{data.path} has no test split: all {len(rows):,} images are taken")
    return PredictedImages(rows, partial(data.stack, rows))


def open_folder(options: Predict, networks: Sequence[SavedNetwork]) -> Folder:
    """List the images of a folder, and find out how the images that the networks were trained on were prepared.

    Raises:
        DataError: there are no images, or the networks' images were prepared in different ways.
        InputError: the folder does not exist, or a file cannot be reached.
    """
    if options.split is not None:
        raise DataError(f"--split {options.split}: {options.data} is a folder, which has no splits", "leave it out")
    if not options.data.is_dir():
        raise InputError(f"{options.data} is neither a dataset nor a folder", "check --data for a typing error")
    names = [path.relative_to(options.data).as_posix() for path in list_images(options.data)]
    found = {network.name: _find_decoding(network) for network in networks}
    first = next(iter(found))
    for name, settings in found.items():
        if settings != found[first]:
            differing = [each for each in DECODING_OPTIONS if settings[each] != found[first][each]]
            described = "; ".join(f"{each} is {settings[each]} and {found[first][each]}" for each in differing)
            raise DataError(
                f"the images of {name} and {first} were prepared differently: {described}", "predict with them apart"
            )
    settings = found[first]
    size, fit = settings["size"], settings["fit"]
    console.info(f"images of {options.data} are prepared at {size} px (--fit {fit}, --resample {settings['resample']})")
    scale = bit_depth.find_scale(options.data, names, workers=options.workers)
    if scale is not None:
        console.info(bit_depth.describe(scale))
    decoding_options = DecodeOptions(scale, settings["invert"], size, fit, settings["resample"])
    return Folder(options.data, names, decoding_options)


def _find_decoding(network: SavedNetwork) -> dict[str, Any]:
    """Return the options of the `prepare` that the network's real images come from; else the defaults at its size."""
    defaults: dict[str, Any] = {name: getattr(Prepare, name) for name in DECODING_OPTIONS} | {"size": network.size}
    path = network.artifact.input("data")
    for _ in range(MAX_LINKS):
        if not artifacts.is_artifact(path):
            break
        found = artifacts.Artifact(path, manifests.read(path / manifests.MANIFEST))
        if "real" in found.manifest["inputs"]:
            path = found.input("real")
            continue
        if found.manifest["stage"] != Prepare.name:
            break
        size = found.get(int, "options", "size", minimum=1, maximum=MAX_SIDE)
        return defaults | {name: found.options.get(name, defaults[name]) for name in DECODING_OPTIONS} | {"size": size}
    console.info(f"how the images of {network.name} were prepared is unknown: the defaults of prepare are taken")
    return defaults


def _make_row(place: int, note: ImageMetadata) -> Row:
    return Row(arrays.IMAGES, place, "test", UNLABELLED, "", "", "folder", False, note.file, note.sha256)


def _to_decoded(note: ImageMetadata) -> DecodedImage:
    sha256 = raw_inputs.UNUSABLE if note.unusable else note.sha256
    return DecodedImage(note.file, Stamp(*(note.stamp or (0, 0, 0))), sha256)


def _make_stack(pixels: arrays.Pixels, size: int) -> Stack:
    count = len(pixels)
    return Stack([pixels], np.zeros(count, np.int32), np.arange(count, dtype=np.int64), (size, size))
