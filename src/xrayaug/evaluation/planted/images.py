"""Plant leaks and copies in everything that the audits of a study's images read."""

from collections.abc import Sequence

from xrayaug.evaluation.planted import copies, leaks
from xrayaug.evaluation.planted.copies import ComparisonAudit, ScreeningAudit
from xrayaug.evaluation.planted.leaks import LeakAudit, PictureAudit
from xrayaug.evaluation.planted.results import PlantedRate, Unknown

Audit = LeakAudit | PictureAudit | ScreeningAudit | ComparisonAudit


def plant_images(audits: Sequence[Audit], seed: int) -> list[PlantedRate | Unknown]:
    """Return how often planted leaks and copies were found, by audit, form and amount; and what could not be planted.

    Args:
        audits: what they are planted in, which stays as it is.
        seed: of the plantings.
    """
    return [result for audit in audits for result in _plant(audit, seed)]


def _plant(audit: Audit, seed: int) -> Sequence[PlantedRate | Unknown]:
    match audit:
        case LeakAudit():
            return leaks.plant_leaks(audit, seed)
        case PictureAudit():
            return leaks.plant_changed(audit, seed)
        case ScreeningAudit():
            return copies.plant_in_screening(audit, seed)
        case ComparisonAudit():
            return copies.plant_test_copies(audit, seed)
