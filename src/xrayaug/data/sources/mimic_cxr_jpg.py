"""MIMIC-CXR-JPG: labels of studies, views and splits of images in three lists, joined; images `<dicom_id>.jpg`.

Johnson et al., "MIMIC-CXR-JPG - chest radiographs with structured labels", PhysioNet, doi:10.13026/jsn5-t979: 377,110
images of 227,827 studies. Lists (`.csv` or `.csv.gz`): `mimic-cxr-2.0.0-chexpert` (`subject_id`, `study_id` and 14
columns coded 1, 0, -1 or empty), `-metadata` (`dicom_id`, `subject_id`, `study_id`, `ViewPosition` and others) and
`-split` (`dicom_id`, `study_id`, `subject_id`, `split`: train, validate, test). Labels and views as the public
repository mlmed/torchxrayvision reads them; names of the lists and of their columns as public code quotes them.
`-negbio` has the labels of another program and the same columns: it is read only where there is no `-chexpert`. The
values of views are kept as they are written; an unknown code or split is refused.
"""

from collections.abc import Iterator, Mapping

from xrayaug.data.parsing import findings, identifiers, set_lists, split_names
from xrayaug.data.parsing.findings import Statement
from xrayaug.data.parsing.public_sets import ListedImage, PublicSet, make_listing
from xrayaug.data.parsing.set_lists import SetList
from xrayaug.data.parsing.set_signatures import Signature, find_lists
from xrayaug.data.sources import Listing
from xrayaug.data.sources.chexpert import OBSERVATIONS
from xrayaug.errors import DataError
from xrayaug.options import Prepare

LABELS = ("subject_id", "study_id", "No Finding", "Pleural Other")
METADATA = ("dicom_id", "subject_id", "study_id", "ViewPosition")
SPLITS = ("dicom_id", "subject_id", "study_id", "split")
SIGNATURE = Signature(columns=(LABELS,))
UNLISTED = Statement(excluded="its study is not in the list of labels")
FACTS = PublicSet(
    name="mimic-cxr-jpg",
    caution="they were read from reports by a program, not from images; 'not mentioned' is not 'not there'",
    findings=OBSERVATIONS[1:],
    harmless=("Support Devices",),
)


def read(options: Prepare) -> Listing:
    """Return the images of the list of metadata, with the labels of their studies; see `public_sets.make_listing`.

    Raises:
        InputError: there is no such set, a list of the three is missing, or none of its images is there.
        DataError: a label or split is not one of MIMIC-CXR-JPG, or a study is labelled twice.
    """
    labels, notes = _find_labels(options)
    metadata = set_lists.find_one(options, METADATA, "mimic-cxr-2.0.0-metadata.csv.gz")
    lists = [labels, metadata]
    splits: dict[str, str] = {}
    if find_lists(options.input, SPLITS):
        lists.append(set_lists.find_one(options, SPLITS, "mimic-cxr-2.0.0-split.csv.gz"))
        splits = {line["dicom_id"]: _parse_split(line) for line in set_lists.read_lines(lists[-1], SPLITS)}
    else:
        notes.append("there is no mimic-cxr-2.0.0-split.csv.gz: the set's own split is not used")
    return make_listing(options, FACTS, _join(metadata, _read_labels(labels), splits), lists=lists, notes=notes)


def _find_labels(options: Prepare) -> tuple[SetList, list[str]]:
    found = set_lists.find_all(options, LABELS, "mimic-cxr-2.0.0-chexpert.csv.gz")
    preferred = [file for file in found if "negbio" not in file.name]
    if len(preferred) == 1 < len(found):
        return preferred[0], [f"labels are those of {preferred[0].name}; the others are not read"]
    return set_lists.find_one(options, LABELS, "mimic-cxr-2.0.0-chexpert.csv.gz"), []


def _read_labels(file: SetList) -> dict[str, Statement]:
    """Return the statement on each study.

    Raises:
        DataError: a code is not known, or two lines label one study.
    """
    statements: dict[str, Statement] = {}
    for line in set_lists.read_lines(file, ("study_id", *OBSERVATIONS)):
        statement = findings.from_codes({name: line[name] for name in OBSERVATIONS}, line.location)
        if statements.setdefault(identifiers.canonical(line["study_id"]), statement) != statement:
            raise DataError(f"{line.location}: study {line['study_id']} is labelled twice", "delete the wrong line")
    return statements


def _parse_split(line: set_lists.ListLine) -> str:
    split = split_names.parse_split(line["split"])
    if split is None:
        raise DataError(f"{line.location}: '{line['split']}' is no split", "splits are train, validate and test")
    return split


def _join(file: SetList, statements: Mapping[str, Statement], splits: Mapping[str, str]) -> Iterator[ListedImage]:
    for line in set_lists.read_lines(file, METADATA):
        yield ListedImage(
            f"{line['dicom_id']}.jpg",
            (statements.get(identifiers.canonical(line["study_id"]), UNLISTED),),
            line["subject_id"],
            line["study_id"],
            splits.get(line["dicom_id"], ""),
            {"view": line["ViewPosition"]},
        )
