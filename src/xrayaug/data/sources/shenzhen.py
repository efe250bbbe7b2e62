"""Shenzhen tuberculosis set: `CXR_png/CHNCXR_<number>_<0|1>.png`, where 1 is tuberculosis; readings in text files.

Jaeger et al., "Two public chest X-ray datasets for computer-aided screening of pulmonary diseases", Quantitative
Imaging in Medicine and Surgery 4(6), 2014: 326 normal radiographs and 336 with tuberculosis. The label is the last
figure of the name, as in the public repository mlmed/torchxrayvision; masks `..._mask.png` of other authors are left
out. The set does not tell patients, and has no split.
"""

import re

from xrayaug.data.parsing.findings import Statement
from xrayaug.data.parsing.named_images import make_listing_of_names
from xrayaug.data.parsing.public_sets import ListedImage, PublicSet
from xrayaug.data.parsing.set_signatures import Signature
from xrayaug.data.sources import Listing
from xrayaug.options import Prepare

TUBERCULOSIS = "tuberculosis"
STATEMENTS = {"0": Statement(is_clear=True), "1": Statement(positive=frozenset([TUBERCULOSIS]))}
IMAGE = r"(?:^|/)CHNCXR_[0-9]{4}_(?P<label>[01])\.[a-zA-Z]+$"
SIGNATURE = Signature(image=IMAGE)
FACTS = PublicSet(
    name="shenzhen",
    caution="all are of one hospital, so scores do not carry over to another (test on montgomery)",
    findings=(TUBERCULOSIS,),
    default=(TUBERCULOSIS,),
)


def read(options: Prepare) -> Listing:
    """Return the images with the label in their name; see `public_sets.make_listing`.

    Raises:
        InputError: there is no such set.
        DataError: a finding or condition is not known.
    """
    return make_listing_of_names(options, FACTS, IMAGE, parse_label)


def parse_label(match: re.Match[str]) -> ListedImage:
    """Return the image of a path with the label in the group `label`, as in both sets of tuberculosis."""
    return ListedImage(match.string, (STATEMENTS[match["label"]],), extra={"view": "PA"})
