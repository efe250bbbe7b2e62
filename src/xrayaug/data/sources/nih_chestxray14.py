"""NIH ChestX-ray14: `Data_Entry_2017.csv` beside `images_*/images/<patient>_<number>.png`; splits in two text files.

Wang et al., "ChestX-ray8: Hospital-scale Chest X-ray Database and Benchmarks", CVPR 2017: 112,120 frontal radiographs
of 30,805 patients with 14 findings joined by `|`, or `No Finding`. Columns and rows as in
`Data_Entry_2017_v2020.csv.gz` of the public repository mlmed/torchxrayvision; titles such as
`OriginalImage[Width,Height]` hold a comma without quotes, and the first edition ends its lines in one. `test_list.txt`
and `train_val_list.txt` name the images of the split, which keeps patients apart. Oakden-Rayner, "Exploring Large-scale
Public Medical Image Datasets", Academic Radiology 27(1), 2020, found many labels wrong, and drains in most images with
pneumothorax.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from xrayaug.data.parsing import labels, set_lists
from xrayaug.data.parsing.findings import NO_FINDING, Statement
from xrayaug.data.parsing.public_sets import ListedImage, PublicSet, make_listing
from xrayaug.data.parsing.set_lists import SetList
from xrayaug.data.parsing.set_signatures import Signature
from xrayaug.data.sources import Listing
from xrayaug.errors import DataError
from xrayaug.options import Prepare

COLUMNS = ("Image Index", "Finding Labels", "Follow-up #", "Patient ID", "View Position")
SIGNATURE = Signature(columns=(COLUMNS,))
FACTS = PublicSet(
    name="nih-chestxray14",
    caution="they were read from reports by a program, and many are wrong; most images with pneumothorax show the "
    "drain that treats it (Oakden-Rayner 2020)",
    findings=("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema", "Fibrosis", "Hernia",
              "Infiltration", "Mass", "Nodule", "Pleural_Thickening", "Pneumonia", "Pneumothorax"),
)  # fmt: skip
SPLIT_FILES = {"test": "test_list.txt", "train": "train_val_list.txt"}


def read(options: Prepare) -> Listing:
    """Return the images of the list; see `public_sets.make_listing`.

    Raises:
        InputError: there is no such set, or none of its images.
        DataError: a finding is not one of the 14, or the two files of the split name the same image.
    """
    file = set_lists.find_one(options, COLUMNS, "Data_Entry_2017_v2020.csv")
    files = {split: file.path.parent / name for split, name in SPLIT_FILES.items()}
    if all(path.is_file() for path in files.values()):
        images = _read_list(file, _read_splits(files))
        return make_listing(options, FACTS, images, lists=[file, *map(SetList, files.values())])
    notes = [f"{' and '.join(SPLIT_FILES.values())} are not both beside the list: the set's own split is not used"]
    return make_listing(options, FACTS, _read_list(file, {}), lists=[file], notes=notes)


def _read_splits(files: Mapping[str, Path]) -> dict[str, str]:
    """Return the split of each image by its name.

    Raises:
        DataError: an image is in both files.
    """
    names = {split: set_lists.read_names(file) for split, file in files.items()}
    both = sorted(names["test"] & names["train"])
    if both:
        raise DataError(f"{both[0]} is in {' and in '.join(SPLIT_FILES.values())}", "take the set's own copies of them")
    return {name: split for split, found in names.items() for name in found}


def _read_list(file: SetList, splits: Mapping[str, str]) -> Iterator[ListedImage]:
    known = {labels.canonical(name): name for name in FACTS.findings}
    for line in set_lists.read_lines(file, COLUMNS, ("Patient Gender", "Patient Sex", "Patient Age")):
        named = [labels.canonical(part) for part in line["Finding Labels"].split("|") if part.strip()]
        unknown = [name for name in named if name not in known and name != NO_FINDING]
        if unknown:
            raise DataError(f"{line.location}: '{unknown[0]}' is no finding of ChestX-ray14", "mend the list")
        found = frozenset(known[name] for name in named if name != NO_FINDING)
        yield ListedImage(
            line["Image Index"],
            (Statement(positive=found, is_clear=NO_FINDING in named),),
            line["Patient ID"],
            split=splits.get(line["Image Index"], ""),
            extra={
                "view": line["View Position"],
                "sex": line["Patient Gender"] or line["Patient Sex"],
                "age": line["Patient Age"],
            },
        )
