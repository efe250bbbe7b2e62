"""PadChest: `PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv(.gz)` beside `<ImageDir>/<ImageID>`, 16-bit PNG.

Bustos et al., "PadChest: A large chest x-ray image dataset with multi-label annotated reports", Medical Image Analysis
66, 2020 (arXiv:1901.07441): 160,868 images of 67,625 patients, 174 findings; 27 % of the reports were labelled by
physicians, the rest by a network (`MethodLabel`). Columns `ImageID`, `ImageDir`, `StudyID`, `PatientID`, `Projection`,
`MethodLabel` and `Labels` as public code quotes them; `Labels` holds a list as Python prints it, `['normal']`. Some
files are missing or cut (the public repository mlmed/torchxrayvision names 21): they are listed in `skipped.csv`.
Reports are not read. Labels form a tree in which `pneumonia` has kinds below it: only the names that are written count.
"""

import re
from collections.abc import Iterator

from xrayaug.data.parsing import labels, set_lists
from xrayaug.data.parsing.findings import Statement
from xrayaug.data.parsing.public_sets import ListedImage, PublicSet, make_listing
from xrayaug.data.parsing.set_lists import SetList
from xrayaug.data.parsing.set_signatures import Signature
from xrayaug.data.sources import Listing
from xrayaug.errors import DataError
from xrayaug.options import Prepare

COLUMNS = ("ImageID", "StudyID", "PatientID", "Projection", "Labels")
DETAILS = ("MethodLabel", "PatientSex_DICOM", "PatientBirth", "StudyDate_DICOM", "Manufacturer_DICOM")
SIGNATURE = Signature(columns=((*COLUMNS, "ImageDir", "MethodLabel"),))  # others have lists with `labels` too
FACTS = PublicSet(
    name="padchest",
    caution="three in four were given by a network that read the report (--by label_method compares), and labels of "
    "kinds are not counted as their general finding",
    harmless=("unchanged", "suboptimal study"),
)
NORMAL, EXCLUDED = "normal", "exclude"
LIST = re.compile(r"\[.*\]", re.DOTALL)
EXCLUSION = "excluded by the set itself"


def read(options: Prepare) -> Listing:
    """Return the images of the list; see `public_sets.make_listing`.

    Raises:
        InputError: there is no such set, or none of its images.
        DataError: a cell of labels is no list.
    """
    file = set_lists.find_one(options, COLUMNS, "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz")
    return make_listing(options, FACTS, _read_list(file), lists=[file])


def _read_list(file: SetList) -> Iterator[ListedImage]:
    for line in set_lists.read_lines(file, COLUMNS, DETAILS):
        extra = {
            "view": line["Projection"],
            "sex": line["PatientSex_DICOM"],
            "age": _age(line["PatientBirth"], line["StudyDate_DICOM"]),
            "manufacturer": line["Manufacturer_DICOM"],
            "label_method": line["MethodLabel"],
        }
        yield ListedImage(line["ImageID"], (_read_labels(line),), line["PatientID"], line["StudyID"], extra=extra)


def _read_labels(line: set_lists.ListLine) -> Statement:
    cell = line["Labels"]
    if labels.canonical(line["Projection"]) == EXCLUDED:
        return Statement(excluded=EXCLUSION)
    if labels.is_missing(cell):
        return Statement()
    if not LIST.fullmatch(cell):
        raise DataError(f"{line.location}: the labels {cell} are no list such as ['normal']", "mend the list")
    named = frozenset(" ".join(name.casefold().split()) for name in labels.findings(cell))
    if EXCLUDED in named:
        return Statement(excluded=EXCLUSION)
    return Statement(positive=named - {NORMAL}, is_clear=NORMAL in named)


def _age(birth: str, study: str) -> str:
    """Return the difference of the years of study and birth; empty where either is missing."""
    years = [text.split(".")[0][:4] for text in (birth, study)]
    return str(int(years[1]) - int(years[0])) if all(re.fullmatch(r"[0-9]{4}", year) for year in years) else ""
