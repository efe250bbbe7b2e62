"""Find files made from the same image by the names that augmentation tools and file managers give to copies.

    hand7_jpg.rf.5f1e0c...jpg                 Roboflow
    normal_original_hand7.png_<UUID>.png      Augmentor
    aug_7_4711.png                            Keras, `save_to_dir`: prefix, number of the picture, a random number
    hand7_aug1.png, hand7-rotated2.png, hand7 - Copy (2).png, rotated_hand7.png, aug_0_1405.png

The source of a copy is searched for in the file's own directory first, then in its split, then in the other splits.
Some names are ambiguous, such as `scan (2).png` next to `scan.png`: these are reported as possible duplicates, and the
caller compares the images.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from xrayaug.data.parsing.split_names import SPLIT_NAMES

MAX_UNSOURCED_COPIES = 50  # copies of a missing source; more than this are numbered files of one kind

ENDING = r"(?:png|jpe?g|bmp|gif|tiff?|webp)"
TURNS = r"(?:rot|rotate|rotated|rotation)"
FLIPS = (
    r"(?:[hv]?flip|flipped|flip[-_ ]?(?:h|v|x|y|lr|ud|horizontal(?:ly)?|vertical(?:ly)?)|"
    r"(?:horizontal|vertical)[-_ ]?flip)"
)
CERTAIN = (
    rf"(?:(?:rand(?:om)?[-_ ]?)?(?:aug(?:m|ment|mented|mentation)?|{TURNS}|{FLIPS}|mirror(?:ed)?|affine|elastic|"
    r"transform(?:ed)?)|copy|kopie|copie|duplicate)"
)
CERTAIN_WITH_SOURCE = r"(?:zoom(?:ed)?|shear(?:ed)?|warp(?:ed)?|gen)"  # certain only if the source is present
POSSIBLE = (
    r"(?:crop(?:ped)?|shift(?:ed)?|translated?|scaled?|resized?|bright(?:ness|er)?|dark(?:er)?|"
    r"contrast|gamma|noise|noisy|blur(?:red)?|sharpen(?:ed)?|clahe|equali[sz]ed|inverted|negative)"
)
# A count of four digits may be a year, and "aug" a month.
COUNT = r"(?:[-_ ]?(?:neg|pos|minus|plus|-)?\d{1,3}(?:deg(?:rees?)?)?|(?!19|20)\d{4}|\d{5,7})?(?: ?\(\d{1,4}\))?"
SEPARATOR = r"(?: - |[-_. ])"

ROBOFLOW = re.compile(r"(?P<base>.+)\.rf\.[0-9A-Za-z]{16,}")
AUGMENTOR = re.compile(rf".+?_original_(?P<base>.+)\.{ENDING}_[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}")
KERAS = re.compile(r"(?P<base>.*)_(?P<index>\d{1,6})_(?P<random>[1-9]\d{2,6})")
SUFFIX = re.compile(rf"(?P<base>.+?)(?:{SEPARATOR}{CERTAIN}{COUNT})+", re.IGNORECASE)
ANY_SUFFIX = re.compile(
    rf"(?P<base>.+?)(?P<words>(?:{SEPARATOR}(?:{CERTAIN}|{CERTAIN_WITH_SOURCE}|{POSSIBLE}){COUNT})+)", re.IGNORECASE
)
STRONG = re.compile(rf"{SEPARATOR}(?:{CERTAIN}|{CERTAIN_WITH_SOURCE})", re.IGNORECASE)
PREFIX = re.compile(rf"(?:{CERTAIN}|{CERTAIN_WITH_SOURCE})\d{{0,3}}[-_ ](?P<base>.+)", re.IGNORECASE)
COPY_OF = re.compile(r"copy (?:\(\d{1,4}\) )?of (?P<base>.+)", re.IGNORECASE)
COUNTED = re.compile(r"\d{1,4}[-_ ](?P<base>.+)")
NUMBERED = re.compile(r"(?P<base>.+?) ?\(\d{1,4}\)")
ROBOFLOW_ENDING = re.compile(rf"_{ENDING}$", re.IGNORECASE)
AUGMENTED = re.compile(r"(?:aug(?:m|mented)?(?:[-_ ](?P<base>.+))?)?", re.IGNORECASE)  # `save_prefix` of Keras
HAS_DIGIT = re.compile(r"\d")  # a name without a digit may be that of a class with numbered images
# Matches a name that identifies one image, such as hand7 or 1405, but not "7" (a counter) or "hand" (a class).
IDENTIFYING_BASE = re.compile(r"\d{3}|[a-z].*\d|\d.*[a-z]", re.IGNORECASE)
DATE = re.compile(r"(?:.*\D)?(?:(?:19|20)\d\d[-_. ]aug|[0-3]?\d[-. ]aug)[-_. ]\d\d", re.IGNORECASE)

# Directories that may hold the copies of a set, separate from their sources.
FOLDERS = frozenset(
    {"output", "original", "originals", "aug", "augmented", "augmentation", "augmentations", *SPLIT_NAMES}
)

Key = tuple[str, ...]


@dataclass
class NamedDuplicates:
    """Groups of duplicate files, as indices into the list of files."""

    certain: list[list[int]] = field(default_factory=list)
    possible: list[list[int]] = field(
        default_factory=list
    )  # to be confirmed by comparing the images; the source, if any, comes first
    # (source, copy) of the possible groups whose copy has a word such as `aug` in its name
    named_as_copies: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class _ParsedName:
    """The directory of a file, and its name without the suffix."""

    directory: str
    folder: str  # the directory without the names of splits and of `FOLDERS`
    split: str  # the split named by a directory; "" if there is none
    stem: str


@dataclass(frozen=True)
class _CopyName:
    """A file name that looks like that of a copy, and the names that its source may have."""

    kind: str  # copies without a source are grouped by kind, location and first base
    location: str  # a directory or a folder
    bases: tuple[str, ...]  # possible names of the source, most likely first
    certainty_without_source: str = ""  # "certain", "possible", or "" if the name says nothing without a source
    certainty_with_source: str = "possible"  # "certain" or "possible"
    is_named_as_copy: bool = False


def find_named_duplicates(files: Sequence[str]) -> NamedDuplicates:
    """Return the files that their names show to be made from the same image; paths have forward slashes."""
    names = _NameIndex([_parse_name(file) for file in files])
    groups_with_source: defaultdict[tuple[int, ...], dict[str, list[int]]] = defaultdict(dict)
    groups_without_source: defaultdict[tuple[Key, str], list[int]] = defaultdict(list)
    named = NamedDuplicates()
    for number, file in enumerate(names.files):
        copy_name = names.parse_copy_name(file)
        if copy_name is None:
            continue
        sources, is_unique = names.find_sources(number, copy_name)
        if sources:
            certainty = copy_name.certainty_with_source if is_unique else "possible"
            groups_with_source[sources].setdefault(certainty, list(sources)).append(number)
            if copy_name.is_named_as_copy and certainty == "possible":
                named.named_as_copies.append((sources[0], number))
        elif copy_name.certainty_without_source:
            key = (copy_name.kind, copy_name.location, copy_name.bases[0])
            groups_without_source[key, copy_name.certainty_without_source].append(number)
    for groups in groups_with_source.values():
        named.certain += [groups["certain"]] if "certain" in groups else []
        named.possible += [groups["possible"]] if "possible" in groups else []
    for ((kind, *_), certainty), group in groups_without_source.items():
        _add_without_source(group, is_certain=certainty == "certain", kind=kind, names=names, named=named)
    return named


def _add_without_source(
    group: list[int], *, is_certain: bool, kind: str, names: "_NameIndex", named: NamedDuplicates
) -> None:
    """Add a group of copies without a source to the certain or the possible groups."""
    is_counted = len(group) > MAX_UNSOURCED_COPIES and (kind == "suffix" or not is_certain)
    if len(group) < 2 or is_counted:
        return
    by_split: defaultdict[str, list[int]] = defaultdict(list)
    for number in group:
        by_split[names.files[number].split].append(number)
    stems = [{names.files[number].stem for number in members} for members in by_split.values()]
    if not is_certain:
        named.possible.append(group)
    elif len(set().union(*stems)) == sum(map(len, stems)):
        named.certain.append(group)
    else:  # each split restarts its numbering, so equal names in two splits may belong to different images
        named.certain += [members for members in by_split.values() if len(members) > 1]
        named.possible.append(group)


def _parse_name(file: str) -> _ParsedName:
    path = PurePosixPath(file)
    names = [name.strip().lower() for name in path.parts[:-1]]
    folder = "/".join(name for name, plain in zip(path.parts, names, strict=False) if plain not in FOLDERS)
    split = next((SPLIT_NAMES[name] for name in names if name in SPLIT_NAMES), "")
    return _ParsedName(path.parent.as_posix(), folder, split, path.stem)


class _NameIndex:
    """Index of the files of a set by directory and name."""

    def __init__(self, files: Sequence[_ParsedName]) -> None:
        self.files = files
        self.by_directory: dict[tuple[str, str], int] = {}
        self.by_folder: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        # (index, random number) of the names of Keras's form, by directory and prefix
        self.keras_names: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
        for number, file in enumerate(files):
            self.by_directory.setdefault((file.directory, file.stem), number)
            self.by_folder[file.folder, file.stem].append(number)
            if match := KERAS.fullmatch(file.stem):
                self.keras_names[file.directory, match["base"]].append((match["index"], match["random"]))

    def find_sources(self, number: int, copy_name: _CopyName) -> tuple[tuple[int, ...], bool]:
        """Return the possible sources of a copy, and whether the names alone determine the source."""
        file = self.files[number]
        bases = [base for base in copy_name.bases if base != file.stem]
        for base in bases:
            if (source := self.by_directory.get((file.directory, base))) is not None:
                return (source,), True
        elsewhere = [self.by_folder[file.folder, base] for base in bases if (file.folder, base) in self.by_folder]
        for places in elsewhere:
            if own := [place for place in places if self.files[place].split == file.split]:
                return (own[0],), True
        for places in elsewhere:
            splits = {self.files[place].split: place for place in reversed(places)}
            namesakes = {self.files[place].split for place in self.by_folder[file.folder, file.stem]}
            return tuple(sorted(splits.values())), len(splits) == 1 and not namesakes & splits.keys()
        return (), False

    def parse_copy_name(self, file: _ParsedName) -> _CopyName | None:
        """Return the copy name that the file has; None if its name is not that of a copy."""
        if match := ROBOFLOW.fullmatch(file.stem):
            bases = (match["base"], ROBOFLOW_ENDING.sub("", match["base"]))
            return _CopyName(
                "roboflow", file.folder, bases, certainty_without_source="certain", certainty_with_source="certain"
            )
        if match := AUGMENTOR.fullmatch(file.stem):
            return _CopyName(
                "augmentor",
                file.folder,
                (match["base"],),
                certainty_without_source="certain",
                certainty_with_source="certain",
            )
        if match := ANY_SUFFIX.fullmatch(file.stem):
            return _suffix_copy_name(file, match["base"], bool(STRONG.search(match["words"])))
        if (match := KERAS.fullmatch(file.stem)) and not self._names_sources(file, match["base"]):
            return self._keras_copy_name(file, match["base"], match["index"])
        return _prefix_copy_name(file)

    def _names_sources(self, file: _ParsedName, prefix: str) -> bool:
        """Return whether the apparent random numbers after a prefix are all names of files, as in `aug_0_1405`."""
        numbered_names = self.keras_names[file.directory, prefix]
        return bool(PREFIX.fullmatch(f"{prefix}_1")) and all(
            (file.folder, name) in self.by_folder for _, name in numbered_names
        )

    def _keras_copy_name(self, file: _ParsedName, prefix: str, index: str) -> _CopyName:
        """Parse a name of Keras's form; it is certain if the prefix says that it is a copy, and of which image.

        The index is the number of the image in its directory. It is always 0 if images were augmented one at a time;
        then the prefix may identify the image.
        """
        match = AUGMENTED.fullmatch(prefix)
        source = (match["base"] or "") if match else prefix
        has_one_index = len({number for number, _ in self.keras_names[file.directory, prefix]}) == 1
        is_named = has_one_index and bool(HAS_DIGIT.search(source))
        certainty = "certain" if match and (is_named or not has_one_index) else "possible"
        bases = (f"{prefix}_{index}", source) if has_one_index else (f"{prefix}_{index}",)
        location = file.folder if is_named else file.directory
        return _CopyName(
            "keras",
            location,
            bases,
            certainty_without_source=certainty,
            certainty_with_source=certainty,
            is_named_as_copy=match is not None,
        )


def _suffix_copy_name(file: _ParsedName, base: str, is_strong: bool) -> _CopyName:
    """Parse a name that ends in words such as `aug`; `base` is the name without any of these words."""
    certain = SUFFIX.fullmatch(file.stem)
    if certain is None:
        certainty = "certain" if is_strong and IDENTIFYING_BASE.search(base) else "possible"
        return _CopyName("suffix", file.folder, (base,), certainty_with_source=certainty, is_named_as_copy=True)
    bases = (certain["base"], *([base] if base != certain["base"] else []))
    if DATE.fullmatch(file.stem):
        return _CopyName("suffix", file.folder, bases, is_named_as_copy=True)
    certainty_without_source = "certain" if HAS_DIGIT.search(bases[0]) else "possible"
    return _CopyName(
        "suffix",
        file.folder,
        bases,
        certainty_without_source=certainty_without_source,
        certainty_with_source="certain",
        is_named_as_copy=True,
    )


def _prefix_copy_name(file: _ParsedName) -> _CopyName | None:
    """Parse a name that begins with words such as `rotated`, or that ends in a number in brackets."""
    if match := COPY_OF.fullmatch(file.stem):
        return _CopyName(
            "prefix", file.folder, (match["base"],), certainty_with_source="certain", is_named_as_copy=True
        )
    if bases := tuple(_strip_prefixes(file.stem)):
        certainty = "certain" if IDENTIFYING_BASE.search(bases[-1]) else "possible"
        return _CopyName("prefix", file.folder, bases, certainty_with_source=certainty, is_named_as_copy=True)
    match = NUMBERED.fullmatch(file.stem)
    return _CopyName("numbered", file.folder, (match["base"],)) if match else None


def _strip_prefixes(stem: str) -> Iterator[str]:
    """Yield the name without its leading words, one by one, and then without a counter that follows them."""
    rest = stem
    while match := PREFIX.fullmatch(rest):
        rest = match["base"]
        yield rest
    if rest != stem and (match := COUNTED.fullmatch(rest)):
        yield match["base"]
