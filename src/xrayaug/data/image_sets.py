"""Sets of images to be measured: a dataset, or a folder as people have them; hashed by their pixels."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from xrayaug.data import dataset, sources
from xrayaug.data.dataset import Dataset, Row
from xrayaug.data.images import bit_depth, pixels
from xrayaug.data.images.formats import IMAGE_SUFFIXES
from xrayaug.data.images.pixels import Scale
from xrayaug.data.parsing import non_images
from xrayaug.errors import DataError, InputError
from xrayaug.runtime import console, parallel
from xrayaug.runtime.distributed import turns
from xrayaug.runtime.distributed.turns import Stream, Work
from xrayaug.storage.files import Stamp, stamp
from xrayaug.storage.raw_inputs import RawInput, Read

Pixels = npt.NDArray[np.uint8]  # [H, W], or [H, W, 3] where it is coloured

OF_FRAMES = {".tif", ".tiff", ".gif", ".webp"}  # suffixes of files that may hold several pictures
KEPT_BYTES = 1 << 29  # of each folder's decoded pictures, kept from hashing them to the network's pass


@dataclass(frozen=True)
class Pictures:
    """A side whose images are at hand."""

    path: Path
    kind: str  # dataset or folder
    count: int
    read: Callable[[int], Pixels]
    files: Sequence[str] = ()  # of a folder, from there
    stamps: Sequence[Stamp] = ()  # of these files when they were listed
    scale: Scale | None = None  # of those of a folder's that have more than eight bits


def of_dataset(data: Dataset, *, split: str | None, label: str | None) -> Pictures:
    """The pictures of a dataset's split and label.

    Raises:
        DataError: there is none.
    """
    rows = data.select(split=split, label=label)
    if not rows:
        asked = " ".join(part for part in (split, label) if part)
        raise DataError(f"{data.path} holds no {asked} images", f"it holds {dataset.counts(data.rows)}")
    return of_rows(data, rows)


def of_rows(data: Dataset, rows: Sequence[Row]) -> Pictures:
    """The pictures of these rows of a dataset, each in its own size."""
    return Pictures(data.path, "dataset", len(rows), data.stack(rows, data.size).picture)


def of_folder(folder: Path) -> Pictures:
    """The image files under a folder.

    Raises:
        DataError: there is none.
        InputError: a folder cannot be read, or a file cannot be reached.
    """
    files = list_pictures(folder)
    names = [path.relative_to(folder).as_posix() for path in files]
    stamps = [stamp(path) for path in files]
    scale = bit_depth.find(folder, names)
    if scale is not None:
        console.say(f"{folder}: {bit_depth.told(scale)}")
    _warn_of_content(folder, names)
    read = _remembering(lambda index: read_picture(files[index], scale))
    return Pictures(folder, "folder", len(files), read, names, stamps, scale)


def _warn_of_content(folder: Path, names: Sequence[str]) -> None:
    """Warn of files that seem to be no radiographs, or that hold more than the picture that is read of them."""
    seeming = sorted({*non_images.left_out(names), *non_images.suspicious(names)})
    frames = [name for name in names if Path(name).suffix.lower() in OF_FRAMES and pixels.has_frames(folder / name)]
    for found, what in (
        (seeming, "seem to be masks, previews and the like by their names, and are used all the same"),
        (frames, "are of files with several pages or frames, of which the first alone is read"),
    ):
        if found:
            console.warn(f"{folder}: {len(found)} of {len(names)} images {what}, such as {found[0]}")


def raw_input(side: Pictures) -> RawInput:
    """The files that are read of a folder."""

    def hashes(pictures: Sequence[str]) -> Iterator[str]:
        read = (side.path / name for name in pictures)
        return parallel.in_threads(lambda path: _picture_hash(read_picture(path, side.scale)).hex(), read)

    return RawInput(side.path, side.files, hashes)


def as_read(side: Pictures, hashed: "PixelHash") -> Iterator[Read]:
    """The files of a folder with what was decoded of each."""
    for file, stamp_then, digest in zip(side.files, side.stamps, hashed.each, strict=True):
        yield Read(file, stamp_then, digest.hex())


def read_picture(path: Path, scale: Scale | None = None) -> Pixels:
    """One file, upright: [H, W], or [H, W, 3] where it is coloured.

    Eight bits go to RGB by Pillow as in pytorch-fid; deeper files, which Pillow would clip, are scaled to eight bits.

    Args:
        path: the file.
        scale: of files of more than eight bits, the folder's; None takes the one that holds this picture.

    Raises:
        DataError: it cannot be read; the message names it.
    """
    try:
        with pixels.opened(path) as image:
            if image.mode in pixels.DEEP_MODES:
                return pixels.decoded(image, scale).grey
            return _lean(pixels.coloured(image, scale))
    except pixels.Unusable as problem:
        raise DataError(f"{path} cannot be read: {problem}", "mend it or take it out") from None


def list_pictures(folder: Path) -> list[Path]:
    """The image files under `folder`, sorted, links followed; what is hidden (`._*` among it) is left out.

    Raises:
        DataError: there is none.
        InputError: a folder cannot be read, or a file cannot be reached: the set would be another without it.
    """
    shown = sorted(folder / name for name in sources.walk_any(folder))
    found = [path for path in shown if path.suffix.lower() in IMAGE_SUFFIXES]
    for path in found:
        if why := sources.why_lost(path):
            raise InputError(f"{path} cannot be read: {why}", "mend it or take it out")
    if not found:
        others = ", ".join(suffix or "no suffix" for suffix, _ in Counter(p.suffix for p in shown).most_common(3))
        there = f"it holds {len(shown)} other files ({others})" if shown else "it is empty"
        raise DataError(f"{folder} holds no images: {there}", f"images end in {', '.join(sorted(IMAGE_SUFFIXES))}")
    unread = [path for path in shown if path.suffix.lower() not in IMAGE_SUFFIXES and sources.kind_of_file(path)]
    if unread:
        console.warn(f"{len(unread)} pictures under {folder} are not read for their suffix, such as {unread[0]}")
    return found


@dataclass(frozen=True)
class PixelHash:
    """What tells one set of pictures from another: sha256 over the pictures' own hashes."""

    content: str  # in sorted order: neither the order nor the names of files matter
    sequence: str  # in the order in which they are read
    each: tuple[bytes, ...] = field(default=(), compare=False, repr=False)  # the pictures' own, in that order


