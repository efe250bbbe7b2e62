"""Interleaved timing of two or more ways to do the same work, each in a process of its own.

Machines are noisy and drift, so results are ratios within a round: every side runs once per round, one after the other,
while the others wait. Each side has its own process, because the settings of the C library and OpenMP are per process.

A benchmark passes its sides to `compare` by name: functions that set up and return the work of one round, which returns
its number of images. The other sides are compared with the first one.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

Round = Callable[[], int]  # does the work of one round and returns its number of images
Side = Callable[[argparse.Namespace], Round]

CLI_ENVIRONMENT = {"GOMP_SPINCOUNT": "10000"}  # as the command line sets it


def compare(title: str, parser: argparse.ArgumentParser, sides: Mapping[str, Side], *, rounds: int = 7) -> None:
    """Parse the command line, run the sides in turn and print a table of rates and ratios.

    Args:
        title: of the table.
        parser: to which `--rounds` is added.
        sides: by name; ratios are relative to the first.
        rounds: default of `--rounds`.
    """
    parser.add_argument("--rounds", type=int, default=rounds, help="number of runs of each side")
    parser.add_argument("--side", choices=sides, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        _serve(sides[arguments.side](arguments))
        sys.exit()
    processes = {name: _start(name, first=place == 0) for place, name in enumerate(sides)}
    for process in processes.values():
        _ask(process)  # the first round warms up
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(arguments.rounds):
        for name, process in processes.items():
            rates[name].append(_ask(process))
    for process in processes.values():
        process.communicate()
    _print(title, rates)


def _serve(work: Round) -> None:
    for _ in sys.stdin:
        started = time.perf_counter()
        count = work()
        print(json.dumps(count / (time.perf_counter() - started)), flush=True)


def _start(name: str, *, first: bool) -> "subprocess.Popen[str]":
    words = [sys.executable, *sys.argv, f"--side={name}"]
    environment = os.environ | ({} if first else CLI_ENVIRONMENT)
    return subprocess.Popen(
        words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def _ask(process: "subprocess.Popen[str]") -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def _print(title: str, rates: Mapping[str, list[float]]) -> None:
    first = next(iter(rates))
    print(f"| {title} | images/s, median | ratio to {first}: median (lowest to highest) |\n|---|---|---|")
    for name, side_rates in rates.items():
        ratios = [rate / first_rate for rate, first_rate in zip(side_rates, rates[first], strict=True)]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"| {name} | {statistics.median(side_rates):.1f} | {spread if name != first else '1'} |")
