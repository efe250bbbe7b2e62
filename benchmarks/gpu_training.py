"""Sections of `gpu.py` that run training steps in their own process."""

import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_rows import Bench, Row, difference, milliseconds, peak, pictures, write_dataset
from PIL import Image
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader
from torchvision import datasets, models, transforms

from xrayaug.data.images.arrays import Pixels
from xrayaug.data.images.loaders import ImageLoader, InMemoryLoader, StreamingLoader
from xrayaug.data.images.stack import Stack
from xrayaug.errors import CaptureError
from xrayaug.networks import gans
from xrayaug.networks.architectures import IMAGENET_MEAN, IMAGENET_STD
from xrayaug.networks.gans import Shape
from xrayaug.options import ARCHITECTURES, TrainClassifier, TrainGan
from xrayaug.runtime import devices
from xrayaug.runtime.distributed import ranks
from xrayaug.runtime.distributed.group import DistributedGroup
from xrayaug.runtime.distributed.ranks import Rank
from xrayaug.runtime.stopping import Interval, SaveSchedule
from xrayaug.stages import train_gan
from xrayaug.training import classifier_training, gan_training
from xrayaug.training.classifier_training import LabelledImages, ValidationMetrics
from xrayaug.training.steps import WARM_UP, CudaGraphRecorder

REPLAYS = 8  # compared with eager steps
AGREEMENT = {"fp32": 1e-5, "bf16": 1e-3}  # relative difference of the metrics, or of any tensor after a step
NOISE_FACTOR = 10  # allowed difference, relative to that of two eager steps, for nondeterministic operations
MAX_NOISE = 0.05  # largest allowed difference
KERNELS = 15  # listed per trace
THESIS = 12_611  # images of the thesis's GAN
THESIS_EPOCHS = 100
WORKERS = 8  # of the plain loops' DataLoader
W0, W1 = 0.3, 0.7  # class weights of the classifier's loss
MAX_DESTROY_SECONDS = 20.0  # of a process group


# GANs


