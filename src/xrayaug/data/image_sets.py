"""Sets of images to compute metrics of: a dataset or a folder of image files, hashed by their pixels."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from xrayaug.data import dataset
from xrayaug.data.dataset import Dataset, Row
from xrayaug.data.images import bit_depth, content_checks, greyscale, opening
from xrayaug.data.images.formats import IMAGE_SUFFIXES
from xrayaug.data.images.intensity import IntensityScale
from xrayaug.data.images.value_encoding import HIGH_BIT_DEPTH_MODES
from xrayaug.data.parsing import directories, image_files, non_images
from xrayaug.errors import DataError, InputError
from xrayaug.runtime import console, parallel
from xrayaug.runtime.distributed import leader_worker
from xrayaug.runtime.distributed.leader_worker import Stream, Work
from xrayaug.storage.files import Stamp, stamp
from xrayaug.storage.raw_inputs import DecodedImage, RawInput

ImagePixels = npt.NDArray[np.uint8]  # [H, W], or [H, W, 3] where it is coloured

MULTI_FRAME_SUFFIXES = {".tif", ".tiff", ".gif", ".webp"}  # of files that may hold several images
MAX_CACHED_BYTES = 1 << 29  # decoded images of a folder that are kept between hashing and feature extraction


@dataclass(frozen=True)
class ImageSet:
    """A set of images that can be read by their indices."""

    path: Path
    kind: str  # dataset or folder
    count: int
    read: Callable[[int], ImagePixels]
    files: Sequence[str] = ()  # of a folder, relative to it
    stamps: Sequence[Stamp] = ()  # of these files, taken when they were listed
    scale: IntensityScale | None = None  # of the files of a folder that have more than 8 bits
    patients: Sequence[str] = ()  # of the images of a dataset, empty where unknown; none of a folder


def from_dataset(data: Dataset, *, split: str | None, label: str | None) -> ImageSet:
    """Return the images of a split and label of a dataset.

    Raises:
        DataError: there are none.
    """
    rows = data.select(split=split, label=label)
    if not rows:
        asked = " ".join(part for part in (split, label) if part)
        raise DataError(f"{data.path} holds no {asked} images", f"it holds {dataset.count_images(data.rows)}")
    return from_rows(data, rows)


def from_rows(data: Dataset, rows: Sequence[Row]) -> ImageSet:
    """Return the images of these rows of a dataset, each in its own size."""
    patients = [row.patient for row in rows]
    return ImageSet(data.path, "dataset", len(rows), data.stack(rows, data.size).picture, patients=patients)


def from_folder(folder: Path) -> ImageSet:
    """Return the images of the files under a folder.

    Raises:
        DataError: there are none.
        InputError: a folder cannot be read, or a file cannot be reached.
    """
    files = list_images(folder)
    names = [path.relative_to(folder).as_posix() for path in files]
    stamps = [stamp(path) for path in files]
    scale = bit_depth.find_scale(folder, names)
    if scale is not None:
        console.info(f"{folder}: {bit_depth.describe(scale)}")
    _warn_of_suspicious_files(folder, names)
    read = _cache_images(lambda index: read_image(files[index], scale))
    return ImageSet(folder, "folder", len(files), read, names, stamps, scale)


def _warn_of_suspicious_files(folder: Path, names: Sequence[str]) -> None:
    """Warn of files that seem to be no radiographs, or that hold several images."""
    named_suspiciously = sorted({*non_images.find_non_images(names), *non_images.find_suspicious(names)})
    frames = [
        name
        for name in names
        if Path(name).suffix.lower() in MULTI_FRAME_SUFFIXES and content_checks.file_has_frames(folder / name)
    ]
    for suspects, description in (
        (named_suspiciously, "seem to be masks, previews and the like by their names, and are used all the same"),
        (frames, "are of files with several pages or frames, of which the first alone is read"),
    ):
        if suspects:
            console.warning(f"{folder}: {len(suspects)} of {len(names)} images {description}, such as {suspects[0]}")


def raw_input(side: ImageSet) -> RawInput:
    """Return the raw input of a folder: its files and how to hash them."""

    def hashes(pictures: Sequence[str]) -> Iterator[str]:
        read = (side.path / name for name in pictures)
        return parallel.map_in_threads(lambda path: _image_hash(read_image(path, side.scale)).hex(), read)

    return RawInput(side.path, side.files, hashes)


def list_decoded(side: ImageSet, hashed: "PixelHash") -> Iterator[DecodedImage]:
    """Yield the files of a folder with the hashes of their decoded pixels."""
    for file, stamp_then, digest in zip(side.files, side.stamps, hashed.each, strict=True):
        yield DecodedImage(file, stamp_then, digest.hex())


def read_image(path: Path, scale: IntensityScale | None = None) -> ImagePixels:
    """Read one file, upright: [H, W], or [H, W, 3] if it is coloured.

    Images of 8 bits are converted to RGB by Pillow as in pytorch-fid; those of more bits, which Pillow would clip, are
    scaled to 8 bits.

    Args:
        path: the file.
        scale: intensity scale of the folder, for files of more than 8 bits; None fits one to this image.

    Raises:
        DataError: it cannot be read; the message names it.
    """
    try:
        with opening.open_image(path) as image:
            if image.mode in HIGH_BIT_DEPTH_MODES:
                return greyscale.convert_to_grey(image, scale).grey
            return _drop_equal_channels(greyscale.convert_to_rgb(image, scale))
    except opening.UnusableImage as problem:
        raise DataError(f"{path} cannot be read: {problem}", "mend it or take it out") from None


def list_images(folder: Path) -> list[Path]:
    """Return the image files under `folder`, sorted; links are followed, hidden files (such as `._*`) are left out.

    Raises:
        DataError: there are none.
        InputError: a folder cannot be read, or a file cannot be reached: the set would be another without it.
    """
    shown = sorted(folder / name for name in directories.walk_any_encoding(folder))
    images = [path for path in shown if path.suffix.lower() in IMAGE_SUFFIXES]
    for path in images:
        if reason := directories.missing_reason(path):
            raise InputError(f"{path} cannot be read: {reason}", "mend it or take it out")
    if not images:
        others = ", ".join(suffix or "no suffix" for suffix, _ in Counter(p.suffix for p in shown).most_common(3))
        content = f"it holds {len(shown)} other files ({others})" if shown else "it is empty"
        raise DataError(f"{folder} holds no images: {content}", f"images end in {', '.join(sorted(IMAGE_SUFFIXES))}")
    unread = [
        path for path in shown if path.suffix.lower() not in IMAGE_SUFFIXES and image_files.detect_file_format(path)
    ]
    if unread:
        console.warning(
            f"{len(unread)} images under {folder} are not read because of their suffix, such as {unread[0]}"
        )
    return images


@dataclass(frozen=True)
class PixelHash:
    """Identity of a set of images: sha256 over the hashes of the images."""

    content: str  # over the sorted hashes, independent of the order and names of files
    sequence: str  # over the hashes in reading order
    each: tuple[bytes, ...] = field(default=(), compare=False, repr=False)  # hashes of the images, in reading order


def pixel_hash(side: ImageSet, name: str = "hashes", batch_size: int = parallel.IMAGES_AHEAD) -> PixelHash:
    """Read and hash all images of a set.

    Args:
        side: the set of images.
        name: name of this work among distributed processes.
        batch_size: number of consecutive images per process, of which it caches the decoded pixels; that of the
            network that reads them next.
    """
    hashes: list[bytes] = []
    with console.progress(side.count, f"reading {side.path.name}") as advance:
        for found in leader_worker.ordered_map(name, hash_work(side, batch_size), range(0, side.count, batch_size)):
            hashes += [digest.tobytes() for digest in found]
            advance(len(found))
    content, sequence = (hashlib.sha256(b"".join(each)).hexdigest() for each in (sorted(hashes), hashes))
    return PixelHash(content, sequence, tuple(hashes))


def hash_work(side: ImageSet, batch_size: int) -> Work:
    """Return the distributed work of hashing a set: for the start of each batch, the hashes, uint8 `[N, 32]`."""

    def digests(starts: Sequence[int]) -> Stream:
        within = [range(side.count)[start : start + batch_size] for start in starts]
        hashes = parallel.map_in_threads(lambda index: _image_hash(side.read(index)), chain.from_iterable(within))
        for indices in within:
            yield np.frombuffer(bytearray(b"".join(islice(hashes, len(indices)))), np.uint8).reshape(len(indices), -1)

    return digests


def _image_hash(picture: ImagePixels) -> bytes:
    digest = hashlib.sha256(f"{list(picture.shape)}\n".encode())
    digest.update(np.ascontiguousarray(picture).data)
    return digest.digest()


def _cache_images(read: Callable[[int], ImagePixels]) -> Callable[[int], ImagePixels]:
    """Return `read` with a cache of limited size: each image is read for its hash, and again for its features."""
    kept: dict[int, ImagePixels] = {}
    room = MAX_CACHED_BYTES

    def remembered(index: int) -> ImagePixels:
        nonlocal room
        if index in kept:
            return kept[index]
        picture = read(index)
        if picture.nbytes <= room:
            room -= picture.nbytes
            kept[index] = picture
        return picture

    return remembered


def _drop_equal_channels(coloured: ImagePixels) -> ImagePixels:
    """Return [H, W, 3] as [H, W] if the channels are equal; so the mode of the file does not matter."""
    grey = all((row == row[:, :1]).all() for row in coloured)
    return np.ascontiguousarray(coloured[..., 0]) if grey else coloured
