"""Sections of `gpu.py` that run whole commands, each in a fresh process."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from gpu_rows import Bench, Row, environment, write_dataset

from xrayaug.runtime import devices
from xrayaug.storage.checkpoints import NAME

THESIS = 12_611  # images of the thesis's GAN
EPOCHS = 100
QUERY = "name,driver_version,clocks.sm,clocks.mem,clocks.max.sm,power.limit"
RATE = re.compile(r"([\d,.]+) images/s")
FRACTION = 0.004  # of the device's memory that a process may have where memory is to run out


def machine(bench: Bench) -> Iterator[Row]:
    """Report versions, clocks and the speed of matrix products."""
    device = bench.device
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__, "numpy": np.__version__}
    backends: Any = torch.backends  # which torch leaves untyped in part
    versions |= {"cuda": torch.version.cuda, "cudnn": str(backends.cudnn.version())}
    note = ", ".join(f"{name} {version}" for name, version in versions.items())
    yield Row("versions", None, note=f"Python {sys.version.split()[0]}, {note}", more=versions)
    yield Row("device", None, note=devices.describe(device))
    if device.type != "cuda":
        return
    yield Row("card", None, note=_asked_of_card())
    for precision in ("ieee", "tf32", "bf16"):
        yield Row(f"matrix product of 8,192, {precision}", None, note=f"{_teraflops(device, precision):.0f} TFLOP/s")


def _asked_of_card() -> str:
    try:
        asked = subprocess.run(
            ["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as problem:
        return f"nvidia-smi did not answer: {problem}"
    return f"{QUERY}: {asked.stdout.strip()}"


def _teraflops(device: torch.device, precision: str, size: int = 8192) -> float:
    a = torch.randn(size, size, device=device, dtype=torch.bfloat16 if precision == "bf16" else torch.float32)
    with devices.matmul_precision("tf32" if precision == "tf32" else "ieee"):
        a @ a
        devices.synchronize(device)
        started = time.perf_counter()
        for _ in range(5):
            a @ a
        devices.synchronize(device)
    return 5 * 2 * size**3 / (time.perf_counter() - started) / 1e12


def rates(bench: Bench) -> Iterator[Row]:
    """Time whole commands on as many images as the thesis had: `train-gan`, `sample`, `fid`."""
    size = bench.sized(128, 32)
    data = write_dataset(bench.scratch / "data", bench.sized(THESIS, 48), size)
    small = ("--batch-size", 16, "--width", 1 / 16) if bench.small else ()
    for precision in bench.precisions:
        run = bench.scratch / f"gan-{precision}"
        words = ("train-gan", "--data", data, "--precision", precision, "--on-collapse", "warn", "--out", run, *small)
        started = time.monotonic()
        bench.must(*words, "--epochs", 3, "--preview-every", 0)
        seconds = time.monotonic() - started
        epochs = [json.loads(line)["seconds"] for line in (run / "log.jsonl").read_text().splitlines()]
        start = seconds - sum(epochs[1:]) - epochs[-1]  # what the first epoch takes longer is part of the start
        projected = start + EPOCHS * epochs[-1]
        note = f"start-up and end {start:.1f} s, an epoch {epochs[-1]:.3f} s, so {EPOCHS} epochs in {projected:.0f} s"
        yield Row(f"train-gan, {precision}", None, rate=bench.sized(THESIS, 48) / epochs[-1], note=note)
    count, synthetic = bench.sized(10_000, 64), bench.scratch / "synthetic"
    yield _timed(bench, "sample", count, "--run", run, "--count", count, "--out", synthetic)
    dims = bench.sized(2048, 64)
    cache = bench.scratch / "cache"
    yield _timed(
        bench, "fid", count + len(np.load(data / "images.npy", mmap_mode="r")),
        synthetic, data, "--features", "random", "--dims", dims, "--cache", cache,
    )  # fmt: skip


def _timed(bench: Bench, name: str, count: int, *words: object) -> Row:
    """Time a command, and report the rates that its own progress lines show."""
    started = time.monotonic()
    done = bench.must(name, *words)
    seconds = time.monotonic() - started
    lines = [line for line in done.stderr.splitlines() if RATE.search(line)]
    last = {line.split(":")[0]: RATE.findall(line)[-1] for line in lines}
    said = "; ".join(f"{what} {rate} images/s" for what, rate in last.items())
    return Row(f"{name}, {count:,} images", None, rate=count / seconds, note=f"{seconds:.1f} s; {said}")


def resume(bench: Bench) -> Iterator[Row]:
    """Stop a GAN's training by SIGTERM, then run the same command again, on the device and on a CPU."""
    data = write_dataset(bench.scratch / "data", 64, 32)
    plans = {"on the device": (bench.sized(300, 30), bench.name), "on a CPU": (bench.sized(60, 30), "cpu")}
    for name, (epochs, then) in plans.items():
        out = bench.scratch / name.replace(" ", "-")
        words = ("train-gan", "--data", data, "--batch-size", 16, "--width", 0.25 if not bench.small else 1 / 16,
                 "--on-collapse", "warn", "--preview-every", 0, "--epochs", epochs, "--out", out)  # fmt: skip
        code, saved = _stopped(bench, words, Path(f"{out}.partial"))
        done = bench.command(*words, on=then)
        made = json.loads((out / "manifest.json").read_text())["environment"] if done.returncode == 0 else {}
        changes = made.get("changes", [])
        warned_rightly = bool(changes) == (then != bench.name and bench.device.type != "cpu")
        passed = code == 75 and saved and done.returncode == 0 and made.get("stops") == 1 and warned_rightly
        last = done.stderr.strip().rpartition("\n")[2] if done.returncode else ""
        note = (
            f"SIGTERM: exit code {code}; again: {done.returncode} {last}; stops {made.get('stops')}; changes {changes}"
        )
        yield Row(f"stopped, then {name}", passed, note=note)


