"""What was planted in a study and how much of it was found: tables, and the answer in sentences."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from xrayaug.evaluation.planted.results import Kind, Planted, PlantedRate, Unknown
from xrayaug.runtime.console import UNDEFINED, Section, Table
from xrayaug.stats import classification
from xrayaug.stats.power import POWER

TITLE = "Would this study have seen it?"
NAMES: dict[Kind, str] = {"gain": "gains", "leak": "leaks of patients", "copy": "copies"}
SHARES = "shares of repetitions with their 95 % intervals; all numbers are in planted.json"
REDRAWN = (
    "patients and the seeds of all arms are drawn anew, and one arm at a time has the gain; the variances are those "
    "estimated from this study, and their uncertainty is not in the intervals"
)
MAX_NAMED = 2  # places that a line names


def make_tables(planted: Planted, metric: str) -> list[Table]:
    """Return a table of gains, one of leaks and one of copies, each if there is any."""
    tables = [_gain_table(planted.gains, metric)] if planted.gains else []
    for rates, title in (
        (planted.leaks, "Planted leaks of test patients into training: how often the checks report a leak"),
        (planted.copies, "Planted copies among the synthetic images: how often the checks report copies"),
    ):
        if rates:
            tables.append(_image_table(rates, title))
    return [replace(each, notes=[SHARES, *each.notes]) if place == 0 else each for place, each in enumerate(tables)]


def summarize(planted: Planted, metric: str) -> Section:
    """Return the answer in a few sentences, for the console and the report."""
    lines = [_describe_gains(planted.gains, metric)] if planted.gains else []
    if planted.leaks:
        lines.append(_describe_images(planted.leaks, "A leak of test patients is", "the patients"))
    if planted.copies:
        lines.append(_describe_images(planted.copies, "Copies among synthetic images are", "the images"))
    return Section(TITLE, [*lines, *_describe_unknown(planted.unknown)])


def _describe_unknown(unknown: Sequence[Unknown]) -> list[str]:
    """Return a sentence for each reason why something could not be planted, with everything that it holds for."""
    places: dict[tuple[Kind, str], list[str]] = {}
    for each in unknown:
        places.setdefault((each.kind, each.reason), []).append(each.what)
    return [
        f"It is unknown which {NAMES[kind]} would have been seen in {_join_places(of)}: {reason}."
        for (kind, reason), of in places.items()
    ]


def _join_places(places: Sequence[str]) -> str:
    names = list(dict.fromkeys(places))
    if len(names) <= MAX_NAMED + 1:
        return "; ".join(names)
    return f"{'; '.join(names[:MAX_NAMED])}; and {len(names) - MAX_NAMED} others"


def _gain_table(gains: Sequence[PlantedRate], metric: str) -> Table:
    amounts = sorted({each.amount for each in gains})
    rows = []
    for arm in dict.fromkeys(each.what for each in gains):
        own = [each for each in gains if each.what == arm]
        rows.append((arm, *_make_cells(own, amounts, _format_share)))
        if any(each.expected is not None for each in own):
            rows.append((f"{arm}, by formula", *_make_cells(own, amounts, _format_expected)))
    planted = "Planted gains" if any(amounts) else "No planted gain"
    title = f"{planted} in {classification.display_name(metric)}: how often such studies say that the arm helps"
    columns = ("Arm", *(f"+{amount:.3f}" if amount else "No gain" for amount in amounts))
    return Table(title, columns, rows, [REDRAWN, *_list_notes(gains)])


def _image_table(rates: Sequence[PlantedRate], title: str) -> Table:
    """Return a table with one row for all places and forms in which the same was found."""
    amounts = sorted({each.amount for each in rates})
    cells: dict[tuple[str, ...], dict[str, list[str]]] = {}  # forms by place, by the cells of a row
    for what, form in dict.fromkeys((each.what, each.form or "") for each in rates):
        own = [each for each in rates if (each.what, each.form or "") == (what, form)]
        largest = max(own, key=lambda each: each.amount)
        counted = UNDEFINED if largest.counted is None else _format_percent(largest.counted)
        row = (*_make_cells(own, amounts, _format_share), counted)
        cells.setdefault(row, {}).setdefault(what, []).append(form)
    rows = []
    for row, by_place in cells.items():
        places: dict[str, list[str]] = {}
        for what, forms in by_place.items():
            places.setdefault(", ".join(filter(None, forms)), []).append(what)
        rows += [(": ".join(filter(None, (_join_places(of), forms))), *row) for forms, of in places.items()]
    columns = ("Planted", *(_format_percent(amount) if amount else "None" for amount in amounts), "Of these seen")
    return Table(title, columns, rows, _list_notes(rates))


def _make_cells(
    rates: Sequence[PlantedRate], amounts: Sequence[float], form: Callable[[PlantedRate], str]
) -> list[str]:
    by_amount = {each.amount: each for each in rates}
    return [form(by_amount[amount]) if amount in by_amount else UNDEFINED for amount in amounts]


def _format_percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _format_share(rate: PlantedRate) -> str:
    return f"{_format_percent(rate.share)} ({100 * rate.low:.0f} to {100 * rate.high:.0f})"


def _format_expected(rate: PlantedRate) -> str:
    return UNDEFINED if rate.expected is None else _format_percent(rate.expected)


def _list_notes(rates: Sequence[PlantedRate]) -> list[str]:
    places: dict[str, list[str]] = {}
    for each in rates:
        if each.note is not None:
            places.setdefault(each.note, []).append(each.what)
    return [f"{_join_places(of)}: {note}" for note, of in places.items()]


def _describe_gains(gains: Sequence[PlantedRate], metric: str) -> str:
    """Return how often each gain is told, over all arms; if no gain could be planted, how often one is told falsely."""
    name, is_single = classification.display_name(metric), len({each.what for each in gains}) == 1
    without = _format_range(gains, 0.0) if any(not each.amount for each in gains) else None
    if without is not None and not any(each.amount for each in gains):
        arm = "the arm" if is_single else "an arm"
        return f"Without a true gain in {name}, {without} of such studies would say that {arm} helps; none was planted."
    told = [
        f"{_format_range(gains, amount)} at {100 * amount:g} point{'' if amount == 0.01 else 's'}"
        for amount in sorted({each.amount for each in gains})
        if amount
    ]
    if without is not None:
        told.append(f"{without} without a gain")
    who = "the arm" if is_single else "one arm alone"
    return f"If {who} had a true gain in {name}, this share of such studies would say that it helps: {', '.join(told)}."


def _format_range(rates: Sequence[PlantedRate], amount: float) -> str:
    shares = [_format_percent(share) for share in sorted(each.share for each in rates if each.amount == amount)]
    return shares[0] if shares[0] == shares[-1] else f"{shares[0].removesuffix(' %')} to {shares[-1]}"


def _describe_images(rates: Sequence[PlantedRate], what: str, of: str) -> str:
    """Return from which share on a leak or copies are mostly reported, in which form, wherever they are planted."""
    reported: dict[str, list[str]] = {}
    shares = sorted({each.amount for each in rates if each.amount})
    for form in dict.fromkeys(each.form or "" for each in rates):
        own = [each for each in rates if (each.form or "") == form and each.amount]
        enough = [share for share in shares if all(each.share >= POWER for each in own if each.amount >= share)]
        least, most = (_format_percent(each) for each in (min(enough, default=1.0), max(shares)))
        start = f"from {least} of {of} on" if enough else f"not even at {most}"
        reported.setdefault(start, []).append(form)
    listed = "; ".join(f"{start}: {', '.join(filter(None, forms)) or 'all'}" for start, forms in reported.items())
    none = [each for each in rates if not each.amount]
    alarms = ""
    if none:
        false, trials = sum(each.found for each in none), sum(each.trials for each in none)
        alarms = f" Without any, {false:,} of {trials:,} are false reports."
    return f"{what} reported in at least {_format_percent(POWER)} of plantings {listed}.{alarms}"
