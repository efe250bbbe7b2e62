"""VinDr-CXR: labels of three readers per training image, and their consensus on test images; files `<image_id>.dicom`.

Nguyen et al., "VinDr-CXR: An open dataset of chest X-rays with radiologist's annotations", Scientific Data 9, 429,
2022: 15,000 training and 3,000 test radiographs, PA. Two editions are read:

- PhysioNet (doi:10.13026/3akn-b287): `annotations/image_labels_train.csv` with `image_id`, `rad_id` and one column for
  each of 27 findings and `No finding`, one line per reader; `image_labels_test.csv` without `rad_id`. Names of columns
  as quoted by public code that reads both files ("Other diseases" in one, "Other disease" in the other).
- Kaggle's VinBigData challenge: `train.csv` with `image_id,class_name,class_id,rad_id,x_min,...`, one line per box, as
  in `vinbigdata-train.csv.gz` of the public repository mlmed/torchxrayvision. The labels of its test images were not
  published.

An image's label is the answer of more than half of its readers. People convert the files: PNG and JPEG of the same name
are read as well. The set does not tell patients.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from xrayaug.data.parsing import findings, labels, set_lists
from xrayaug.data.parsing.findings import NO_FINDING, Statement
from xrayaug.data.parsing.public_sets import ListedImage, PublicSet, make_listing
from xrayaug.data.parsing.set_lists import SetList
from xrayaug.data.parsing.set_signatures import Signature, find_lists
from xrayaug.data.sources import Listing
from xrayaug.errors import DataError
from xrayaug.options import Prepare
from xrayaug.storage.csvfile import normalize_title

BY_IMAGE = ("image_id", "Aortic enlargement", "Nodule/Mass", "No finding")
BY_BOX = ("image_id", "class_name", "class_id", "rad_id", "x_min")
SIGNATURE = Signature(columns=(BY_IMAGE, BY_BOX))
FACTS = PublicSet(
    name="vindr-cxr",
    caution="the readers of training images often disagree; test images have the consensus of five",
)
FINDINGS = (
    "Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Clavicle fracture", "Consolidation", "Edema",
    "Emphysema", "Enlarged PA", "ILD", "Infiltration", "Lung Opacity", "Lung cavity", "Lung cyst", "Mediastinal shift",
    "Nodule/Mass", "Pleural effusion", "Pleural thickening", "Pneumothorax", "Pulmonary fibrosis", "Rib fracture",
    "Other lesion", "COPD", "Lung tumor", "Pneumonia", "Tuberculosis", "Other diseases", "No finding",
)  # fmt: skip
BY_TITLE = {normalize_title(name): name for name in FINDINGS} | {"otherdisease": "Other diseases"}
NO_FINDINGS = ("imageid", "radid")  # titles in normal form

Statements = Mapping[str, Mapping[str, Statement]]  # image -> reader -> statement


def read(options: Prepare) -> Listing:
    """Return the images of the lists; see `public_sets.make_listing`.

    Raises:
        InputError: there is no such set, or none of its images.
        DataError: a code or finding is not known, a reader judged an image twice, or both editions lie together.
    """
    by_image, by_box = (find_lists(options.input, columns) for columns in (BY_IMAGE, BY_BOX))
    if by_image and by_box:
        raise DataError(
            f"{options.input} has lists of both editions: {by_image[0].name} and {by_box[0].name}", "leave one there"
        )
    if by_box:
        file = set_lists.find_one(options, BY_BOX, "train.csv")
        return make_listing(options, FACTS, _list_images([file], _read_boxes), lists=[file])
    lists = set_lists.find_all(options, BY_IMAGE, "annotations/image_labels_train.csv")
    return make_listing(options, FACTS, _list_images(lists, _read_lines), lists=lists)


def _list_images(lists: Iterable[SetList], read_statements: Callable[[SetList], Statements]) -> Iterator[ListedImage]:
    """Yield the images of each list, all of the split that its name tells."""
    for file in lists:
        split = "test" if "test" in file.name.casefold() else "train"
        for image, readers in read_statements(file).items():
            yield ListedImage(f"{image}.dicom", tuple(readers.values()), split=split, extra={"view": "PA"})


def _read_lines(file: SetList) -> Statements:
    """Return the statement of each reader on each image, one a line."""
    names = [title for title in set_lists.titles(file) if title and normalize_title(title) not in NO_FINDINGS]
    unknown = [title for title in names if normalize_title(title) not in BY_TITLE]
    if unknown:
        raise DataError(f"{file.path}: column '{unknown[0]}' is no finding of VinDr-CXR", "delete the column")
    found: defaultdict[str, dict[str, Statement]] = defaultdict(dict)
    for line in set_lists.read_lines(file, ("image_id", *names), ("rad_id",)):
        cells = {BY_TITLE[normalize_title(name)]: line[name] for name in names}
        if line["rad_id"] in found[line["image_id"]]:
            raise DataError(
                f"{line.location}: reader '{line['rad_id']}' judged image {line['image_id']} twice",
                "delete the wrong line",
            )
        found[line["image_id"]][line["rad_id"]] = findings.from_codes(cells, line.location)
    return found


def _read_boxes(file: SetList) -> Statements:
    """Return the statement of each reader on each image, several boxes of a reader merged."""
    boxes: defaultdict[str, defaultdict[str, list[Statement]]] = defaultdict(lambda: defaultdict(list))
    for line in set_lists.read_lines(file, ("image_id", "class_name", "rad_id")):
        name = BY_TITLE.get(normalize_title(line["class_name"]))
        if name is None:
            raise DataError(f"{line.location}: '{line['class_name']}' is no finding of VinDr-CXR", "mend the list")
        is_clear = labels.canonical(name) == NO_FINDING
        named = frozenset[str]() if is_clear else frozenset([name])
        boxes[line["image_id"]][line["rad_id"]].append(Statement(positive=named, is_clear=is_clear))
    return {
        image: {reader: findings.merge(statements) for reader, statements in readers.items()}
        for image, readers in boxes.items()
    }
