"""CBIS-DDSM: four lists of findings in scanned mammograms, several findings an image; files in directories of UIDs.

Lee et al., "A curated mammography data set for use in computer-aided detection and diagnosis research", Scientific Data
4, 170177, 2017 (doi:10.7937/K9/TCIA.2016.7O02S9CY): 3,103 mammograms, 465 with several findings.
`{mass,calc}_case_description_{train,test}_set.csv` have `patient_id`, `left or right breast`, `image view`,
`abnormality type`, `assessment`, `pathology` (`MALIGNANT`, `BENIGN`, `BENIGN_WITHOUT_CALLBACK`) and `image file path`,
such as `Mass-Training_P_00001_LEFT_CC/<study UID>/<series UID>/000000.dcm`; the first column of density is called
`breast_density` or `breast density`. Columns and codes as public code quotes them. A mammogram is found by its case's
directory (TCIA's download) or by that of its series' UID (the JPEG copy on Kaggle); crops and masks have directories of
their own. It is abnormal if any of its findings is malignant: masses and calcifications of one film are in different
lists, with a file each, and its label is that of both. The split was made for masses and calcifications apart:
if a patient is in both halves, it is not used.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from xrayaug.data.parsing import findings, set_lists
from xrayaug.data.parsing.findings import Statement
from xrayaug.data.parsing.public_sets import ListedImage, PublicSet, make_listing
from xrayaug.data.parsing.set_lists import SetList
from xrayaug.data.parsing.set_signatures import Signature
from xrayaug.data.sources import Listing
from xrayaug.errors import DataError
from xrayaug.options import Prepare

MALIGNANT = "malignant"
COLUMNS = ("patient_id", "left or right breast", "image view", "abnormality type", "pathology", "image file path")
SIGNATURE = Signature(columns=(COLUMNS,))
STATEMENTS = {
    "MALIGNANT": Statement(positive=frozenset([MALIGNANT])),
    "BENIGN": Statement(negative=frozenset([MALIGNANT])),
    "BENIGN_WITHOUT_CALLBACK": Statement(negative=frozenset([MALIGNANT])),
}
MIN_PARTS = 4  # of the path of a mammogram: case, study, series, file


def _directories(path: str) -> Iterable[str]:
    """Return the directories of a path by which a mammogram is found: that of its case and that of its series."""
    return PurePosixPath(path).parts[:-1]


FACTS = PublicSet(
    name="cbis-ddsm",
    caution="every mammogram has a finding: 'normal' is benign, proven or by follow-up; films of 1988 to 1999, scanned",
    findings=(MALIGNANT,),
    default=(MALIGNANT,),
    keys=_directories,
)


def read(options: Prepare) -> Listing:
    """Return the mammograms of all lists; see `public_sets.make_listing`.

    Raises:
        InputError: there is no such set, or none of its images.
        DataError: a pathology or path is not one of CBIS-DDSM, or a list's name does not tell its half.
    """
    lists = set_lists.find_all(options, COLUMNS, "mass_case_description_train_set.csv")
    lines: defaultdict[str, list[tuple[str, set_lists.ListLine]]] = defaultdict(list)
    for file in lists:
        split = _split_of(file)
        for line in set_lists.read_lines(file, COLUMNS):
            lines[_key(line)].append((split, line))
    notes = [f"{sum(len(found) > 1 for found in lines.values())} mammograms have several findings"]
    return make_listing(options, FACTS, _merge(lines), lists=lists, notes=notes)


def _split_of(file: SetList) -> str:
    found = [split for split in ("train", "test") if split in file.name.casefold()]
    if len(found) != 1:
        raise DataError(
            f"the name of {file.path} does not say whether it is of train or test", "give it its own name back"
        )
    return found[0]


def _key(line: set_lists.ListLine) -> str:
    """Return the directories of case and series, and the file, of a mammogram.

    Raises:
        DataError: the path has fewer directories.
    """
    parts = PurePosixPath(line["image file path"].replace("\\", "/")).parts
    if len(parts) < MIN_PARTS:
        raise DataError(f"{line.location}: '{line['image file path']}' is no path of a mammogram", "mend the list")
    return "/".join((parts[0], parts[-2], parts[-1]))


def _merge(lines: dict[str, list[tuple[str, set_lists.ListLine]]]) -> Iterator[ListedImage]:
    """Yield each mammogram with all findings of its film: patient, side and view."""
    films: defaultdict[tuple[str, ...], list[Statement]] = defaultdict(list)
    for _, line in (entry for found in lines.values() for entry in found):
        films[_film(line)].append(_read_pathology(line))
    for path, found in lines.items():
        split, first = found[0]
        kinds = sorted({line["abnormality type"] for _, line in found})
        yield ListedImage(
            path,
            (findings.merge(films[_film(first)]),),
            first["patient_id"],
            split=split,
            extra={
                "view": first["image view"],
                "laterality": first["left or right breast"],
                "abnormality": "|".join(kinds),
            },
        )


def _film(line: set_lists.ListLine) -> tuple[str, ...]:
    return tuple(line[title].casefold() for title in COLUMNS[:3])


def _read_pathology(line: set_lists.ListLine) -> Statement:
    statement = STATEMENTS.get(line["pathology"].upper())
    if statement is None:
        raise DataError(
            f"{line.location}: '{line['pathology']}' is no pathology of CBIS-DDSM", f"there are {', '.join(STATEMENTS)}"
        )
    return statement