def gan(bench: Bench, arch: str) -> Iterator[Row]:
    """Compare replays with eager steps in fp32 and bf16, with and without penalties."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    for precision, allowed in AGREEMENT.items():
        for penalised in (False, True):
            if penalised and gans.load(arch).OUTPUT != "logit":
                continue  # penalties are of logits
            training = _gan_training(bench, arch, bench.sized(64, 32), penalised=penalised, precision=precision)
            is_equal, note = _agreement(bench, training, allowed)
            what = f"{precision}, penalised" if penalised else precision
            yield Row(f"{what}: replays are eager steps", is_equal, note=note)


def gan_steps(bench: Bench) -> Iterator[Row]:
    """Time the steps of all architectures at 64 px, and those of `projected` at all larger sizes."""
    larger = () if bench.small else (128, 256, 512)
    for arch, size in [(arch, bench.sized(64, 32)) for arch in ARCHITECTURES] + [
        ("projected", each) for each in larger
    ]:
        for precision in AGREEMENT:
            peak(bench.device, reset=True)
            training = _gan_training(bench, arch, size, precision=precision)
            yield _timed(bench, training, f"{arch}, {size} px, {precision}")


def _gan_training(
    bench: Bench, arch: str, size: int, *, penalised: bool = False, images: int = 0, **changes: Any
) -> gan_training.GanTrainer:
    """Return a run in its last epoch, so that growing networks have all their layers."""
    given: dict[str, Any] = {"data": Path("unused"), "out": Path("unused"), "arch": arch, "epochs": 10, **changes}
    given |= {"width": 1 / 16, "batch_size": 8} if bench.small else {}
    if gans.load(arch).OUTPUT == "logit":
        given |= {"penalty_every": 1 if penalised else 10**6}
    if penalised and not _penalises(TrainGan(**given), size):
        given |= {"r1": 1.0}
    if gans.load(arch).CONDITIONAL == "optional":
        given |= {"conditional": True}
    options = TrainGan(**given)
    device, config = bench.device, train_gan.make_config(options, size)
    reals = torch.from_numpy(pictures(images or 4 * config.recipe.batch_size, size)).to(device)
    labels = [place % 2 for place in range(len(reals))] if config.shape.classes else None
    training_data = gan_training.GanTrainingData(InMemoryLoader(reals), labels)
    training = gan_training.GanTrainer(options, config, training_data, device, bench.scratch)
    training.progress.epoch = options.epochs
    return training


def _penalises(options: TrainGan, size: int) -> bool:
    return train_gan.make_config(options, size).has_penalties


def _step_of(training: gan_training.GanTrainer) -> Callable[[], Tensor]:
    """Return a function that takes a step on the next batch."""
    size = training.recipe.batch_size
    order = torch.randperm(len(training.reals), generator=torch.Generator().manual_seed(0))
    places = [batch.to(training.reals.device) for batch in torch.split(order, size) if len(batch) == size]

    def step() -> Tensor:
        training.progress.batches += 1
        return training._run_step(size, None, places[training.progress.batches % len(places)])

    return step


def _agreement(bench: Bench, training: gan_training.GanTrainer, allowed: float) -> tuple[bool, str]:
    """Compare replays with eager steps from the same state, with deterministic algorithms where they exist."""
    step = _step_of(training)
    torch.use_deterministic_algorithms(True, warn_only=True)
    for _ in range(WARM_UP + 1):
        step()
    state = _tensors(training.model.state_dict())
    apart = noise = 0.0
    for _ in range(bench.sized(REPLAYS, 2)):
        before = [tensor.clone() for tensor in state]
        eager, again, replayed = (_taken_from(before, state, training, step, how) for how in (False, False, True))
        apart, noise = max(apart, difference(replayed, eager)), max(noise, difference(again, eager))
    torch.use_deterministic_algorithms(False)
    recorded = len(training.recorder._recordings)
    training.recorder.reset()
    limit = min(max(allowed, NOISE_FACTOR * noise), MAX_NOISE)
    note = f"replays differ by {apart:.1e} from eager steps, allowed {limit:.1e}; eager steps by {noise:.1e}"
    return apart <= limit and recorded == (bench.device.type == "cuda"), note


def _taken_from(
    before: Sequence[Tensor], state: Sequence[Tensor], training: gan_training.GanTrainer, step: Callable[[], Tensor],
    recorded: bool,
) -> list[Tensor]:  # fmt: skip
    """Return metrics and state after the next step from a state, replayed or launched kernel by kernel."""
    for tensor, value in zip(state, before, strict=True):
        tensor.copy_(value)
    with nullcontext() if recorded else _eagerly(training.recorder):
        metrics = step()
    if not recorded:
        training.progress.batches -= 1  # the same batch again
    return [metrics.clone(), *(tensor.clone() for tensor in state)]


def _timed(bench: Bench, training: gan_training.GanTrainer, what: str) -> Row:
    """Time replays and eager steps."""
    step = _step_of(training)
    for _ in range(WARM_UP + 2):
        step()
    replayed = milliseconds(bench.device, step, bench.sized(10, 2))
    with _eagerly(training.recorder):
        eagerly = milliseconds(bench.device, step, bench.sized(5, 1))
    training.recorder.reset()
    batch = training.recipe.batch_size
    note = f"batch {batch}; eager {eagerly:.2f} ms"
    return Row(what, None, replayed, batch / replayed * 1000, peak(bench.device), note)


def _tensors(state: Any) -> list[Tensor]:
    """Return all tensors of a nested state, not copies of them."""
    if isinstance(state, Tensor):
        return [state]
    inner = state.values() if isinstance(state, dict) else state if isinstance(state, list | tuple) else ()
    return [tensor for part in inner for tensor in _tensors(part)]


@contextmanager
def _eagerly(recorder: CudaGraphRecorder) -> Iterator[None]:
    """Context in which the recorder launches steps kernel by kernel."""
    before, recorder._is_recording = recorder._is_recording, False
    try:
        yield
    finally:
        recorder._is_recording = before


# The thesis's GAN


def dcgan(bench: Bench) -> Iterator[Row]:
    """Compare the thesis's networks, 128 px in batches of 100, with the loop of PyTorch's DCGAN example."""
    size, device = bench.sized(128, 32), bench.device
    found: dict[str, float] = {}
    for precision in bench.precisions:
        peak(device, reset=True)
        training = _gan_training(bench, "dcgan", size, images=bench.sized(2000, 16), precision=precision)
        step, batch = _step_of(training), training.recipe.batch_size
        for _ in range(WARM_UP + 2):
            step()
        found[precision] = took = milliseconds(device, step, bench.sized(100, 2))
        more = {"kernels": _kernels(device, step)}
        note = _projected(took, batch)
        yield Row(f"graph, {precision}", None, took, batch / took * 1000, peak(device), note, more)
        with _eagerly(training.recorder):
            took = milliseconds(device, step, bench.sized(20, 1))
        yield Row(f"eager, {precision}", None, took, batch / took * 1000)
        training.recorder.reset()
    for name in ("default", "fp32", "bf16"):
        took, batch = _plain_dcgan(bench, name, size)
        ours = found["tf32" if name == "default" and "tf32" in found else name if name != "default" else "fp32"]
        note = f"{took / ours:.2f} times ours" + (", which is tf32" if name == "default" else "")
        note += "".join(f"; {took / of:.1f} times ours in {each}" for each, of in found.items() if name == "default")
        yield Row(f"PyTorch's example, {name}", None, took, batch / took * 1000, peak(device), note)


def _projected(took: float, batch: int) -> str:
    seconds = THESIS_EPOCHS * -(-THESIS // batch) * took / 1000
    return f"{THESIS_EPOCHS} epochs of {THESIS:,} images: {seconds:.0f} s of steps"


def _kernels(device: torch.device, step: Callable[[], Any]) -> list[dict[str, Any]]:
    """Return the kernels that take most of the device's time in ten steps."""
    on_device = [ProfilerActivity.CUDA] if device.type == "cuda" else []
    with profile(activities=[ProfilerActivity.CPU, *on_device]) as trace:
        for _ in range(10 if on_device else 1):
            step()
        devices.synchronize(device)
    clock = "self_device_time_total" if on_device else "self_cpu_time_total"
    found = [(each.key, getattr(each, clock) / 1000, each.count) for each in trace.key_averages()]
    total = sum(spent for _, spent, _ in found) or 1.0
    longest = sorted(found, key=lambda each: each[1], reverse=True)[:KERNELS]
    return [{"kernel": name, "share": spent / total, "ms": spent, "calls": calls} for name, spent, calls in longest]


