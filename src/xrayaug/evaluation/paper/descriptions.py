"""Facts in sentences, for the checklists and the methods text: every number in them is one of the facts."""

from collections.abc import Mapping, Sequence

from xrayaug.evaluation.answer import CONTROL_MEANINGS
from xrayaug.evaluation.paper.facts import (
    Characteristic,
    ClassifierFacts,
    Counts,
    DatasetFacts,
    DistanceFacts,
    GanFacts,
    NumberSummary,
    PaperFacts,
    ScreeningFacts,
    Settings,
    SplitFacts,
    StudyFacts,
    SyntheticFacts,
    TrainedArm,
    Value,
)

SPLIT_NAMES = {"train": "training", "valid": "validation", "test": "test"}
PROVENANCE = {
    "declared": "its training images were declared by the user",
    "none": "the user declared that it saw none of the images of this study",
    "unknown": "what it was trained on is unknown",
}
SELECTING = (  # options of `prepare` that choose images or read labels, where they were given
    "part", "only", "label", "abnormal_class", "normal_class", "empty_label", "unsure_label",
    "label_column", "patient_column", "study_column", "split_column", "patient_pattern",
)  # fmt: skip
OF_MURA = ("mura", "fracatlas")  # layouts with the option `part`
TRAINING = ("lr", "patience", "batch_size", "epochs", "budget", "flip", "rotation", "views", "precision")
MAX_WORDS = 12  # of labels
MAX_REASONS = 5  # for leaving out files; the others are counted together


def describe_datasets(study: StudyFacts) -> list[str]:
    """Return a sentence on each prepared dataset: its use, its layout and its size."""
    return [_describe_dataset(each) for each in study.datasets]


def _describe_dataset(data: DatasetFacts) -> str:
    drawn = ", practice images that `xrayaug phantom` drew and that show no patient" if data.is_drawn else ""
    patients = "" if data.patients is None else f" of {count(data.patients, 'patient')}"
    size = "" if data.size is None else f", {data.size} pixels wide and high after preparation"
    return (
        f"`{data.name}` (for the {join(data.roles)}): {count(data.images, 'image')}{patients}, read as "
        f"`{data.source}`{drawn}{size}."
    )


def describe_selection(data: DatasetFacts) -> list[str]:
    """Return what selected the images of a dataset, and which raw files were left out."""
    given = {name: value for name, value in data.options.items() if name in SELECTING and value is not None}
    if data.source not in OF_MURA:
        given.pop("part", None)
    lines = [f"`{data.name}`: selected with {describe_settings(given)}."] if given else []
    if data.skipped:
        lines.append(f"`{data.name}`: {count(sum(data.skipped.values()), 'file')} left out: {describe_skipped(data)}.")
    else:
        lines.append(f"`{data.name}`: no file of the raw set was left out.")
    return lines


def describe_skipped(data: DatasetFacts) -> str:
    """Return the reasons for which raw files were left out, with their numbers."""
    reasons = list(data.skipped.items())
    shown = [f"{number:,} {reason}" for reason, number in reasons[:MAX_REASONS]]
    rest = sum(number for _, number in reasons[MAX_REASONS:])
    return "; ".join([*shown, *([f"{rest:,} for other reasons"] if rest else [])])


def describe_labels(data: DatasetFacts) -> str:
    """Return how the words of the raw set were read as labels."""
    read = [each for each in data.labels if not each.label.startswith("left out")]
    words = "; ".join(f"`{each.word}` ({each.count:,}) as {each.label}" for each in read[:MAX_WORDS])
    words += "; and further words, which its manifest lists" if len(read) > MAX_WORDS else ""
    return f"`{data.name}`: labels were read from the words {words}." if words else ""


def describe_left_out_labels(data: DatasetFacts) -> str:
    """Return the words for which images were left out; empty if there are none."""
    words = [each for each in data.labels if each.label.startswith("left out")]
    return "; ".join(
        f"{f'the label `{each.word}`' if each.word else 'an empty label'} ({each.count:,}) was {each.label}"
        for each in words
    )


