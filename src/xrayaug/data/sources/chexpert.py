"""CheXpert: `train.csv`, `valid.csv` and `test.csv` beside `train|valid|test/patient<N>/study<K>/view<J>_<view>.jpg`.

Irvin et al., "CheXpert: A Large Chest Radiograph Dataset with Uncertainty Labels and Expert Comparison", AAAI 2019:
224,316 radiographs of 65,240 patients, labelled by a program that reads reports: 1 there, 0 not there, -1 uncertain,
empty not mentioned. Columns and rows as in `chexpert_train.csv.gz` of the public repository mlmed/torchxrayvision.
Paths begin with `CheXpert-v1.0/` or `CheXpert-v1.0-small/`; images are found by patient, study and name, which differ
among the splits. `valid` (200 studies) and `test` (500 studies, released later) were labelled by radiologists; `valid`
is the test set where there is no `test`. The columns of `test.csv`, which may lack sex, age and view, are from memory:
a list without the columns `Path`, `No Finding` and `Pleural Other` is not read. The download also has
`train_cheXbert.csv` and `train_visualCheXbert.csv` (names as public code quotes them) with labels of other programs:
they are read only where there is no `train.csv`.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from xrayaug.data.parsing import findings, image_index, set_lists
from xrayaug.data.parsing.public_sets import ListedImage, PublicSet, make_listing
from xrayaug.data.parsing.set_lists import SetList
from xrayaug.data.parsing.set_signatures import Signature
from xrayaug.data.sources import Listing
from xrayaug.errors import DataError
from xrayaug.options import Prepare

OBSERVATIONS = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema", "Consolidation",
    "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture", "Support Devices",
)  # fmt: skip
FACTS = PublicSet(
    name="chexpert",
    caution="those of train were read from reports by a program, not from images; 'not mentioned' is not 'not there'",
    findings=OBSERVATIONS[1:],
    harmless=("Support Devices",),
    keys=image_index.last_parts(3),
)
DETAILS = ("Sex", "Age", "Frontal/Lateral", "AP/PA")
COLUMNS = ("Path", "No Finding", "Pleural Other")
SIGNATURE = Signature(columns=((*COLUMNS, "Frontal/Lateral", "AP/PA"),))
OTHER_PROGRAMS = "chexbert"  # in names of lists
DIRECTION = re.compile(r"_(frontal|lateral)\.[^/.]+$")  # at the end of an image's name
PATH = re.compile(r"(train|valid|test)/(patient[0-9]+)/(study[0-9]+)/[^/]+$")


def read(options: Prepare) -> Listing:
    """Return the images of all lists; see `public_sets.make_listing`.

    Raises:
        InputError: there is no such set, or none of its images.
        DataError: a path or label is not one of CheXpert.
    """
    lists, notes = _find_lists(options)
    images = [image for file in lists for image in _read_list(file)]
    if not any(image.split == "test" for image in images):
        images = [replace(image, split="test") if image.split == "valid" else image for image in images]
        notes.append("there is no test.csv: CheXpert's valid is the test set")
    return make_listing(options, FACTS, images, lists=lists, notes=notes)


def _find_lists(options: Prepare) -> tuple[list[SetList], list[str]]:
    """Return the lists to read, and a note on those whose labels are of other programs.

    Raises:
        InputError: there is no list.
        DataError: several programs labelled the images of train, and none of the lists is the set's own.
    """
    found = set_lists.find_all(options, COLUMNS, "train.csv")
    others = [file for file in found if OTHER_PROGRAMS in file.name.casefold()]
    own = [file for file in found if file not in others]
    names = " and ".join(file.name for file in others)
    if any(file.name.casefold().startswith("train") for file in own):
        return own, [f"{names} not read: labels are the set's own"] if others else []
    if len(others) > 1:
        raise DataError(f"{options.input} has labels of several programs: {names}", "leave one of the lists there")
    return found, [f"labels of train are those of {names}"] if others else []


def _read_list(file: SetList) -> Iterator[ListedImage]:
    for line in set_lists.read_lines(file, ("Path", *OBSERVATIONS), DETAILS):
        path = line["Path"].replace("\\", "/")
        match = PATH.search(path)
        if match is None:
            raise DataError(
                f"{line.location}: '{path}' is no path of CheXpert", "paths end in train/patient00001/study1/name.jpg"
            )
        split, patient, study = match.groups()
        direction = line["Frontal/Lateral"].lower() or _direction(path)
        view = line["AP/PA"] or direction if direction == "frontal" else direction
        extra = {"view": view, "sex": line["Sex"], "age": line["Age"]}
        statement = findings.from_codes({name: line[name] for name in OBSERVATIONS}, line.location)
        yield ListedImage(match[0], (statement,), patient, study, split, extra)


def _direction(path: str) -> str:
    """Return what a list without that column leaves to the name of the image: frontal or lateral; else empty."""
    match = DIRECTION.search(path)
    return match[1] if match else ""
