"""COVID-19 Radiography Database: `<CLASS>/images/<CLASS>-<number>.png`, with `<CLASS>/masks` of the same names.

Chowdhury et al., "Can AI Help in Screening Viral and COVID-19 Pneumonia?", IEEE Access 8, 2020; Rahman et al.,
"Exploring the effect of image enhancement techniques on COVID-19 detection", Computers in Biology and Medicine 132,
2021. Classes `COVID`, `Lung_Opacity`, `Normal` and `Viral Pneumonia` (3,616, 6,012, 10,192 and 1,345 images in the last
edition, as its README says, from memory), 299 x 299 pixels. The layout is as public code reads it; earlier editions
have no directory `images`. Workbooks `<CLASS>.metadata.xlsx` are not read. The set tells no patients and has no split.
"""

import re

from xrayaug.data.parsing.findings import Statement
from xrayaug.data.parsing.named_images import make_listing_of_names
from xrayaug.data.parsing.public_sets import ListedImage, PublicSet
from xrayaug.data.parsing.set_signatures import Signature
from xrayaug.data.sources import Listing
from xrayaug.options import Prepare

CLASSES = {"covid": "COVID", "lung opacity": "Lung Opacity", "viral pneumonia": "Viral Pneumonia", "normal": ""}
NAME = r"COVID|Lung[_ ]Opacity|Viral Pneumonia|Normal"
IMAGE = rf"(?:^|/)(?P<folder>{NAME})/(?:images/)?(?P<name>{NAME})[- ]?\(?[0-9]+\)?\.[a-zA-Z]+$"
SIGNATURE = Signature(image=IMAGE.replace("|Normal", ""))  # others have a directory of that name too
FACTS = PublicSet(
    name="covid-radiography",
    caution="each class is from other hospitals and archives, and viral pneumonia of children, so that a classifier "
    "can tell the archives instead of the disease",
    findings=tuple(name for name in CLASSES.values() if name),
)


def read(options: Prepare) -> Listing:
    """Return the images of all classes; see `public_sets.make_listing`.

    Raises:
        InputError: there is no such set.
        DataError: a finding or condition is not known.
    """
    return make_listing_of_names(options, FACTS, IMAGE, _parse)


def _parse(match: re.Match[str]) -> ListedImage:
    finding, named = (CLASSES[match[group].casefold().replace("_", " ")] for group in ("folder", "name"))
    statement = Statement(frozenset([finding] if finding else []), is_clear=not finding)
    if finding != named:
        statement = Statement(excluded="its name and its directory contradict each other")
    return ListedImage(match.string, (statement,))