def describe_preparation(data: DatasetFacts) -> str:
    """Return how images were made equal in size and depth."""
    settings = {name: data.options.get(name) for name in ("size", "fit", "resample", "bits", "invert", "encoding")}
    known = {name: value for name, value in settings.items() if value is not None}
    return f"`{data.name}`: images were decoded to 8-bit grey and resized ({describe_settings(known)})."


def describe_partition(data: DatasetFacts) -> list[str]:
    """Return how the images of a dataset were divided, and into how many of each label."""
    by = f"by {data.split_by}" if data.split_by else "in an unknown way"
    share = data.options.get("test")
    has_test = data.split("test") is not None
    how = f"`{data.name}` was split {by} with seed {data.options.get('seed')}"
    if isinstance(share, float) and share > 0:
        how += f"; a share of {share:g} of the images was held out for testing"
    elif has_test:
        how += "; its test images are those of the raw set's own test split"
    holdout = data.options.get("holdout")
    if isinstance(holdout, float) and holdout > 0:
        how += f"; a share of {holdout:g} of the training images was held out for validation"
    leaking = data.patients_in_two_splits
    shared = "" if leaking is None else f" {count(leaking, 'patient')} had images in two splits."
    used = "" if len(data.used_splits) == len(data.splits) else " Only the test images are used."
    return [f"{how}: {'; '.join(describe_split(each) for each in data.splits)}.{used}{shared}"]


def describe_split(split: SplitFacts) -> str:
    """Return the numbers of a split."""
    patients = "" if split.patients is None else f" of {count(split.patients, 'patient')}"
    return (
        f"{SPLIT_NAMES[split.name]} {count(split.images, 'image')}{patients} "
        f"({split.normal:,} normal, {split.abnormal:,} abnormal)"
    )


def describe_duplicates(data: DatasetFacts) -> str:
    """Return how many duplicates and near-duplicates were found; empty if they were not looked for."""
    found = [
        f"{kind}: {counts['pictures']:,} pictures, {counts['across_splits']:,} of them in two splits"
        for kind, counts in (("duplicates", data.duplicates), ("near-duplicates", data.near_copies))
        if {"pictures", "across_splits"} <= counts.keys()
    ]
    return f"`{data.name}`: {'; '.join(found)}." if found else ""


def describe_characteristic(data: DatasetFacts, one: Characteristic) -> str:
    """Return a column of the index by split."""
    parts = []
    for split, missing in one.missing.items():
        if split in one.numbers:
            values = _describe_numbers(one.numbers[split])
        else:
            values = ", ".join(f"{value} {number:,}" for value, number in one.counts.get(split, {}).items())
        absent = f"{missing:,} without a value" if missing else ""
        if split not in one.numbers and split not in one.counts:
            values = "too many values to count"
        described = "; ".join(part for part in (values, absent) if part)
        parts.append(f"{SPLIT_NAMES[split]}: {described}")
    return f"`{data.name}`, column `{one.column}`, {one.cases} by split: {' | '.join(parts)}."


def _describe_numbers(summary: NumberSummary) -> str:
    spread = "" if summary.sd is None else f" ± {summary.sd:.1f}"
    return f"mean {summary.mean:.1f}{spread} ({summary.minimum:g} to {summary.maximum:g}), {summary.cases:,} cases"


def describe_dicom(data: DatasetFacts) -> str:
    """Return how the values of DICOM images became grey levels; empty without such images."""
    if data.dicom is None:
        return ""
    by = ", ".join(f"{number:,} by `{window}`" for window, number in data.windows.items())
    processing = data.dicom.get("for_processing")
    detector = f"; {processing:,} are the detector's own values (FOR PROCESSING)" if processing else ""
    return (
        f"`{data.name}`: the values of {count(int(data.dicom.get('images') or 0), 'DICOM image')} became grey levels "
        f"with window {describe_value(data.dicom.get('window'))}{f' ({by})' if by else ''}, and those whose lowest "
        f"value is white were inverted{detector}."
    )


