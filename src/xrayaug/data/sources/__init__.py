"""The raw sets that `prepare --source` reads: one module each, found by listing this folder.

To add one, write `sources/<name>.py` with the members of `Source` below. It only finds files and says what they are;
decoding, splitting and checking are the same for all and lie elsewhere. Nothing else has to be told: the flag and the
contract tests read the listing.
"""

import errno
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import NoReturn, Protocol, cast

from xrayaug.data.images.formats import DICOM_SUFFIXES, IMAGE_SUFFIXES, START_BYTES, kind_of
from xrayaug.data.parsing import columns, identifiers, labels
from xrayaug.data.parsing.labels import LabelRules, WordCount
from xrayaug.errors import DataError, InputError, UsageError
from xrayaug.options import Prepare
from xrayaug.runtime import plugins
from xrayaug.storage import csvfile

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
    "validate": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
}

MOST_NAMED = 20  # classes in a message: sets that name findings have hundreds of combinations
MOST_REVISITS = 20_000  # of directories that links lead to again: links to links to links multiply
LEVELS = 3  # of directories in which a set's root or its lists are looked for
# Directories that systems put beside a user's files: hidden ones, and these.
OF_SYSTEMS = frozenset({"__MACOSX", "lost+found", "System Volume Information", "$RECYCLE.BIN"})

# How the reasons begin for which an image is lost: it was listed or found, and is not there to be read.
MISSING = "listed but not on disk"
BROKEN_LINK = "a broken link"
SEVERAL = "in several places"
NO_NAME = "names no image"
OTHER_SUFFIX = "a picture whose suffix is not read"


SET = re.compile(r"[-_ ]*set$")
PATIENTS_IN_PATHS = (
    r"(?i:patient|subject|person|participant)[-_ ]?[0-9]+",  # CheXpert
    r"(?<![^/])p[0-9]{8}(?![^/])",  # MIMIC-CXR
)
MOST_OF_A_PATIENT = 20  # images in a directory, on average, where directories may be patients


@dataclass(frozen=True, slots=True)
class Record:
    """One image as the raw set describes it, not yet opened."""

    file: str  # relative to the root, with forward slashes
    label: str  # normal or abnormal
    patient: str
    study: str
    split: str = ""  # train, valid or test; empty where the set does not say
    extra: Mapping[str, str] = field(default_factory=dict)  # further columns of the index
    patient_known: bool = True  # else `patient` is the image's own, and no other image can have it


@dataclass(frozen=True)
class Listing:
    """What a source found: records to decode under `root`, and what it leaves out with the reason."""

    root: Path
    records: list[Record]
    skipped: list[tuple[str, str]] = field(default_factory=list)  # (file, reason)
    notes: list[str] = field(default_factory=list)  # what the user should hear about
    warnings: list[str] = field(default_factory=list)  # what the user should look at
    words: list[WordCount] = field(default_factory=list)  # that stood where labels stand, and what they were read as
    columns: Mapping[str, str] = field(default_factory=dict)  # of a list: what was read -> title of its column
    lists: list[Path] = field(default_factory=list)  # the tables that were read

    def lost(self) -> list[tuple[str, str]]:
        """Those of the skipped that are images, but not there to be read."""
        lost = (MISSING, BROKEN_LINK, SEVERAL, NO_NAME, OTHER_SUFFIX)
        return [each for each in self.skipped if each[1].startswith(lost)]


class Source(Protocol):
    """What a module in this folder offers."""

    def detect(self, path: Path) -> bool:
        """Whether `--input path` looks like this set; cheap, and False rather than an error."""

    def read(self, options: Prepare) -> Listing:
        """List the set at `options.input`; raises InputError where it is not one."""


def names() -> tuple[str, ...]:
    """Every source's name, sorted; imports none of them."""
    return plugins.names("data.sources")


def load(name: str) -> Source:
    """The module of that name."""
    return cast(Source, plugins.load("data.sources", name))


def walk(root: Path) -> Iterator[str]:
    """Every file under `root` as a relative path with forward slashes, sorted.

    Hidden files (AppleDouble `._*`, `.DS_Store`) and what systems add (`OF_SYSTEMS`) are not there for us. Links are
    followed, but for those to a directory above, which would never end.

    Raises:
        InputError: a directory cannot be read, a link that may have been to one is broken, links lead to the same
            directories more than `MOST_REVISITS` times, or a name is no UTF-8, which no list of ours could hold.
    """
    return (_speakable(name, root) for name in walk_any(root))


