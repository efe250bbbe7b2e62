"""dataset or arm -> classifier run: train the abnormality classifier, without looking at the test split."""

from collections import Counter
from dataclasses import replace
from typing import Any

import torch

from xrayaug.data.arms import MORE_REAL, PRETRAINED, Arm, read_arm, read_arm_of
from xrayaug.data.dataset import LABELS, Dataset, Row
from xrayaug.networks import classifier
from xrayaug.networks.classifier import Classifier
from xrayaug.options import TrainClassifier
from xrayaug.runtime import console, devices
from xrayaug.runtime.console import Table
from xrayaug.runtime.distributed import group as process_group
from xrayaug.storage import artifacts
from xrayaug.storage.artifacts import Result
from xrayaug.training import seed_group, tensorboard
from xrayaug.training.classifier_training import count_batches
from xrayaug.training.seed_group import SeedGroup

SHOWN_METRICS = ("best_epoch", "valid_loss", "valid_accuracy", "valid_auroc")  # columns of the table of several runs


def run(options: TrainClassifier) -> Result:
    """Train classifiers, and write the best epoch's weights and a log to one run directory per seed."""
    options.check_trained_layers()
    tensorboard.check_installed(options)
    device = devices.resolve(options.device, deterministic=options.deterministic, precision=options.precision)
    process_group.join(device)
    with (
        devices.translate_device_errors(options.batch_size, deterministic=options.deterministic),
        _isolate_random_state(device),
    ):
        results = SeedGroup(options, device, _summary).build_runs(options.parts())
        for part in options.parts():
            tensorboard.complete_events(part)
    return results[0] if options.seeds is None else {"runs": results}


def plan(options: TrainClassifier) -> Result:
    """Return the network block by block, the image counts and the length of the training, without training."""
    options.check_trained_layers()
    tensorboard.check_installed(options)
    data, train, valid = seed_group.load_rows(options)
    for part in options.parts():
        seed_group.check_init(part, data)
    images = seed_group.count_budget(train, read_arm_of(data.artifact)) if options.budget == "steps" else len(train)
    steps = count_batches(images, options.batch_size)
    seeds = {"seed": ", ".join(str(part.seed) for part in options.parts())}
    return (
        _summary(options, data, train, valid)
        | seeds
        | {
            "steps_per_epoch": steps,
            "steps": steps * options.recipe.epochs,
            "network": classifier.summarize_layers(options.arch, size=options.size),
        }
    )


def tables(result: Result) -> list[Table]:
    """Return tables of the network (in a dry run), of the training images, and of the run or of all seeds' runs."""
    if "runs" in result:
        rows = [(str(run["seed"]), *(_format_value(run[name]) for name in SHOWN_METRICS)) for run in result["runs"]]
        columns = ("seed", *(name.replace("_", " ") for name in SHOWN_METRICS))
        return [_images_table(result["runs"][0]), Table("Classifiers", columns, rows, _split_notes(result["runs"][0]))]
    network = [_network_table(result)] if "network" in result else []
    rows = [
        (name.replace("_", " "), _format_value(value))
        for name, value in result.items()
        if name not in ("network", "train", "valid")
    ]
    return [*network, _images_table(result), Table("Classifier", ("", "value"), rows, _split_notes(result))]


def _count_parameters(options: TrainClassifier, network: Classifier) -> dict[str, Any]:
    """Return how many parameters the network has and, if not all, how many are trained."""
    counts = {"parameters": classifier.count_parameters(network)}
    if options.train == "all":
        return counts
    parts = [classifier.output_layer(network)]
    if options.trained_blocks:
        parts = classifier.split_blocks(network, options.trained_blocks)[1]
    trained = sum(classifier.count_parameters(part) for part in parts)
    return counts | {"trained": options.train, "trained_parameters": trained}


def _run_arm(options: TrainClassifier, data: Dataset, train: list[Row]) -> Arm:
    """Return the arm of a run: that of its data, or with `--init` the one that it was pretrained on."""
    if options.init is None:
        return read_arm_of(data.artifact)
    first = read_arm(artifacts.open_artifact(options.init, "classifier-run"))
    settings = replace(first.settings, schedule=PRETRAINED[first.settings.schedule])
    record = {name: value for name, value in first.record.items() if name != "baseline_images"}
    return Arm(settings, first.prior, record | {"schedule": settings.schedule, "real": seed_group.count_real(train)})


def _isolate_random_state(device: torch.device) -> Any:
    """Context that restores the caller's random state, which dropout would otherwise change."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])


def _summary(options: TrainClassifier, data: Dataset, train: list[Row], valid: list[Row]) -> Result:
    """Return what the manifest says of the network, the images and the options of a run."""
    outline = classifier.outline(options.arch, options.size)
    arm = read_arm_of(data.artifact)
    w0, w1 = seed_group.class_weights(train, arm)
    e0, e1 = seed_group.importance_weights(train, arm)
    return {
        "arch": options.arch,
        "weights": options.identity()["weights"],
        **({"init": str(options.init)} if options.init else {}),
        "size": options.size,
        **_count_parameters(options, outline),
        "class_weights": {"normal": w0, "abnormal": w1},
        **({"importance_weights": {"normal": e0, "abnormal": e1}} if arm.prior else {}),
        "train": _count_by_origin(train, arm.settings.control),
        "valid": {"real": _count_labels(valid)},
        "epochs": options.recipe.epochs,
        **(
            {"steps": options.recipe.epochs * count_batches(seed_group.count_budget(train, arm), options.batch_size)}
            if options.budget == "steps"
            else {}
        ),
        "arm": _run_arm(options, data, train).record,
        "seed": options.seed,
        "split_by": data.split_by,
    }


def _count_by_origin(train: list[Row], control: str | None) -> dict[str, dict[str, int]]:
    """Count images by origin and label: real, synthetic and, if there are any, real ones that a control added."""
    added = [row for row in train if row.copy]
    name = "more_real" if control == MORE_REAL else "copies"
    return {
        "real": _count_labels(row for row in train if not row.is_added),
        "synthetic": _count_labels(row for row in train if row.synthetic),
        **({name: _count_labels(added)} if added else {}),
    }


def _count_labels(rows: Any) -> dict[str, int]:
    counts = Counter(row.label for row in rows)
    return {label: counts[label] for label in LABELS}


def _images_table(result: Result) -> Table:
    rows = [
        (
            f"{split}, {origin.replace('_', ' ')}",
            *(f"{count:,}" for count in counts.values()),
            f"{sum(counts.values()):,}",
        )
        for split in ("train", "valid")
        for origin, counts in result[split].items()
    ]
    return Table("Images", ("", *(label.capitalize() for label in LABELS), "Total"), rows)


def _network_table(result: Result) -> Table:
    rows = [
        (block["layer"], block["kind"], str(block["output"]), f"{block['parameters']:,}") for block in result["network"]
    ]
    return Table(
        f"{result['arch']}, one output",
        ("Layer", "Kind", "Output shape", "Parameters"),
        [*rows, ("Total", "", "", f"{result['parameters']:,}")],
    )


def _format_value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_format_value(inner)}" for name, inner in value.items())
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else console.UNDEFINED if value is None else str(value)


def _split_notes(result: Result) -> list[str]:
    return [] if result["split_by"] == "patient" else ["split by image: patients leak between train and validation"]
