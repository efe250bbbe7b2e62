"""xrayaug: would synthetic images make my radiograph classifier better, and can I trust the answer?"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xrayaug.evaluation.prediction_judge import judge

__version__ = "0.1.0"
__all__ = ["__version__", "judge"]


def __getattr__(name: str) -> Any:
    """Import `judge` when it is first used, as NumPy and SciPy take a second."""
    if name == "judge":
        from xrayaug.evaluation.prediction_judge import judge

        return judge
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
