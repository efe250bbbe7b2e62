"""Montgomery County tuberculosis set: `CXR_png/MCUCXR_<number>_<0|1>.png`, where 1 is tuberculosis; with lung masks.

Jaeger et al., "Two public chest X-ray datasets for computer-aided screening of pulmonary diseases", Quantitative
Imaging in Medicine and Surgery 4(6), 2014: 80 normal radiographs and 58 with tuberculosis. The masks in
`ManualMask/leftMask` and `rightMask` have the names of the images and are left out. The set does not tell patients, and
has no split.
"""

from xrayaug.data.parsing.named_images import make_listing_of_names
from xrayaug.data.parsing.public_sets import PublicSet
from xrayaug.data.parsing.set_signatures import Signature
from xrayaug.data.sources import Listing
from xrayaug.data.sources.shenzhen import TUBERCULOSIS, parse_label
from xrayaug.options import Prepare

IMAGE = r"(?:^|/)MCUCXR_[0-9]{4}_(?P<label>[01])\.[a-zA-Z]+$"
SIGNATURE = Signature(image=IMAGE)
FACTS = PublicSet(
    name="montgomery",
    caution="all are of one screening programme, so scores do not carry over to another (test on shenzhen)",
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
