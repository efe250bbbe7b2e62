"""Knee osteoarthritis by Kellgren-Lawrence grade: `train|val|test/<0..4>/<patient><L|R>.png`, from the OAI.

Chen, "Knee Osteoarthritis Severity Grading Dataset", Mendeley Data, 2018 (doi:10.17632/56rmx5bjcr.1): knees cut from
bilateral radiographs of the Osteoarthritis Initiative; the directory is the grade. Names such as `9003175L.png` as
public code quotes them: seven figures of the patient, and the side. `--finding grade2` (the usual threshold, and the
default) makes grades of 2 and more abnormal, `grade3` those of 3 and more. A lower grade than the threshold, but not 0,
is another finding. `auto_test` holds the test knees, cut by a program, and is left out.
"""

import re

from xrayaug.data.parsing import split_names
from xrayaug.data.parsing.findings import Statement
from xrayaug.data.parsing.named_images import make_listing_of_names
from xrayaug.data.parsing.public_sets import ListedImage, PublicSet
from xrayaug.data.parsing.set_signatures import Signature
from xrayaug.data.sources import Listing
from xrayaug.options import Prepare

GRADES = ("grade1", "grade2", "grade3", "grade4")  # each stands for that grade and those above
IMAGE = r"(?:^|/)(?P<split>train|val|test)/(?P<grade>[0-4])/(?P<patient>[0-9]{7})(?P<side>[LR])(?:_[0-9]+)?\.[a-zA-Z]+$"
SIGNATURE = Signature(image=IMAGE.replace("[0-4]", "[2-4]"))  # 0 and 1 may be classes of anything
FACTS = PublicSet(
    name="knee-kl",
    caution="grade2 stands for grades of 2 and more, and so on; grade 1 is doubtful by its definition",
    findings=GRADES,
    default=("grade2",),
)


def read(options: Prepare) -> Listing:
    """Return the knees with the grade of their directory; see `public_sets.make_listing`.

    Raises:
        InputError: there is no such set.
        DataError: a finding or condition is not known.
    """
    return make_listing_of_names(options, FACTS, IMAGE, _parse)


def _parse(match: re.Match[str]) -> ListedImage:
    grade = int(match["grade"])
    statement = Statement(positive=frozenset(GRADES[:grade]), is_clear=grade == 0)
    return ListedImage(
        match.string,
        (statement,),
        match["patient"],
        split=split_names.SPLIT_NAMES[match["split"]],
        extra={"laterality": match["side"], "grade": match["grade"]},
    )