def _stopped(bench: Bench, words: Sequence[object], partial: Path) -> tuple[int, bool]:
    """Start a training and stop it after an epoch; return its exit code and whether it left a checkpoint."""
    command = [sys.executable, "-m", "xrayaug", *map(str, words), "--device", bench.name]
    process = subprocess.Popen(
        command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    log = partial / "log.jsonl"
    while process.poll() is None and not (log.exists() and log.stat().st_size):
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    code = process.wait(60)
    kept = partial / "resume" / "checkpoints"
    return code, kept.is_dir() and any(NAME.fullmatch(file.name) for file in kept.iterdir())


def deterministic(bench: Bench) -> Iterator[Row]:
    """Check that `--deterministic` gives the same bytes twice."""
    data = write_dataset(bench.scratch / "data", 64, 32)
    narrow = 1 / 16 if bench.small else 0.25
    trained = {
        "dcgan": ("train-gan", "--batch-size", 16, "--width", narrow, "--epochs", 6, "--on-collapse", "warn"),
        "dcgan-plus": ("train-gan", "--arch", "dcgan-plus", "--batch-size", 16, "--width", narrow, "--epochs", 6,
                       "--r1", 1, "--penalty-every", 4, "--d-augment", "ada", "--on-collapse", "warn"),
        "resnet18": ("train-classifier", "--arch", "resnet18", "--weights", "none", "--size", 64, "--epochs", 2),
    }  # fmt: skip
    for name, words in trained.items():
        outs = [bench.scratch / f"{name}-{turn}" for turn in range(2)]
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda out: bench.must(*words, "--data", data, "--deterministic", "--out", out), outs))  # noqa: B023
        yield Row(name, _same(outs, "*.safetensors"))


def _same(outs: Sequence[Path], *patterns: str) -> bool:
    """Return whether the matching files of all directories have the same bytes."""
    contents = [
        {file.name: file.read_bytes() for pattern in patterns for file in sorted(out.glob(pattern))} for out in outs
    ]
    return bool(contents[0]) and all(each == contents[0] for each in contents)


