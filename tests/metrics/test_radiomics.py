"""Radiomics features against PyRadiomics, scikit-image, brute force and matrices counted by hand."""

import importlib
import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

from xrayaug.metrics import radiomics
from xrayaug.metrics.radiomics import FIRST_ORDER, GLCM, GLRLM, GLSZM, NGTDM, SIZE, Levels
from xrayaug.stats.array_types import FloatArray

# Values of PyRadiomics 3.0.1 for `formula_image`: grey values in bins of 8, all levels from 1 to 32 present.
PYRADIOMICS = {
    "firstorder": {
        "10Percentile": 18.0, "90Percentile": 216.30000000000007, "Energy": 13521700.0, "Entropy": 4.960592745201063,
        "InterquartileRange": 122.0, "Kurtosis": 1.9097463609161631, "Maximum": 255.0,
        "MeanAbsoluteDeviation": 62.10549587673611, "Mean": 111.32552083333333, "Median": 104.5, "Minimum": 0.0,
        "Range": 255.0, "RobustMeanAbsoluteDeviation": 49.0811818362086, "RootMeanSquared": 132.6890357502583,
        "Skewness": 0.23798495352453097, "Uniformity": 0.03293863932291667, "Variance": 5213.0086195203985,
    },
    "glcm": {
        "Autocorrelation": 273.95076189223937, "ClusterProminence": 157178.35154919035,
        "ClusterShade": 845.7867745620832, "ClusterTendency": 283.2493354243934, "Contrast": 38.318172189107045,
        "Correlation": 0.7617906710573457, "DifferenceAverage": 2.707540760869565,
        "DifferenceEntropy": 1.877246224989745, "DifferenceVariance": 28.751586400762836, "Id": 0.48390349461401144,
        "Idm": 0.4219855418526693, "Idmn": 0.9776881059442935, "Idn": 0.9365448683491826, "Imc1": -0.5714270107034123,
        "Imc2": 0.9975914030451025, "InverseVariance": 0.4016051957339002, "JointAverage": 14.584788817788688,
        "JointEnergy": 0.009245660762321715, "JointEntropy": 7.0917289525168155,
        "MaximumProbability": 0.02374430224403927, "SumEntropy": 5.807544557711386, "SumSquares": 80.39187690337513,
    },
    "glrlm": {
        "GrayLevelNonUniformity": 20.248286908664657, "GrayLevelNonUniformityNormalized": 0.03219681844459498,
        "GrayLevelVariance": 79.14936936444781, "HighGrayLevelRunEmphasis": 312.6559416843955,
        "LongRunEmphasis": 2.601961759466709, "LongRunHighGrayLevelEmphasis": 630.5740826325831,
        "LongRunLowGrayLevelEmphasis": 0.2841327365780339, "LowGrayLevelRunEmphasis": 0.05444457168232583,
        "RunEntropy": 5.536681387522615, "RunLengthNonUniformity": 524.3110297146877,
        "RunLengthNonUniformityNormalized": 0.7618861030268461, "RunPercentage": 0.8167317708333333,
        "RunVariance": 0.421614660780478, "ShortRunEmphasis": 0.815891688452521,
        "ShortRunHighGrayLevelEmphasis": 263.1430291381329, "ShortRunLowGrayLevelEmphasis": 0.03639470979490254,
    },
    "glszm": {
        "GrayLevelNonUniformity": 9.48993288590604, "GrayLevelNonUniformityNormalized": 0.03184541236881221,
        "GrayLevelVariance": 78.47787261835052, "HighGrayLevelZoneEmphasis": 363.2718120805369,
        "LargeAreaEmphasis": 15.570469798657719, "LargeAreaHighGrayLevelEmphasis": 2007.1208053691275,
        "LargeAreaLowGrayLevelEmphasis": 2.7027214185301367, "LowGrayLevelZoneEmphasis": 0.04693022882572608,
        "SizeZoneNonUniformity": 98.80536912751678, "SizeZoneNonUniformityNormalized": 0.331561641367506,
        "SmallAreaEmphasis": 0.3843015539291497, "SmallAreaHighGrayLevelEmphasis": 147.66995624600304,
        "SmallAreaLowGrayLevelEmphasis": 0.020599337500004672, "ZoneEntropy": 6.558645634139706,
        "ZonePercentage": 0.3880208333333333, "ZoneVariance": 8.928606819512634,
    },
    "ngtdm": {
        "Busyness": 0.18407886483851893, "Coarseness": 0.025001946494857864, "Complexity": 708.8173919659954,
        "Contrast": 0.2647602864829301, "Strength": 8.796691640484438,
    },
}  # fmt: skip


