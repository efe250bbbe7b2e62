"""Does every CUDA path work, and how fast is it? One command for anyone with a GPU; about 13 minutes on an H200.

    python benchmarks/gpu.py --out DIR [--device auto] [--sections NAME,...] [--small]

Each section is a process with a time limit of its own. Nothing is downloaded, and nothing is read but what the sections
draw themselves. DIR gets `gpu.json`, `gpu.md` (the same as a table) and `log.txt` (what the sections printed); the exit
code is 1 if any section fails. With `--device cpu --small` the sections run on a processor, to test this program.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gpu_commands
import gpu_training
import torch
from gpu_rows import Bench, Row

from xrayaug.options import ARCHITECTURES

SLOWER = 5  # the limits of `--small`, for a processor
CORES = 2  # that each of several sections at a time has at least
GIBIBYTES = 10  # of the GPU's memory that each of them has at least


@dataclass(frozen=True)
class Section:
    """A part of the benchmark."""

    run: Callable[[Bench], Iterator[Row]]
    seconds: int  # that it may take
    timed: bool = True  # whether it must have the machine for itself


def sections() -> dict[str, Section]:
    """All sections by name, in the order in which they run; of GANs those of the listing."""
    gans = {f"gan-{arch}": Section(partial(gpu_training.gan, arch=arch), 300, timed=False) for arch in ARCHITECTURES}
    return {
        **gans,
        "commands": Section(gpu_commands.commands, 200, timed=False),
        "precision": Section(gpu_training.precision, 150, timed=False),
        "backbone": Section(gpu_commands.backbone, 300, timed=False),
        "deterministic": Section(gpu_commands.deterministic, 120, timed=False),
        "memory": Section(gpu_commands.memory, 120, timed=False),
        "resume": Section(gpu_commands.resume, 120, timed=False),
        "dropout": Section(gpu_training.dropout, 60, timed=False),
        "streaming": Section(gpu_training.streaming, 60, timed=False),
        "nccl": Section(gpu_training.nccl, 60, timed=False),
        "machine": Section(gpu_commands.machine, 40),
        "gan-steps": Section(gpu_training.gan_steps, 240),
        "rates": Section(gpu_commands.rates, 120),
        "densenet": Section(gpu_training.densenet, 180),
        "dcgan": Section(gpu_training.dcgan, 90),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="directory for the tables")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1")
    parser.add_argument("--sections", default=",".join(sections()), help="by commas (default: all)")
    parser.add_argument("--small", action="store_true", help="tiny networks and few images: a test of this program")
    parser.add_argument("--minutes", type=float, default=15, help="after which the sections that are left fail")
    parser.add_argument("--section", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.section:
        _serve(arguments)
        return
    unknown = set(arguments.sections.split(",")) - set(sections())
    if unknown:
        sys.exit(f"no section {', '.join(sorted(unknown))}; there are {', '.join(sections())}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    arguments.began = time.monotonic()
    rows = _measured(arguments)
    (arguments.out / "gpu.json").write_text(json.dumps(rows, indent=1) + "\n")
    (arguments.out / "gpu.md").write_text(_table(rows))
    print(_table(rows))
    sys.exit(any(row["passed"] is False for row in rows))


def _measured(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Run the sections: checks side by side, then those that report times one after the other."""
    chosen = {name: section for name, section in sections().items() if name in arguments.sections.split(",")}
    found: dict[str, list[dict[str, Any]]] = {}
    for timed, workers in ((False, _side_by_side()), (True, 1)):
        names = [name for name, section in chosen.items() if section.timed == timed]
        with ThreadPoolExecutor(workers) as threads:
            found |= zip(names, threads.map(lambda name: _section(name, chosen[name], arguments), names), strict=True)
    return [row for name in chosen for row in found[name]]


def _side_by_side() -> int:
    """Return how many sections fit on the machine at a time."""
    memory = torch.cuda.get_device_properties(0).total_memory >> 30 if torch.cuda.is_available() else sys.maxsize
    return max(1, min((os.cpu_count() or 1) // CORES, memory // GIBIBYTES))


def _section(name: str, section: Section, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Run a section in a process of its own: its rows, and one more that says whether it came to its end."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        rows, log = Path(scratch, "rows.jsonl"), Path(scratch, "log.txt")
        words = [sys.executable, __file__, "--section", name, "--out", scratch, "--device", arguments.device]
        left = arguments.began + 60 * arguments.minutes - started
        limit = min(section.seconds * (SLOWER if arguments.small else 1), left)
        ending = _run([*words, *(["--small"] if arguments.small else [])], log, limit) if left > 0 else "no time left"
        found = [json.loads(line) for line in rows.read_text().splitlines()] if rows.exists() else []
        printed = log.read_text(errors="replace") if log.exists() else ""
    with (arguments.out / "log.txt").open("a") as file:
        file.write(f"\n=== {name}: {ending or 'done'}, {time.monotonic() - started:.1f} s\n{printed}")
    note = f"{time.monotonic() - started:.1f} s"
    if ending:
        note += f"; {ending}: {printed.strip().rpartition(chr(10))[2]}"
    print(f"{name}: {ending or 'done'}, {note}", flush=True)
    made = [{"section": name, **row} for row in (*found, vars(Row("the section", passed=not ending, note=note)))]
    with (arguments.out / "gpu.jsonl").open("a") as file:  # for whoever ends the program early
        file.write("".join(json.dumps(row) + "\n" for row in made))
    return made


def _run(words: Sequence[str], log: Path, seconds: float) -> str:
    """Run a command in a session of its own; what was wrong with its ending, empty if nothing was."""
    with log.open("w") as file:
        process = subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"not done after {seconds:.0f} s"
    return f"exit code {code}" if code else ""


def _serve(arguments: argparse.Namespace) -> None:
    """Run one section here, writing each row as soon as it is known."""
    bench = Bench(arguments.device, arguments.small, arguments.out)
    with (arguments.out / "rows.jsonl").open("w") as file:
        try:
            for row in sections()[arguments.section].run(bench):
                print(json.dumps(vars(row)), file=file, flush=True)
        except Exception:
            traceback.print_exc()
            sys.stdout.flush()
            os._exit(1)  # whatever threads and graphs are left
    os._exit(0)


def _table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a table."""
    lines = ["| section | what | passed | ms a step | images/s | peak GiB | note |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        passed = {True: "yes", False: "**no**", None: ""}[row["passed"]]
        numbers = (f"{row[name]:{form}}" if row[name] is not None else "" for name, form in FORMS.items())
        lines.append(" | ".join(("| " + row["section"], row["what"], passed, *numbers, row["note"] + " |")))
    for row in rows:
        kernels = row["more"].get("kernels", [])
        lines += [f"{row['section']}, {row['what']}: {of['share']:.1%} {of['kernel'][:100]}" for of in kernels]
    return "\n".join(lines) + "\n"


FORMS = {"ms": ",.2f", "rate": ",.0f", "gib": ",.2f"}


if __name__ == "__main__":
    main()