def commands(bench: Bench) -> Iterator[Row]:
    """Run commands twice on the device, which must give equal bytes, and on a CPU."""
    data = write_dataset(bench.scratch / "data", 128, 64)
    run, judged = bench.scratch / "gan", bench.scratch / "classifier"
    small = ("--width", 1 / 16) if bench.small else ()
    bench.must(
        "train-gan", "--data", data, "--epochs", 1, "--batch-size", 32, "--on-collapse", "warn", "--out", run, *small
    )
    bench.must("train-classifier", "--data", data, "--arch", "resnet18", "--weights", "none", "--size", 64,
               "--epochs", 1, "--out", judged)  # fmt: skip
    runs = {"first": bench.name, "second": bench.name, "cpu": "cpu"}

    def lane(name: str) -> None:
        _lane(bench, name, runs[name], (data, run, judged))

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lane, runs))
    files = {"sample": ("images.npy",), "fid": ("fid.json",), "copies": ("copies.csv",),
             "evaluate": ("*.csv", "metrics.json"), "predict": ("predictions.csv",)}  # fmt: skip
    outs = {name: [bench.scratch / each / name for each in runs] for name in files}
    for name, patterns in files.items():
        yield Row(f"{name}, twice", _same(outs[name][:2], *patterns))
    yield from _beside_cpu(outs)


def _lane(bench: Bench, name: str, on: str, inputs: Sequence[Path]) -> None:
    """Run all commands once."""
    data, run, judged = inputs
    root = bench.scratch / name
    root.mkdir()
    dims = bench.sized(2048, 64)
    drawn = bench.scratch / "first" / "sample"  # the same for all that follow
    bench.must("sample", "--run", run, "--count", bench.sized(256, 64), "--out", root / "sample", on=on)
    while not drawn.exists():
        time.sleep(0.1)
    given = ("--features", "random", "--dims", dims)
    bench.must("fid", drawn, data, *given, "--cache", root / "cache", "--out", root / "fid", on=on)
    bench.must("copies", drawn, "--real", data, *given, "--out", root / "copies", on=on)
    bench.must("evaluate", judged, "--out", root / "evaluate", on=on)
    bench.must("predict", judged, "--data", data, "--out", root / "predict", on=on)


def _beside_cpu(outs: dict[str, list[Path]]) -> Iterator[Row]:
    """Compare results of the device with those of a CPU."""
    first, _, cpu = (np.load(out / "images.npy").astype(int) for out in outs["sample"])
    grey = int(np.abs(first - cpu).max())
    yield Row("sample, beside a CPU", grey <= 1, note=f"{grey} grey levels at most, allowed 1")
    values = [json.loads((out / "fid.json").read_text())["value"] for out in outs["fid"]]
    apart = abs(values[0] / values[2] - 1)
    yield Row("fid, beside a CPU", apart <= 1e-3, note=f"{values[0]:.6g} and {values[2]:.6g}, allowed 1e-3")
    for name, file, allowed in (("copies", "copies.csv", 1e-3), ("evaluate", "predictions.csv", 1e-4),
                                ("predict", "predictions.csv", 1e-4)):  # fmt: skip
        tables = [_numbers(outs[name][place] / file) for place in (0, 2)]
        apart = float(np.abs(tables[0] - tables[1]).max() / np.abs(tables[1]).max())
        yield Row(f"{name}, beside a CPU", apart <= allowed, note=f"{apart:.1e}, allowed {allowed:g}")


def _numbers(table: Path) -> Any:
    """Return all decimal fractions in a CSV file."""
    cells = table.read_text().replace("\n", ",").split(",")
    return np.array([float(cell) for cell in cells if re.fullmatch(r"-?\d+\.\d+(e-?\d+)?", cell)])