def walk_any(root: Path) -> Iterator[str]:
    """What `walk` gives, with names that are no UTF-8 as Python hands them on.

    Raises:
        InputError: a directory cannot be read, a link that may have been to one is broken, or links lead to the same
            directories more than `MOST_REVISITS` times.
    """
    entered: set[str] = set()
    revisits = 0
    leading: dict[str, tuple[str, ...]] = {}  # directory to enter -> where those that lead to it really lie
    for directory, folders, files in os.walk(root, onerror=_raise_unreadable, followlinks=True):
        real = os.path.realpath(directory)
        above = leading.pop(directory, ())
        if real in above:
            folders.clear()
            continue
        revisits += real in entered
        if revisits > MOST_REVISITS:
            raise InputError(
                f"links under {root} lead to the same folders again and again, such as {directory}",
                "take out links to folders that lie in the set already",
            )
        entered.add(real)
        folders[:] = sorted(name for name in folders if _is_shown(name))
        leading.update(dict.fromkeys((os.path.join(directory, name) for name in folders), (*above, real)))  # noqa: PTH118
        for name in sorted(files):
            if not name.startswith("."):
                path = Path(directory) / name
                _check_no_lost_directory(path)
                yield path.relative_to(root).as_posix()


def _is_shown(folder: str) -> bool:
    return not folder.startswith(".") and folder not in OF_SYSTEMS


def _raise_unreadable(problem: OSError) -> NoReturn:
    """Refuse a set of which a directory cannot be listed: what lies in it would be lost without a word.

    Raises:
        InputError: always.
    """
    raise InputError(
        f"the folder {problem.filename} cannot be read: {problem.strerror}",
        "see to it that you may read it, or move it out of the set",
    ) from None


def _check_no_lost_directory(path: Path) -> None:
    """Refuse a broken link whose name has no ending: it may have led to a folder of images.

    Raises:
        InputError: it is one.
    """
    if not path.suffix and path.is_symlink() and not os.path.exists(path):  # noqa: PTH110 # False for circles too
        raise InputError(f"{path} is {BROKEN_LINK} to {path.readlink()}, maybe of a folder", "mend it or remove it")


def why_lost(path: Path) -> str:
    """Why a picture that was listed or found cannot be opened by its path; empty where nothing says so.

    Raises:
        InputError: the folder that it lies in cannot be searched.
        OSError: the storage fails.
    """
    try:
        path.stat()
    except OSError as problem:
        if problem.errno in (errno.EACCES, errno.EPERM):
            _raise_unreadable(PermissionError(problem.errno, problem.strerror, str(path.parent)))
        if problem.errno == errno.ENAMETOOLONG:
            return MISSING
        if problem.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR):
            return f"{BROKEN_LINK} to {path.readlink()}" if path.is_symlink() else MISSING
        raise
    return ""


def reachable(found: Listing) -> Listing:
    """The listing without records of files that are not there: these are skipped, each with its reason.

    Raises:
        InputError: a folder cannot be searched, so that what seems to be missing may lie there.
    """
    for file, reason in found.skipped:
        if reason.startswith(MISSING):
            why_lost(found.root / file)
    lost = {record.file: reason for record in found.records if (reason := why_lost(found.root / record.file))}
    records = [record for record in found.records if record.file not in lost] if lost else found.records
    return replace(found, records=records, skipped=[*found.skipped, *lost.items()])


def _speakable(name: str, root: Path) -> str:
    if any("\udc80" <= letter <= "\udcff" for letter in name):  # how Python hands on bytes that are no UTF-8
        reads_utf8 = sys.getfilesystemencoding().lower().replace("-", "") == "utf8"
        hint = "rename it" if reads_utf8 else "this system's locale knows no such names: set PYTHONUTF8=1"
        raise InputError(f"{root} holds a file whose name is not UTF-8: {name!a}", hint)
    return name


def nearby(root: Path) -> Iterator[Path]:
    """`root` and the directories below it, nearest first, `LEVELS` deep.

    Raises:
        InputError: one of them cannot be read.
    """
    level = [root] if root.is_dir() else []
    for depth in range(LEVELS):
        yield from level
        if depth < LEVELS - 1:
            level = [folder for directory in level for folder in subdirectories(directory)]