def _folder(bench: Bench, count: int, size: int) -> Path:
    """Write PNG files in two classes, as ImageFolder reads them."""
    root = bench.scratch / f"png-{size}"
    if not root.exists():
        for place, picture in enumerate(pictures(count, size)):
            folder = root / ("normal", "abnormal")[place % 2]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(folder / f"{place:06}.png")
    return root


@contextmanager
def _set_as(name: str) -> Iterator[None]:
    """Context with PyTorch's default precision of matrix products, or the given one."""
    kept = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True  # as the example has it
    devices._set_matmul_precision("tf32" if name == "tf32" else "ieee")
    if name == "default":  # convolutions in tf32, other products in fp32
        torch.backends.cudnn.conv.fp32_precision = "tf32"  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = kept
        devices._set_matmul_precision("ieee")


def _plain_dcgan(bench: Bench, precision: str, size: int) -> tuple[float, int]:
    """Return milliseconds per step of PyTorch's DCGAN example with the thesis's networks, and its batch size."""
    device, batch = bench.device, bench.sized(100, 8)
    steps = [transforms.Grayscale(), transforms.ToTensor(), transforms.Normalize([0.5], [0.5])]
    files = datasets.ImageFolder(str(_folder(bench, bench.sized(2000, 16), size)), transforms.Compose(steps))
    workers = bench.sized(WORKERS, 1)
    loader = DataLoader(files, batch, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=True)
    arch, shape = gans.load("dcgan"), Shape(size, 100, width=1 / 16 if bench.small else 1.0)
    g, d = arch.generator(shape).to(device), arch.discriminator(shape).to(device)
    optimisers = [torch.optim.Adam(network.parameters(), lr=3.4e-4, betas=(0.5, 0.999)) for network in (d, g)]

    def epoch() -> None:
        for images, _ in loader:
            _plain_step(g, d, optimisers, images.to(device), precision)

    with _set_as(precision):
        epoch()
        return milliseconds(device, epoch, bench.sized(3, 1)) / len(loader), batch


