"""RSNA Pneumonia Detection Challenge 2018: one line per box in `stage_2_train_labels.csv`; files `<patientId>.dcm`.

Shih et al., "Augmenting the National Institutes of Health Chest Radiograph Dataset with Expert Annotations of Possible
Pneumonia", Radiology: Artificial Intelligence 1(1), 2019: 26,684 training images. `stage_2_train_labels.csv` has
`patientId,x,y,width,height,Target`, several lines for an image with several boxes, as in
`kaggle_stage_2_train_labels.csv.zip` of the public repository mlmed/torchxrayvision. `stage_2_detailed_class_info.csv`
has `patientId,class`: `Lung Opacity`, `Normal` or `No Lung Opacity / Not Normal`. `patientId` is one for each image,
not for each patient: the images are of ChestX-ray14, where patients have several. Labels of the challenge's test images
were not published. PNG and JPEG of the same name are read as well.
"""

from collections import defaultdict

from xrayaug.data.parsing import findings, labels, set_lists
from xrayaug.data.parsing.findings import Statement
from xrayaug.data.parsing.public_sets import ListedImage, PublicSet, make_listing
from xrayaug.data.parsing.set_lists import SetList
from xrayaug.data.parsing.set_signatures import Signature, find_lists
from xrayaug.data.sources import Listing
from xrayaug.errors import DataError
from xrayaug.options import Prepare

OPACITY, OTHER = "Lung Opacity", "Not Normal"
NO_CLASS = "it has no opacity, and the list of classes does not name it"
BOXES = ("patientId", "x", "y", "width", "height", "Target")
CLASSES = ("patientId", "class")
SIGNATURE = Signature(columns=(BOXES,))
FACTS = PublicSet(
    name="rsna-pneumonia",
    caution="an opacity that may be pneumonia was marked by eye, without clinical data; the images are part of "
    "nih-chestxray14, so the two sets must not be trained on one and tested on the other",
    findings=(OPACITY, OTHER),
    default=(OPACITY,),
)
TARGETS = {"1": Statement(positive=frozenset([OPACITY])), "0": Statement(negative=frozenset([OPACITY]))}
CLASS_STATEMENTS = {
    "lung opacity": TARGETS["1"],
    "normal": Statement(is_clear=True),
    "no lung opacity / not normal": Statement(frozenset([OTHER]), negative=frozenset([OPACITY])),
}


def read(options: Prepare) -> Listing:
    """Return the images of the list of boxes; see `public_sets.make_listing`.

    Raises:
        InputError: there is no such set, or none of its images.
        DataError: a target or class is not known, or the lines on an image contradict each other.
    """
    file = set_lists.find_one(options, BOXES, "stage_2_train_labels.csv")
    statements = _read_targets(file)
    lists, notes = [file], []
    if find_lists(options.input, CLASSES):
        lists.append(set_lists.find_one(options, CLASSES, "stage_2_detailed_class_info.csv"))
        statements = _read_classes(lists[-1], statements)
    else:
        notes.append(
            "there is no stage_2_detailed_class_info.csv: images without an opacity count as normal, and some of them "
            "show other findings"
        )
    images = (ListedImage(f"{name}.dcm", (statement,)) for name, statement in statements.items())
    return make_listing(options, FACTS, images, lists=lists, notes=notes)


def _read_targets(file: SetList) -> dict[str, Statement]:
    lines: defaultdict[str, list[Statement]] = defaultdict(list)
    for line in set_lists.read_lines(file, ("patientId", "Target")):
        target = TARGETS.get(labels.canonical(line["Target"]))
        if target is None:
            raise DataError(f"{line.location}: '{line['Target']}' is no target", "targets are 1 (opacity) and 0")
        if lines[line["patientId"]] and lines[line["patientId"]][0] != target:
            raise DataError(f"{line.location}: {line['patientId']} has both targets", "delete the wrong line")
        lines[line["patientId"]].append(target)
    return {name: findings.merge(found) for name, found in lines.items()}


def _read_classes(file: SetList, targets: dict[str, Statement]) -> dict[str, Statement]:
    """Return the statement of the class of each image that has a target; without a class only opacities count.

    Raises:
        DataError: a class is not known, or contradicts the target or another line.
    """
    found: dict[str, Statement] = {}
    for line in set_lists.read_lines(file, CLASSES):
        statement = CLASS_STATEMENTS.get(labels.canonical(line["class"]))
        if statement is None:
            raise DataError(f"{line.location}: '{line['class']}' is no class of the challenge", "mend the list")
        target = targets.get(line["patientId"])
        if target is None:
            continue
        if bool(target.positive) != (OPACITY in statement.positive):
            raise DataError(
                f"{line.location}: {line['patientId']} is '{line['class']}', and its target says the opposite",
                "find out which is right and mend the other",
            )
        if found.setdefault(line["patientId"], statement) != statement:
            raise DataError(f"{line.location}: {line['patientId']} has two classes", "delete the wrong line")
    others = {name: target for name, target in targets.items() if name not in found}
    return found | {
        name: target if target.positive else Statement(excluded=NO_CLASS) for name, target in others.items()
    }
