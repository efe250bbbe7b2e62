"""Radiomics features of whole grey images: first order statistics and texture, of the image and its wavelet bands.

They are the features that the Fréchet radiomic distance of Konz et al. (2024, arXiv:2412.01496) is computed over: first
order statistics and the features of four texture matrices, each of the image and of the four bands of its undecimated
wavelet transform with coif1. Names and definitions are those of PyRadiomics (van Griethuysen et al. 2017, Cancer
Research 77:e104), which follow the Image Biomarker Standardisation Initiative (IBSI; Zwanenburg et al. 2020, Radiology
295:328, arXiv:1612.07003):

- first order: statistics of the values, and entropy and uniformity of their grey levels;
- GLCM, grey level co-occurrence matrix: pairs of neighbours, in four directions, symmetric;
- GLRLM, grey level run length matrix: runs of one level, in four directions;
- GLSZM, grey level size zone matrix: connected zones of one level;
- NGTDM, neighbouring grey tone difference matrix: levels against the mean of their eight neighbours.

GLCM and GLRLM give features for each direction, which are averaged. Choices that the definitions leave open, and where
this module differs from the paper: images have 128 x 128 pixels, grey values are not normalised (so that brightness and
contrast count), and bins are fixed: 32 of 8 grey values, for detail bands 32 of 2 from -33 on, so that 0 is the middle
of one. Values beyond them count to the outer bins. Total energy is left out because it equals energy. An image's
features do not depend on the images that are computed with it.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.ndimage import correlate1d
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from xrayaug.data.images.arrays import Pixels
from xrayaug.stats.array_types import FloatArray, IndexArray

SIZE = 128  # width and height of the images in pixels
LEVELS = 32  # grey levels, Ng
BIN_WIDTH = 8  # grey values of the image and of the low-pass band
DETAIL_BIN_WIDTH = 2
LOWEST_DETAIL = -33
DECIMALS = 6  # of wavelet bands, so that a flat region is exactly 0 and in one bin
ROUNDING = 10**-DECIMALS  # the means of detail bands are 0 but for rounding, which must not count as a feature
IMAGES_AT_ONCE = 4  # fits the processor's cache
MAX_TABLE = 1 << 18  # entries of a matrix that are counted in a table, which is faster than sorting
# IBSI gives images of one level a coarseness of 10^6, beside which no other feature would count in a distance. No other
# image has one above 1.91, which is that of a single pixel in a corner that differs by one level.
FLAT_COARSENESS = 2.0

SQRT7 = 7**0.5
# coif1's low-pass filter: Daubechies 1992, Ten Lectures on Wavelets, table 8.1.
LOW_PASS = np.array([1 - SQRT7, 5 + SQRT7, 14 + 2 * SQRT7, 14 - 2 * SQRT7, 1 - SQRT7, -3 + SQRT7]) / (16 * 2**0.5)
HIGH_PASS = LOW_PASS[::-1] * [1, -1, 1, -1, 1, -1]

BANDS = ("original", "wavelet-LL", "wavelet-LH", "wavelet-HL", "wavelet-HH")
N_FLAT_BANDS = 2  # the first of them, whose values are grey values
FIRST_ORDER = (
    "Energy", "Entropy", "Minimum", "10Percentile", "90Percentile", "Maximum", "Mean", "Median", "InterquartileRange",
    "Range", "MeanAbsoluteDeviation", "RobustMeanAbsoluteDeviation", "RootMeanSquared", "Skewness", "Kurtosis",
    "Variance", "Uniformity",
)  # fmt: skip
GLCM = (
    "Autocorrelation", "JointAverage", "ClusterProminence", "ClusterShade", "ClusterTendency", "Contrast",
    "Correlation", "DifferenceAverage", "DifferenceEntropy", "DifferenceVariance", "JointEnergy", "JointEntropy",
    "Imc1", "Imc2", "Idm", "Idmn", "Id", "Idn", "InverseVariance", "MaximumProbability", "SumEntropy", "SumSquares",
)  # fmt: skip
GLRLM = (
    "ShortRunEmphasis", "LongRunEmphasis", "GrayLevelNonUniformity", "GrayLevelNonUniformityNormalized",
    "RunLengthNonUniformity", "RunLengthNonUniformityNormalized", "RunPercentage", "GrayLevelVariance", "RunVariance",
    "RunEntropy", "LowGrayLevelRunEmphasis", "HighGrayLevelRunEmphasis", "ShortRunLowGrayLevelEmphasis",
    "ShortRunHighGrayLevelEmphasis", "LongRunLowGrayLevelEmphasis", "LongRunHighGrayLevelEmphasis",
)  # fmt: skip
GLSZM = (
    "SmallAreaEmphasis", "LargeAreaEmphasis", "GrayLevelNonUniformity", "GrayLevelNonUniformityNormalized",
    "SizeZoneNonUniformity", "SizeZoneNonUniformityNormalized", "ZonePercentage", "GrayLevelVariance", "ZoneVariance",
    "ZoneEntropy", "LowGrayLevelZoneEmphasis", "HighGrayLevelZoneEmphasis", "SmallAreaLowGrayLevelEmphasis",
    "SmallAreaHighGrayLevelEmphasis", "LargeAreaLowGrayLevelEmphasis", "LargeAreaHighGrayLevelEmphasis",
)  # fmt: skip
NGTDM = ("Coarseness", "Contrast", "Busyness", "Complexity", "Strength")
CLASSES = {"firstorder": FIRST_ORDER, "glcm": GLCM, "glrlm": GLRLM, "glszm": GLSZM, "ngtdm": NGTDM}
NAMES = tuple(f"{band}_{group}_{name}" for band in BANDS for group, names in CLASSES.items() for name in names)

DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))  # rows down, columns right
Levels = npt.NDArray[np.int32]  # grey levels from 0 on, [B, H, W]; the definitions count from 1


def compute_features(pictures: Pixels) -> FloatArray:
    """Return the features `[N, D]` of pictures uint8 `[N, SIZE, SIZE]`, in the order of `NAMES`.

    Raises:
        ValueError: the pictures have another size.
    """
    if pictures.shape[1:] != (SIZE, SIZE):
        raise ValueError(f"the pictures have shape {pictures.shape[1:]}, not ({SIZE}, {SIZE})")
    parts = [pictures[start : start + IMAGES_AT_ONCE] for start in range(0, len(pictures), IMAGES_AT_ONCE)]
    return np.concatenate([_compute_chunk(part) for part in parts]) if parts else np.empty((0, len(NAMES)))


def _compute_chunk(pictures: Pixels) -> FloatArray:
    values = wavelet_bands(pictures.astype(np.float64))  # [N, 5, S, S]
    flat, details = values[:, :N_FLAT_BANDS], values[:, N_FLAT_BANDS:]
    levels = np.concatenate(
        [discretize(flat, 0, BIN_WIDTH), discretize(details, LOWEST_DETAIL, DETAIL_BIN_WIDTH)], axis=1
    )
    values, levels = values.reshape(-1, SIZE, SIZE), levels.reshape(-1, SIZE, SIZE)
    groups = (first_order_features(values, levels), glcm_features(levels), *size_features(levels))
    return np.concatenate([*groups, ngtdm_features(levels)], axis=1).reshape(len(pictures), -1)


def wavelet_bands(images: FloatArray) -> FloatArray:
    """Return images `[N, H, W]` and the bands of their undecimated coif1 transform, `[N, 5, H, W]`, as in `BANDS`.

    The first letter is the filter along rows of pixels, the second along columns. Borders wrap around, as PyRadiomics
    has it. The low-pass band is divided by its gain of 2, so that its values are grey values.
    """
    low, high = (correlate1d(images, taps, axis=2, mode="wrap") for taps in (LOW_PASS, HIGH_PASS))
    bands = [correlate1d(half, taps, axis=1, mode="wrap") for half in (low, high) for taps in (LOW_PASS, HIGH_PASS)]
    bands[0] /= 2
    return np.stack([images, *(band.round(DECIMALS) for band in bands)], axis=1)


def discretize(values: FloatArray, lowest: float, width: float) -> Levels:
    """Return the grey levels from 0 to `LEVELS` - 1, by bins of that width from `lowest` on."""
    levels: Levels = np.floor((values - lowest) / width).clip(0, LEVELS - 1).astype(np.int32)
    return levels


def first_order_features(values: FloatArray, levels: Levels) -> FloatArray:
    """Return the features `FIRST_ORDER`, `[B, 17]`, of values `[B, H, W]` and their grey levels.

    Skewness and kurtosis of a flat image are 0.
    """
    flat = values.reshape(len(values), -1)
    count = flat.shape[1]
    lowest, p10, p25, median, p75, p90, highest = _percentiles(flat, (0, 10, 25, 50, 75, 90, 100))
    mean = flat.mean(axis=1)
    mean = np.where(highest == lowest, lowest, np.where(np.abs(mean) < ROUNDING, 0.0, mean))
    deviations = flat - mean[:, None]
    squares = deviations**2
    variance = squares.mean(axis=1)
    robust = [_mean_absolute_deviation(row[(row >= low) & (row <= high)])
              for row, low, high in zip(flat, p10, p90, strict=True)]  # fmt: skip
    energy = (flat**2).sum(axis=1)
    shares = _histograms(levels) / count
    return np.stack(
        [
            energy, _entropy(shares), lowest, p10, p90, highest, mean, median, p75 - p25,
            highest - lowest, np.abs(deviations).mean(axis=1), robust, np.sqrt(energy / count),
            _divide((squares * deviations).mean(axis=1), variance**1.5),
            _divide((squares**2).mean(axis=1), variance**2), variance, (shares**2).sum(axis=1),
        ],
        axis=1,
    )  # fmt: skip


def glcm_features(levels: Levels) -> FloatArray:
    """Return the features `GLCM`, `[B, 22]`, of grey levels `[B, H, W]`, averaged over the directions.

    With p(i, j) the share of pairs, all but three features follow from the shares of i, of i + j and of |i - j|.
    """
    shares = np.stack([_cooccurrence(levels, *direction) for direction in DIRECTIONS], axis=1)  # [B, 4, Ng, Ng]
    number, row = np.arange(1, LEVELS + 1), np.arange(LEVELS)
    total, difference = np.arange(2, 2 * LEVELS + 1), np.arange(LEVELS)
    of_level = shares.sum(axis=3)
    of_total = _gather(shares, row[:, None] + row, len(total))
    of_difference = _gather(shares, np.abs(row[:, None] - row), len(difference))
    mean = (of_level * number).sum(axis=2)
    variance = (of_level * (number - mean[..., None]) ** 2).sum(axis=2)
    contrast = (of_difference * difference**2).sum(axis=2)
    autocorrelation = ((of_total * total**2).sum(axis=2) - contrast) / 4  # 4 ij = (i + j)² - (i - j)²
    centred = total - 2 * mean[..., None]
    tendency, shade, prominence = ((of_total * centred**power).sum(axis=2) for power in (2, 3, 4))
    mean_difference = (of_difference * difference).sum(axis=2)
    joint_entropy, level_entropy = _entropy(shares.reshape(*shares.shape[:2], -1)), _entropy(of_level)
    information = (2 * level_entropy - joint_entropy).clip(min=0)  # about one pixel of a pair in the other
    features: FloatArray = np.stack(
        [
            autocorrelation, mean, prominence, shade, tendency, contrast,
            _divide(autocorrelation - mean**2, variance, otherwise=1.0), mean_difference, _entropy(of_difference),
            (of_difference * (difference - mean_difference[..., None]) ** 2).sum(axis=2), (shares**2).sum(axis=(2, 3)),
            joint_entropy, -_divide(information, level_entropy), np.sqrt(1 - np.exp(-2 * information)),
            (of_difference / (1 + difference**2)).sum(axis=2),
            (of_difference / (1 + difference**2 / LEVELS**2)).sum(axis=2),
            (of_difference / (1 + difference)).sum(axis=2), (of_difference / (1 + difference / LEVELS)).sum(axis=2),
            (of_difference[..., 1:] / difference[1:] ** 2).sum(axis=2), shares.max(axis=(2, 3)), _entropy(of_total),
            variance,
        ],
        axis=2,
    )  # fmt: skip
    return np.asarray(features.mean(axis=1))


def size_features(levels: Levels) -> tuple[FloatArray, FloatArray]:
    """Return the features `GLRLM` (averaged over the directions) and `GLSZM`, each `[B, 16]`, of levels `[B, H, W]`."""
    count, height, width = levels.shape
    pixels = height * width
    runs = [_find_runs(levels, direction) for direction in range(len(DIRECTIONS))]
    by_direction = [_emphasis_features(*found, count, pixels) for found in runs]
    zones = _find_zones(levels, *runs[0])
    return np.mean(by_direction, axis=0), _emphasis_features(*zones, count, pixels)


def ngtdm_features(levels: Levels) -> FloatArray:
    """Return the features `NGTDM`, `[B, 5]`, of grey levels `[B, H, W]`."""
    count = len(levels)
    neighbours = _sum_blocks(np.ones_like(levels[:1])) - 1
    differences = np.abs(levels - (_sum_blocks(levels) - levels) / neighbours)
    codes = (levels + LEVELS * np.arange(count)[:, None, None]).ravel()
    sums = np.bincount(codes, differences.ravel(), LEVELS * count).reshape(count, LEVELS)
    pixels = levels[0].size
    shares = _histograms(levels) / pixels
    weighted, number = shares * sums, np.arange(1, LEVELS + 1)
    present = shares > 0
    pairs = present[:, :, None] & present[:, None, :]
    distance = np.abs(number[:, None] - number)
    share_sums = shares[:, :, None] + shares[:, None, :]
    n_levels = present.sum(axis=1)
    contrast = (shares[:, :, None] * shares[:, None, :] * distance**2).sum(axis=(1, 2)) * sums.sum(axis=1) / pixels
    weights = shares * number
    busyness = (np.abs(weights[:, :, None] - weights[:, None, :]) * pairs).sum(axis=(1, 2))
    complexity = distance * _divide((weighted[:, :, None] + weighted[:, None, :]) * pairs, share_sums)
    strength = (share_sums * distance**2 * pairs).sum(axis=(1, 2))
    return np.stack(
        [
            _divide(np.ones(count), weighted.sum(axis=1), otherwise=FLAT_COARSENESS),
            _divide(contrast, n_levels * (n_levels - 1.0)),
            _divide(weighted.sum(axis=1), busyness),
            complexity.sum(axis=(1, 2)) / pixels,
            _divide(strength, sums.sum(axis=1)),
        ],
        axis=1,
    )


def _cooccurrence(levels: Levels, down: int, right: int) -> FloatArray:
    """Return the shares `[B, Ng, Ng]` of pairs of pixels at that distance, symmetric."""
    count, height, width = levels.shape
    first = levels[:, : height - down, max(0, -right) : width - max(0, right)]
    second = levels[:, down:, max(0, right) : width - max(0, -right)]
    codes = first * LEVELS + second + LEVELS**2 * np.arange(count)[:, None, None]
    counts = np.bincount(codes.ravel(), minlength=count * LEVELS**2).reshape(count, LEVELS, LEVELS)
    shares: FloatArray = (counts + counts.transpose(0, 2, 1)) / (2 * first[0].size)
    return shares


def _gather(shares: FloatArray, bins: IndexArray, count: int) -> FloatArray:
    """Return the sums `[B, 4, count]` of shares `[B, 4, Ng, Ng]` by the bins `[Ng, Ng]` that they belong to."""
    groups = shares.shape[0] * shares.shape[1]
    codes = bins.ravel() + count * np.arange(groups)[:, None]
    sums = np.bincount(codes.ravel(), shares.ravel(), groups * count)
    return np.asarray(sums, np.float64).reshape(*shares.shape[:2], count)


def _find_runs(levels: Levels, direction: int) -> tuple[IndexArray, IndexArray, IndexArray]:
    """Return image, level and length of each run in that of `DIRECTIONS`."""
    order, starts = _lines(*levels.shape[1:], direction)
    ordered = levels.reshape(len(levels), -1)[:, order]
    begins = starts | np.concatenate([np.ones((len(levels), 1), bool), ordered[:, 1:] != ordered[:, :-1]], axis=1)
    places = np.flatnonzero(begins)
    lengths: IndexArray = np.diff(places, append=ordered.size)
    return places // len(order), ordered.ravel()[places].astype(np.int64), lengths


@cache
def _lines(height: int, width: int, direction: int) -> tuple[IndexArray, npt.NDArray[np.bool_]]:
    """Return the places of all pixels, line by line in that of `DIRECTIONS`, and which of them begin a line."""
    rows, columns = (axis.ravel() for axis in np.mgrid[:height, :width])
    line, along = ((rows, columns), (columns, rows), (columns - rows, rows), (columns + rows, rows))[direction]
    order = np.lexsort((along, line))
    starts = np.diff(line[order], prepend=line[order][0] - 1) != 0
    return order, starts


def _find_zones(
    levels: Levels, image: IndexArray, level: IndexArray, length: IndexArray
) -> tuple[IndexArray, IndexArray, IndexArray]:
    """Return image, level and size of each zone: pixels of one level that touch, also at corners.

    Zones are the connected components of a graph of runs along rows, given by image, level and length, whose edges join
    runs of one level that touch in neighbouring rows.
    """
    runs = np.repeat(np.arange(len(length)), length).reshape(levels.shape)  # the run of each pixel
    first, second = np.concatenate([_join(levels, runs, shift) for shift in (-1, 0, 1)], axis=1)
    fresh = np.ones(len(first), bool)  # neighbours along a row repeat an edge
    fresh[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    first, second = first[fresh], second[fresh]
    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(len(length), len(length)))
    count, zone = connected_components(graph, directed=False)
    image_of_zone, level_of_zone = np.empty(count, np.int64), np.empty(count, np.int64)
    image_of_zone[zone], level_of_zone[zone] = image, level
    return image_of_zone, level_of_zone, np.bincount(zone, length, count).astype(np.int64)


def _join(levels: Levels, runs: IndexArray, shift: int) -> npt.NDArray[np.int64]:
    """Return the runs `[2, E]` of pixels of one level, the second of them one row down and `shift` to the right.

    Pixels that touch at a corner are left out if a third pixel of their level touches both.
    """
    width = levels.shape[2]
    left, right = slice(max(0, -shift), width - max(0, shift)), slice(max(0, shift), width - max(0, -shift))
    alike = levels[:, :-1, left] == levels[:, 1:, right]
    if shift:
        level = levels[:, :-1, left]
        alike &= (levels[:, :-1, right] != level) & (levels[:, 1:, left] != level)
    return np.stack([runs[:, :-1, left][alike], runs[:, 1:, right][alike]])


def _emphasis_features(image: IndexArray, level: IndexArray, size: IndexArray, count: int, pixels: int) -> FloatArray:
    """Return the features `GLRLM` or `GLSZM`, `[count, 16]`, of runs or zones: image, level and size of each.

    Args:
        image: number of the image, below `count`.
        level: grey level, from 0 on.
        size: length or area in pixels.
        count: number of images.
        pixels: number of pixels of an image.
    """
    stride = int(size.max()) + 1
    codes, numbers = _count_codes((image * LEVELS + level) * stride + size, count * LEVELS * stride)
    image, level, size = codes // (LEVELS * stride), codes // stride % LEVELS, codes % stride
    total = np.bincount(image, numbers, count)
    shares = numbers / total[image]
    i, j = (level + 1).astype(np.float64), size.astype(np.float64)
    i2, j2 = i**2, j**2

    def mean(values: FloatArray) -> FloatArray:
        return np.asarray(np.bincount(image, numbers * values, count) / total, np.float64)  # exact for whole numbers

    def sum_of_squares(keys: IndexArray, n_keys: int) -> FloatArray:
        """Return the sum over the keys (levels or sizes) of their squared number of runs."""
        sums = np.bincount(image * n_keys + keys, numbers, count * n_keys).reshape(count, n_keys)
        return np.asarray((sums**2).sum(axis=1))

    levels_squared, sizes_squared = sum_of_squares(level, LEVELS), sum_of_squares(size, stride)
    mean_level, mean_size = mean(i), mean(j)
    return np.stack(
        [
            mean(1 / j2), mean(j2), levels_squared / total, levels_squared / total**2, sizes_squared / total,
            sizes_squared / total**2, total / pixels, mean((i - mean_level[image]) ** 2),
            mean((j - mean_size[image]) ** 2), mean(-np.log2(shares)), mean(1 / i2), mean(i2), mean(1 / (i2 * j2)),
            mean(i2 / j2), mean(j2 / i2), mean(i2 * j2),
        ],
        axis=1,
    )  # fmt: skip


def _count_codes(codes: IndexArray, end: int) -> tuple[IndexArray, IndexArray]:
    """Return the distinct codes below `end`, ascending, and how often each occurs: the entries of a sparse matrix."""
    if end > MAX_TABLE:
        return np.unique(codes, return_counts=True)
    counts = np.bincount(codes, minlength=end)
    distinct = np.flatnonzero(counts)
    return distinct, counts[distinct]


def _histograms(levels: Levels) -> IndexArray:
    """Return the number of pixels of each level, `[B, Ng]`."""
    codes = levels + LEVELS * np.arange(len(levels))[:, None, None]
    return np.bincount(codes.ravel(), minlength=LEVELS * len(levels)).reshape(len(levels), LEVELS)


def _sum_blocks(values: Levels) -> Levels:
    """Return the sum of each pixel and its eight neighbours, `[B, H, W]`; there are none beyond the border."""
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1)))
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    sums: Levels = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]
    return sums


def _percentiles(values: FloatArray, percents: Sequence[int]) -> FloatArray:
    """Return percentiles `[P, B]` of the rows of values `[B, N]`, with linear interpolation."""
    places = np.array(percents) / 100 * (values.shape[1] - 1)
    low = places.astype(np.int64)
    high = np.minimum(low + 1, values.shape[1] - 1)
    ordered = np.partition(values, np.unique([low, high]), axis=1)
    found: FloatArray = ordered[:, low] + (places - low) * (ordered[:, high] - ordered[:, low])
    return found.T


def _mean_absolute_deviation(values: FloatArray) -> float:
    return float(np.abs(values - values.mean()).mean()) if np.ptp(values) else 0.0


def _entropy(shares: FloatArray) -> FloatArray:
    """Return the entropy in bits over the last axis."""
    logarithms = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    return np.asarray(-(shares * logarithms).sum(axis=-1))


def _divide(a: FloatArray, b: FloatArray, otherwise: float = 0.0) -> FloatArray:
    """Return a / b, and `otherwise` where b is 0."""
    quotient: FloatArray = np.divide(a, b, out=np.full(np.broadcast_shapes(a.shape, b.shape), otherwise), where=b > 0)
    return quotient
