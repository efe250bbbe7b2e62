"""Compare an arm with its controls, which add equally many images but not the synthetic ones."""

from xrayaug.data.arms import MIXED_PRETRAIN, MORE_REAL, PRETRAIN, REWEIGHT, SYNTHETIC_ONLY, TOGETHER
from xrayaug.evaluation.verdict import Contrast

UPPER_BOUNDS = (MORE_REAL,)  # controls that an arm is not asked to exceed: what a perfect generator would give
CONTROL_IMAGES = {  # what the controls add
    "duplicate": "duplicates of real images",
    "classical": "classically augmented copies of real images",
    "shuffle": "synthetic images with shuffled labels",
    "low-resolution": "duplicates of real images at the resolution of the synthetic ones",
    "more-real": "as many further real images",
}
CONTROL_USES = {  # what they do with it, by schedule
    TOGETHER: "adding {}",
    SYNTHETIC_ONLY: "training on {} alone",
    PRETRAIN: "pretraining on {}",
    MIXED_PRETRAIN: "adding {} in the first phase",
}


def compare_with_control(
    name: str, schedule: str | None, *, arm: Contrast, control: Contrast, contrast: Contrast, margin: float
) -> tuple[str, str]:
    """Judge whether a control of equal size explains the effect of an arm; return the relation and a sentence.

    The relation is `differs` if arm and control differ significantly, and the sentence says which of them scores
    higher; `explains` if they do not, but both differ significantly from the baseline in the same direction;
    `equivalent` if all that is known is that they are within the margin of each other; else `cannot-tell`. Everything
    is corrected for several tests.

    Args:
        name: of the control, such as `duplicate`.
        schedule: of the arm and of the control, such as `mixed`; None if it is unknown.
        arm: the arm's difference to the baseline.
        control: the control's difference to the baseline.
        contrast: the arm's difference to the control.
        margin: the largest difference that does not matter.
    """
    if contrast.sign:
        higher = "higher" if contrast.sign > 0 else "lower"
        small = f", but by less than {margin:g}" if contrast.is_equivalent else ""
        return "differs", f"the arm scores significantly {higher} than the control '{name}'{small}"
    if arm.sign and arm.sign == control.sign:
        effect = (
            f"the same effect, within ±{margin:g}"
            if contrast.is_equivalent
            else "an effect in the same direction, from which that of the arm cannot be told"
        )
        return "explains", f"{describe_control_use(name, schedule)} has {effect}"
    if contrast.is_equivalent:
        return "equivalent", f"the arm is within ±{margin:g} of the control '{name}'"
    return "cannot-tell", f"the arm does not differ significantly from the control '{name}'"


def describe_control_use(name: str, schedule: str | None) -> str:
    """Return what a control does that is used by this schedule, such as `adding duplicates of real images`."""
    if schedule is None or name not in (REWEIGHT, *CONTROL_IMAGES):
        return f"the control '{name}'"
    if name == REWEIGHT:
        return f"reweighting the classes{' in the first phase' if schedule == MIXED_PRETRAIN else ''}"
    return CONTROL_USES[schedule].format(CONTROL_IMAGES[name])