def backbone(bench: Bench) -> Iterator[Row]:
    """Use the ImageNet weights that install with the package, twice on the device and once on a CPU."""
    data = write_dataset(bench.scratch / "data", bench.sized(1000, 64), 64)
    other = write_dataset(bench.scratch / "other", bench.sized(200, 32), 64)
    first, gan = bench.scratch / "first-gan", bench.scratch / "gan"
    words = ("train-gan", "--data", data, "--arch", "projected", "--epochs", 1, "--on-collapse", "warn")
    bench.must(*words, "--out", first)
    bench.must(*words, "--init", first, "--precision", "bf16", "--out", gan)
    runs = {"first": bench.name, "second": bench.name, "cpu": "cpu"}
    layers = ("head", "last-2", "all")
    size = ("--arch", "efficientnet_lite0", "--size", bench.sized(224, 64), "--batch-size", 32, "--epochs", 2)

    def lane(name: str) -> str:
        """Run all commands; return what the training of the output layer said."""
        root = bench.scratch / name
        root.mkdir()
        cache = ("--cache", root / "cache")
        done = bench.must("train-classifier", "--data", data, *size, "--train", "head", *cache,
                          "--out", root / "head", on=runs[name])  # fmt: skip
        for train in layers[1:] if name != "cpu" else ():
            bench.must("train-classifier", "--data", data, *size, "--train", train, "--deterministic",
                       "--out", root / train, on=runs[name])  # fmt: skip
        bench.must("fid", data, other, "--features", "imagenet", *cache,
                   "--out", root / "fid", on=runs[name])  # fmt: skip
        bench.must("evaluate", root / "head", "--out", root / "evaluate", *cache, on=runs[name])
        bench.must("sample", "--run", gan, "--count", bench.sized(200, 32), "--malformed", "imagenet", *cache,
                   "--out", root / "sample", on=runs[name])  # fmt: skip
        return done.stderr

    with ThreadPoolExecutor(3) as threads:
        said = dict(zip(runs, threads.map(lane, runs), strict=True))
    for name, patterns in (*((train, ("*.safetensors",)) for train in layers), ("fid", ("fid.json",))):
        yield Row(f"{name}, twice", _same([bench.scratch / each / name for each in ("first", "second")], *patterns))
    values = {each: json.loads((bench.scratch / each / "fid" / "fid.json").read_text())["value"] for each in runs}
    apart = abs(values["first"] / values["cpu"] - 1)
    yield Row("fid, beside a CPU", apart <= 1e-3, note=f"{values['first']:.6g} and {values['cpu']:.6g}, allowed 1e-3")
    tables = [_numbers(bench.scratch / each / "evaluate" / "predictions.csv") for each in runs]
    yield Row("evaluate of the head, twice", np.array_equal(tables[0], tables[1]))
    apart = float(np.abs(tables[0] - tables[2]).max() / np.abs(tables[2]).max())
    yield Row("evaluate of the head, beside a CPU", apart <= 1e-2, note=f"{apart:.1e}, allowed 1e-2")
    drawn = [
        json.loads((bench.scratch / each / "sample" / "manifest.json").read_text())["result"]["malformed"]
        for each in runs
    ]
    shares = ", ".join(f"{each['share']:.3f}" for each in drawn)
    yield Row("sample --malformed, twice", drawn[0] == drawn[1], note=f"shares {shares}, the last on a CPU")
    lines = [line for line in said["first"].splitlines() if RATE.search(line)]
    yield Row("head, its progress lines", None, note="; ".join(lines[-4:]))


def memory(bench: Bench) -> Iterator[Row]:
    """Check that running out of memory gives one line and exit code 1, in training and sampling."""
    if bench.device.type != "cuda":
        yield Row("memory that runs out", None, note="only on CUDA")
        return
    data = write_dataset(bench.scratch / "data", 256, 64)
    run = bench.scratch / "gan"
    bench.must("train-gan", "--data", data, "--epochs", 1, "--batch-size", 32, "--on-collapse", "warn", "--out", run)
    asked = {
        "train-gan": ("--data", data, "--epochs", 2, "--batch-size", 256, "--width", 4),
        "train-classifier": ("--data", data, "--arch", "densenet169", "--weights", "none", "--batch-size", 64),
        "sample": ("--run", run, "--count", 64),
    }
    for name, words in asked.items():
        out = bench.scratch / f"out-{name}"
        shutil.rmtree(out, ignore_errors=True)
        fraction = FRACTION if name != "sample" else FRACTION / 20
        program = (
            f"import torch; torch.cuda.set_per_process_memory_fraction({fraction}); "
            "from xrayaug.cli import main; main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, name, *map(str, words), "--device", bench.name, "--out", str(out)],
            capture_output=True, text=True, check=False, env=environment(),
        )  # fmt: skip
        errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        passed = (
            done.returncode == 1
            and len(errors) == 1
            and "out of memory" in errors[0]
            and "Traceback" not in done.stderr
        )
        yield Row(name, passed, note=f"exit code {done.returncode}: {' '.join(done.stderr.splitlines()[-2:])[:400]}")