def formula_image() -> Levels:
    y, x = np.mgrid[:24, :32]
    image = (x * x * 3 + y * y * 5 + x * y * 7) // 16 % 256
    image[0, 0], image[-1, -1] = 0, 255
    return np.asarray(image, np.int32)


def texture(levels: Levels) -> dict[str, dict[str, float]]:
    """Return the texture features of the levels of one image, by class and name."""
    runs, zones = radiomics.size_features(levels[None])
    found = {"glcm": radiomics.glcm_features(levels[None]), "glrlm": runs, "glszm": zones}
    found["ngtdm"] = radiomics.ngtdm_features(levels[None])
    return {name: dict(zip(radiomics.CLASSES[name], row[0].tolist(), strict=True)) for name, row in found.items()}


def random_levels(seed: int, shape: tuple[int, ...], count: int) -> Levels:
    return np.random.default_rng(seed).integers(0, count, shape, np.int32)


def test_all_features_equal_pyradiomics() -> None:
    image = formula_image()
    levels = radiomics.discretize(image.astype(np.float64), 0, 8)
    first = radiomics.first_order_features(image[None].astype(np.float64), levels[None])[0]
    found = texture(levels) | {"firstorder": dict(zip(FIRST_ORDER, first.tolist(), strict=True))}
    for name, values in PYRADIOMICS.items():
        assert found[name] == pytest.approx(values, rel=1e-9), name


def test_matrices_counted_by_hand() -> None:
    # Pairs along rows are (1, 1) and (2, 2); in the other directions all are (1, 2).
    found = texture(np.array([[0, 0], [1, 1]], np.int32))
    assert found["glcm"]["Contrast"] == pytest.approx(0.75)
    assert found["glcm"]["JointEnergy"] == pytest.approx(0.5)
    assert found["glcm"]["JointAverage"] == pytest.approx(1.5)
    # Along rows there are two runs of two pixels, in the other directions four of one.
    assert found["glrlm"]["ShortRunEmphasis"] == pytest.approx((1 / 4 + 3) / 4)
    assert found["glrlm"]["RunPercentage"] == pytest.approx((0.5 + 3) / 4)
    # Each pixel has three neighbours, one of its own level: a difference of 2/3, so that s is 4/3 for both levels.
    expected = {"Coarseness": 3 / 4, "Contrast": 1 / 6, "Busyness": 4 / 3, "Complexity": 2 / 3, "Strength": 3 / 4}
    assert found["ngtdm"] == pytest.approx(expected)
    # The zones have four and five pixels: some of them touch at a corner only.
    zones = texture(np.array([[0, 0, 1], [1, 0, 1], [0, 1, 1]], np.int32))["glszm"]
    assert zones["LargeAreaEmphasis"] == pytest.approx((16 + 25) / 2)
    assert zones["ZonePercentage"] == pytest.approx(2 / 9)


@pytest.mark.parametrize(("shape", "count"), [((7, 9), 3), ((12, 8), 5), ((10, 10), 32), ((2, 6), 2), ((5, 5), 2)])
def test_size_features_equal_those_of_a_plain_count(shape: tuple[int, int], count: int) -> None:
    levels = random_levels(count, shape, count)
    found = texture(levels)
    by_direction = [emphasis(Counter(runs(levels, step)), levels.size) for step in radiomics.DIRECTIONS]
    assert list(found["glrlm"].values()) == pytest.approx(np.mean(by_direction, axis=0), rel=1e-9)
    assert list(found["glszm"].values()) == pytest.approx(emphasis(Counter(zones(levels)), levels.size), rel=1e-9)
    assert (len(GLRLM), len(GLSZM)) == (16, 16)


