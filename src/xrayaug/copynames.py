"""Names that augmenters and file managers give to copies: which files of a set were made from the same picture.

    hand7_jpg.rf.5f1e0c...jpg                 Roboflow
    normal_original_hand7.png_<UUID>.png      Augmentor
    aug_7_4711.png                            Keras, `save_to_dir`: prefix, number of the picture, a random number
    hand7_aug1.png, hand7-rotated2.png, hand7 - Copy (2).png

Where a name alone does not tell, as `scan (2).png` beside `scan.png`, pictures are to be looked at.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from xrayaug.sources import SPLIT_NAMES

MOST_COPIES = 50  # of a picture that is not there itself: more are files of one kind that are counted through

ENDING = r"(?:png|jpe?g|bmp|gif|tiff?|webp)"
TURNS = r"(?:rot|rotate|rotated|rotation)"
FLIPS = (
    r"(?:[hv]?flip|flipped|flip[-_ ]?(?:h|v|x|y|lr|ud|horizontal(?:ly)?|vertical(?:ly)?)|"
    r"(?:horizontal|vertical)[-_ ]?flip)"
)
CERTAIN = rf"(?:aug(?:m|ment|mented|mentation)?|{TURNS}|{FLIPS}|mirror(?:ed)?|copy|kopie|copie|duplicate)"
POSSIBLE = (
    r"(?:crop(?:ped)?|zoom(?:ed)?|shear(?:ed)?|shift(?:ed)?|translated?|scaled?|resized?|bright(?:ness|er)?|dark(?:er)?|"
    r"contrast|gamma|noise|noisy|blur(?:red)?|sharpen(?:ed)?|clahe|equali[sz]ed|inverted|negative)"
)
COUNT = r"(?:[-_ ]?-?\d{1,3}(?:deg)?)?(?: ?\(\d{1,4}\))?"  # of four digits it may be a year, and aug a month

ROBOFLOW = re.compile(r"(?P<base>.+)\.rf\.[0-9A-Za-z]{16,}")
AUGMENTOR = re.compile(rf".+?_original_(?P<base>.+)\.{ENDING}_[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}")
KERAS = re.compile(r"(?P<base>.*)_(?P<index>\d{1,6})_[1-9]\d{2,6}")
SUFFIX = re.compile(rf"(?P<base>.+?)(?:(?:[-_. ]| - ){CERTAIN}{COUNT})+", re.IGNORECASE)
POSSIBLE_SUFFIX = re.compile(rf"(?P<base>.+?)(?:(?:[-_. ]| - )(?:{CERTAIN}|{POSSIBLE}){COUNT})+", re.IGNORECASE)
PREFIX = re.compile(rf"(?:copy of |(?:{CERTAIN}\d{{0,3}}[-_ ])+)(?P<base>.+)", re.IGNORECASE)
NUMBERED = re.compile(r"(?P<base>.+?) ?\(\d{1,4}\)")
ROBOFLOW_ENDING = re.compile(rf"_{ENDING}$", re.IGNORECASE)
AUGMENTED = re.compile(r"(?:aug(?:m|mented)?(?:[-_ ](?P<base>.+))?)?", re.IGNORECASE)  # a prefix of Keras's
TELLING = re.compile(r"\d")  # without a digit a name may be a class's, whose pictures are counted through

# Directories that copies of one set may lie in, apart from their sources.
FOLDERS = frozenset(
    {"output", "original", "originals", "aug", "augmented", "augmentation", "augmentations", *SPLIT_NAMES}
)

Place = tuple[str, str]  # a directory, and a name in it


@dataclass
class Named:
    """Groups of files by their places in the list that was given."""

    certain: list[list[int]] = field(default_factory=list)
    possible: list[list[int]] = field(default_factory=list)  # if their pictures are alike; a source comes first


@dataclass(frozen=True)
class _Claim:
    """What a file's name says of it: copies of one source share a key."""

    key: tuple[str, ...]
    source: Place
    strength: str  # certain; suffix, where it depends on what bears it; possible; with source, if that is there


def named_copies(files: Sequence[str]) -> Named:
    """The files that were made from the same picture, as their names tell; paths have forward slashes."""
    places = [_place(file) for file in files]
    sources: dict[Place, int] = {}
    for number, place in enumerate(places):
        sources.setdefault(place, number)
    claims: defaultdict[tuple[str, ...], list[tuple[int, _Claim]]] = defaultdict(list)
    indices = _keras_indices(places)
    for number, place in enumerate(places):
        claim = _claim(place, indices)
        if claim is not None:
            claims[claim.key].append((number, claim))
    named = Named()
    for group in claims.values():
        _sort_in(group, sources, named)
    return named


def _sort_in(group: list[tuple[int, _Claim]], sources: dict[Place, int], named: Named) -> None:
    """Add the files of one key, and their source where it is there, to the groups that are certain or possible."""
    members = [number for number, _ in group]
    claim = group[0][1]
    source = sources.get(claim.source)
    everyone = members if source is None or source in members else [source, *members]
    is_certain = claim.strength == "certain" or (
        claim.strength == "suffix" and (source is not None or bool(TELLING.search(claim.source[1])))
    )
    is_counted = claim.strength != "certain" and len(members) > MOST_COPIES
    if len(everyone) < 2 or (source is None and (is_counted or claim.strength == "with source")):
        return
    (named.certain if is_certain else named.possible).append(everyone)


def _place(file: str) -> Place:
    path = PurePosixPath(file)
    folders = [folder for folder in path.parts[:-1] if folder.strip().lower() not in FOLDERS]
    return "/".join(folders), path.stem


def _keras_indices(places: Iterable[Place]) -> dict[Place, set[str]]:
    """The numbers of pictures that stand in names after each prefix, by directory."""
    found: defaultdict[Place, set[str]] = defaultdict(set)
    for folder, stem in places:
        if match := KERAS.fullmatch(stem):
            found[folder, match["base"]].add(match["index"])
    return found


def _claim(place: Place, indices: dict[Place, set[str]]) -> _Claim | None:
    """What the name says; None where it says nothing of a source."""
    folder, stem = place
    if match := ROBOFLOW.fullmatch(stem):
        source = ROBOFLOW_ENDING.sub("", match["base"])
        return _Claim(("rf", folder, match["base"]), (folder, source), "certain")
    if match := AUGMENTOR.fullmatch(stem):
        return _Claim(("augmentor", folder, match["base"]), (folder, match["base"]), "certain")
    if match := SUFFIX.fullmatch(stem):
        return _Claim(("suffix", folder, match["base"]), (folder, match["base"]), "suffix")
    if match := KERAS.fullmatch(stem):
        return _keras_claim(folder, match["base"], match["index"], indices[folder, match["base"]])
    for pattern in (POSSIBLE_SUFFIX, NUMBERED, PREFIX):
        if match := pattern.fullmatch(stem):
            return _Claim(("source", folder, match["base"]), (folder, match["base"]), "with source")
    return None


def _keras_claim(folder: str, prefix: str, index: str, indices: set[str]) -> _Claim:
    """What a name of Keras's form says: for certain where the prefix says that it is a copy, and of which picture.

    The index is the picture's number, but always 0 where pictures are augmented one by one; then the prefix may tell.
    """
    told = AUGMENTED.fullmatch(prefix)
    source = (told["base"] or "") if told else prefix
    is_certain = told is not None and (len(indices) > 1 or bool(TELLING.search(source)))
    key = ("keras", folder, prefix, index)
    return _Claim(key, (folder, source), "certain" if is_certain else "possible")
