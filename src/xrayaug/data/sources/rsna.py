"""RSNA bone age: hand radiographs `<id>.png` with CSV files of age and sex; every image counts as normal.

Halabi et al., "The RSNA Pediatric Bone Age Machine Learning Challenge", Radiology 290(2), 2019. The CSV files are
recognized by their columns, not their names: training `id,boneage,male`, validation `Image ID,male,Bone Age (months)`,
test `Case ID,Sex`. There is one image per patient. Archives often hold one directory in another, so images are searched
in all directories.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from xrayaug.data.parsing import directories, image_files, non_images, skip_reasons
from xrayaug.data.parsing.split_names import SPLIT_NAMES
from xrayaug.data.sources import Listing, Record
from xrayaug.errors import DataError, InputError
from xrayaug.options import Prepare
from xrayaug.storage import csvfile
from xrayaug.storage.csvfile import Line, Sheet


@dataclass(frozen=True)
class _Subset:
    """Subset of the three, and the columns by which its CSV file is recognized."""

    name: str
    split: str  # split of the dataset; the training set is split later
    id: str
    age: str | None
    sex: str


SUBSETS = (
    _Subset("train", "", id="id", age="boneage", sex="male"),
    _Subset("valid", "valid", id="image id", age="bone age (months)", sex="male"),
    _Subset("test", "test", id="case id", age=None, sex="sex"),
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
class _RsnaFiles:
    """Images and messages gathered while the directories and CSV files are read."""

    records: dict[str, Record] = field(default_factory=dict)  # by file
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def detect(path: Path) -> bool:
    """Return whether one of the CSV files, or a directory named after the set, lies at `path` or a few levels below."""
    return any(
        _is_named_after_set(directory) or any(_find_subset(csvfile.read_header(file)) for file in _csv_files(directory))
        for directory in directories.search_directories(path)
    )


def read(options: Prepare) -> Listing:
    """Return the images that the CSV files name; without a CSV file, all images.

    Raises:
        InputError: there is no such set, or none of its images.
        DataError: the CSV files contradict each other.
    """
    root = options.input
    directories.check_directory(root)
    collected = _RsnaFiles()
    files = [file for file in directories.walk(root) if image_files.has_image_suffix(file)]
    sheets = [
        (subset, csvfile.read_sheet(file))
        for directory in directories.search_directories(root)
        for file in _csv_files(directory)
        if (subset := _find_subset(csvfile.read_header(file)))
    ]
    if sheets:
        _add_listed(sheets, files, collected)
    elif any(_is_named_after_set(directory) for directory in directories.search_directories(root)):
        mask_reasons = non_images.find_non_images(files)
        collected.skipped.update(mask_reasons)
        _add_all([file for file in files if file not in mask_reasons], root.absolute().name, collected)
        collected.notes.append("no CSV of ages: every image is read, and age and sex are unknown")
    else:
        raise InputError(
            f"{root} is no RSNA bone age set: no CSV with the columns id and boneage, "
            f"{directories.SEARCH_DEPTH} levels deep",
            "point --input at the directory that holds boneage-training-dataset.csv",
        )
    if not collected.records:
        names = ", ".join(sheet.path.name for _, sheet in sheets) or "no CSV"
        raise InputError(
            f"none of the images that {names} lists is under {root}: looked for <id>.png in {len(files)} images",
            "unpack the images beside the CSV",
        )
    lists = [sheet.path for _, sheet in sheets]
    return Listing(
        root, list(collected.records.values()), list(collected.skipped.items()), collected.notes, lists=lists
    )


def _is_named_after_set(directory: Path) -> bool:
    return bool(DIRECTORY.fullmatch(directory.absolute().name))


def _csv_files(directory: Path) -> list[Path]:
    return [path for path in directories.files(directory) if csvfile.is_csv(path)]


def _find_subset(header: Iterable[str]) -> _Subset | None:
    columns = {title.lower() for title in header}
    return next((subset for subset in SUBSETS if {subset.id, subset.age or subset.sex} <= columns), None)


def _add_listed(sheets: list[tuple[_Subset, Sheet]], files: list[str], collected: _RsnaFiles) -> None:
    """Add the images that the CSV files name, and skip all others."""
    rows: dict[str, Rows] = defaultdict(dict)
    for subset, sheet in sheets:
        _add_rows(subset, sheet, rows[subset.name], collected)
    by_id: defaultdict[str, list[str]] = defaultdict(list)
    for file in files:
        by_id[_parse_id(Path(file).name)].append(file)
    for subset in SUBSETS:
        others = rows.keys() - {subset.name}
        for number, extra in rows.get(subset.name, {}).items():
            _add_id(subset, number, extra, _candidates(subset, by_id[number], others), collected)
    for file in files:
        if file not in collected.records:
            collected.skipped.setdefault(file, "not in the CSV")
    _note_copies(collected)


def _add_rows(subset: _Subset, sheet: Sheet, rows: Rows, collected: _RsnaFiles) -> None:
    """Add the rows of one CSV file to `rows`.

    Raises:
        DataError: two rows of one id differ.
    """
    columns = [sheet.column([name]) if name else None for name in (subset.id, subset.age, subset.sex)]
    sheet.check_cells(sheet.lines, columns[:1])
    collected.notes += sheet.notes
    repeated = 0
    for line in sheet.lines:
        number = _parse_id(line.cell(columns[0]))
        if not number:
            collected.skipped[f"{sheet.path.name} line {line.number}"] = "names no image"
            continue
        extra = _parse_extra(line, age=columns[1], sex=columns[2])
        if rows.get(number, extra) != extra:
            raise DataError(
                f"{sheet.path} line {line.number}: the id {number} is there twice, with different values",
                "delete the wrong line",
            )
        repeated += number in rows
        rows[number] = extra
    if repeated:
        collected.notes.append(f"{sheet.path.name}: {repeated} lines repeat an id, with the same values")


def _parse_extra(line: Line, *, age: int | None, sex: int | None) -> dict[str, str]:
    extra = {}
    if line.cell(age):
        extra["boneage_months"] = line.cell(age).removesuffix(".0")
    if line.cell(sex).lower() in SEX:
        extra["male"] = SEX[line.cell(sex).lower()]
    return extra


def _parse_id(text: str) -> str:
    """Return `1377` for `1377.png`, `1377.0` and `01377`; other names without their suffix."""
    name = Path(text).stem if image_files.has_image_suffix(text) else text
    match = ID.fullmatch(name)
    return (match[1].lstrip("0") or "0") if match else name  # `0*` in the pattern would take quadratic time


def _candidates(subset: _Subset, files: Iterable[str], others: Collection[str]) -> list[str]:
    """Return the files of an id that may belong to a subset, those in a directory named after it first."""
    mine = [file for file in files if _subset_in_path(file) not in others]
    return sorted(mine, key=lambda file: (_subset_in_path(file) != subset.name, file.count("/")))


def _add_id(subset: _Subset, number: str, extra: Mapping[str, str], files: list[str], collected: _RsnaFiles) -> None:
    """Add the first file of an id, and skip its other files.

    Raises:
        DataError: the file already belongs to another subset.
    """
    if not files:
        collected.skipped[f"{number}.png"] = skip_reasons.MISSING
        return
    file, *copies = files
    if file in collected.records:
        raise DataError(
            f"the id {number} is in the CSV files of two sets, and {file} is its only image", "delete one of the lines"
        )
    collected.records[file] = Record(file, "normal", number, number, subset.split, extra)
    for copy in copies:
        collected.skipped[copy] = f"{COPY}: {file}"


def _subset_in_path(file: str) -> str:
    """Return the subset that the innermost such directory is named after: train, valid, test, or empty."""
    words = [word for step in file.lower().split("/")[:-1] for word in WORD.findall(step)]
    return next((SPLIT_NAMES[word] for word in reversed(words) if word in SPLIT_NAMES), "")


def _add_all(files: Iterable[str], root_name: str, collected: _RsnaFiles) -> None:
    """Add one file of each id, preferably in a directory named after a subset, which decides the split."""
    split_of = {subset.name: subset.split for subset in SUBSETS}
    first_files: dict[str, str] = {}
    for file in sorted(files, key=lambda file: (not _subset_in_path(file), file)):
        number = _parse_id(Path(file).name)
        if number in first_files:
            collected.skipped[file] = f"{COPY}: {first_files[number]}"
            continue
        first_files[number] = file
        split = split_of.get(_subset_in_path(f"{root_name}/{file}"), "")
        collected.records[file] = Record(file, "normal", number, number, split)
    _note_copies(collected)


def _note_copies(collected: _RsnaFiles) -> None:
    copies = sum(reason.startswith(COPY) for reason in collected.skipped.values())
    if copies:
        collected.notes.append(f"{copies} images are further files of an id; that in the set's own directory is read")