def _plain_step(g: nn.Module, d: nn.Module, optimisers: Sequence[torch.optim.Adam], real: Tensor, name: str) -> None:
    """Train as the example does: D on real and on generated images, then G; losses are read after each."""
    ones, zeros = torch.ones(len(real), device=real.device), torch.zeros(len(real), device=real.device)

    def judged(images: Tensor, target: Tensor) -> Tensor:
        with devices.autocast(real.device, name):
            judgements = d(images)
        return nn.functional.binary_cross_entropy(judgements.float(), target)

    d.zero_grad()
    on_real = judged(real, ones)
    on_real.backward()  # type: ignore[no-untyped-call] # torch leaves it so
    with devices.autocast(real.device, name):
        fake = g(torch.randn(len(real), 100, device=real.device))
    on_fake = judged(fake.detach(), zeros)
    on_fake.backward()  # type: ignore[no-untyped-call] # torch leaves it so
    (on_real + on_fake).item()
    optimisers[0].step()
    g.zero_grad()
    error = judged(fake, ones)
    error.backward()  # type: ignore[no-untyped-call] # torch leaves it so
    error.item()
    optimisers[1].step()


# The classifier


def densenet(bench: Bench) -> Iterator[Row]:
    """Compare DenseNet-169 at 224 px with a plain torchvision loop; interleave five seeds; check the rate's decay."""
    device, size = bench.device, bench.sized(224, 64)
    ours: dict[tuple[int, str], float] = {}
    for batch, precision in ((8, "fp32"), (8, "bf16"), (64, "bf16")):
        peak(device, reset=True)
        (training,) = _classifiers(bench, batch, size, precision=precision)
        began, took = _round(bench, [training], bench.sized(30, 1))
        ours[batch, precision] = took
        note = f"the first {WARM_UP + 2} steps take {began:.1f} s"
        yield Row(f"batch {batch}, graph, {precision}", None, took, batch / took * 1000, peak(device), note)
        training.recorder.reset()
    yield _without_trying(bench, size)
    for precision in ("fp32", "bf16"):
        peak(device, reset=True)
        trainings = _classifiers(bench, 8, size, bench.sized(5, 2), precision=precision)
        _, took = _round(bench, trainings, bench.sized(20, 1))
        note = f"a step of each; {took / ours[8, precision]:.2f} times one step alone"
        rate = 8 * len(trainings) / took * 1000
        yield Row(f"batch 8, {len(trainings)} seeds, {precision}", None, took, rate, peak(device), note)
        for each in trainings:
            each.recorder.reset()
    yield _falling_rate(bench)
    for batch in (8, 64):
        took = _plain_classifier(bench, batch, size)
        note = ", ".join(
            f"{took / of:.2f} times ours in {name}"
            for (size_of_batch, name), of in ours.items()
            if size_of_batch == batch
        )
        yield Row(f"batch {batch}, torchvision loop, default precision", None, took, batch / took * 1000, note=note)


