"""Choose one bit depth for all files of a set that have more than 8 bits, so that equal values give equal greys."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path

from xrayaug.data.images import decoding
from xrayaug.data.images.intensity import (
    BIT_DEPTHS,
    LOW_BIT_DEPTHS,
    MAX_BIT_DEPTH,
    IntensityScale,
    ValueRange,
    fit_scale,
)
from xrayaug.runtime import console

FULL_RANGES = {  # by kind of value, the range after which no other file can change the scale
    "unsigned": ValueRange("unsigned", 0, (1 << MAX_BIT_DEPTH) - 1),
    "signed": ValueRange("signed", -(1 << MAX_BIT_DEPTH - 1), (1 << MAX_BIT_DEPTH - 1) - 1),
    "float": ValueRange("float", 0, (1 << MAX_BIT_DEPTH) - 1),
}


def find_scale(root: Path, files: Iterable[str], bits: str = "auto", workers: int = 0) -> IntensityScale | None:
    """Return the intensity scale of the files under `root` that have more than 8 bits; None if there are none.

    Such files are recognised by their headers. They are decoded, kind by kind, until the scale is certain. If the bit
    depth is given, only the files declared signed are decoded, which may hold negative values.

    Args:
        root: directory of the files.
        files: all files of the set, relative to `root`.
        bits: the bit depth; "auto" chooses the smallest that covers all values.
        workers: number of files decoded in parallel; 0 is one per processor.

    Raises:
        OSError: the storage fails.
    """
    kinds = decoding.find_high_bit_depth_files(root, files)
    if not kinds:
        return None
    files_by_kind = {
        name: [file for file, kind in kinds.items() if ("unsigned" if kind == "colour" else kind) == name]
        for name in FULL_RANGES
    }
    if bits != "auto":
        files_by_kind = {"signed": files_by_kind["signed"]}
        if not files_by_kind["signed"]:
            return IntensityScale(int(bits))
    value_ranges: list[ValueRange] = []
    with console.progress(sum(map(len, files_by_kind.values())), "bit depth") as advance:
        for kind, chosen in files_by_kind.items():
            value_ranges += _collect_ranges(root, chosen, workers, FULL_RANGES[kind], advance)
    scale = fit_scale(value_ranges)
    return scale if bits == "auto" else IntensityScale(int(bits), scale.signed)


def _collect_ranges(
    root: Path, files: Sequence[str], workers: int, full_range: ValueRange, advance: Callable[[int], None]
) -> list[ValueRange]:
    """Return value ranges of the files, until even a file of `full_range` would not change the scale."""
    extending: list[ValueRange] = []
    with closing(decoding.read_value_ranges(root, files, workers)) as value_ranges:
        for value_range in value_ranges:
            advance(1)
            if value_range is not None and value_range.is_usable and _extends_range(value_range, extending):
                extending.append(value_range)  # ranges within others change nothing
                if fit_scale(extending) == fit_scale([*extending, full_range]):
                    break
    return extending


def _extends_range(value_range: ValueRange, ranges: Sequence[ValueRange]) -> bool:
    return not any(other.lowest <= value_range.lowest and value_range.highest <= other.highest for other in ranges)


def describe(scale: IntensityScale) -> str:
    """Return a description of the scale for the user."""
    line = f"files of more than 8 bits are scaled by {scale.bits} bits, {scale.limits('unsigned')[1]} is white"
    if scale.signed:
        black, white = scale.limits("signed")
        line += f"; signed ones hold negative values, so {black} is their black and {white} their white"
    return line + ("; of floats 1 is white" if scale.unit else "")


def describe_mixture(counts: dict[str, int], scale: IntensityScale | None) -> str:
    """Return a warning about a set that mixes bit depths; "" for any other set.

    Args:
        counts: number of images by `greyscale.Decoded.depth`.
        scale: scale of the images of more than 8 bits.
    """
    high_depth = {name: count for name, count in counts.items() if name not in LOW_BIT_DEPTHS}
    if scale is None or (
        len(counts) == len(high_depth) and len({name.removesuffix(" colour") for name in high_depth}) < 2
    ):
        return ""
    listed = ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))
    return (
        f"the set mixes bit depths, so brightness may not mean the same in all its images: {listed}; those of more "
        f"than 8 bits are scaled by {scale.bits} bits; --bits names another depth ({', '.join(map(str, BIT_DEPTHS))})"
    )