def subdirectories(directory: Path) -> list[Path]:
    """The directories right in `directory` that are not hidden, sorted; none where it is no directory.

    Raises:
        InputError: it cannot be read.
    """
    return [path for path in _entries(directory) if path.name not in OF_SYSTEMS and _is(path, stat.S_ISDIR)]


def files(directory: Path) -> list[Path]:
    """The files right in `directory` that are not hidden, sorted; none where it is no directory.

    Raises:
        InputError: it cannot be read.
    """
    return [path for path in _entries(directory) if _is(path, stat.S_ISREG)]


def broken_lists(directories: Iterable[Path], encoding: str | None = None) -> list[tuple[str, str]]:
    """Return why each list that cannot be read, or is empty, cannot be used, and a hint.

    Args:
        directories: right in which lists are looked for.
        encoding: of their text; None finds it.

    Raises:
        InputError: a directory cannot be read.
    """
    found = []
    for path in (path for directory in directories for path in _entries(directory) if csvfile.is_list(path)):
        if _is(path, stat.S_ISDIR):
            continue
        try:
            if path.exists() and not path.is_file():
                raise InputError(f"{path} is no file")
            if reason := why_lost(path):
                raise InputError(f"{path} is {reason}" if reason.startswith(BROKEN_LINK) else f"{path}: {reason}")
            csvfile.first_line(path, encoding)
        except InputError as problem:
            found.append((problem.message, problem.hint))
    return found


def on_unused_lists(directories: Iterable[Path]) -> list[str]:
    """Return a warning of each list of images right in these directories, for where it is not read."""
    said = []
    for path in (path for directory in directories for path in files(directory) if csvfile.is_list(path)):
        titles = csvfile.header(path)
        if columns.is_there(titles, "image", None):
            has_labels = columns.is_there(titles, "label", None)
            use = f"--table {path} uses it" if has_labels else f"--table {path} --label-column NAME uses it"
            said.append(f"{path} lists images and is not used, nor are its columns {', '.join(titles)}: {use}")
    return said


def _entries(directory: Path) -> list[Path]:
    """What lies right in a directory and is not hidden, sorted; nothing where it is none.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return sorted(path for path in directory.iterdir() if not path.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as problem:
        problem.filename = str(directory)
        _raise_unreadable(problem)


def _is(path: Path, kind: Callable[[int], bool]) -> bool:
    """Whether what the path leads to is of that kind; not where a link leads nowhere.

    Raises:
        InputError: the directory that it lies in cannot be searched.
    """
    try:
        return kind(path.stat().st_mode)
    except PermissionError as problem:
        problem.filename = str(path.parent)
        _raise_unreadable(problem)
    except OSError:
        return False


def is_picture(file: str) -> bool:
    """Whether a file's name ends as images do (DICOM too)."""
    return PurePosixPath(file).suffix.lower() in IMAGE_SUFFIXES | DICOM_SUFFIXES


def why_no_picture(root: Path, file: str) -> str:
    """Return why a file is left out whose name does not end as images do; begins with OTHER_SUFFIX if it is one."""
    kind = kind_of_file(root / file)
    return f"{OTHER_SUFFIX}, of kind {kind}" if kind else "not an image"


def kind_of_file(path: Path) -> str:
    """Return which kind of picture a file is by its first bytes; empty where it is none, or cannot be read."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as stream:
            return kind_of(stream.read(START_BYTES))
    except OSError:
        return ""


def require_directory(path: Path) -> None:
    """Hold `--input` to being a directory.

    Raises:
        InputError: it is missing, or a file.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist", "check --input for a typing error")
    if not path.is_dir():
        raise InputError(f"{path} is a file, expected a directory", "only --source table reads a file")


def patients_by_path(options: Prepare) -> Callable[[str], str] | None:
    """What finds the patient in an image's path by `--patient-pattern`; None where that is not given.

    It raises DataError for a path in which it finds none.

    Raises:
        UsageError: the pattern is no regular expression, or has several groups.
    """
    given = options.patient_pattern
    if given is None:
        return None
    try:
        pattern = re.compile(given)
    except re.error as problem:
        raise UsageError(f"--patient-pattern {given} is no regular expression: {problem}") from None
    if pattern.groups > 1:
        raise UsageError(f"--patient-pattern {given} has {pattern.groups} groups", "write (?:...) for all but one")

    def patient(file: str) -> str:
        found = pattern.search(file)
        if not (found and found[pattern.groups]):
            raise DataError(f"--patient-pattern {given} finds no patient in {file}", "mind that it must in every path")
        return found[pattern.groups]

    return patient


