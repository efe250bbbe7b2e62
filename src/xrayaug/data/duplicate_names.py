"""Names that augmenters and file managers give to copies: which files of a set were made from the same picture.

    hand7_jpg.rf.5f1e0c...jpg                 Roboflow
    normal_original_hand7.png_<UUID>.png      Augmentor
    aug_7_4711.png                            Keras, `save_to_dir`: prefix, number of the picture, a random number
    hand7_aug1.png, hand7-rotated2.png, hand7 - Copy (2).png, rotated_hand7.png, aug_0_1405.png

A source is looked for in the file's own directory first, then in its split, then in the others. Where a name alone does
not tell, as `scan (2).png` beside `scan.png`, pictures are to be looked at.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from xrayaug.data.sources import SPLIT_NAMES

MOST_COPIES = 50  # of a picture that is not there itself: more are files of one kind that are counted through

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
SOURCED = r"(?:zoom(?:ed)?|shear(?:ed)?|warp(?:ed)?|gen)"  # for certain only beside the source
POSSIBLE = (
    r"(?:crop(?:ped)?|shift(?:ed)?|translated?|scaled?|resized?|bright(?:ness|er)?|dark(?:er)?|"
    r"contrast|gamma|noise|noisy|blur(?:red)?|sharpen(?:ed)?|clahe|equali[sz]ed|inverted|negative)"
)
# Of four digits a count may be a year, and aug a month.
COUNT = r"(?:[-_ ]?(?:neg|pos|minus|plus|-)?\d{1,3}(?:deg(?:rees?)?)?|(?!19|20)\d{4}|\d{5,7})?(?: ?\(\d{1,4}\))?"
SEPARATOR = r"(?: - |[-_. ])"

ROBOFLOW = re.compile(r"(?P<base>.+)\.rf\.[0-9A-Za-z]{16,}")
AUGMENTOR = re.compile(rf".+?_original_(?P<base>.+)\.{ENDING}_[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}")
KERAS = re.compile(r"(?P<base>.*)_(?P<index>\d{1,6})_(?P<random>[1-9]\d{2,6})")
SUFFIX = re.compile(rf"(?P<base>.+?)(?:{SEPARATOR}{CERTAIN}{COUNT})+", re.IGNORECASE)
ANY_SUFFIX = re.compile(
    rf"(?P<base>.+?)(?P<words>(?:{SEPARATOR}(?:{CERTAIN}|{SOURCED}|{POSSIBLE}){COUNT})+)", re.IGNORECASE
)
STRONG = re.compile(rf"{SEPARATOR}(?:{CERTAIN}|{SOURCED})", re.IGNORECASE)
PREFIX = re.compile(rf"(?:{CERTAIN}|{SOURCED})\d{{0,3}}[-_ ](?P<base>.+)", re.IGNORECASE)
COPY_OF = re.compile(r"copy (?:\(\d{1,4}\) )?of (?P<base>.+)", re.IGNORECASE)
COUNTED = re.compile(r"\d{1,4}[-_ ](?P<base>.+)")
NUMBERED = re.compile(r"(?P<base>.+?) ?\(\d{1,4}\)")
ROBOFLOW_ENDING = re.compile(rf"_{ENDING}$", re.IGNORECASE)
AUGMENTED = re.compile(r"(?:aug(?:m|mented)?(?:[-_ ](?P<base>.+))?)?", re.IGNORECASE)  # a prefix of Keras's
TELLING = re.compile(r"\d")  # without a digit a name may be a class's, whose pictures are counted through
NO_COUNTER = re.compile(r"\d{3}|[a-z].*\d|\d.*[a-z]", re.IGNORECASE)  # found in names of pictures, not in 7 or hand
DATE = re.compile(r"(?:.*\D)?(?:(?:19|20)\d\d[-_. ]aug|[0-3]?\d[-. ]aug)[-_. ]\d\d", re.IGNORECASE)

# Directories that copies of one set may lie in, apart from their sources.
FOLDERS = frozenset(
    {"output", "original", "originals", "aug", "augmented", "augmentation", "augmentations", *SPLIT_NAMES}
)

Key = tuple[str, ...]


@dataclass
class Named:
    """Groups of files by their places in the list that was given."""

    certain: list[list[int]] = field(default_factory=list)
    possible: list[list[int]] = field(default_factory=list)  # if their pictures are alike; a source comes first
    worded: list[tuple[int, int]] = field(default_factory=list)  # source and copy of the possible, by words as `aug`


@dataclass(frozen=True)
class _File:
    """Where a file lies, and its name without the ending."""

    directory: str
    folder: str  # the same without names of splits and the like
    split: str  # the split that a directory names; empty where none does
    stem: str


@dataclass(frozen=True)
class _Claim:
    """What a file's name says of it."""

    kind: str  # copies that have no source among the files share kind, place and base
    place: str  # a directory or a folder
    bases: tuple[str, ...]  # names that the source may have, the likeliest first
    alone: str = ""  # certain or possible, without the source; empty if it then says nothing
    beside: str = "possible"  # the same with the source
    is_worded: bool = False


