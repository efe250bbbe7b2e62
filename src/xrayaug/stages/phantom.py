"""nothing -> raw set: draw practice hands and lay them on disk as RSNA or MURA would, CSV files included."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from xrayaug.data.images import contact_sheets
from xrayaug.data.phantoms import draw_hand
from xrayaug.options import Phantom
from xrayaug.runtime import console, parallel
from xrayaug.runtime.console import Table
from xrayaug.storage import builder, csvfile, files
from xrayaug.storage.artifacts import Result

ASPECT = 0.8  # width by height, as most hand radiographs
LAYOUT, DRAWING = range(2)  # what a random stream is for

RSNA_FIRST_ID = 1377
MURA_TEST_SHARE = 0.2  # of the studies; MURA's own 0.08 would leave a small set hardly any
MURA_ABNORMAL_SHARE = 0.3  # of the studies, as among MURA's hands
MURA_VIEWS = ((1, 0.1), (2, 0.2), (3, 0.6), (4, 0.1))  # images per study, and how often


@dataclass(frozen=True)
class Hand:
    """One image to draw and where it goes."""

    file: str
    abnormal: bool
    left: bool


def run(options: Phantom) -> Result:
    """Draw; leaves the raw set."""
    return builder.produce(options, "raw", partial(_draw_set, options))


def plan(options: Phantom) -> Result:
    """How many of which kind would be drawn."""
    return _summary(options, _hands(options))


def tables(result: Result) -> list[Table]:
    """What was drawn."""
    return [Table("Phantoms", ("", "value"), [(name, str(value)) for name, value in result.items()])]


def _draw_set(options: Phantom, directory: Path) -> Result:
    hands = _hands(options)
    draw = partial(_draw, options, directory)
    drawing = parallel.in_processes(draw, enumerate(hands), options.workers or parallel.processors())
    with closing(drawing) as drawn, console.progress(len(hands), "phantom") as advance:
        for _ in drawn:
            advance(1)
    write = {"rsna": _write_rsna_lists, "mura": _write_mura_lists}[options.layout]
    write(directory, hands, np.random.default_rng((options.seed, LAYOUT)))
    return _summary(options, hands)


def _draw(options: Phantom, directory: Path, numbered: tuple[int, Hand]) -> None:
    """Draw one image from the random stream of its number."""
    index, hand = numbered
    random = np.random.default_rng((options.seed, DRAWING, index))
    width = round(options.height * ASPECT)
    kind: dict[str, Any] = {"abnormal": hand.abnormal, "left": hand.left, "finding_size": options.finding_size}
    picture = draw_hand(random, options.height, width, **kind)
    contact_sheets.save_png(directory / hand.file, picture)


def _hands(options: Phantom) -> list[Hand]:
    random = np.random.default_rng((options.seed, LAYOUT))
    lay_out = {"rsna": _rsna_hands, "mura": _mura_hands}[options.layout]
    return list(lay_out(options.count, random))


def _rsna_hands(count: int, random: np.random.Generator) -> Iterator[Hand]:
    """Normal left hands; ids rise from RSNA's first with gaps, in the doubled directory of the Kaggle copy."""
    folder = "boneage-training-dataset/boneage-training-dataset"
    for number in RSNA_FIRST_ID + np.cumsum(random.integers(1, 3, count)):
        yield Hand(f"{folder}/{number}.png", abnormal=False, left=True)


def _mura_hands(count: int, random: np.random.Generator) -> Iterator[Hand]:
    """Studies of one to four views, either hand, one patient each."""
    views, shares = zip(*MURA_VIEWS, strict=True)
    studies: Counter[str] = Counter()
    drawn = 0
    for patient in itertools.count(1):
        split = "valid" if _every(MURA_TEST_SHARE, patient) else "train"
        studies[split] += 1
        abnormal = _every(MURA_ABNORMAL_SHARE, studies[split])
        left = bool(random.random() < 0.5)
        study = f"study1_{'positive' if abnormal else 'negative'}"
        folder = f"MURA-v1.1/{split}/XR_HAND/patient{patient:05}/{study}"
        for view in range(1, min(int(random.choice(views, p=shares)), count - drawn) + 1):
            drawn += 1
            yield Hand(f"{folder}/image{view}.png", abnormal, left)
        if drawn == count:
            return


def _every(share: float, number: int) -> bool:
    """Whether the `number`-th, from 1, is of a share spread evenly, the first included: small sets get every kind."""
    return math.ceil(share * number) > math.ceil(share * (number - 1))


def _write_rsna_lists(directory: Path, hands: list[Hand], random: np.random.Generator) -> None:
    rows = [(Path(hand.file).stem, random.integers(12, 217), bool(random.random() < 0.54)) for hand in hands]
    files.write_text(directory / "boneage-training-dataset.csv", csvfile.dump([("id", "boneage", "male"), *rows]))


def _write_mura_lists(directory: Path, hands: list[Hand], _: np.random.Generator) -> None:
    """MURA's four lists: no header, studies with a trailing slash."""
    for split in ("train", "valid"):
        chosen = [hand for hand in hands if hand.file.startswith(f"MURA-v1.1/{split}/")]
        studies = {f"{Path(hand.file).parent.as_posix()}/": int(hand.abnormal) for hand in chosen}
        root = directory / "MURA-v1.1"
        root.mkdir(exist_ok=True)
        files.write_text(root / f"{split}_image_paths.csv", csvfile.dump((hand.file,) for hand in chosen))
        files.write_text(root / f"{split}_labeled_studies.csv", csvfile.dump(studies.items()))


def _summary(options: Phantom, hands: list[Hand]) -> Result:
    return {
        "layout": options.layout,
        "images": len(hands),
        "normal": sum(not hand.abnormal for hand in hands),
        "abnormal": sum(hand.abnormal for hand in hands),
        "height": options.height,
        "width": round(options.height * ASPECT),
    }