@pytest.mark.parametrize(("shape", "count"), [((7, 9), 3), ((12, 8), 5), ((10, 10), 32)])
def test_cooccurrence_and_tone_differences_equal_those_of_a_plain_count(shape: tuple[int, int], count: int) -> None:
    levels = random_levels(count + 1, shape, count)
    found = texture(levels)
    by_direction = [cooccurrence(levels, step) for step in radiomics.DIRECTIONS]
    for name in by_direction[0]:
        expected = np.mean([values[name] for values in by_direction])
        assert found["glcm"][name] == pytest.approx(expected, rel=1e-9), name
    assert found["ngtdm"] == pytest.approx(tone_differences(levels), rel=1e-9)
    assert set(found["ngtdm"]) == set(NGTDM)


def test_cooccurrence_features_equal_those_of_scikit_image() -> None:
    feature: Any = importlib.import_module("skimage.feature")  # which has no types
    levels = random_levels(5, (20, 30), radiomics.LEVELS)
    angles = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4]
    matrix = feature.graycomatrix(levels.astype(np.uint8), [1], angles, radiomics.LEVELS, symmetric=True, normed=True)
    found = texture(levels)["glcm"]
    names = {"contrast": "Contrast", "dissimilarity": "DifferenceAverage", "homogeneity": "Idm", "ASM": "JointEnergy",
             "correlation": "Correlation"}  # fmt: skip
    for name, ours in names.items():
        assert found[ours] == pytest.approx(float(feature.graycoprops(matrix, name).mean()), rel=1e-9), name


def test_an_images_features_depend_on_no_other_image() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (6, SIZE, SIZE), np.uint8)
    pictures[1] = 7  # a flat one
    pictures[2] = np.arange(SIZE)
    together = radiomics.compute_features(pictures)
    assert together.shape == (6, len(radiomics.NAMES)) == (6, 380)
    assert np.isfinite(together).all()
    alone = np.concatenate([radiomics.compute_features(picture[None]) for picture in pictures])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(radiomics.compute_features(pictures[::-1])[::-1], together)
    assert len(set(radiomics.NAMES)) == len(radiomics.NAMES)
    assert radiomics.compute_features(pictures[:0]).shape == (0, 380)
    with pytest.raises(ValueError, match="128"):
        radiomics.compute_features(pictures[:, :64, :64])


@pytest.mark.parametrize("value", [0, 7, 8, 255])
def test_a_flat_image_has_no_texture(value: int) -> None:
    found = dict(
        zip(radiomics.NAMES, radiomics.compute_features(np.full((1, SIZE, SIZE), value, np.uint8))[0], strict=True)
    )
    for band in radiomics.BANDS:
        level = value // 8 + 1 if band in ("original", "wavelet-LL") else 17  # 0 is in the middle of level 17
        assert found[f"{band}_glcm_JointAverage"] == level
        assert found[f"{band}_firstorder_Mean"] == (value if level != 17 else 0)
        assert found[f"{band}_glszm_ZonePercentage"] == 1 / SIZE**2
        assert found[f"{band}_ngtdm_Coarseness"] == radiomics.FLAT_COARSENESS
        for name in ("glcm_Contrast", "glcm_JointEntropy", "firstorder_Variance", "firstorder_Skewness"):
            assert found[f"{band}_{name}"] == 0


