"""One bit depth for all files of a set that have more than eight bits, so that equal values are equal greys."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path

from xrayaug.data.images import decoding
from xrayaug.data.images.pixels import BIT_DEPTHS, DEEPEST, SHALLOW, Extent, Scale, scale_of
from xrayaug.runtime import console

ENOUGH = {  # extents of each kind of value after which no other could change the scale
    "unsigned": Extent("unsigned", 0, (1 << DEEPEST) - 1),
    "signed": Extent("signed", -(1 << DEEPEST - 1), (1 << DEEPEST - 1) - 1),
    "float": Extent("float", 0, (1 << DEEPEST) - 1),
}


def find(root: Path, files: Iterable[str], bits: str = "auto", workers: int = 0) -> Scale | None:
    """The scale of the files under `root` that have more than eight bits; None where there are none.

    Headers tell which these are. They are decoded, those of each kind of value until the scale is certain; with the bit
    depth given only the files declared signed, which may hold negative values.

    Args:
        root: where the files lie.
        files: all files of the set.
        bits: the bit depth; auto takes the smallest that holds all values.
        workers: files decoded at a time; 0 is one per processor.

    Raises:
        OSError: the storage fails.
    """
    kinds = decoding.deep_files(root, files)
    if not kinds:
        return None
    of_kind = {
        name: [file for file, kind in kinds.items() if ("unsigned" if kind == "colour" else kind) == name]
        for name in ENOUGH
    }
    if bits != "auto":
        of_kind = {"signed": of_kind["signed"]}
        if not of_kind["signed"]:
            return Scale(int(bits))
    seen: list[Extent] = []
    with console.progress(sum(map(len, of_kind.values())), "bit depth") as advance:
        for kind, chosen in of_kind.items():
            seen += _extents(root, chosen, workers, ENOUGH[kind], advance)
    scale = scale_of(seen)
    return scale if bits == "auto" else Scale(int(bits), scale.signed)


def _extents(
    root: Path, files: Sequence[str], workers: int, enough: Extent, advance: Callable[[int], None]
) -> list[Extent]:
    """What the files hold, up to where one more that holds `enough` would not change the scale."""
    found: list[Extent] = []
    with closing(decoding.extents(root, files, workers)) as extents:
        for extent in extents:
            advance(1)
            if extent is not None and extent.is_usable and _reaches_further(extent, found):
                found.append(extent)  # the others change nothing
                if scale_of(found) == scale_of([*found, enough]):
                    break
    return found


def _reaches_further(extent: Extent, found: Sequence[Extent]) -> bool:
    return not any(other.lowest <= extent.lowest and extent.highest <= other.highest for other in found)


def told(scale: Scale) -> str:
    """The scale in words."""
    line = f"files of more than 8 bits are scaled by {scale.bits} bits, {scale.ends('unsigned')[1]} is white"
    if scale.signed:
        black, white = scale.ends("signed")
        line += f"; signed ones hold negative values, so {black} is their black and {white} their white"
    return line + ("; of floats 1 is white" if scale.unit else "")


def mixture(counts: dict[str, int], scale: Scale | None) -> str:
    """What is to be said of a set that holds pictures of several depths; nothing of any other.

    Args:
        counts: pictures by their own depth, as `pixels.Decoded` names it.
        scale: by which those of more than eight bits were scaled.
    """
    deep = {name: count for name, count in counts.items() if name not in SHALLOW}
    if scale is None or (len(counts) == len(deep) and len({name.removesuffix(" colour") for name in deep}) < 2):
        return ""
    listed = ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))
    return (
        f"the set mixes bit depths, so brightness may not mean the same in all its images: {listed}; those of more "
        f"than 8 bits are scaled by {scale.bits} bits; --bits names another depth ({', '.join(map(str, BIT_DEPTHS))})"
    )
