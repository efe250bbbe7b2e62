"""FracAtlas: `dataset.csv` beside `images/Fractured/<image_id>` and `images/Non_fractured/<image_id>`.

Abedeen et al., "FracAtlas: A Dataset for Fracture Classification, Localization and Segmentation of Musculoskeletal
Radiographs", Scientific Data 10, 521, 2023 (doi:10.6084/m9.figshare.22363012): 4,083 images, 717 fractured. Columns as
public code quotes them: `image_id`, the regions `hand`, `leg`, `hip`, `shoulder` and `mixed`, `hardware`, `multiscan`,
`fractured`, `fracture_count`, and the views `frontal`, `lateral` and `oblique`, all 1 or 0. The set's own split is of
fractured images alone, so it is not used. It does not tell patients. The counts of regions are not checked. An image
whose directory says the opposite of the list is left out.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from xrayaug.data.parsing import findings, set_lists
from xrayaug.data.parsing.findings import Statement
from xrayaug.data.parsing.image_index import ImageIndex
from xrayaug.data.parsing.public_sets import ListedImage, PublicSet, make_listing
from xrayaug.data.parsing.set_lists import SetList
from xrayaug.data.parsing.set_signatures import Signature
from xrayaug.data.sources import Listing
from xrayaug.options import Prepare

FRACTURED = "fractured"
REGIONS = ("hand", "leg", "hip", "shoulder", "mixed")
VIEWS = ("frontal", "lateral", "oblique")
DIRECTORIES = ("non_fractured", "fractured")  # of images without and with a fracture
COLUMNS = ("image_id", *REGIONS, "hardware", "multiscan", FRACTURED)
SIGNATURE = Signature(columns=(COLUMNS,))
FACTS = PublicSet(
    name="fracatlas",
    caution="one in six images has a fracture; implants (column 'hardware') may be seen without one, and some pictures "
    "hold several views",
    findings=(FRACTURED,),
    default=(FRACTURED,),
)


def read(options: Prepare) -> Listing:
    """Return the images of the list; see `public_sets.make_listing`.

    Raises:
        InputError: there is no such set, or none of its images.
        DataError: a mark is not known.
    """
    file = set_lists.find_one(options, COLUMNS, "dataset.csv")
    notes = ["the set's own split is of fractured images alone and is not used"]
    index = ImageIndex(options.input, FACTS.keys)
    return make_listing(options, FACTS, _read_list(file, index), lists=[file], notes=notes, index=index)


def _read_list(file: SetList, index: ImageIndex) -> Iterator[ListedImage]:
    for line in set_lists.read_lines(file, COLUMNS, VIEWS):
        marks = findings.from_codes(
            {name: line[name] for name in (*REGIONS, *VIEWS, "hardware", "multiscan", FRACTURED)}, line.location
        )
        extra = {
            "view": "|".join(name for name in VIEWS if name in marks.positive),
            "part": "|".join(name for name in REGIONS if name in marks.positive),
            "hardware": str(int("hardware" in marks.positive)),
            "multiscan": str(int("multiscan" in marks.positive)),
        }
        judged = frozenset([FRACTURED])
        statement = Statement(marks.positive & judged, marks.uncertain & judged, marks.negative & judged)
        opposite = DIRECTORIES[FRACTURED not in marks.positive]
        if any(opposite in PurePosixPath(found.casefold()).parts[:-1] for found in index.find(line["image_id"])):
            statement = Statement(excluded="the list and its directory contradict each other")
        yield ListedImage(line["image_id"], (statement,), extra=extra)
