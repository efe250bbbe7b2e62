"""Chest X-Ray Images (Pneumonia): `train|val|test/NORMAL|PNEUMONIA/`, children of Guangzhou, with patients in names.

Kermany et al., "Identifying Medical Diagnoses and Treatable Diseases by Image-Based Deep Learning", Cell 172(5), 2018
(doi:10.17632/rscbjbr9sj): 5,856 radiographs of children of one to five years. Names as public code quotes them: on
Kaggle `person1_bacteria_1.jpeg`, `person1_virus_6.jpeg`, `IM-0001-0001.jpeg` and `NORMAL2-IM-0317-0001.jpeg`; on
Mendeley `BACTERIA-40699-0001.jpeg`, `VIRUS-...` and `NORMAL-...`. Whether the numbers of persons begin anew in each
split is not documented: equal numbers count as one patient, and if splits share patients, they are not used. Kaggle's
`val` has 16 images.
"""

import re

from xrayaug.data.parsing import split_names
from xrayaug.data.parsing.findings import Statement
from xrayaug.data.parsing.named_images import make_listing_of_names
from xrayaug.data.parsing.public_sets import ListedImage, PublicSet
from xrayaug.data.parsing.set_signatures import Signature
from xrayaug.data.sources import Listing
from xrayaug.options import Prepare

BACTERIAL, VIRAL = "bacterial pneumonia", "viral pneumonia"
KINDS = {"bacteria": BACTERIAL, "virus": VIRAL}
PATIENT = (
    r"(?P<person>person[0-9]+)_(?P<kind>bacteria|virus)_[0-9]+|(?P<case>(?P<cause>BACTERIA|VIRUS|NORMAL)-[0-9]+)-[0-9]+"
    r"|(?P<normal>(?:NORMAL2-)?IM-[0-9]+)(?:-[0-9]+)+"
)
IMAGE = rf"(?:^|/)(?P<split>train|val|test)/(?P<folder>NORMAL|PNEUMONIA)/(?:{PATIENT})\.[a-zA-Z]+$"
SIGNATURE = Signature(image=r"(?:^|/)(?:train|val|test)/PNEUMONIA/(?:person[0-9]+_|BACTERIA-[0-9]+-|VIRUS-[0-9]+-)")
FACTS = PublicSet(
    name="chest-xray-pneumonia",
    caution="all are of children of one hospital; how sick and healthy children were imaged may differ",
    findings=(BACTERIAL, VIRAL),
)


def read(options: Prepare) -> Listing:
    """Return the images whose names tell patient and kind; see `public_sets.make_listing`.

    Raises:
        InputError: there is no such set.
        DataError: a finding or condition is not known.
    """
    return make_listing_of_names(options, FACTS, IMAGE, _parse)


def _parse(match: re.Match[str]) -> ListedImage:
    kind = KINDS.get((match["kind"] or match["cause"] or "").casefold(), "")
    statement = Statement(frozenset([kind] if kind else []), is_clear=not kind)
    if bool(kind) != (match["folder"] == "PNEUMONIA"):
        statement = Statement(excluded="its name and its directory contradict each other")
    patient = match["person"] or match["case"] or match["normal"]
    return ListedImage(match.string, (statement,), patient, split=split_names.SPLIT_NAMES[match["split"]])
