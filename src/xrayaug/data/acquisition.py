"""How well the acquisition of DICOM images alone tells their labels: by scanner, view, voltage and the like.

If abnormal images come from another scanner, a classifier may learn the scanner. Of hip fractures, a network's AUROC of
0.78 fell to 0.52 once patients and hospital processes were balanced (Badgeley et al. 2019, npj Digital Medicine 2:31).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from xrayaug.data.dataset import Row
from xrayaug.errors import ArtifactError
from xrayaug.storage.artifacts import Artifact, Result

if TYPE_CHECKING:
    from xrayaug.stats.category_score import CategoryScore

COLUMNS = {  # name -> columns of the index that make its categories
    "scanner": ("manufacturer", "model"),
    "view": ("view",),
    "kvp": ("kvp",),
    "pixel_spacing": ("pixel_spacing",),
    "body_part": ("body_part",),
    "intent": ("intent",),
}
TOGETHER = "all of them"
MIN_AUROC = 0.6  # from this one on there is a warning, if the p-value is small


@dataclass(frozen=True)
class ColumnScore:
    """How well a column tells the label."""

    column: str
    score: "CategoryScore"

    @property
    def tells_label(self) -> bool:
        """Whether the column tells the label well enough for a warning."""
        from xrayaug.stats.category_score import LEVEL

        return self.score.p_value <= LEVEL and self.score.auroc >= MIN_AUROC

    def to_dict(self) -> Result:
        """Return the fields that the manifest keeps."""
        return {"column": self.column, "tells_label": self.tells_label} | asdict(self.score)


def score_columns(rows: Sequence[Row], seed: int) -> list[ColumnScore]:
    """Return how well each of `COLUMNS` tells the label, and all of them together; those of one value are left out."""
    from xrayaug.stats import category_score

    rows = [row for row in rows if not row.synthetic]
    labels = np.array([row.label == "abnormal" for row in rows], np.int64)
    patients = [row.patient for row in rows]
    categories = {
        name: [" / ".join(_cell(row, column) for column in columns) for row in rows]
        for name, columns in COLUMNS.items()
    }
    categories = {name: values for name, values in categories.items() if len(set(values)) > 1}
    scores = category_score.score_categories(list(categories.values()), labels, patients, seed)
    return list(map(ColumnScore, [*categories, TOGETHER][: len(scores)], scores))


def _cell(row: Row, column: str) -> str:
    return row.extra.get(f"dicom_{column}", row.extra.get(column, ""))


def read_scores(artifact: Artifact) -> list[ColumnScore]:
    """Return the scores in the manifest of a prepared dataset; none if it has no DICOM images.

    Raises:
        ArtifactError: they are no such scores.
    """
    from xrayaug.stats.category_score import CategoryScore

    if "dicom" not in artifact.result:
        return []
    entries = artifact.get(list, "result", "dicom", "label_by_column")
    try:
        return [
            ColumnScore(
                str(entry["column"]),
                CategoryScore(
                    auroc=float(entry["auroc"]),
                    p_value=float(entry["p_value"]),
                    images=int(entry["images"]),
                    patients=int(entry["patients"]),
                ),
            )
            for entry in entries
        ]
    except (KeyError, TypeError, ValueError):
        raise ArtifactError(f"{artifact.path}: label_by_column holds no scores", "make it again") from None


def describe_score(scored: ColumnScore) -> str:
    """Return the column, its score and its p-value, in words."""
    return f"{scored.column} {scored.score.auroc:.2f} (p = {scored.score.p_value:.3f})"


def describe_shortcuts(scores: Sequence[ColumnScore]) -> list[str]:
    """Return a warning if columns tell the label; at most one."""
    from xrayaug.stats.category_score import FOLDS, PERMUTATIONS

    telling = [each for each in scores if each.tells_label]
    if not telling:
        return []
    best = max(telling, key=lambda each: each.score.auroc)
    columns = ", ".join(map(describe_score, telling))
    return [
        f"how the images were taken tells their label: AUROC by {columns}, without looking at a pixel "
        f"({FOLDS}-fold cross-validation over {best.score.patients:,} patients, {PERMUTATIONS} permutations of their "
        "labels, corrected for all columns). A classifier may learn that instead: compare within it by evaluate --by, "
        "or balance the set"
    ]
