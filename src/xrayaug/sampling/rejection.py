"""Rejection of generated images: the share with the lowest scores is dropped.

More candidates are drawn than are wanted, each scored independently, and of every label the best are kept, in the
order in which they were drawn. (Discriminator rejection: Azadi et al., 2019, arXiv:1810.06758, who accept at random in
proportion; here the worst are dropped, so the variety shrinks. Distance to the k-th nearest real feature: as the
realism of Kynkäänniemi et al., 2019, arXiv:1904.06991, section 5.)
"""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from xrayaug.errors import DataError
from xrayaug.metrics import neighbours
from xrayaug.runtime import console, stopping
from xrayaug.stats.array_types import Matrix
from xrayaug.storage import csvfile, files
from xrayaug.storage.checkpoints import Checkpoints

K_NEAREST = 3  # nearest real features; the farthest counts, as one alone may be an outlier
DISCRIMINATOR = "discriminator"  # the score that needs no features
COLUMNS = ("candidate", "label", "score", "reason")


@dataclass(frozen=True)
class RejectionResult:
    """Scores and labels of all candidates, and the candidates that are kept."""

    score_name: str
    share: float  # of the candidates that is rejected
    scores: Sequence[float]
    labels: Sequence[str]
    target_labels: Sequence[str]  # the labels of the images to keep

    @cached_property
    def kept(self) -> list[int]:
        """Numbers of the kept candidates, the best of each label, in the order in which they were drawn."""
        best = sorted(range(len(self.scores)), key=lambda number: (-self.scores[number], number))
        remaining, kept = Counter(self.target_labels), []
        for number in best:
            if remaining[self.labels[number]]:
                remaining[self.labels[number]] -= 1
                kept.append(number)
        return sorted(kept)

    def index_columns(self) -> list[dict[str, str]]:
        """Return the extra index columns of each kept image: its candidate number and score."""
        return [{"candidate": str(number), "score": _format_score(self.scores[number])} for number in self.kept]

    def summary(self) -> dict[str, Any]:
        """Return the rejection's entry in the result."""
        return {
            "rejected_by": self.score_name,
            "share": self.share,
            "candidates": len(self.scores),
            "lowest_kept": min(self.scores[number] for number in self.kept),
            "highest_rejected": max((self.scores[number] for number in self._rejected), default=None),
        }

    def write(self, directory: Path) -> None:
        """Write `rejected.csv`: each candidate that is not kept, its score, and why."""
        reason = f"among the lowest {self.share:g} of its label by {self.score_name}"
        lines: list[list[object]] = [list(COLUMNS)]
        lines += [
            [number, self.labels[number], _format_score(self.scores[number]), reason] for number in self._rejected
        ]
        files.write_text(directory / "rejected.csv", csvfile.dump(lines))

    @cached_property
    def _rejected(self) -> list[int]:
        return sorted(set(range(len(self.scores))) - set(self.kept))


def count_candidates(count: int, share: float) -> int:
    """Return the number of candidates to draw so that `count` are left after rejecting that share."""
    return math.ceil(count / (1 - share) - 1e-9)


def score_candidates(
    starts: range, score_passes: Callable[[range], Iterator[Iterable[float]]], checkpoints: Checkpoints
) -> list[float]:
    """Return the scores of all passes, with checkpoints for a run that is stopped.

    Args:
        starts: the first index of each pass.
        score_passes: yields the scores of each of the passes with given first indices.
        checkpoints: of the scores.

    Raises:
        DataError: a score is NaN or infinite.
    """
    scores: list[float] = checkpoints.restore() or []
    done = len(scores) // starts.step
    with (
        stopping.deferred(),
        console.progress(len(starts), "score", "passes", done=done) as advance,
    ):
        for batch in score_passes(starts[done:]):
            scores += batch
            advance(1)
            checkpoints.save_if_due(len(scores), partial(list, scores))
    checkpoints.save(len(scores), list(scores))
    if not all(math.isfinite(score) for score in scores):
        raise DataError("some scores are NaN or infinite", "the run's weights may be damaged; train it again")
    return scores


def realism_scores(features: Matrix, real: Matrix) -> list[float]:
    """Return the negative distance of features `[N, D]` to their third nearest of real ones `[M, D]`."""
    return [-float(distance) for distance in neighbours.kth_distances(features, real, min(K_NEAREST, len(real)))]


def group_by_pass(indices: Sequence[int], pass_size: int) -> Iterator[tuple[int, list[int]]]:
    """Group ascending image indices by pass: yield the first index of each pass and the images' offsets in it."""
    for start, group in itertools.groupby(indices, lambda index: index - index % pass_size):
        yield start, [index - start for index in group]


def _format_score(score: float) -> str:
    return f"{score:.6g}"