def describe_identifiers(data: DatasetFacts) -> str:
    """Return how identifiers in the headers of DICOM images were treated; empty without such images."""
    if data.dicom is None:
        return ""
    pseudonyms = data.dicom.get("identifiers") == "pseudonyms"
    treated = (
        "names of patients, studies and files were replaced by pseudonyms, and ages above 90 years by 90"
        if pseudonyms
        else "names of patients, studies and files were kept as they are"
    )
    burned = data.dicom.get("burned_in")
    seen = (
        f"text is burned into {count(burned, 'image')} by the headers, and nothing was masked"
        if isinstance(burned, int) and burned
        else "no header says that text is burned in, which may be wrong"
    )
    return f"`{data.name}`: DICOM headers: {treated}; {seen}."


def describe_start(gan: GanFacts, study: StudyFacts) -> str:
    """Return which weights a GAN started from, and on which images these had been trained."""
    seed = gan.options.get("seed")
    if gan.init is None:
        return f"GAN `{gan.path}`: random weights of seed {seed}."
    starts = study.list_starts(gan)
    if not starts:
        return (
            f"GAN `{gan.path}` started from the weights of `{gan.init}`, of which nothing is known any more: it is not "
            "there, or has changed."
        )
    start = starts[0]
    added = ""
    if start.size != gan.size:
        added = (
            f" at {start.size} pixels: the generator kept its layers up to that size, and its other layers and the "
            f"discriminator had random weights of seed {seed}"
        )
    elif gan.classes and start.classes == 0:
        added = f"; weights that only networks with labels have are random, of seed {seed}"
    return (
        f"GAN `{gan.path}` started from the weights of `{gan.init}`, which was trained on "
        f"{describe_counts(start.training_images)} training images of `{start.data}`{added}."
    )


def describe_starts(study: StudyFacts) -> list[str]:
    """Return a sentence on each GAN that started from the weights of another run."""
    return [describe_start(gan, study) for gan in study.gans if gan.init is not None]


def describe_gan(gan: GanFacts) -> list[str]:
    """Return how a GAN was made and trained."""
    parameters = [
        f"{number:,} parameters in the {part}"
        for part, number in (("generator", gan.generator_parameters), ("discriminator", gan.discriminator_parameters))
        if number is not None
    ]
    names = ("conditional", "mirror", "precision")
    options = {name: value for name, value in gan.options.items() if name in names and value is not None}
    amounts = [
        f"{number:,} {name}"
        for name, number in (("epochs", gan.epochs), ("steps", gan.steps), ("training images seen", gan.images_seen))
        if number is not None
    ]
    paper = f" ({gan.paper})" if gan.paper else ""
    size = "" if gan.size is None else f", {gan.size} pixels"
    return [
        f"GAN `{gan.path}`: architecture `{gan.arch}`{paper}{size}{''.join(f', {each}' for each in parameters)}.",
        f"It was trained on {describe_counts(gan.training_images)} training images of `{gan.data}`"
        f"{''.join(f', {each}' for each in amounts)}; seed {gan.options.get('seed')}; "
        f"{describe_settings(options | dict(gan.recipe))}.",
    ]


def describe_synthetic(one: SyntheticFacts) -> str:
    """Return where the images of a synthetic dataset come from."""
    images = "images" if one.images is None else count(one.images, "image")
    if one.learnt_from is not None:
        return (
            f"`{one.path}`: {images} of `{one.generator}`, a generator from elsewhere; {PROVENANCE[one.learnt_from]}."
        )
    names = ("seed", "label", "truncation", "snapshot", "reject", "reject_by", "malformed")
    given = {name: value for name, value in one.options.items() if name in names and value is not None}
    return f"`{one.path}`: {images} drawn from `{one.run}` ({describe_settings(given)})."


def describe_screening(one: ScreeningFacts) -> str:
    """Return what a screening for copies found."""
    training = "" if one.training is None else f"{one.training:,} training images of "
    options = {"features": one.features, "level": one.level}
    return (
        f"`{one.path}` compared {count(one.judged, 'synthetic image')} of `{one.synthetic}` with {training}"
        f"`{one.real}` ({describe_settings(options)}): {one.set_aside:,} set aside as possible copies, "
        f"the set as a whole: {one.verdict}."
    )


