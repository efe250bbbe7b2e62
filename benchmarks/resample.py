"""Which resampling filter should `prepare` use? Errors, ringing and time of Pillow's filters.

    python benchmarks/resample.py DIRECTORY_OF_IMAGES [--size 128] [--count 60]

The reference is a sinc of eight lobes with a Lanczos window in double precision: near the ideal low-pass filter, but
too slow for use. Errors are in grey levels of 0 to 255. A pixel overshoots if it leaves the range of the reference's 3
x 3 neighbourhood by more than two levels.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter, minimum_filter

from xrayaug.data.images import greyscale, resizing

Floats = npt.NDArray[np.float64]
LOBES = 8
FILTERS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")


def weights(before: int, after: int) -> Floats:
    """Return the resampling matrix `[after, before]` of the windowed sinc."""
    scale = max(before / after, 1.0)
    centres = (np.arange(after) + 0.5) * before / after - 0.5
    distance = (np.arange(before)[None, :] - centres[:, None]) / scale
    taps = np.where(np.abs(distance) < LOBES, np.sinc(distance) * np.sinc(distance / LOBES), 0.0)
    return np.asarray(taps / taps.sum(axis=1, keepdims=True))


def reference(grey: npt.NDArray[np.uint8], size: int) -> Floats:
    """Return the picture resampled by the windowed sinc, `[size, size]`, not rounded."""
    rows, columns = (weights(length, size) for length in grey.shape)
    return np.asarray(np.clip(rows @ grey.astype(np.float64) @ columns.T, 0, 255))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--count", type=int, default=60)
    arguments = parser.parse_args()
    files = sorted(arguments.directory.rglob("*.png"))[: arguments.count]
    greys = [greyscale.decode(file).grey for file in files]
    references = [reference(grey, arguments.size) for grey in greys]
    print(f"{len(greys)} images to {arguments.size} px\n\n| filter | RMS error | overshoot > 2: share | max | ms |")
    print("|---|---|---|---|---|")
    for name in FILTERS:
        started = time.perf_counter()
        results = [resizing.resize_square(grey, arguments.size, fit="squash", resample=name) for grey in greys]
        milliseconds = 1000 * (time.perf_counter() - started) / len(greys)
        errors = [result - wanted for result, wanted in zip(results, references, strict=True)]
        beyond = [
            np.maximum(result - maximum_filter(wanted, 3), minimum_filter(wanted, 3) - result)
            for result, wanted in zip(results, references, strict=True)
        ]
        rms = float(np.sqrt(np.mean([np.mean(error**2) for error in errors])))
        share = float(np.mean([np.mean(excess > 2) for excess in beyond]))
        worst = max(float(excess.max()) for excess in beyond)
        print(f"| {name} | {rms:.2f} | {share:.2%} | {worst:.0f} | {milliseconds:.1f} |")


if __name__ == "__main__":
    main()
