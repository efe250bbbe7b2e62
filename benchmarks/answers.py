"""Tables and the figure of docs/answers.md, from the verdicts of the studies there.

Example:
    python benchmarks/answers.py --primary benchmarks/answers/primary.json --keep C=study-c
    python benchmarks/answers.py --primary benchmarks/answers/primary.json --figure docs/images/answers.svg
"""

import argparse
import itertools
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from xrayaug.stats.paired_tests import holm

CONTROL = "duplicate"  # of equal size, from which a primary contrast must be told too
INCHES_WIDE, INCHES_PER_ROW = 8.0, 0.55
COLOURS = {"baseline": "#1f4e79", CONTROL: "#c55a11"}


@dataclass(frozen=True)
class Contrast:
    """A primary contrast: an arm against its baseline and its control, each with difference, interval and p-value."""

    study: str
    arm: str
    says: str
    verdict: str
    differences: Mapping[str, Mapping[str, float]]

    @property
    def p(self) -> float:
        """The larger p-value of both comparisons: the arm is told only if it is told in both."""
        return max(each["p"] for each in self.differences.values())


def main() -> None:
    """Read the verdicts, print the tables and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--primary", type=Path, required=True, help="list of primary contrasts; p-values are corrected in each series"
    )
    parser.add_argument("--figure", type=Path, help="draw the primary contrasts to this file")
    parser.add_argument("--keep", metavar="NAME=STUDY", help="only copy what a study found to NAME beside the list")
    options = parser.parse_args()
    planned = json.loads(options.primary.read_text())
    home = options.primary.parent
    if options.keep:
        name, _, study = options.keep.partition("=")
        keep(Path(study), home / name)
        return
    studies = {path.parent.name: json.loads(path.read_text()) for path in sorted(home.glob("*/verdict.json"))}
    for name, verdict in studies.items():
        print(f"\n## Study {name}\n")
        print_arms(verdict, json.loads((home / name / "scores.json").read_text()))
    contrasts = []
    for series, members in itertools.groupby(planned, key=lambda each: each["series"]):
        of_series = list(members)
        found = [find_contrast(each, studies[each["study"]]) for each in of_series if each["study"] in studies]
        print(f"\n## Primary contrasts of series {series}\n")
        print_contrasts(found, len(of_series))
        contrasts += found
    if options.figure:
        draw(options.figure, contrasts)


def keep(study: Path, directory: Path) -> None:
    """Copy the commands, the verdict and all manifests of a study, and the scores of its arms; no pixels."""
    directory.mkdir(exist_ok=True)
    for file in (study / "commands.sh", study / "evaluation" / "verdict.json"):
        shutil.copy(file, directory / file.name)
    manifests = {path.parent.name: json.loads(path.read_text()) for path in sorted(study.glob("*/manifest.json"))}
    for manifest in manifests.values():
        del manifest["environment"]["platform"]  # of one machine, and nothing depends on it
    (directory / "manifests.json").write_text(json.dumps(manifests, separators=(",", ":"), sort_keys=True) + "\n")
    arms = json.loads((study / "evaluation" / "metrics.json").read_text())["arms"]
    kept = [{name: arm[name] for name in ("name", "added", "seeds", "image")} for arm in arms]
    (directory / "scores.json").write_text(json.dumps(kept, indent=1) + "\n")


def print_arms(verdict: Mapping[str, Any], scores: Sequence[Mapping[str, Any]]) -> None:
    """Print every arm of a study as Markdown: score, differences and verdict."""
    score = verdict["metric"]
    arms = {each["arm"]: each for each in verdict["arms"]}
    print(f"| arm | images added | {score.upper()} | minus baseline (95 %) | minus `{CONTROL}` (95 %) | verdict |")
    print("|---|---|---|---|---|---|")
    for each in scores:
        mean = each[verdict["level"]][score]["mean"]
        arm = arms.get(each["name"])
        cells = ["", "", "baseline"]
        if arm:
            by_control = {control["control"]: control["difference"] for control in arm["controls"]}
            cells = [_interval(arm["difference"]), _interval(by_control.get(CONTROL)), arm["verdict"].replace("-", " ")]
        print(f"| {each['name']} | {each['added']} | {mean:.3f} | {' | '.join(cells)} |")


def find_contrast(planned: Mapping[str, str], verdict: Mapping[str, Any]) -> Contrast:
    """Return a primary contrast of a study.

    Raises:
        LookupError: the study has no such arm, or the arm no control of equal size.
    """
    (arm,) = (each for each in verdict["arms"] if each["arm"] == planned["arm"])
    (control,) = (each for each in arm["controls"] if each["control"] == CONTROL)
    differences = {"baseline": arm["difference"], CONTROL: control["difference"]}
    return Contrast(planned["study"], planned["arm"], planned["label"], arm["verdict"], differences)


def print_contrasts(contrasts: Sequence[Contrast], planned: int) -> None:
    """Print the primary contrasts as Markdown, corrected for as many as were planned."""
    corrected = holm({(each.study, each.arm): each.p for each in contrasts}, planned)
    print(f"| study | contrast | minus baseline (95 %) | minus `{CONTROL}` (95 %) | p | Holm p ({planned}) | verdict |")
    print("|---|---|---|---|---|---|---|")
    for each in contrasts:
        intervals = " | ".join(_interval(difference) for difference in each.differences.values())
        verdict = each.verdict.replace("-", " ")
        holm_p = corrected[each.study, each.arm]
        print(f"| {each.study} | {each.says} | {intervals} | {each.p:.3g} | {holm_p:.3g} | {verdict} |")


def draw(file: Path, contrasts: Sequence[Contrast]) -> None:
    """Draw the differences of the primary contrasts with their 95 % intervals, from top to bottom."""
    with rc_context({"svg.hashsalt": "answers", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(INCHES_WIDE, 1.2 + INCHES_PER_ROW * len(contrasts)), layout="constrained")
        axes = figure.subplots()
        axes.axvline(0, color="0.4", linewidth=0.8)
        axes.axvspan(-0.02, 0.02, color="0.92", zorder=0)
        for row, contrast in enumerate(contrasts):
            for shift, (other, difference) in zip((-0.14, 0.14), contrast.differences.items(), strict=True):
                low, value, high = (difference[name] for name in ("low", "value", "high"))
                axes.errorbar(
                    value, row + shift, xerr=[[value - low], [high - value]], fmt="o", markersize=4, capsize=2,
                    color=COLOURS[other], label=f"minus {other}" if not row else None,
                )  # fmt: skip
        axes.set_yticks(range(len(contrasts)), [each.says for each in contrasts])
        axes.invert_yaxis()
        axes.set_xlabel("difference in AUROC (95 % interval); grey: margin of 0.02")
        axes.legend(loc="best", frameon=False)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        figure.savefig(file, metadata={"Date": None})


def _interval(difference: Mapping[str, float] | None) -> str:
    """Return a difference with its interval; an empty text without one."""
    if difference is None:
        return ""
    return f"{difference['value']:+.3f} ({difference['low']:+.3f} to {difference['high']:+.3f})"


if __name__ == "__main__":
    main()