def named_copies(files: Sequence[str]) -> Named:
    """The files that were made from the same picture, as their names tell; paths have forward slashes."""
    names = _Names([_file(file) for file in files])
    beside: defaultdict[tuple[int, ...], dict[str, list[int]]] = defaultdict(dict)
    alone: defaultdict[tuple[Key, str], list[int]] = defaultdict(list)
    named = Named()
    for number, file in enumerate(names.files):
        claim = names.claim(file)
        if claim is None:
            continue
        sources, is_sure = names.sources(number, claim)
        if sources:
            strength = claim.beside if is_sure else "possible"
            beside[sources].setdefault(strength, list(sources)).append(number)
            if claim.is_worded and strength == "possible":
                named.worded.append((sources[0], number))
        elif claim.alone:
            alone[(claim.kind, claim.place, claim.bases[0]), claim.alone].append(number)
    for found in beside.values():
        named.certain += [found["certain"]] if "certain" in found else []
        named.possible += [found["possible"]] if "possible" in found else []
    for ((kind, *_), strength), group in alone.items():
        _add_without_source(group, is_certain=strength == "certain", kind=kind, names=names, named=named)
    return named


def _add_without_source(group: list[int], *, is_certain: bool, kind: str, names: "_Names", named: Named) -> None:
    """Add the files of one name to the groups that are certain or possible."""
    is_counted = len(group) > MOST_COPIES and (kind == "suffix" or not is_certain)
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
    else:  # each split counts anew, so that what a name is of in one split it is not in another
        named.certain += [members for members in by_split.values() if len(members) > 1]
        named.possible.append(group)


def _file(file: str) -> _File:
    path = PurePosixPath(file)
    names = [name.strip().lower() for name in path.parts[:-1]]
    folder = "/".join(name for name, plain in zip(path.parts, names, strict=False) if plain not in FOLDERS)
    split = next((SPLIT_NAMES[name] for name in names if name in SPLIT_NAMES), "")
    return _File(path.parent.as_posix(), folder, split, path.stem)


