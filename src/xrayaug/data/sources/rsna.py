"""RSNA bone age: hand radiographs `<id>.png` with CSV files of age and sex; every image counts as normal.

Halabi et al., "The RSNA Pediatric Bone Age Machine Learning Challenge", Radiology 290(2), 2019. Columns tell the CSV
files apart, whatever they are called: training `id,boneage,male`, validation `Image ID,male,Bone Age (months)`, test
`Case ID,Sex`. There is one image per patient. Copies double the directories, so images are found by walking.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from xrayaug.data import sources
from xrayaug.data.parsing import non_images
from xrayaug.data.sources import SPLIT_NAMES, Listing, Record
from xrayaug.errors import DataError, InputError
from xrayaug.options import Prepare
from xrayaug.storage import csvfile
from xrayaug.storage.csvfile import Line, Sheet


@dataclass(frozen=True)
class _Kind:
    """One of the three sets, and the columns that tell it."""

    name: str
    split: str  # ours: the training set names no split
    id: str
    age: str | None
    sex: str


KINDS = (
    _Kind("train", "", id="id", age="boneage", sex="male"),
    _Kind("valid", "valid", id="image id", age="bone age (months)", sex="male"),
    _Kind("test", "test", id="case id", age=None, sex="sex"),
)
DIRECTORY = re.compile(r"boneage-(training|validation|test)-dataset.*", re.IGNORECASE)
WORD = re.compile(r"[a-z]+")
ID = re.compile(r"([0-9]+)(?:\.0+)?")
MALE = {"true": "1", "1": "1", "1.0": "1", "m": "1", "male": "1"}
FEMALE = {"false": "0", "0": "0", "0.0": "0", "f": "0", "female": "0"}
SEX = MALE | FEMALE
COPY = "another file of the same id is read"

Rows = dict[str, dict[str, str]]  # id -> extra columns


@dataclass
class _Found:
    """What has been gathered so far."""

    records: dict[str, Record] = field(default_factory=dict)  # by file
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def detect(path: Path) -> bool:
    """Whether one of the CSV files, or a directory of their name, lies at `path` or little below."""
    return any(
        _is_named_after_set(directory) or any(_kind_of(csvfile.header(file)) for file in _csv_files(directory))
        for directory in sources.nearby(path)
    )


def read(options: Prepare) -> Listing:
    """List the images that the CSV files name; without any CSV, all images.

    Raises:
        InputError: nothing of the set is there.
        DataError: the CSV files contradict themselves.
    """
    root = options.input
    sources.require_directory(root)
    found = _Found()
    files = [file for file in sources.walk(root) if sources.is_picture(file)]
    sheets = [
        (kind, csvfile.read_sheet(file))
        for directory in sources.nearby(root)
        for file in _csv_files(directory)
        if (kind := _kind_of(csvfile.header(file)))
    ]
    if sheets:
        _take_listed(sheets, files, found)
    elif any(_is_named_after_set(directory) for directory in sources.nearby(root)):
        beside = non_images.left_out(files)
        found.skipped.update(beside)
        _take_all([file for file in files if file not in beside], root.absolute().name, found)
        found.notes.append("no CSV of ages: every image is read, and age and sex are unknown")
    else:
        raise InputError(
            f"{root} is no RSNA bone age set: no CSV with the columns id and boneage, {sources.LEVELS} levels deep",
            "point --input at the directory that holds boneage-training-dataset.csv",
        )
    if not found.records:
        names = ", ".join(sheet.path.name for _, sheet in sheets) or "no CSV"
        raise InputError(
            f"none of the images that {names} lists is under {root}: looked for <id>.png in {len(files)} images",
            "unpack the images beside the CSV",
        )
    lists = [sheet.path for _, sheet in sheets]
    return Listing(root, list(found.records.values()), list(found.skipped.items()), found.notes, lists=lists)


def _is_named_after_set(directory: Path) -> bool:
    return bool(DIRECTORY.fullmatch(directory.absolute().name))


def _csv_files(directory: Path) -> list[Path]:
    return [path for path in sources.files(directory) if csvfile.is_list(path)]


def _kind_of(header: Iterable[str]) -> _Kind | None:
    columns = {title.lower() for title in header}
    return next((kind for kind in KINDS if {kind.id, kind.age or kind.sex} <= columns), None)


def _take_listed(sheets: list[tuple[_Kind, Sheet]], files: list[str], found: _Found) -> None:
    """Take the images that the CSV files name, and account for all others."""
    rows: dict[str, Rows] = defaultdict(dict)
    for kind, sheet in sheets:
        _add_rows(kind, sheet, rows[kind.name], found)
    by_id: defaultdict[str, list[str]] = defaultdict(list)
    for file in files:
        by_id[_id_of(Path(file).name)].append(file)
    for kind in KINDS:
        others = rows.keys() - {kind.name}
        for number, extra in rows.get(kind.name, {}).items():
            _take_id(kind, number, extra, _candidates(kind, by_id[number], others), found)
    for file in files:
        if file not in found.records:
            found.skipped.setdefault(file, "not in the CSV")
    _note_copies(found)


def _add_rows(kind: _Kind, sheet: Sheet, rows: Rows, found: _Found) -> None:
    """Read one CSV into `rows`.

    Raises:
        DataError: two rows of one id differ.
    """
    columns = [sheet.column([name]) if name else None for name in (kind.id, kind.age, kind.sex)]
    repeated = 0
    for line in sheet.lines:
        number = _id_of(line.cell(columns[0]))
        if not number:
            found.skipped[f"{sheet.path.name} line {line.number}"] = "names no image"
            continue
        extra = _extra(line, age=columns[1], sex=columns[2])
        if rows.get(number, extra) != extra:
            raise DataError(
                f"{sheet.path} line {line.number}: the id {number} is there twice, with different values",
                "delete the wrong line",
            )
        repeated += number in rows
        rows[number] = extra
    if repeated:
        found.notes.append(f"{sheet.path.name}: {repeated} lines repeat an id, with the same values")


def _extra(line: Line, *, age: int | None, sex: int | None) -> dict[str, str]:
    extra = {}
    if line.cell(age):
        extra["boneage_months"] = line.cell(age).removesuffix(".0")
    if line.cell(sex).lower() in SEX:
        extra["male"] = SEX[line.cell(sex).lower()]
    return extra


def _id_of(text: str) -> str:
    """``1377.png``, ``1377.0`` and ``01377`` as ``1377``; other names without the suffix."""
    name = Path(text).stem if sources.is_picture(text) else text
    match = ID.fullmatch(name)
    return (match[1].lstrip("0") or "0") if match else name  # the pattern's own 0* would try every split of a long run


def _candidates(kind: _Kind, files: Iterable[str], others: Collection[str]) -> list[str]:
    """Those of an id's files that may be this set's, best first: in a directory named after it, then after none."""
    mine = [file for file in files if _set_named_by(file) not in others]
    return sorted(mine, key=lambda file: (_set_named_by(file) != kind.name, file.count("/")))


def _take_id(kind: _Kind, number: str, extra: Mapping[str, str], files: list[str], found: _Found) -> None:
    """Take the first of an id's files.

    Raises:
        DataError: another set has taken it.
    """
    if not files:
        found.skipped[f"{number}.png"] = sources.MISSING
        return
    file, *copies = files
    if file in found.records:
        raise DataError(
            f"the id {number} is in the CSV files of two sets, and {file} is its only image", "delete one of the lines"
        )
    found.records[file] = Record(file, "normal", number, number, kind.split, extra)
    for copy in copies:
        found.skipped[copy] = f"{COPY}: {file}"


def _set_named_by(file: str) -> str:
    """The set that the innermost telling directory is named after: train, valid, test or nothing."""
    words = [word for step in file.lower().split("/")[:-1] for word in WORD.findall(step)]
    return next((SPLIT_NAMES[word] for word in reversed(words) if word in SPLIT_NAMES), "")


def _take_all(files: Iterable[str], root_name: str, found: _Found) -> None:
    """Take one file of each id, in a telling directory rather than elsewhere; the directory tells the split."""
    split_of = {kind.name: kind.split for kind in KINDS}
    taken: dict[str, str] = {}
    for file in sorted(files, key=lambda file: (not _set_named_by(file), file)):
        number = _id_of(Path(file).name)
        if number in taken:
            found.skipped[file] = f"{COPY}: {taken[number]}"
            continue
        taken[number] = file
        split = split_of.get(_set_named_by(f"{root_name}/{file}"), "")
        found.records[file] = Record(file, "normal", number, number, split)
    _note_copies(found)


def _note_copies(found: _Found) -> None:
    copies = sum(reason.startswith(COPY) for reason in found.skipped.values())
    if copies:
        found.notes.append(f"{copies} images are further files of an id; that in the set's own directory is read")