def split_of(word: str) -> str | None:
    """Return the split that a word names, `Training` or `test_set`; None if it names none."""
    return SPLIT_NAMES.get(SET.sub("", word.strip().lower()))


def unified(records: list[Record], pattern: str | None) -> tuple[list[Record], list[str]]:
    """Return the records with patients that were found in paths by a pattern written alike, and notes on them.

    Raises:
        DataError: some of them differ in leading zeros alone.
    """
    if pattern is None:
        return records, []
    one, notes = identifiers.unify((record.patient for record in records), f"--patient-pattern {pattern}")
    return [replace(record, patient=one[record.patient]) for record in records], notes


def on_patients(records: Sequence[Record]) -> list[str]:
    """Return what to warn of where the patients of images are unknown and paths seem to tell them."""
    files = [record.file for record in records if not record.patient_known]
    for pattern in PATIENTS_IN_PATHS:
        named = [found[0] for file in files if (found := re.search(pattern, file))]
        if len(set(named)) < len(named):
            seem = f"{len(named)} paths seem to name {len(set(named))}, such as {named[0]}"
            return [f"patients are unknown, but {seem}: --patient-pattern '{pattern}' uses them"]
    deep = [str(PurePosixPath(file).parent) for file in files if file.count("/") > 1]
    if len(set(deep)) < len(deep) <= MOST_OF_A_PATIENT * len(set(deep)):
        seem = f"{len(deep)} images lie in {len(set(deep))} directories below the classes, such as {deep[0]}"
        return [f"patients are unknown, and {seem}: if those are patients, --patient-pattern '^(.*)/' uses them"]
    return []


def label_rules(options: Prepare, there: Iterable[str], *, inverted: bool = False) -> LabelRules:
    """Return how words become labels, by `--normal-class` and `--abnormal-class` and what else the options say.

    Args:
        options: of prepare.
        there: the words that are there.
        inverted: whether yes means normal.

    Raises:
        DataError: a class that is named is not there, or named as both: a typing error would make every image normal.
    """
    found = sorted(set(there))
    normal, abnormal = (
        _named(getattr(options, name), found, name) for name in ("normal_class", "abnormal_class")
    )  # fmt: skip
    for name in sorted(normal & abnormal):
        raise DataError(f"the class '{name}' is named as normal and as abnormal", "leave out one")
    unsure = None if options.unsure_label == "skip" else options.unsure_label
    rules = LabelRules(normal, abnormal, options.empty_label, unsure, inverted)
    labels.check_minus_one(found, rules, decided=options.unsure_label is not None)
    return rules


def on_labels(words: Sequence[WordCount], rules: LabelRules) -> list[str]:
    """Return what to warn of about words that were read as labels."""
    said = [
        f"'{word}' is not '{name}', which is named, and counts as {rules.read(word).label or 'left out'}"
        for word, name in labels.misspelt((each.word for each in words), rules)
    ]
    left = [each for each in words if each.reading.label is None]
    said += [
        f"{each.count} labels are {repr(each.word) if each.word else 'empty'}, so their images are left out: "
        f"{each.reading.reason}"
        for each in left[:MOST_NAMED]
    ]
    return said


def _named(given: str | None, there: list[str], option: str) -> frozenset[str]:
    """Return the classes that an option names, in canonical form; a name may itself hold a comma."""
    if given is None:
        return frozenset()
    known = {labels.canonical(part) for word in there for part in (word, *labels.findings(word))}
    names = [given] if labels.canonical(given) in known else given.split(",")
    for name in names:
        if labels.canonical(name) not in known:
            there = [word for word in there if word]
            flag = f"--{option.replace('_', '-')}"
            raise DataError(f"no class is called '{name.strip()}'; there are {_some(there)}", f"check {flag}")
    return frozenset(map(labels.canonical, names))


def _some(names: list[str]) -> str:
    """The names, or the first of many."""
    return ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")
