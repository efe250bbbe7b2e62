"""Public sets by name: from what their lists say of each image to the images that are read, alike for all sets.

A source in `sources/` reads its own lists and describes each image; here findings become labels, votes are counted,
files are found, patients are told apart, and the set's own splits are used if they keep patients apart.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from xrayaug.data.parsing import directories, findings, identifiers, image_files, image_index, skip_reasons
from xrayaug.data.parsing.findings import Answer, FindingRules, Statement
from xrayaug.data.parsing.image_index import ImageIndex, Keys
from xrayaug.data.parsing.labels import LabelReading, WordCount
from xrayaug.data.parsing.line_selection import select_lines
from xrayaug.data.parsing.set_lists import SetList
from xrayaug.data.sources import Listing, Record
from xrayaug.errors import DataError, InputError
from xrayaug.options import Prepare
from xrayaug.storage.csvfile import Cells, Line, Sheet

VIEW = "view"  # column of the index
UNKNOWN_VIEW = "unknown"  # in messages, of images without one
DECIDED_BY = {  # reason to leave an image out -> the option that gives such images a label
    findings.UNSURE: "--unsure-label",
    findings.OTHERS_ONLY: "--other-findings",
    findings.NO_LABEL: "--empty-label",
}


@dataclass(frozen=True, slots=True)
class ListedImage:
    """An image as the lists of a set describe it."""

    path: str  # of which the last parts find the file
    statements: tuple[Statement, ...]  # one for each reader
    patient: str = ""  # empty where the set does not tell
    study: str = ""
    split: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)  # further columns of the index, the same for all images


@dataclass(frozen=True)
class PublicSet:
    """The facts on a set that decide how its images are read."""

    name: str
    caution: str  # which labels to distrust, and why
    findings: tuple[str, ...] = ()  # all of them; empty: those that the lists name
    default: tuple[str, ...] = ()  # findings that count as abnormal without --finding; empty: any
    harmless: tuple[str, ...] = ()  # findings that are no diseases
    keys: Keys = field(default_factory=lambda: image_index.last_parts(1))


@dataclass
class _Collected:
    """Images gathered so far, and counts of what was noticed."""

    records: dict[str, Record] = field(default_factory=dict)  # by file
    skipped: list[tuple[str, str]] = field(default_factory=list)
    answers: Counter[Answer] = field(default_factory=Counter)
    votes: Counter[str] = field(default_factory=Counter)
    named: set[str] = field(default_factory=set)  # files that the lists name
    said: dict[str, tuple[ListedImage, str]] = field(default_factory=dict)  # file -> its first line, and the patient
    repeated: int = 0


def make_listing(
    options: Prepare,
    facts: PublicSet,
    images: Iterable[ListedImage],
    *,
    lists: Sequence[SetList] = (),
    notes: Iterable[str] = (),
    index: ImageIndex | None = None,
) -> Listing:
    """Return the images of a set that have a label and a file.

    Args:
        options: options of prepare.
        facts: what is known of the set.
        images: the images that its lists name, in order.
        lists: the lists that were read.
        notes: what the source noticed.
        index: the images on disk; None looks for them.

    Raises:
        InputError: none of the images has a label and a file.
        DataError: a finding or condition is not known, or lines on one image contradict each other.
    """
    root = options.input
    every = list(images)
    listed = _select(every, options, lists[0].path if lists else root)
    names = facts.findings or {name for image in listed for name in _named_findings(image)}
    rules = findings.rules_from_options(options, names, facts.default, facts.harmless)
    index = index or ImageIndex(root, facts.keys)
    collected = _Collected()
    collected.named.update(file for image in every for file in index.find(image.path))
    patient_ids, patient_notes = identifiers.unify((image.patient for image in listed), "patient")
    for image in listed:
        _add(image, patient_ids[image.patient], rules, index, collected)
    if not collected.records:
        reason = "; ".join(f"{file}: {why}" for file, why in collected.skipped[:2]) or "its lists name no image"
        raise InputError(
            f"none of the {len(listed)} images of {root} as a '{facts.name}' set is usable: {reason}",
            "point --input at one copy of the set"
            if all(why.startswith(skip_reasons.AMBIGUOUS) for _, why in collected.skipped)
            else "unpack the images beside their lists",
        )
    records, split_warnings = _check_splits(list(collected.records.values()), options)
    return Listing(
        root,
        records,
        collected.skipped,
        notes=[
            rules.describe(),
            f"labels of {facts.name}: {facts.caution}",
            *notes,
            *(note for each in lists for note in each.notes),
            *patient_notes,
            *_notes(records, collected, index),
        ],
        warnings=[*_left_out_warnings(collected), *split_warnings, *_view_warnings(records)],
        words=[WordCount(each.phrase, count, each.reading) for each, count in collected.answers.most_common()],
        lists=[each.path for each in lists],
        header_patients=False,  # such as RSNA's, which are one for each image, and CBIS-DDSM's, one for each view
    )


def _named_findings(image: ListedImage) -> Iterable[str]:
    for statement in image.statements:
        yield from (*statement.positive, *statement.uncertain, *statement.negative)


def _select(listed: list[ListedImage], options: Prepare, path: Path) -> list[ListedImage]:
    """Return the images that meet the conditions of `--only`, which name further columns of the index."""
    if not options.only or not listed:
        return listed
    titles = tuple(listed[0].extra)
    if not titles:
        raise DataError("--only: this set tells no views, parts or the like of its images", "leave it out")
    lines = [Line(place, tuple(image.extra.values())) for place, image in enumerate(listed)]
    return [listed[line.number] for line in select_lines(Sheet(path, titles, lines), options.only)]


def _add(image: ListedImage, patient: str, rules: FindingRules, index: ImageIndex, collected: _Collected) -> None:
    """Add the record of an image, or skip it with a reason.

    Raises:
        DataError: an earlier line says something else on the same image.
    """
    files = index.find(image.path)
    if _is_repeated(image, patient, files[0] if len(files) == 1 else image.path, collected):
        collected.repeated += 1
        return
    answers = [rules.read(statement) for statement in image.statements]
    answer = findings.vote(answers)
    collected.answers[answer] += 1
    if len(answers) > 1:
        agreed = len({each.reading for each in answers}) == 1
        lost = answer.reading.reason == findings.NO_MAJORITY
        collected.votes["agreed" if agreed else "lost" if lost else "close"] += 1
    if answer.reading.label is None:
        collected.skipped.append((files[0] if len(files) == 1 else image.path, answer.reading.reason))
        return
    if len(files) != 1:
        collected.skipped.append((image.path, _missing_reason(image.path, files, index)))
        return
    record = _make_record(files[0], image, patient, answer.reading)
    collected.records[record.file] = record


def _is_repeated(image: ListedImage, patient: str, file: str, collected: _Collected) -> bool:
    """Return whether an earlier line says the same of an image, be it read or left out.

    Raises:
        DataError: an earlier line says something else.
    """
    before, whose = collected.said.setdefault(file, (image, patient))
    if before is image:
        return False
    if whose != patient or replace(before, path="", patient="") != replace(image, path="", patient=""):
        raise DataError(
            f"{file} is listed twice, with different labels, patients, splits or views",
            "find out which line is right and delete the other",
        )
    return True


def _missing_reason(path: str, files: Sequence[str], index: ImageIndex) -> str:
    if files:
        return f"{skip_reasons.AMBIGUOUS}: {', '.join(files)}"
    return directories.missing_reason(index.root / path) or skip_reasons.MISSING


def _make_record(file: str, image: ListedImage, patient: str, reading: LabelReading) -> Record:
    own_id = image_files.strip_suffix(file)
    own_study = identifiers.canonical(image.study)
    study = f"{patient}/{own_study}" if patient and own_study else own_study
    # All images of a study are of one patient, even where the set does not name the patient.
    patient_or_study = patient or (f"study:{study}" if study else own_id)
    found = frozenset[str]().union(*(statement.positive for statement in image.statements))
    extra = {**image.extra, "findings": "|".join(sorted(found))}
    cells = Cells({name: place for place, name in enumerate(extra)}, tuple(extra.values()))
    assert reading.label is not None  # others are skipped
    return Record(file, reading.label, patient_or_study, study or own_id, image.split, cells, bool(patient))


def _check_splits(records: list[Record], options: Prepare) -> tuple[list[Record], list[str]]:
    """Return the records without the set's own splits if these do not keep patients apart, and warnings."""
    splits: defaultdict[str, set[str]] = defaultdict(set)
    for record in records:
        splits[record.patient].add(record.split)
    if len(set().union(*splits.values())) < 2:
        return records, []
    unknown = sum(not record.patient_known for record in records)
    unsplit = sum(not record.split for record in records)
    warnings = []
    if unsplit:
        warnings.append(f"{unsplit} images are in none of the set's own splits, and count as training")
    if unknown:
        warnings.append(
            f"whether the set's own split keeps patients apart is unknown: it does not tell those of {unknown} images"
        )
    leaking = sorted(patient for patient, found in splits.items() if len(found) > 1)
    if not leaking or options.split_by == "image":
        return records, warnings
    warnings.append(
        f"{len(leaking)} patients are in several of the set's own splits, such as {leaking[0]}: those splits are not "
        "used; --test SHARE draws others by patient, --split-by image keeps the set's own"
    )
    return [replace(record, split="") for record in records], warnings


