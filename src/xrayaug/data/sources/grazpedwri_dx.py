"""GRAZPEDWRI-DX: `dataset.csv` beside `images_part1..4/<filestem>.png`, wrists of children, 16-bit PNG.

Nagy et al., "A pediatric wrist trauma X-ray dataset (GRAZPEDWRI-DX) for machine learning", Scientific Data 9, 222, 2022
(doi:10.6084/m9.figshare.14825193): 20,327 images of 6,091 patients. Columns as public code quotes them: `filestem`,
`patient_id`, `study_number`, `timehash`, `gender`, `age`, `laterality`, `projection` (1 frontal, 2 lateral),
`initial_exam`, `ao_classification`, `cast`, `diagnosis_uncertain`, `osteopenia`, `fracture_visible`, `metal`,
`pixel_spacing`, `device_manufacturer`; marks are 1 or empty. A fracture that is classified but not visible in the
image, or whose diagnosis is uncertain, counts as uncertain. The meaning of `projection` is as in public code that reads
it.
"""

from collections.abc import Iterator

from xrayaug.data.parsing import findings, labels, set_lists
from xrayaug.data.parsing.findings import Statement
from xrayaug.data.parsing.public_sets import ListedImage, PublicSet, make_listing
from xrayaug.data.parsing.set_lists import SetList
from xrayaug.data.parsing.set_signatures import Signature
from xrayaug.data.sources import Listing
from xrayaug.errors import DataError
from xrayaug.options import Prepare

FRACTURE = "fracture"
MARKS = ("fracture_visible", "osteopenia", "cast", "metal", "diagnosis_uncertain")
COLUMNS = ("filestem", "patient_id", "study_number", *MARKS, "ao_classification")
DETAILS = ("gender", "age", "laterality", "projection", "device_manufacturer")
SIGNATURE = Signature(columns=(("filestem", "patient_id", "fracture_visible"),))
FACTS = PublicSet(
    name="grazpedwri-dx",
    caution="casts and metal tell of a fracture that may be healed; follow-up images of one fracture are alike",
    findings=(FRACTURE, "osteopenia", "cast", "metal"),
    default=(FRACTURE,),
)
VIEWS = {"1": "frontal", "2": "lateral"}


def read(options: Prepare) -> Listing:
    """Return the images of the list; see `public_sets.make_listing`.

    Raises:
        InputError: there is no such set, or none of its images.
        DataError: a mark is neither 1 nor empty.
    """
    file = set_lists.find_one(options, SIGNATURE.columns[0], "dataset.csv")
    return make_listing(options, FACTS, _read_list(file), lists=[file])


def _read_list(file: SetList) -> Iterator[ListedImage]:
    for line in set_lists.read_lines(file, COLUMNS, DETAILS):
        projection = line["projection"].removesuffix(".0")
        yield ListedImage(
            f"{line['filestem']}.png",
            (_read_marks(line),),
            line["patient_id"],
            line["study_number"],
            extra={
                "view": VIEWS.get(projection, projection),
                "laterality": line["laterality"],
                "sex": line["gender"],
                "age": line["age"],
                "manufacturer": line["device_manufacturer"],
            },
        )


def _read_marks(line: set_lists.ListLine) -> Statement:
    codes = findings.from_codes({name: line[name] for name in MARKS}, line.location)
    if codes.uncertain:
        raise DataError(f"{line.location}: column '{min(codes.uncertain)}' is neither 1 nor empty", "mend the list")
    marks = set(codes.positive)
    is_uncertain = "diagnosis_uncertain" in marks or (
        not labels.is_missing(line["ao_classification"]) and "fracture_visible" not in marks
    )
    is_visible = "fracture_visible" in marks and not is_uncertain
    found = frozenset(marks & {"osteopenia", "cast", "metal"}) | ({FRACTURE} if is_visible else set())
    uncertain = frozenset([FRACTURE]) if is_uncertain else frozenset[str]()
    return Statement(found, uncertain, is_clear=not (found or uncertain))
