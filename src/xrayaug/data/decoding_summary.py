"""Facts about the images of a raw set that are decoded one after another, and the rows of the index for them."""

import statistics
from array import array
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from xrayaug.data import raw_rows
from xrayaug.data.dataset import Row
from xrayaug.data.images import content_checks
from xrayaug.data.images.decoding import ImageMetadata
from xrayaug.data.images.intensity import IntensityScale
from xrayaug.data.losses import Skipped
from xrayaug.data.pseudonyms import Names
from xrayaug.data.sources import Record
from xrayaug.options import Prepare
from xrayaug.runtime import console

SMALL_IMAGE_FACTOR = 16  # an image of fewer pixels than the median divided by this may be an icon or a preview


@dataclass
class DecodingSummary:
    """Facts about the images decoded so far, and the rows of the index for them."""

    options: Prepare
    source: str
    skipped: list[Skipped]
    lost: list[Skipped]  # skipped images that were listed or found, and cannot be read
    names: Names = field(default_factory=Names)  # of files, in everything but `rows`
    rows: list[Row] = field(default_factory=list)
    patients_unknown: int = 0  # images whose patient is not known
    depths: Counter[str] = field(default_factory=Counter)
    windows: Counter[str] = field(default_factory=Counter)  # of DICOM images: what was applied
    scale: IntensityScale | None = None  # scale of files with more than eight bits
    blank: set[str] = field(default_factory=set)  # sha256 of images of one grey level: equal, but not duplicates
    areas: "array[int]" = field(default_factory=lambda: array("q"))  # pixels of each usable image
    suspects: defaultdict[str, list[str]] = field(
        default_factory=lambda: defaultdict(list)
    )  # suspect trait -> files (see `Decoded.seems`)
    stamps: "array[int]" = field(default_factory=lambda: array("q"))  # three numbers for each record: `files.Stamp`

    def add(self, record: Record, note: ImageMetadata) -> None:
        """Add a record whose file was decoded: a row of the index if its image is usable, else a skipped file."""
        self.stamps.extend(note.stamp or (0, 0, 0))
        if note.unusable:
            self.skipped.append((self.names.file(record.file), note.unusable))
            self.lost.append((self.names.file(record.file), note.unusable))
            return
        self.rows.append(raw_rows.make_row(self.options, record, self.source, len(self.rows), note.sha256))
        self.patients_unknown += not record.patient_known
        self.depths[note.depth] += 1
        self.windows.update([note.window] if note.window else [])
        if note.blank:
            self.blank.add(note.sha256)
        self.areas.append(note.area)
        for trait in note.seems:
            self.suspects[trait].append(self.names.file(record.file))

    def count_suspects(self) -> dict[str, int]:
        """Return the number of images with each trait that is unusual in radiographs, and warn of them with an example.

        They are kept: such a trait does not prove that an image is not a radiograph.
        """
        median = statistics.median(self.areas)
        small = [
            self.names.file(row.file)
            for row, area in zip(self.rows, self.areas, strict=True)
            if area * SMALL_IMAGE_FACTOR < median
        ]
        suspects = {"small": small, **{name: self.suspects[name] for name in content_checks.SUSPECT_TRAITS}}
        descriptions = {
            "small": f"have less than 1/{SMALL_IMAGE_FACTOR} of the median's pixels, as icons and previews do",
            content_checks.FEW_GREYS: (
                f"have {content_checks.MAX_FEW_GREYS} grey levels or fewer, or nearly two alone, as masks do"
            ),
            content_checks.COLOURED: "are coloured, as overlays, photographs and logos are",
            content_checks.FRAMES: "are of files with several pages or frames, of which the first alone is read",
        }
        for name, names in suspects.items():
            if names:
                console.warning(f"{len(names)} of {len(self.rows)} images {descriptions[name]}, such as {names[0]}")
        return {name: len(names) for name, names in suspects.items()}
