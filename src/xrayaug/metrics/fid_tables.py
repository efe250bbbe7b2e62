"""The tables of the `fid` command: the distance, the metrics beside their floor, and the test."""

from collections.abc import Iterator, Sequence
from typing import Any

from xrayaug.runtime.console import Table, format_number
from xrayaug.storage.artifacts import Result


def format_tables(result: Result) -> list[Table]:
    """Return the tables of the distance and the metrics, or of the plan."""
    sides = [(f"{name}: {side['path']}", _side_text(side)) for name, side in (("A", result["a"]), ("B", result["b"]))]
    if result.get("plan"):
        shown = ("features", "dims", "metrics", "floor", "weights", "cache", "save_stats", "out")
        rows = [(name.replace("_", " "), str(result[name])) for name in shown if result.get(name) is not None]
        notes = ["--out is already complete"] if result["complete"] else []
        return [Table("Would measure", ("", "value"), [*sides, *rows], notes)]
    network = result["network"] or "unknown"
    rows = [(result["description"], f"{result['value']:.6g}"), *sides, ("network", network)]
    notes = [f"warning: {line}" for line in result["warnings"]]
    distance = Table("Distance between two sets of images", ("", "value"), rows, [] if "floor" in result else notes)
    return [distance, _metrics_table(result, notes)] if "floor" in result else [distance]


def _metrics_table(result: Result, notes: Sequence[str]) -> Table:
    """Return the table of all metrics over all images, and over as many images as the floor."""
    measures = result["floor"]["measures"] if result["floor"] else {}
    columns = ("", "all images", "at the floor's n", "floor (B against B)", "excess", "ratio", "p", "p (Holm)")
    rows = [(name, value, *_floor_cells(measures.get(key, {}))) for key, name, value in _metric_values(result)]
    floor_size = f", n {result['floor']['n']:,}, {result['floor']['splits']} splits" if result["floor"] else ""
    features_used = f"{result['dims']} {result['features']} features"
    title = f"Measures over {features_used}, side B the reference{floor_size}"
    return Table(title, columns, rows, [*_test_notes(result["floor"]), *notes])


def _test_notes(floor: Result | None) -> list[str]:
    """Return what the test says; nothing without one, as in results from before there was a test."""
    if floor is None or floor.get("test") is None:
        return []
    test, measures = floor["test"], floor["measures"]
    worse = [name for name, comparison in measures.items() if comparison["p_holm"] <= test["level"]]
    counts = f"{test['n']['a']:,} and {test['n']['b']:,} images of different patients"
    return [
        f"p: permutation test of whether A is worse than B would be by chance ({counts}, {test['permutations']} "
        "permutations); p (Holm): corrected for the number of measures",
        f"worse than real images at the level of {100 * test['level']:.0f} %: {', '.join(worse) or 'no measure'}",
    ]


def _floor_cells(comparison: dict[str, float | None]) -> tuple[str, ...]:
    """Return the cells of a measure's comparison with its floor; empty if it has no floor."""
    value, floor, deviation, excess, ratio, *p_values = (
        format_number(comparison.get(name), ".4g")
        for name in ("value", "floor", "floor_sd", "excess", "ratio", "p_value", "p_holm")
    )
    return value, f"{floor} ± {deviation}" if comparison else floor, excess, ratio, *p_values


def _metric_values(result: Result) -> Iterator[tuple[str, str, str]]:
    """Yield each metric's key, name and value over all images, with its standard error."""
    distance = "FID" if "fid" in result else "Fréchet distance"
    counts = f"n {result['a']['n']:,} and {result['b']['n']:,}"
    yield "fid", f"{distance}, {counts}", format_number(result["value"], ".4g")
    metrics = result["metrics"]
    if "kid" in metrics:
        kid = metrics["kid"]
        name = f"kernel distance (KID), {kid['subsets']} subsets of {kid['subset_size']:,}"
        yield "kid", name, _format_estimate(kid)
    if "prdc" in metrics:
        for name in ("precision", "recall", "density", "coverage"):
            yield name, f"{name}, n {metrics['prdc']['n']:,}", format_number(metrics["prdc"][name], ".4g")
    infinity = metrics.get("fid-infinity")
    if infinity is not None:
        name = f"{distance} extrapolated to infinite n"
        yield "fid-infinity", name, _format_estimate(infinity)


def _format_estimate(estimate: dict[str, Any]) -> str:
    """Return a value with its standard error, or alone if it has none."""
    error = estimate["standard_error"]
    return f"{estimate['value']:.6g}" if error is None else f"{estimate['value']:.6g} ± {error:.2g}"


def _side_text(side: dict[str, Any]) -> str:
    count = "unknown number of" if side["n"] is None else f"{side['n']:,}"
    return f"{side['kind']}, {count} images{' (cached)' if side.get('cached') else ''}"