def test_no_feature_is_rounding_alone() -> None:
    # A feature is divided by its deviation, however small: rounding would count as much as any feature.
    random = np.random.default_rng(0)
    noise = radiomics.compute_features(random.integers(0, 256, (3, 128, 128), np.uint8))
    means = [
        name
        for name in radiomics.NAMES
        if name.endswith(("LH_firstorder_Mean", "HL_firstorder_Mean", "HH_firstorder_Mean"))
    ]
    assert len(means) == 3
    assert not noise[:, [radiomics.NAMES.index(name) for name in means]].any()
    flat = radiomics.compute_features(np.stack([np.full((128, 128), value, np.uint8) for value in (3, 77, 140, 251)]))
    spreads = ("Variance", "AbsoluteDeviation", "Skewness", "Kurtosis")
    of_values = [name for name in radiomics.NAMES if name.endswith(spreads) and not name.endswith("RunVariance")]
    assert not flat[:, [radiomics.NAMES.index(name) for name in of_values]].any()


def test_no_image_of_two_levels_is_coarser_than_a_flat_one() -> None:
    corner = np.zeros((1, SIZE, SIZE), np.int32)
    corner[0, 0, 0] = 1
    assert 1.9 < radiomics.ngtdm_features(corner)[0, 0] < radiomics.FLAT_COARSENESS


def test_wavelet_bands_keep_the_energy_and_their_directions() -> None:
    images = np.random.default_rng(1).integers(0, 256, (2, 16, 16)).astype(np.float64)
    bands = radiomics.wavelet_bands(images)
    assert bands.shape == (2, 5, 16, 16)
    energy = (bands[:, 1:] ** 2 * np.array([4, 1, 1, 1])[:, None, None]).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(energy, 4 * (images**2).sum(axis=(1, 2)), rtol=1e-6)
    stripes = np.tile(np.array([0.0, 200.0]), (1, 16, 8))  # change along rows only
    _, low, vertical, horizontal, diagonal = radiomics.wavelet_bands(stripes)[0]
    np.testing.assert_allclose(low, 100)
    assert not vertical.any()
    assert not diagonal.any()
    np.testing.assert_allclose(np.abs(horizontal), 200)


def runs(levels: Levels, step: tuple[int, int]) -> list[tuple[int, int]]:
    """Return level (from 1 on) and length of each run, by walking along it."""
    height, width = levels.shape
    found = []
    for y, x in itertools.product(range(height), range(width)):
        before = (y - step[0], x - step[1])
        if 0 <= before[0] < height and 0 <= before[1] < width and levels[before] == levels[y, x]:
            continue
        length, here = 0, (y, x)
        while 0 <= here[0] < height and 0 <= here[1] < width and levels[here] == levels[y, x]:
            length, here = length + 1, (here[0] + step[0], here[1] + step[1])
        found.append((int(levels[y, x]) + 1, length))
    return found


