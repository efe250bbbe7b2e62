"""How much time and memory does `evaluate --predictions` take for so many rows? Reading, or the whole command.

    python benchmarks/predictions.py [--rows 1000000,10000000] [--runs 50] [--resamples 0]

A file of N rows has `--runs` runs of 5 arms on N / runs cases. Each step runs in a process of its own, whose peak
memory is the largest resident set; that of Python with the package imported is subtracted. With `--resamples 0` the
predictions are only read, checked and paired; with more the whole command runs, and writes its report and files.
"""

import argparse
import importlib
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from xrayaug.evaluation import prediction_judge
from xrayaug.evaluation.gather import prediction_files
from xrayaug.options import Evaluate

ARMS = 5


def write(path: Path, rows: int, runs: int) -> None:
    """Write predictions whose cases are in the same order in every run."""
    cases = rows // runs
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, cases)
    with path.open("w", encoding="utf-8") as file:
        file.write("arm,seed,case,label,probability\n")
        for run in range(runs):
            probabilities = np.clip(random.normal(0.35 + 0.3 * labels, 0.2), 0, 1)
            lines = zip(range(cases), labels.tolist(), probabilities.tolist(), strict=True)
            start = f"{run % ARMS},{run // ARMS}"
            file.writelines(f"{start},image-{case:07d}.png,{label},{value:.6f}\n" for case, label, value in lines)


def measure(path: Path | None, resamples: int) -> None:
    """Print the seconds and the peak memory of one step, in this process."""
    evaluate = importlib.import_module("xrayaug.stages.evaluate") if resamples else None  # which imports torch
    started, used = time.perf_counter(), time.process_time()
    if path is not None:
        if evaluate is not None:
            out = path.with_name("evaluation")
            evaluate.run(Evaluate(out=out, predictions=(path,), baseline="0", resamples=resamples, overwrite=True))
        else:
            options = Evaluate(out=path, predictions=(path,), baseline="0")
            prediction_judge.arrange(options, prediction_files.read_predictions(options))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{time.perf_counter() - started:.1f} {time.process_time() - used:.1f} {peak:.0f}")


def run(path: Path | None, resamples: int) -> tuple[float, float, float]:
    """Return the seconds, those of a processor, and the peak memory in MiB of a step in a process of its own."""
    words = [sys.executable, __file__, "--measure", str(path or ""), "--resamples", str(resamples)]
    seconds, used, peak = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()[-3:]
    return float(seconds), float(used), float(peak)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="1000000,10000000")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--resamples", type=int, default=0)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure is not None:
        measure(Path(arguments.measure) if arguments.measure else None, arguments.resamples)
        return
    *_, idle = run(None, arguments.resamples)
    print(f"imported: {idle:.0f} MiB")
    with tempfile.TemporaryDirectory() as directory:
        for rows in map(int, arguments.rows.split(",")):
            path = Path(directory) / "predictions.csv"
            write(path, rows, arguments.runs)
            seconds, used, peak = run(path, arguments.resamples)
            size = path.stat().st_size / 1e6
            print(
                f"{rows:,} rows of {arguments.runs} runs, {size:,.0f} MB: {used:.1f} s of a processor ({seconds:.1f} s "
                f"by the clock), {rows / used:,.0f} rows/s, "
                f"{peak - idle:,.0f} MiB, {(peak - idle) * 2**20 / rows:.1f} bytes a row"
            )


if __name__ == "__main__":
    main()