def describe_distance(one: DistanceFacts) -> str:
    """Return a distance between two sets of images."""
    sizes = [f" ({count(number, 'image')})" if number is not None else "" for number in one.images]
    return f"{one.description} of `{one.first}`{sizes[0]} to `{one.second}`{sizes[1]}: {one.value:.2f}."


def describe_arm(arm: TrainedArm, baselines: Sequence[str | None]) -> str:
    """Return what an arm trained on."""
    kind = f", the control `{arm.control}`" if arm.control else ", a baseline" if arm.name in baselines else ""
    dose = f" (dose {arm.percent:g} %: {count(arm.added, 'image')} added)" if arm.percent else ""
    phases = "; then ".join(describe_training_images(phase.train) for phase in arm.phases)
    phases += " (of its first run; other runs had other numbers)" if arm.differs else ""
    share = "" if arm.real_fraction == 1 else f"; the share of real training images kept was {arm.real_fraction:g}"
    return f"`{arm.name}`{kind}{dose}: {phases}{share}."


def describe_controls(arms: Sequence[TrainedArm]) -> list[str]:
    """Return what each kind of control adds."""
    kinds = dict.fromkeys(arm.control for arm in arms if arm.control)
    return [f"The control `{kind}` adds {CONTROL_MEANINGS[kind]}." for kind in kinds if kind in CONTROL_MEANINGS]


def describe_training_images(train: Mapping[str, Counts]) -> str:
    """Return the numbers of training images by kind and label."""
    names = {"real": "real", "synthetic": "synthetic", "copies": "added real"}
    parts = [
        f"{names.get(kind, kind)} {describe_counts(counts)}" for kind, counts in train.items() if any(counts.values())
    ]
    return ", ".join(parts) or "unknown images"


def describe_classifier(classifier: ClassifierFacts) -> str:
    """Return the architecture of the classifiers."""
    settings = {name: classifier.settings.get(name) for name in ("arch", "size", "weights", "train")}
    known = {name: value for name, value in settings.items() if value is not None}
    amounts = "" if classifier.parameters is None else f", {classifier.parameters:,} parameters"
    if classifier.trained_parameters is not None:
        amounts += f", of which {classifier.trained_parameters:,} were trained"
    return f"Classifiers: {describe_settings(known)}{amounts}; the output is the probability of the label abnormal."


def describe_training(classifier: ClassifierFacts) -> list[str]:
    """Return how the classifiers were trained, and which weights were kept."""
    common = {name: value for name, value in classifier.settings.items() if name in TRAINING}
    loss = "binary cross-entropy weighted by class" if classifier.is_loss_weighted else "binary cross-entropy"
    lines = [f"The classifiers were trained with Adam on the {loss} ({describe_settings(common)})."]
    lines += [
        f"`{name}` differed between runs or phases: {', '.join(map(describe_value, values))}."
        for name, values in classifier.differing.items()
    ]
    return lines


def describe_model_selection(classifier: ClassifierFacts) -> str:
    """Return which weights were kept."""
    epochs = (
        "" if classifier.best_epochs is None else "; these were epochs {:,} to {:,}".format(*classifier.best_epochs)
    )
    return f"The weights of the epoch with the lowest loss on the validation images were kept{epochs}."


def describe_environments(facts: PaperFacts) -> list[str]:
    """Return the versions and devices."""
    return [f"{line}." for line in facts.environments]


def describe_settings(settings: Settings) -> str:
    """Return settings as they are called on the command line."""
    return ", ".join(f"{name.replace('_', '-')} {describe_value(value)}" for name, value in settings.items())


def describe_value(value: Value) -> str:
    """Return a setting as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(
        value, float
    ) else f"`{value}`"  # fmt: skip


def describe_counts(counts: Counts) -> str:
    """Return numbers by label: `63 normal and 131 abnormal`."""
    return " and ".join(f"{number:,} {name}" for name, number in counts.items()) or "no"


def count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 image`, `1,200 images`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def join(words: Sequence[str]) -> str:
    """Return words as a list in a sentence."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
