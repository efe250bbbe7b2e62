"""Every number that a study's manifests, indexes and lists hold, counted here anew, and the numbers in a text."""

import csv
import json
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TOKEN = re.compile(r"(?<![\w.,/-])[+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?![\w/]|\.\w)")
NO_RESULTS = {"seal", "sha256", "path", "started", "seconds", "files", "network", "platform"}  # keys of a manifest
COUNTED = {"arms", "quarantined"}  # lists whose length is a result
CODE = re.compile(r"`[^`]*`")  # names, paths and values of options


def numbers_in(text: str) -> list[str]:
    """Return the numbers of a text; those that are part of a name in backquotes are none."""
    return [token.replace(",", "") for token in TOKEN.findall(CODE.sub("`", text))]


def list_numbers(home: Path) -> set[float]:
    """Return all numbers of a study."""
    found: set[float] = set()
    for path in home.rglob("manifest.json"):
        found |= set(_numbers_of(json.loads(path.read_text(encoding="utf-8"))))
    for path in home.rglob("index.csv"):
        found |= set(_counts_of_index(path))
    for path in home.rglob("skipped.csv"):
        with path.open(encoding="utf-8", newline="") as text:
            found |= set(map(float, Counter(line["reason"] for line in csv.DictReader(text)).values()))
    return found


def find_unknown(text: str, known: set[float]) -> list[str]:
    """Return the numbers of a text that are none of the known, rounded as they are written, or as percent."""
    return [token for token in numbers_in(text) if not _is_known(token, known)]


def _is_known(token: str, known: set[float]) -> bool:
    value = float(token)
    if "." not in token:
        return value in known or any(abs(100 * number - value) < 1e-9 for number in known)
    places = len(token.partition("e")[0].partition(".")[2])
    return any(round(number, places) == value or abs(number - value) < 1e-5 * abs(value) for number in known)


def _numbers_of(value: Any) -> Iterator[float]:
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        yield float(value)
        yield abs(float(value))
    elif isinstance(value, str):
        yield from map(float, re.findall(r"\d+(?:\.\d+)?", value.replace(",", "")))
        yield from (-float(number) for number in re.findall(r"-(\d+(?:\.\d+)?)", value))
    elif isinstance(value, dict):
        for name, each in value.items():
            if name in NO_RESULTS or name.endswith("sha256"):
                continue
            if name in COUNTED and isinstance(each, list):
                yield float(len(each))
            yield from _numbers_of(each)
    elif isinstance(value, list):
        for each in value:
            yield from _numbers_of(each)


def _counts_of_index(path: Path) -> Iterator[float]:
    """Yield numbers of images and patients by split and label, and summaries of the columns age and sex by split."""
    with path.open(encoding="utf-8", newline="") as text:
        lines = list(csv.DictReader(text))
    yield float(len(lines))
    yield float(len({line["patient"] for line in lines}))
    by_split = defaultdict(list)
    for line in lines:
        by_split[line["split"]].append(line)
    for group in by_split.values():
        yield float(len(group))
        yield float(len({line["patient"] for line in group}))
        yield from map(float, Counter(line["label"] for line in group).values())
        yield from map(float, Counter(line.get("sex") for line in group).values())
        ages = [float(line["age"]) for line in group if line.get("age")]
        if len(ages) > 1:
            yield from (statistics.fmean(ages), statistics.stdev(ages), min(ages), max(ages), float(len(ages)))
