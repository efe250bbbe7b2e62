"""Tables and a figure of what `verdict_calibration.py` counted."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from verdict_worlds import SCORES, World

METRICS = {"auroc": "decided by AUROC", "accuracy": "decided by accuracy at 0.5"}
INCHES = (8.0, 4.2)
Cell = Mapping[str, Any]


def print_tables(cells: Sequence[Cell], worlds: Mapping[str, World]) -> None:
    """Print as Markdown: false verdicts, power, coverage where a class is rare."""
    for metric, title in METRICS.items():
        print(f"\n{title}: false verdicts and coverage, pooled (own)\n")
        print("| world | images | seeds | studies | false | covers | score covers |\n|---|---|---|---|---|---|---|")
        for cell in cells:
            world = worlds[cell["world"]]
            if not any(world.effects) and f"{metric} score covers" in cell:
                print(f"| {_design(cell)} | {_both(_false, cell, metric)} | {_both(_coverage, cell, metric)} | "
                      f"{_percent(cell, metric + ' score covers')} |")  # fmt: skip
        print(f"\n{title}: told with the right sign, and equivalence, pooled (own)\n")
        print("| world | images | seeds | studies | true difference in AUROC: told |\n|---|---|---|---|---|")
        for cell in cells:
            effects = worlds[cell["world"]].effects
            if any(effects) and f"{metric} score covers" in cell:
                told = "; ".join(
                    f"{100 * effect:+g}: {_told(cell, metric, 'pooled', place, effect):.0f} "
                    f"({_told(cell, metric, 'own', place, effect):.0f}) %"
                    for place, effect in enumerate(effects, 1)
                )
                print(f"| {_design(cell)} | {told} |")
    print("\ncoverage where a class is rare: single scores / differences\n")
    print(f"| world | seeds | studies | {' | '.join(SCORES)} |\n{'|---' * (len(SCORES) + 3)}|")
    for cell in cells:
        if worlds[cell["world"]].abnormal:
            shares = [
                f"{_percent(cell, metric + ' score covers')} / {_coverage(cell, metric, 'pooled')}" for metric in SCORES
            ]
            print(f"| {cell['world']} | {cell['seeds']} | {cell['studies']} | {' | '.join(shares)} |")


def draw(file: Path, cells: Sequence[Cell], worlds: Mapping[str, World]) -> None:
    """Draw power over the true difference, one panel for each primary score and one line for each design."""
    figure = Figure(figsize=INCHES, layout="constrained")
    panels = figure.subplots(1, len(METRICS), sharey=True)
    designs = sorted({(cell["images"], cell["seeds"]) for cell in cells if cell["world"] == "effects"})
    for axes, (metric, title) in zip(panels, METRICS.items(), strict=True):
        for place, (images, seeds) in enumerate(designs):
            by_world = {cell["world"]: cell for cell in cells if (cell["images"], cell["seeds"]) == (images, seeds)}
            for rule, style in (("pooled", "o-"), ("own", ":")):
                points = [(0.0, _told_falsely(by_world["null"], metric, rule))] if "null" in by_world else []
                points += [
                    (100 * effect, _told(by_world["effects"], metric, rule, arm, effect))
                    for arm, effect in enumerate(worlds["effects"].effects, 1)
                ]
                label = f"{images:,} images, {seeds} seeds" + (", each difference alone" if rule == "own" else "")
                axes.plot(*zip(*points, strict=True), style, color=f"C{place}", markersize=4, label=label)
        axes.axhline(5, color="0.6", linestyle=":", linewidth=1)
        axes.set_title(title)
        axes.set_xlabel("True difference in AUROC (points)")
        axes.grid(axis="y", color="0.9")
    panels[0].set_ylabel("Studies with a significant difference (%)")
    panels[0].set_ylim(0, 101)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    with rc_context({"svg.hashsalt": "xrayaug", "svg.fonttype": "none"}):
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)


def _design(cell: Cell) -> str:
    return f"{cell['world']} | {cell['images']:,} | {cell['seeds']} | {cell['studies']:,}"


def _both(share: Any, cell: Cell, metric: str) -> str:
    return f"{share(cell, metric, 'pooled')} ({share(cell, metric, 'own')})"


def _percent(cell: Cell, key: str) -> str:
    return f"{100 * cell.get(key, 0) / cell['studies']:.1f}"


def _false(cell: Cell, metric: str, rule: str) -> str:
    return _percent(cell, f"{metric} {rule} some")


def _coverage(cell: Cell, metric: str, rule: str) -> str:
    """Return the lowest and the highest share of intervals, over the differences of a study, that contain the truth."""
    keys = [key for key in cell if key.startswith(f"{metric} {rule} ") and key.endswith("covers")]
    shares = [100 * cell[key] / cell["studies"] for key in keys]
    low, high = f"{min(shares, default=math.nan):.1f}", f"{max(shares, default=math.nan):.1f}"
    return low if low == high else f"{low} to {high}"


def _told(cell: Cell, metric: str, rule: str, arm: int, effect: float) -> float:
    """Return the percentage of studies that say the right of an arm; without an effect, that it has one."""
    said = ("helps", "hurts") if effect == 0 else ("helps",) if effect > 0 else ("hurts",)
    return float(sum(100 * cell.get(f"{metric} {rule} {arm} {each}", 0) / cell["studies"] for each in said))


def _told_falsely(cell: Cell, metric: str, rule: str) -> float:
    """Return the mean over arms without an effect."""
    arms = [int(key.split()[2]) for key in cell if key.startswith(f"{metric} {rule} ") and key.endswith(" covers")]
    return sum(_told(cell, metric, rule, arm, 0.0) for arm in arms) / len(arms)