def _left_out_warnings(collected: _Collected) -> list[str]:
    """Return one warning for each reason for which images are left out by their labels."""
    left_out: Counter[str] = Counter()
    for answer, count in collected.answers.items():
        if answer.reading.label is None:
            left_out[answer.reading.reason] += count
    return [
        f"{count} images are left out: {reason}"
        + (f" ({DECIDED_BY[reason]} gives them a label)" if reason in DECIDED_BY else "")
        for reason, count in left_out.most_common()
    ]


def _view_warnings(records: Sequence[Record]) -> list[str]:
    views = Counter(record.extra.get(VIEW, "") or UNKNOWN_VIEW for record in records)
    if len(views) < 2:
        return []
    counts = ", ".join(f"{view} {count}" for view, count in views.most_common())
    single = [view for view, _ in views.most_common() if "|" not in view and view != UNKNOWN_VIEW]
    hint = f": --only '{VIEW}={single[0]}' reads one" if single else ""
    return [f"images of several views are read ({counts}){hint}"]


def _notes(records: Sequence[Record], collected: _Collected, index: ImageIndex) -> list[str]:
    notes = []
    if collected.votes:
        votes = collected.votes
        notes.append(
            f"several readers judged {votes.total()} images: all agree on {votes['agreed']}, more than half on "
            f"{votes['close']}, and {votes['lost']} without such a majority are left out"
        )
    unknown = sum(not record.patient_known for record in records)
    if unknown:
        notes.append(f"the patient of {unknown} images is unknown: each counts as a patient of its own")
    if collected.repeated:
        notes.append(f"{collected.repeated} lines repeat an image, with the same label, patient and split")
    unlisted = len(set(index.files) - collected.named)
    if unlisted:
        notes.append(f"{unlisted} images are on disk but none of the set's lists or names, and are not read")
    if index.masks:
        notes.append(f"{index.masks} pictures are left out as masks, previews and the like")
    return notes