def _without_trying(bench: Bench, size: int) -> Row:
    """Time steps without cuDNN's benchmarking of algorithms."""
    (training,) = _classifiers(bench, 8, size)
    torch.use_deterministic_algorithms(True, warn_only=True)
    began, took = _round(bench, [training], bench.sized(20, 1))
    torch.use_deterministic_algorithms(False)
    training.recorder.reset()
    note = f"deterministic, cuDNN tries no algorithms; the first {WARM_UP + 2} steps take {began:.1f} s"
    return Row("batch 8, graph, fp32, --deterministic", None, took, 8 / took * 1000, note=note)


def _classifiers(
    bench: Bench, batch: int, size: int, count: int = 1, *, steps: int = 100, **changes: Any
) -> list[classifier_training.ClassifierTrainer]:
    """Return runs of `count` seeds on the same images, with epochs of `steps` steps."""
    device = bench.device
    images = batch * (3 if bench.small else steps)
    if bench.small:
        changes = {"arch": "resnet18", **changes}
    shown = torch.from_numpy(pictures(min(images, 512), size)).to(device)
    shown = shown.repeat(-(-images // len(shown)), 1, 1)[:images]
    labels = (torch.arange(images, device=device) % 2).float()
    train, valid = LabelledImages(InMemoryLoader(shown), labels), LabelledImages(InMemoryLoader(shown[:8]), labels[:8])
    training_data = classifier_training.ClassifierTrainingData(train, valid, W0, W1, images)
    found = []
    for seed in range(count):
        out = bench.scratch / f"classifier-{seed}"
        out.mkdir(exist_ok=True)
        given: dict[str, Any] = {"data": Path("unused"), "out": out, "weights": "none", "epochs": 1000, **changes}
        options = TrainClassifier(batch_size=batch, size=size, seed=seed, **given)
        found.append(classifier_training.ClassifierTrainer(options, device, out, training_data))
    return found


def _round(bench: Bench, trainings: Sequence[classifier_training.ClassifierTrainer], times: int) -> tuple[float, float]:
    """Return seconds of the first few steps, and milliseconds of a step of all runs after them."""
    left = [(each, each.steps()) for each in trainings]

    def step() -> None:
        for each, steps in left:
            with each.stream:
                next(steps)

    began = milliseconds(bench.device, step, bench.sized(WARM_UP + 2, 1)) * bench.sized(WARM_UP + 2, 1) / 1000
    return began, milliseconds(bench.device, step, times)


def _plain_classifier(bench: Bench, batch: int, size: int) -> float:
    """Return milliseconds per step of a training loop as in torchvision's tutorials."""
    device = bench.device
    steps = [
        transforms.RandomHorizontalFlip(),
        transforms.RandomRotation(10),
        transforms.ToTensor(),
        transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
    ]
    files = datasets.ImageFolder(str(_folder(bench, bench.sized(640, 64), size)), transforms.Compose(steps))
    workers = bench.sized(WORKERS, 1)
    loader = DataLoader(files, batch, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=True)
    arch = "resnet18" if bench.small else "densenet169"
    network = models.get_model(arch, weights=None, num_classes=1).to(device).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)

    def epoch() -> None:
        for images, labels in loader:
            target = labels.to(device).float()
            logits = network(images.to(device))[:, 0]
            loss = nn.functional.binary_cross_entropy_with_logits(logits, target, target * W1 + (1 - target) * W0)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            loss.item()

    if bench.small:
        return milliseconds(device, epoch, 1) / len(loader)
    with _set_as("default"):
        torch.backends.cudnn.benchmark = False  # as PyTorch has it
        epoch()
        return milliseconds(device, epoch, 1) / len(loader)


def _falling_rate(bench: Bench) -> Row:
    """Check that a learning rate divided by ten reaches recorded steps: weights then move a tenth as far."""
    (training,) = _classifiers(bench, 8, 64, arch="resnet18", patience=0, lr=1e-3)
    moved = []
    for _ in range(3):  # the second epoch is no better than the first, so the rate is another in the third
        moved.append(_moved(training, bench.sized(WARM_UP + 6, 1)))
        training._end_epoch(ValidationMetrics(1.0, None, None))
    ratio = moved[2] / moved[1]
    note = f"weights move {ratio:.2f} times as far, allowed 0.3"
    return Row("a fallen rate reaches the graph", ratio < 0.3, note=note)


def _moved(training: classifier_training.ClassifierTrainer, before: int) -> float:
    """Return how far the weights move in the step that follows the next `before` steps."""
    steps = training.steps()
    for _ in range(before):
        next(steps)
    was = [weight.detach().clone() for weight in training.network.parameters()]
    next(steps)
    now = [weight.detach() for weight in training.network.parameters()]
    return float(torch.stack([torch.linalg.vector_norm(a - b) for a, b in zip(now, was, strict=True)]).norm())


def dropout(bench: Bench) -> Iterator[Row]:
    """Check that a network with dropout has the same losses alone and interleaved with two others."""
    size = 64
    count = bench.sized(24, 3)

    def losses(seeds: int) -> list[Tensor]:
        trainings = _classifiers(bench, 8, size, seeds, arch="alexnet", steps=200)
        left = [(each, each.steps()) for each in trainings]
        for each in trainings:
            each.sync_schedule = SaveSchedule(Interval(images=10**9))  # losses are read here
        for _ in range(count):
            for each, steps in left:
                with each.stream:
                    next(steps)
        devices.synchronize(bench.device)
        found = [torch.stack([loss for loss, _ in each.losses][-count:]) for each in trainings]
        for each in trainings:
            each.recorder.reset()
        return found

    for each in range(2):
        (alone,), together = losses(1), losses(3)
        apart = difference([together[0]], [alone])
        others = difference([together[1]], [together[0]])
        note = f"difference {apart:.1e}, allowed 1e-4; to another seed {others:.1e}"
        yield Row(f"alexnet, three seeds, round {each + 1}", apart <= 1e-4 < others, note=note)


# Image loading, precision, processes


def streaming(bench: Bench) -> Iterator[Row]:
    """Compare batches that are read ahead during a capture with images on the device; check a capture that fails."""
    device = devices.resolve(bench.name, deterministic=True)
    pixels = pictures(70, 32)
    stack = Stack([pixels], np.zeros(70, np.int32), np.arange(70), (32, 32))
    loaders: dict[str, ImageLoader] = {
        "in memory": InMemoryLoader(torch.from_numpy(pixels).to(device)),
        "streamed": StreamingLoader(stack, device, 4),
    }
    logs = {}
    for name, loader in loaders.items():
        out = bench.scratch / name
        out.mkdir()
        options = TrainGan(
            data=out,
            out=out,
            arch="dcgan",
            batch_size=16,
            epochs=bench.sized(8, 2),
            width=0.25,
            on_collapse="warn",
            deterministic=True,
        )
        config = train_gan.make_config(options, 32)
        started = time.perf_counter()
        gan_training.GanTrainer(options, config, gan_training.GanTrainingData(loader), device, out).run()
        seconds = time.perf_counter() - started
        lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        logs[name] = [[line[metric] for metric in ("d_loss", "g_loss", "d_real", "d_fake")] for line in lines]
        yield Row(f"{name}, with a smaller last batch", None, note=f"{seconds:.1f} s")
    yield Row(
        "streamed as in memory", logs["in memory"] == logs["streamed"], note=f"last losses {logs['streamed'][-1]}"
    )
    yield _failed_capture(bench)


def _failed_capture(bench: Bench) -> Row:
    """Check that a step that synchronises with the device fails to record with one line, and random numbers go on."""
    if bench.device.type != "cuda":
        return Row("a capture that fails", None, note="only on CUDA")
    recorder = CudaGraphRecorder(bench.device)

    def step(x: Tensor) -> Tensor:
        return x * (torch.rand_like(x) * x.sum().item())

    try:
        for _ in range(WARM_UP + 1):
            recorder.run(step, torch.ones(4), seed=0)
    except CaptureError as problem:
        drawn = torch.rand(4, device=bench.device)
        is_well = bool(drawn.isfinite().all()) and "\n" not in problem.message
        return Row("a capture that fails", is_well, note=f"{problem.message}; {problem.hint}")
    return Row("a capture that fails", False, note="it did not fail")


def precision(bench: Bench) -> Iterator[Row]:
    """Compare losses and Fréchet distances of precisions on phantoms; a seed's initial weights are the same in all."""
    size, device = bench.sized(64, 32), bench.device
    pixels = _hands(bench, bench.sized(1000, 40), size)
    for name in bench.precisions:
        found = []
        for seed in range(bench.sized(3, 1)):
            out = bench.scratch / f"{name}-{seed}"
            out.mkdir()
            options = TrainGan(
                data=out, out=out, arch="dcgan", epochs=bench.sized(60, 2), batch_size=bench.sized(32, 8), seed=seed,
                width=bench.sized(1, 0) or 1 / 16, precision=name, preview_every=0, on_collapse="warn",
                fid_every=bench.sized(60, 2), fid_features="random",
            )  # fmt: skip
            training_data = gan_training.GanTrainingData(InMemoryLoader(torch.from_numpy(pixels).to(device)))
            gan_training.GanTrainer(options, train_gan.make_config(options, size), training_data, device, out).run()
            lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
            late = lines[len(lines) // 2 :]
            means = {metric: statistics.mean(line[metric] for line in late) for metric in ("d_loss", "g_loss")}
            found.append(means | {"distance": lines[-1]["distance"], "rate": late[-1]["images_per_second"]})
        text = "; ".join(
            f"{metric} {', '.join(f'{each[metric]:.3f}' for each in found)}"
            for metric in ("d_loss", "g_loss", "distance")
        )
        finite = all(np.isfinite(each["distance"]) for each in found)
        yield Row(f"{name}, {len(found)} seeds", finite, note=text, more={"seeds": found})


def _hands(bench: Bench, count: int, size: int) -> Pixels:
    """Return phantom hands made by `phantom` and `prepare`."""
    raw, data = bench.scratch / "raw-hands", bench.scratch / "hands"
    _run_command("phantom", "--layout", "rsna", "--count", count, "--height", 160, "--out", raw)
    _run_command("prepare", "--input", raw, "--source", "rsna", "--size", size, "--out", data)
    hands: Pixels = np.load(data / "images.npy")
    return hands


def _run_command(*words: object) -> None:
    """Run a command that has no `--device`."""
    subprocess.run([sys.executable, "-m", "xrayaug", *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def nccl(bench: Bench) -> Iterator[Row]:
    """Check all-reduces within a CUDA graph, and the end of the process group, with a group of one process."""
    device = bench.device
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    data = write_dataset(bench.scratch / "data", 64, 32)
    options = TrainGan(
        data=data, out=bench.scratch / "run", arch="dcgan", batch_size=16, epochs=4, width=0.25, on_collapse="warn",
        device=bench.name,
    )  # fmt: skip
    recorded: list[int] = []
    reset = CudaGraphRecorder.reset

    def watched(self: CudaGraphRecorder) -> None:
        recorded.append(len(self._recordings))
        reset(self)

    CudaGraphRecorder.reset = watched  # type: ignore[method-assign]
    with ranks.exit_together():
        group = DistributedGroup(Rank(), device)
        ranks.set_group(group)
        train_gan.run(options)
        started = time.monotonic()
    seconds = time.monotonic() - started
    captured = max(recorded) > 0 or device.type != "cuda"
    backend = "nccl" if device.type == "cuda" else "gloo"
    yield Row(f"all-reduce by {backend} within the graph", captured, note=f"{max(recorded)} recordings")
    yield Row(
        "the group destroyed", seconds < MAX_DESTROY_SECONDS, note=f"{seconds:.2f} s, allowed {MAX_DESTROY_SECONDS:g}"
    )
