"""Images and patients that two sets have in common: images by the hash of their pixels, patients by their names."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xrayaug.evaluation.study_facts import Overlap

PatientKey = tuple[str, str, str]  # source, raw set if the name means nothing outside it, name


@dataclass(frozen=True)
class ImageKeys:
    """What the images of a set and their patients are known by."""

    pictures: Sequence[str]  # hash of the pixels of each image; empty if it is unknown
    patients: Sequence[PatientKey | None]  # of each image; None if it has none
    is_blank: Callable[[int], bool]  # whether the image at this place is of one grey level
    origin: str  # digest of the raw set
    fingerprint: str  # of the patients' pseudonyms; empty if they have their own names


class SeenImages:
    """The images that networks have seen, and their patients."""

    def __init__(self) -> None:
        self._pictures: set[str] = set()
        self._origins: defaultdict[PatientKey, frozenset[str]] = defaultdict(frozenset)  # raw sets of each patient
        self._names: defaultdict[str, set[str]] = defaultdict(set)  # of patients by source, if known outside a raw set
        self._fingerprints: set[str] = set()  # of the patients' pseudonyms

    @property
    def has_any(self) -> bool:
        """Whether there are any images of known pixels or patients."""
        return bool(self._pictures or self._origins)

    def add(self, keys: ImageKeys) -> None:
        """Add the images of a set."""
        self._pictures |= set(keys.pictures) - {""}
        self._fingerprints |= {keys.fingerprint} if keys.pictures else set()
        for source, raw, name in {each for each in keys.patients if each}:
            self._origins[source, raw, name] |= {keys.origin}
            if not raw:
                self._names[source].add(name)

    def with_images(self, keys: ImageKeys) -> "SeenImages":
        """Return these images and those of a set; these remain as they are."""
        both = SeenImages()
        both._pictures |= self._pictures
        both._origins |= self._origins
        both._names |= {source: names.copy() for source, names in self._names.items()}
        both._fingerprints |= self._fingerprints
        both.add(keys)
        return both

    def overlap(self, keys: ImageKeys) -> Overlap:
        """Count the images and patients of a set that were seen; images of one grey level do not count."""
        same = [place for place, picture in enumerate(keys.pictures) if picture in self._pictures]
        patients = {key for key in keys.patients if key}
        shared = patients & self._origins.keys()
        others = [name for _, raw, name in patients - shared if not raw]
        return Overlap(
            sum(not keys.is_blank(place) for place in same),
            len(shared),
            same_names=sum(keys.origin not in self._origins[key] for key in shared),
            is_unknown=bool(self._fingerprints - {keys.fingerprint}),
            elsewhere=sum(any(name in names for names in self._names.values()) for name in others),
        )