def zones(levels: Levels) -> list[tuple[int, int]]:
    """Return level (from 1 on) and size of each zone, by filling it."""
    left = set(itertools.product(*map(range, levels.shape)))
    found = []
    while left:
        start = left.pop()
        front, size = [start], 0
        while front:
            y, x = front.pop()
            size += 1
            near = [(y + down, x + right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
            joined = [place for place in near if place in left and levels[place] == levels[start]]
            left -= set(joined)
            front += joined
        found.append((int(levels[start]) + 1, size))
    return found


def emphasis(counts: Counter[tuple[int, int]], pixels: int) -> list[float]:
    """Return the features of a matrix of levels i and sizes j, in the order of `GLRLM`, by their definitions."""
    total = sum(counts.values())
    p = {entry: count / total for entry, count in counts.items()}
    by_level, by_size = Counter[int](), Counter[int]()
    for (i, j), count in counts.items():
        by_level[i] += count
        by_size[j] += count
    mean_level, mean_size = (sum(p[entry] * entry[axis] for entry in p) for axis in (0, 1))
    gray, sizes = (sum(count**2 for count in sums.values()) for sums in (by_level, by_size))
    weights: list[Any] = [lambda i, j: j**-2.0, lambda i, j: j**2]
    more: list[Any] = [
        lambda i, j: i**-2.0, lambda i, j: i**2, lambda i, j: (i * j) ** -2.0, lambda i, j: i**2 / j**2,
        lambda i, j: j**2 / i**2, lambda i, j: (i * j) ** 2,
    ]  # fmt: skip
    return [
        *(sum(p[i, j] * weight(i, j) for i, j in p) for weight in weights),
        gray / total, gray / total**2, sizes / total, sizes / total**2, total / pixels,
        sum(p[i, j] * (i - mean_level) ** 2 for i, j in p), sum(p[i, j] * (j - mean_size) ** 2 for i, j in p),
        -sum(share * math.log2(share) for share in p.values()),
        *(sum(p[i, j] * weight(i, j) for i, j in p) for weight in more),
    ]  # fmt: skip


def cooccurrence(levels: Levels, step: tuple[int, int]) -> dict[str, float]:
    """Return features of the matrix of pairs, by their definitions."""
    height, width = levels.shape
    counts = Counter[tuple[int, int]]()
    for y, x in itertools.product(range(height), range(width)):
        other = (y + step[0], x + step[1])
        if 0 <= other[0] < height and 0 <= other[1] < width:
            pair = (int(levels[y, x]) + 1, int(levels[other]) + 1)
            counts.update([pair, pair[::-1]])
    total = sum(counts.values())
    p = {pair: count / total for pair, count in counts.items()}
    mean = sum(share * i for (i, _), share in p.items())
    variance = sum(share * (i - mean) ** 2 for (i, _), share in p.items())
    marginal = Counter[int]()
    for (i, _), share in p.items():
        marginal[i] += share  # type: ignore[assignment]
    hx = -sum(share * math.log2(share) for share in marginal.values())
    hxy = -sum(share * math.log2(share) for share in p.values())
    hxy1 = -sum(share * math.log2(marginal[i] * marginal[j]) for (i, j), share in p.items())
    return {
        "Autocorrelation": sum(share * i * j for (i, j), share in p.items()),
        "ClusterShade": sum(share * (i + j - 2 * mean) ** 3 for (i, j), share in p.items()),
        "ClusterProminence": sum(share * (i + j - 2 * mean) ** 4 for (i, j), share in p.items()),
        "Contrast": sum(share * (i - j) ** 2 for (i, j), share in p.items()),
        "Correlation": sum(share * (i - mean) * (j - mean) for (i, j), share in p.items()) / variance,
        "Imc1": (hxy - hxy1) / hx,
        "Idn": sum(share / (1 + abs(i - j) / radiomics.LEVELS) for (i, j), share in p.items()),
        "InverseVariance": sum(share / (i - j) ** 2 for (i, j), share in p.items() if i != j),
        "MaximumProbability": max(p.values()),
    }


def tone_differences(levels: Levels) -> dict[str, float]:
    """Return the features `NGTDM`, by their definitions."""
    height, width = levels.shape
    n, s = Counter[int](), Counter[int]()
    for y, x in itertools.product(range(height), range(width)):
        near = [
            int(levels[j, i])
            for j in range(max(0, y - 1), min(height, y + 2))
            for i in range(max(0, x - 1), min(width, x + 2))
            if (j, i) != (y, x)
        ]
        level = int(levels[y, x])
        n[level + 1] += 1
        s[level + 1] += abs(level - sum(near) / len(near))  # type: ignore[assignment]
    p = {level: count / levels.size for level, count in n.items()}
    pairs = list(itertools.product(p, p))
    weighted, total = sum(p[i] * s[i] for i in p), sum(s.values())
    return {
        "Coarseness": 1 / weighted,
        "Contrast": sum(p[i] * p[j] * (i - j) ** 2 for i, j in pairs) / (len(p) * (len(p) - 1)) * total / levels.size,
        "Busyness": weighted / sum(abs(i * p[i] - j * p[j]) for i, j in pairs),
        "Complexity": sum(abs(i - j) * (p[i] * s[i] + p[j] * s[j]) / (p[i] + p[j]) for i, j in pairs) / levels.size,
        "Strength": sum((p[i] + p[j]) * (i - j) ** 2 for i, j in pairs) / total,
    }


def test_the_definitions_above_name_features() -> None:
    values: FloatArray = random_levels(0, (4, 4), 3).astype(np.float64)
    assert set(cooccurrence(values.astype(np.int32), (0, 1))) <= set(GLCM)
