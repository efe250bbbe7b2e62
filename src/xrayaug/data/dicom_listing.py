"""What the headers of DICOM files add to the listing of a raw set, whichever source listed them."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

from xrayaug.data.acquisition import ColumnScore
from xrayaug.data.images import decoding
from xrayaug.data.images.dicom import headers, reading
from xrayaug.data.images.dicom.headers import Header
from xrayaug.data.images.opening import UnusableImage
from xrayaug.data.parsing import identifiers, image_files
from xrayaug.data.pseudonyms import Names
from xrayaug.data.sources import DicomFacts, Listing, Record
from xrayaug.errors import DataError, InputError
from xrayaug.options import Prepare
from xrayaug.runtime import console
from xrayaug.storage.artifacts import Result
from xrayaug.storage.csvfile import normalize_title

SEARCHED_FILES = 10_000  # for a DICOM file, where a set cannot be listed
USER_LISTS = ("table", "dicom")  # sources whose further columns are those of a list of the user
# Columns of a list that are kept beside DICOM files, by their normalised titles: they describe, but do not identify.
KEPT_TITLES = frozenset(
    map(
        normalize_title,
        (*headers.COLUMNS, "side", "view position", "body part examined", "part", "region", "manufacturer model name",
         "scanner", "device", "detector", "site", "gender", "patient sex", "patient age", "age years", "synthetic",
         "label", "class", "target", "abnormal", "abnormality", "category", "finding", "findings", "finding labels",
         "split", "set", "subset"),
    )
)  # fmt: skip
AGES = frozenset(map(normalize_title, ("age", "patient age", "age years")))  # titles among them
AGE = re.compile(r"(\d{1,3})(?:[.,]\d+)?([DWMYdwmy]?)")
MAX_CELL = 64  # characters; a column with a longer cell holds text, such as a report, and is dropped
UNKNOWN_PATIENTS = ("patients are unknown", "the patient of ", "the study of ")  # beginnings of messages
KEPT_IDENTIFIERS = (
    "names of files, patients and studies, and columns of lists, are kept as they are (--keep-identifiers): whoever "
    "gets the dataset can tell whose images these are"
)
FEW_PATIENTS, MANY_IMAGES = 3, 12  # so few identifiers for so many images are hardly patients


def read_headers(listing: Listing, source: str, options: Prepare) -> Listing:
    """Return the listing with columns, patients and studies from the headers of its DICOM files, and facts on them.

    A patient or study that the source tells is kept. Files that hold no radiograph are skipped.

    Raises:
        InputError: there are DICOM files, and pydicom is not installed.
        DataError: `--keep-columns` names a column that is not kept beside DICOM files.
    """
    places = [place for place, record in enumerate(listing.records) if reading.is_dicom(listing.root / record.file)]
    if not places:
        return listing
    if not reading.is_installed():
        raise InputError(
            f"{len(places):,} of {len(listing.records):,} images under {listing.root} are DICOM, which needs pydicom",
            reading.INSTALL,
        )
    if source in USER_LISTS and not options.keep_identifiers:
        _check_kept(options)
        listing = replace(listing, records=_drop_columns(listing.records))
    files = [listing.records[place].file for place in places]
    known = listing.headers or dict(zip(files, read_files(listing.root, files, options.workers), strict=True))
    found = {place: known.get(file) for place, file in zip(places, files, strict=True)}
    names = _column_names(listing.records)
    patients = _find_patients(found.values()) if listing.header_patients else {}
    records, skipped, facts = [], [], Counter[str]()
    named = set()  # patients that headers tell
    refused: Counter[str] = Counter()
    for place, record in enumerate(listing.records):
        header = found.get(place)
        if header is not None and header.refusal:
            skipped.append((record.file, header.refusal))
            refused[header.refusal] += 1
        elif header is None:  # another kind of image, or damaged, which decoding finds out
            records.append(replace(record, extra={**record.extra, **dict.fromkeys(names.values(), "")}))
        else:
            told = replace(header, patient=patients.get((header.study, header.patient), ""))
            records.append(_describe(record, told, names))
            named |= set() if record.patient_known else {told.patient}
            facts["processing"] += header.columns["intent"] == headers.FOR_PROCESSING
            facts["burned in"] += header.columns["burned_in"] == headers.BURNED_IN
    counted = DicomFacts(
        files=len(places),
        images=len(places) - len(skipped),
        for_processing=facts["processing"],
        burned_in=facts["burned in"],
        columns=tuple(names.values()),
        refused=dict(sorted(refused.items())),
    )
    return replace(
        listing,
        records=records,
        skipped=[*listing.skipped, *skipped],
        notes=[*_update_patient_messages(listing.notes, records, is_note=True), *_notes(counted)],
        warnings=[
            *_update_patient_messages(listing.warnings, records, is_note=False),
            *_warnings(counted, records, list(found.values()), named - {""}),
            *([KEPT_IDENTIFIERS] if options.keep_identifiers else _condition_warnings(options, source)),
        ],
        dicom=counted,
    )


def holds_dicom(path: Path) -> bool:
    """Return whether one of the first files below a directory, or beside a list, is DICOM; unreadable ones are not."""
    if not path.exists():
        return False
    walked = os.walk(
        path if path.is_dir() else path.parent
    )  # unlike `directories.walk`, it passes over what it may not
    files = (Path(folder) / name for folder, _, names in walked for name in names)
    return any(map(reading.is_dicom, islice(files, SEARCHED_FILES)))


def read_files(root: Path, files: Sequence[str], workers: int) -> list[Header | None]:
    """Return the headers of DICOM files under a root; None for a file whose header cannot be read.

    Where there are radiographs, images of other modalities, such as the slices of a patient's CT, are refused.
    """
    found = []
    with (
        console.progress(len(files), "DICOM headers") as advance,
        closing(decoding.map_files(partial(_try_header, root), files, workers)) as results,
    ):
        for header in results:
            advance(1)
            found.append(header)
    return _refuse_other_modalities(found)


def _refuse_other_modalities(found: list[Header | None]) -> list[Header | None]:
    """Return the headers; those of CT and the like are refused, unless all images are of such modalities."""
    if all(header is None or header.refusal or header.other_modality for header in found):
        return found
    return [
        replace(header, refusal=f"no radiograph: of modality {header.other_modality}")
        if header is not None and header.other_modality and not header.refusal
        else header
        for header in found
    ]


def manifest_fields(
    options: Prepare,
    facts: DicomFacts,
    windows: Mapping[str, int] | None = None,
    names: Names | None = None,
    shortcuts: Sequence[ColumnScore] = (),
) -> Result:
    """Return the facts about DICOM images, for the manifest; nothing for a set without any."""
    if not facts.files:
        return {}
    return {
        "dicom": {
            "images": facts.images,
            "window": options.window,
            "windows": dict(sorted((windows or {}).items())),
            "for_processing": facts.for_processing,
            "burned_in": facts.burned_in,
            "refused": dict(facts.refused),
            "columns": list(facts.columns),
            "identifiers": "kept" if options.keep_identifiers else "pseudonyms",
            "fingerprint": names.fingerprint if names else "",
            "label_by_column": [score.to_dict() for score in shortcuts],
            "packages": reading.package_versions(),
        }
    }


def _try_header(root: Path, file: str) -> Header | None:
    try:
        return headers.read_header(root / file)
    except UnusableImage as reason:
        decoding.raise_storage_error(reason, root / file)
        return None


def unify_patients(found: Iterable[Header | None]) -> dict[str, str]:
    """Return the patient that each `Header.patient` stands for; empty for those that name none, such as `unknown`.

    Identifiers that differ in case or spaces are of one patient. One of two issuers stands for two patients, unless a
    header has it without an issuer: then nobody can tell whose it is, and all of its images are kept together.
    """
    known = {header.patient: header.patient_id for header in found if header}
    keys = {patient: _fold(identifier) for patient, identifier in known.items()}
    without_issuer = {keys[patient] for patient, identifier in known.items() if patient == identifier}
    unified, first = {}, dict[str, str]()
    for patient in sorted(known):
        key = keys[patient] if keys[patient] in without_issuer else _fold(patient)
        unified[patient] = first.setdefault(key, patient) if keys[patient] else ""
    return unified


def _find_patients(found: Iterable[Header | None]) -> dict[tuple[str, str], str]:
    """Return the patient of every `(study, Header.patient)`: where none is named, that of the rest of the study."""
    headers_read = [header for header in found if header]
    unified = unify_patients(headers_read)
    by_study: defaultdict[str, set[str]] = defaultdict(set)
    for header in headers_read:
        by_study[header.study] |= {unified[header.patient]} - {""}
    by_study[""] = set()
    alone = {study: next(iter(patients)) for study, patients in by_study.items() if len(patients) == 1}
    return {
        (header.study, header.patient): unified[header.patient] or alone.get(header.study, "")
        for header in headers_read
    }


def _fold(identifier: str) -> str:
    return "".join(identifiers.canonical(identifier).casefold().split())


def _check_kept(options: Prepare) -> None:
    others = [name for name in options.keep_columns or () if normalize_title(name) not in KEPT_TITLES | {"none"}]
    if others:
        raise DataError(
            f"--keep-columns {others[0]}: beside DICOM files, columns are kept only if they cannot name a patient: "
            f"{', '.join(sorted(KEPT_TITLES))}",
            "leave it out; --keep-identifiers keeps all columns",
        )


def _condition_warnings(options: Prepare, source: str) -> list[str]:
    """Return one warning for each column in a condition of `--only` whose values may name a patient."""
    titles = [condition.partition("=")[0].rstrip("! ") for condition in options.only or ()]
    return [
        f"--only {title}: the manifest records the condition as it is, and its values may name a patient; leave such "
        "lines out of the list instead"
        for title in titles
        if source in USER_LISTS and normalize_title(title) not in KEPT_TITLES
    ]


def _drop_columns(records: Sequence[Record]) -> list[Record]:
    """Return records without the columns of their list that may name a patient: others, and those of long texts."""
    names = [name for name in records[0].extra if normalize_title(name) in KEPT_TITLES]
    kept = [name for name in names if all(len(record.extra[name]) <= MAX_CELL for record in records)]
    return [
        replace(
            record,
            extra={
                name: _limit_age(record.extra[name]) if normalize_title(name) in AGES else record.extra[name]
                for name in kept
            },
        )
        for record in records
    ]


def _limit_age(cell: str) -> str:
    """Return the age in a cell of a list, at most `headers.MAX_AGE`; empty if it holds something else, as a date."""
    found = AGE.fullmatch(cell.strip())
    if not found:
        return ""
    return cell if found[2].upper() in ("D", "W", "M") or int(found[1]) <= headers.MAX_AGE else str(headers.MAX_AGE)


def _column_names(records: Sequence[Record]) -> dict[str, str]:
    """Return the name of each column of headers in the index: its own, or `dicom_NAME` where a list has that."""
    taken = {normalize_title(name) for record in records[:1] for name in record.extra}
    return {name: f"dicom_{name}" if normalize_title(name) in taken else name for name in headers.COLUMNS}


def _describe(record: Record, header: Header, names: Mapping[str, str]) -> Record:
    """Return a record with what its header says; images of a study are of one patient, even if it is not known."""
    own = image_files.strip_suffix(record.file)
    study = header.study if record.study == own and header.study else record.study
    extra = {**record.extra, **{names[column]: value for column, value in header.columns.items()}}
    if record.patient_known:
        return replace(record, study=study, extra=extra)
    patient = header.patient or (own if study == own else f"study:{study}")
    return replace(record, patient=patient, patient_known=bool(header.patient), study=study, extra=extra)


def _notes(facts: DicomFacts) -> list[str]:
    return [f"{facts.images:,} images are DICOM; {', '.join(facts.columns)} are read from their headers"]


def _update_patient_messages(messages: Sequence[str], records: Sequence[Record], *, is_note: bool) -> list[str]:
    """Return messages of a source without those on patients and studies that it did not know, which headers tell."""
    kept = [each for each in messages if not each.startswith(UNKNOWN_PATIENTS)]
    unknown = sum(not record.patient_known for record in records)
    if len(kept) < len(messages) and unknown and is_note:
        kept.append(
            f"the patient of {unknown:,} images is unknown: each counts as a patient of its own, or its study does"
        )
    return kept


def _warnings(
    facts: DicomFacts, records: Sequence[Record], found: Sequence[Header | None], patients: set[str]
) -> list[str]:
    lines = [f"{count:,} DICOM files are left out: {reason}" for reason, count in sorted(facts.refused.items())]
    modalities = Counter(
        header.other_modality for header in found if header and header.other_modality and not header.refusal
    )
    if modalities:
        counts = ", ".join(f"{modality} {count:,}" for modality, count in modalities.most_common())
        lines.append(f"no DICOM image is a radiograph, by the modalities of their headers: {counts}")
    if facts.for_processing:
        others = "; the others are processed" if facts.for_processing < facts.images else ""
        lines.append(
            f"{facts.for_processing:,} of {facts.images:,} DICOM images are FOR PROCESSING: the detector's own values, "
            f"which look unlike processed ones{others}; the column '{headers.INTENT}' tells them apart"
        )
    if facts.burned_in:
        lines.append(
            f"{facts.burned_in:,} of {facts.images:,} DICOM images have text burned in, by their headers, which may "
            "name the patient; the column 'burned_in' tells which, and nothing is masked"
        )
    with_zeros = len(patients) - len({identifiers.LEADING_ZEROS.sub("", patient) for patient in patients})
    if with_zeros:
        lines.append(
            f"{with_zeros:,} identifiers of patients in headers differ from another in leading zeros alone: if these "
            "are the same patients, they may be in two splits"
        )
    images = Counter(header.image for header in found if header and header.image and not header.refusal)
    repeated = sum(count for count in images.values() if count > 1)
    if repeated:
        lines.append(
            f"{repeated:,} DICOM images share their SOPInstanceUID with another: they are copies, or were renamed "
            "wrongly"
        )
    if patients and len(patients) <= FEW_PATIENTS and len(records) >= MANY_IMAGES:
        lines.append(
            f"the headers name only {len(patients)} patients for {len(records):,} images: were they replaced by one "
            "name? Then a split by patient keeps nobody apart"
        )
    return lines