class _Names:
    """The files of a set, to be found by their names."""

    def __init__(self, files: Sequence[_File]) -> None:
        self.files = files
        self.in_directory: dict[tuple[str, str], int] = {}
        self.in_folder: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        self.keras: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)  # index and random number
        for number, file in enumerate(files):
            self.in_directory.setdefault((file.directory, file.stem), number)
            self.in_folder[file.folder, file.stem].append(number)
            if match := KERAS.fullmatch(file.stem):
                self.keras[file.directory, match["base"]].append((match["index"], match["random"]))

    def sources(self, number: int, claim: _Claim) -> tuple[tuple[int, ...], bool]:
        """Return the files that a copy may be of, and whether their names alone tell that it is."""
        file = self.files[number]
        bases = [base for base in claim.bases if base != file.stem]
        for base in bases:
            if (found := self.in_directory.get((file.directory, base))) is not None:
                return (found,), True
        elsewhere = [self.in_folder[file.folder, base] for base in bases if (file.folder, base) in self.in_folder]
        for places in elsewhere:
            if own := [place for place in places if self.files[place].split == file.split]:
                return (own[0],), True
        for places in elsewhere:
            splits = {self.files[place].split: place for place in reversed(places)}
            namesakes = {self.files[place].split for place in self.in_folder[file.folder, file.stem]}
            return tuple(sorted(splits.values())), len(splits) == 1 and not namesakes & splits.keys()
        return (), False

    def claim(self, file: _File) -> _Claim | None:
        """Return what the name says; None where it says nothing of a source."""
        if match := ROBOFLOW.fullmatch(file.stem):
            bases = (match["base"], ROBOFLOW_ENDING.sub("", match["base"]))
            return _Claim("roboflow", file.folder, bases, alone="certain", beside="certain")
        if match := AUGMENTOR.fullmatch(file.stem):
            return _Claim("augmentor", file.folder, (match["base"],), alone="certain", beside="certain")
        if match := ANY_SUFFIX.fullmatch(file.stem):
            return _suffix_claim(file, match["base"], bool(STRONG.search(match["words"])))
        if (match := KERAS.fullmatch(file.stem)) and not self._names_sources(file, match["base"]):
            return self._keras_claim(file, match["base"], match["index"])
        return _prefix_claim(file)

    def _names_sources(self, file: _File, prefix: str) -> bool:
        """Whether what may be Keras's random numbers after a prefix are all names of files, as in `aug_0_1405`."""
        found = self.keras[file.directory, prefix]
        return bool(PREFIX.fullmatch(f"{prefix}_1")) and all((file.folder, name) in self.in_folder for _, name in found)

    def _keras_claim(self, file: _File, prefix: str, index: str) -> _Claim:
        """What a name of Keras's form says: for certain where the prefix says that it is a copy, and of which picture.

        The index is the picture's number in its directory, but always 0 where pictures are augmented one by one; then
        the prefix may tell.
        """
        told = AUGMENTED.fullmatch(prefix)
        source = (told["base"] or "") if told else prefix
        is_one = len({each for each, _ in self.keras[file.directory, prefix]}) == 1
        is_named = is_one and bool(TELLING.search(source))
        strength = "certain" if told and (is_named or not is_one) else "possible"
        bases = (f"{prefix}_{index}", source) if is_one else (f"{prefix}_{index}",)
        place = file.folder if is_named else file.directory
        return _Claim("keras", place, bases, alone=strength, beside=strength, is_worded=told is not None)


def _suffix_claim(file: _File, base: str, is_strong: bool) -> _Claim:
    """What words at a name's end say: `base` is the name without any of them, a longer one keeps possible ones."""
    certain = SUFFIX.fullmatch(file.stem)
    if certain is None:
        strength = "certain" if is_strong and NO_COUNTER.search(base) else "possible"
        return _Claim("suffix", file.folder, (base,), beside=strength, is_worded=True)
    bases = (certain["base"], *([base] if base != certain["base"] else []))
    if DATE.fullmatch(file.stem):
        return _Claim("suffix", file.folder, bases, is_worded=True)
    alone = "certain" if TELLING.search(bases[0]) else "possible"
    return _Claim("suffix", file.folder, bases, alone=alone, beside="certain", is_worded=True)


def _prefix_claim(file: _File) -> _Claim | None:
    """What words at a name's beginning, or a number in brackets after it, say."""
    if match := COPY_OF.fullmatch(file.stem):
        return _Claim("prefix", file.folder, (match["base"],), beside="certain", is_worded=True)
    if bases := tuple(_after_prefixes(file.stem)):
        strength = "certain" if NO_COUNTER.search(bases[-1]) else "possible"
        return _Claim("prefix", file.folder, bases, beside=strength, is_worded=True)
    match = NUMBERED.fullmatch(file.stem)
    return _Claim("numbered", file.folder, (match["base"],)) if match else None


def _after_prefixes(stem: str) -> Iterator[str]:
    """What is left of a name without the words that it begins with, and without a counter after them."""
    rest = stem
    while match := PREFIX.fullmatch(rest):
        rest = match["base"]
        yield rest
    if rest != stem and (match := COUNTED.fullmatch(rest)):
        yield match["base"]
