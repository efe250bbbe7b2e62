"""The summary of a prepared dataset: its counts for the manifest, and tables of them for people."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from xrayaug.data import dataset
from xrayaug.data.dataset import LABELS, Row
from xrayaug.options import Prepare
from xrayaug.runtime import console
from xrayaug.runtime.console import Table
from xrayaug.storage.artifacts import Result

MAX_WORDS_SHOWN = 20  # words of a label column in a table
PROVENANCE_NOTES = {
    "declared": "declared by the user: the generator was trained on the training images of --learnt-from",
    "none": "declared by the user: the generator saw no image of this study",
    "unknown": "what the generator was trained on is unknown, so leaks cannot be excluded; --learnt-from declares it",
}


def summarize(options: Prepare, source: str, rows: list[Row], patients_unknown: int) -> Result:
    """Return the counts of a dataset's images, studies and patients; warn of patients in several splits.

    Synthetic images have no studies and patients; their generator is described instead.

    Args:
        options: the options of prepare.
        source: name of the layout that was read.
        rows: the dataset's index, with splits assigned.
        patients_unknown: number of images whose patient is not known.

    Raises:
        DataError: the splits are not valid (see `dataset.check_splits`).
    """
    if options.synthetic:
        return {
            "source": source,
            "images": len(rows),
            "size": options.size,
            "split_by": options.split_by,
            "counts": dataset.count_images(rows),
            "generator": {"name": options.generator_name, "learnt_from": options.provenance},
        }
    leaking = dataset.count_leaking_patients(rows)
    if leaking and options.split_by == "image":
        console.warning(f"--split-by image: {leaking} patients are in more than one split, so scores will be too high")
    dataset.check_splits(rows, split_by=options.split_by)
    for split, share in (("test", options.test), ("valid", options.holdout)):
        if share and not any(row.split == split for row in rows):
            console.warning(
                f"no image is in {split}, although a share of {share:g} was asked for: there are too few patients"
            )
    return {
        "source": source,
        "images": len(rows),
        "patients": len({row.patient for row in rows}),
        "patients_unknown": patients_unknown,
        "size": options.size,
        "split_by": options.split_by,
        "patients_in_two_splits": leaking,
        "counts": dataset.count_images(rows),
        "images_by_part": _count_by_part(rows),
        "studies_by_part": _count_by_part(_rows_of_studies(rows)),
    }


def _rows_of_studies(rows: Iterable[Row]) -> list[Row]:
    """Return one row per study, abnormal if any of its images is."""
    studies: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = (row.split if row.split == "test" else "train", row.study)
        if key not in studies or row.label == "abnormal":
            studies[key] = row
    return list(studies.values())


def _count_by_part(rows: Iterable[Row]) -> dict[str, dict[str, int]]:
    """Return counts per body part, as in the thesis's Tables 1 and 2: `train` includes the validation split."""
    counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        split = "test" if row.split == "test" else "train"
        part = row.extra.get("part", "all") if row.source == "mura" else "all"
        counted[part][f"{split}_{row.label}"] += 1
    keys = [f"{split}_{label}" for split in ("train", "test") for label in LABELS]
    return {part: {key: numbers[key] for key in keys} for part, numbers in sorted(counted.items())}


def tables(result: Result) -> list[Table]:
    """Return tables of a result of prepare: the label words, and the thesis's Tables 1 to 3 for this dataset.

    For synthetic images there is one table instead of the three.
    """
    words = [_table_of_words(result)] if result["labels"] else []
    if "generator" in result:
        return [*words, _table_of_synthetic_images(result)]
    return [
        *words,
        _table_by_part("Table 1: studies", result["studies_by_part"]),
        _table_by_part("Table 2: images", result["images_by_part"]),
        _table_of_splits(result),
    ]


def _table_of_words(result: Result) -> Table:
    """Return a table of the words in place of labels and their meanings."""
    rows = [
        (entry["word"] or "(empty)", f"{entry['count']:,}", entry["label"])
        for entry in result["labels"][:MAX_WORDS_SHOWN]
    ]
    notes = []
    if len(result["labels"]) > MAX_WORDS_SHOWN:
        notes.append(f"and {len(result['labels']) - MAX_WORDS_SHOWN:,} further words; all are in manifest.json")
    if result["columns"]:
        notes.append("columns: " + ", ".join(f"{role} '{title}'" for role, title in result["columns"].items()))
    return Table("Labels as they were read", ("Word", "Count", "Label"), rows, notes)


def _table_of_synthetic_images(result: Result) -> Table:
    counts, generator = result["counts"].get("train", {}), result["generator"]
    rows = [
        (generator["name"], *(f"{counts.get(label, 0):,}" for label in LABELS), f"{result['images']:,}"),
    ]
    notes = [PROVENANCE_NOTES[generator["learnt_from"]], f"{result['skipped']:,} files skipped"]
    return Table("Synthetic images", ("Generator", "Normal", "Abnormal", "Total"), rows, notes)


def _table_by_part(title: str, parts: dict[str, dict[str, int]]) -> Table:
    lines = {**parts}
    if len(parts) > 1:
        lines["total"] = {key: sum(part[key] for part in parts.values()) for key in next(iter(parts.values()))}
    rows = [(name, *(f"{n:,}" for n in line.values()), f"{sum(line.values()):,}") for name, line in lines.items()]
    columns = ("Part", "Train normal", "Train abnormal", "Test normal", "Test abnormal", "Total")
    return Table(f"{title} (train before the hold-out)", columns, rows)


def _table_of_splits(result: Result) -> Table:
    columns, cells = [], []
    for split in dataset.SPLITS:
        for label in LABELS:
            columns.append(f"{split} {label}")
            cells.append(f"{result['counts'].get(split, {}).get(label, 0):,}")
    notes = [f"{_describe_patients(result)}; {result['skipped']:,} files skipped"]
    if result["patients_in_two_splits"]:
        notes.append(f"{result['patients_in_two_splits']} patients are in more than one split")
    if result.get("bits"):
        depths_found = ", ".join(f"{count:,} {name}" for name, count in result["bit_depths"].items())
        notes.append(f"scaled by {result['bits']} bits: {depths_found}")
    return Table("Table 3: images per split", (*columns, "Total"), [(*cells, f"{result['images']:,}")], notes)


def _describe_patients(result: Result) -> str:
    """Return a phrase on the number of patients and the kind of split."""
    unknown = result["patients_unknown"]
    known = f"{result['patients'] - unknown:,} patients"
    if unknown == result["images"]:
        return "patients unknown, split by image"
    return f"{known}{f' and {unknown:,} images of unknown patients' if unknown else ''}, split by {result['split_by']}"