def pixel_hash(side: Pictures, name: str = "hashes", stretch: int = parallel.PICTURES_AHEAD) -> PixelHash:
    """The hash of a side's pictures, every one of them read.

    Args:
        side: the pictures.
        name: of this work, where several processes share it.
        stretch: pictures of which a process keeps what it decoded: as many as a network is then given at once.
    """
    hashes: list[bytes] = []
    with console.progress(side.count, f"reading {side.path.name}") as advance:
        for found in turns.in_turn(name, hashing(side, stretch), range(0, side.count, stretch)):
            hashes += [digest.tobytes() for digest in found]
            advance(len(found))
    content, sequence = (hashlib.sha256(b"".join(each)).hexdigest() for each in (sorted(hashes), hashes))
    return PixelHash(content, sequence, tuple(hashes))


def hashing(side: Pictures, stretch: int) -> Work:
    """The work of a side's hash: of the stretches that begin at some places the pictures' own, uint8 `[N, 32]`."""

    def digests(starts: Sequence[int]) -> Stream:
        within = [range(side.count)[start : start + stretch] for start in starts]
        found = parallel.in_threads(lambda index: _picture_hash(side.read(index)), chain.from_iterable(within))
        for each in within:
            yield np.frombuffer(bytearray(b"".join(islice(found, len(each)))), np.uint8).reshape(len(each), -1)

    return digests


def _picture_hash(picture: Pixels) -> bytes:
    digest = hashlib.sha256(f"{list(picture.shape)}\n".encode())
    digest.update(np.ascontiguousarray(picture).data)
    return digest.digest()


def _remembering(read: Callable[[int], Pixels]) -> Callable[[int], Pixels]:
    """`read`, keeping pictures while there is room: each is decoded for its hash, and again for its features."""
    kept: dict[int, Pixels] = {}
    room = KEPT_BYTES

    def remembered(index: int) -> Pixels:
        nonlocal room
        if index in kept:
            return kept[index]
        picture = read(index)
        if picture.nbytes <= room:
            room -= picture.nbytes
            kept[index] = picture
        return picture

    return remembered


def _lean(coloured: Pixels) -> Pixels:
    """[H, W, 3] as [H, W] where the channels are one: less to keep, and the same picture whatever mode it lay in."""
    grey = all((row == row[:, :1]).all() for row in coloured)
    return np.ascontiguousarray(coloured[..., 0]) if grey else coloured
