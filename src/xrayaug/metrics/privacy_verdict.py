"""The verdict of the `privacy` command, from the results of its attacks, and the words of its reason."""

from collections.abc import Sequence

from xrayaug.metrics.privacy import Sensitivity, SpaceResult
from xrayaug.metrics.privacy_sets import HELD_OUT
from xrayaug.stats.membership import MembershipResult
from xrayaug.stats.power import POWER
from xrayaug.stats.two_sample import TwoSampleResult

DISCRIMINATOR = "discriminator"
FAIL, PASS, UNCLEAR = "fail", "pass", "cannot tell"
RULE = (
    "it fails if an image of a real patient is among the synthetic ones, or a test is significant after Holm's "
    "correction over all. A screening, no proof: a better attack may find more"
)


def list_p_values(by_space: dict[str, SpaceResult], by_discriminator: MembershipResult | None) -> dict[str, float]:
    """Return the p-values that are corrected together, by attack and test."""
    p_values: dict[str, float] = {}
    for name, found in by_space.items():
        p_values |= {f"{name} auroc": found.membership.p_auroc, f"{name} exposed": found.membership.p_exposed}
        p_values[f"{name} links"] = found.links.p_value
    if by_discriminator is not None:
        p_values[f"{DISCRIMINATOR} auroc"] = by_discriminator.p_auroc
        p_values[f"{DISCRIMINATOR} exposed"] = by_discriminator.p_exposed
    return p_values


def conclude(
    corrected: dict[str, float],
    level: float,
    *,
    duplicates: dict[str, int],
    without: TwoSampleResult | None,
    sensitivity: Sequence[Sensitivity],
    doubt: str,
) -> tuple[str, str]:
    """Return the verdict and its reason.

    Args:
        corrected: p-values after Holm's correction, by attack and test.
        level: of significance.
        duplicates: number of patients with an image that a synthetic one equals, by the set that they are in.
        without: comparison of training and held-out images that uses no synthetic image; None if there are too few.
        sensitivity: how often planted copies were found.
        doubt: why it is not known that the generator was trained on the training images; empty if it is.
    """
    among = [f"{number:,} {kind} patient{'' if number == 1 else 's'}" for kind, number in duplicates.items() if number]
    if among:
        saw = " (the generator saw held-out images, or they are in training too)" if duplicates[HELD_OUT] else ""
        return FAIL, f"images of {' and '.join(among)} are among the synthetic ones{saw}"
    significant = [name for name, p_value in corrected.items() if p_value <= level]
    if not significant:
        reason = f"no attack tells training from held-out patients; {_describe_sensitivity(sensitivity)}"
        return (UNCLEAR, f"{reason}; but {doubt}") if doubt else (PASS, reason)
    by = ", ".join(significant)
    if without is not None and without.low > 0.5:
        return UNCLEAR, (
            f"training patients are told from held-out ones ({by}), but also without the synthetic images (AUROC "
            f"{without.auroc:.2f}, {without.low:.2f} to {without.high:.2f}): the two differ by themselves"
        )
    return FAIL, f"training patients are told from held-out ones: {by}"


def _describe_sensitivity(sensitivity: Sequence[Sensitivity]) -> str:
    """Return in words the smallest share of each kind of copies that is found with the usual power."""
    smallest = {each.disturbance: each for each in reversed(sensitivity) if each.found >= POWER}
    enough = [
        f"{kind} ones if they are {100 * least.share:.0f} % of the synthetic images ({least.copies:,})"
        for kind, least in reversed(smallest.items())
    ]
    if not enough:
        return f"no planted copies would have been found with {100 * POWER:.0f} % power"
    return f"of copies of training images it would have found, with {100 * POWER:.0f} % power, {' and '.join(enough)}"
