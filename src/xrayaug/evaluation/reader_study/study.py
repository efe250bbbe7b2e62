"""Classifier runs -> a reader study: as many synthetic images as real ones, in random order, and the key.

What could tell the two kinds apart without looking is made equal: label by label as many of each, all of one size in
pixels, by the same resampling, as PNG files of the same encoder, under names that say nothing.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xrayaug.data.dataset import LABELS, Dataset, Row
from xrayaug.data.images import contact_sheets
from xrayaug.errors import ArtifactError, DataError, InputError, OutputError
from xrayaug.evaluation import validity
from xrayaug.evaluation.reader_study.page import Shown, page
from xrayaug.evaluation.runs import Run
from xrayaug.storage import artifacts, files
from xrayaug.storage.artifacts import Artifact, Result

PAGE, KEY = "reader.html", "reader-key.json"
FORMAT = 1
STREAM = 7  # of the seed: what is drawn for readers
STUDY_DIGITS = 16  # of a sha256, that name a study


@dataclass(frozen=True)
class Drawn:
    """An image of the study: whose it is, which it is, what it is called on the page."""

    data: Dataset
    row: Row
    name: str = ""

    @property
    def side(self) -> int:
        """Height and width of its array's pictures, the larger of the two, in pixels."""
        return int(max(self.data.arrays[self.row.image].shape[1:]))


def draw(runs: Sequence[Run], count: int, seed: int, reals: str) -> list[Drawn]:
    """The images of a study in the order in which they are shown: half of them synthetic, rounded down.

    Args:
        runs: sorted by arm; those of controls are left out.
        count: of images.
        seed: of the draws, the order and the names.
        reals: `generator` for real images that the generator learnt from, `arm` for those that the arms train on.

    Raises:
        DataError: there are too few images of a kind.
        InputError: what the generator learnt from cannot be found.
    """
    arms = _arms(runs)
    random = np.random.default_rng([seed, STREAM])
    synthetic = _synthetic(arms, count, random)
    wanted = Counter(each.row.label for each in synthetic)
    if count % 2:
        wanted[max(wanted, key=lambda label: wanted[label])] += 1
    real = _real(arms, reals, wanted, random)
    shown = [*synthetic, *real]
    order = random.permutation(len(shown))
    names = random.choice(1 << 32, len(shown), replace=False)
    return [Drawn(shown[at].data, shown[at].row, f"{name:08x}") for at, name in zip(order, names, strict=True)]


def counts(drawn: Sequence[Drawn], reals: str) -> Result:
    """What a study holds, for the result."""
    return {
        "images": len(drawn),
        "synthetic": sum(each.row.synthetic for each in drawn),
        "real": sum(not each.row.synthetic for each in drawn),
        "labels": {label: sum(each.row.label == label for each in drawn) for label in LABELS},
        "size": _size(drawn),
        "reals": reals,
    }


def make(drawn: Sequence[Drawn], reals: str) -> tuple[dict[str, str], Result]:
    """The page and its key, as files by name, and what is said of them in the result."""
    size = _size(drawn)
    shown = [Shown(each.name, contact_sheets.png(each.data.pixels([each.row], size)[0])) for each in drawn]
    lines = [f"{each.name} {files.sha256_of(each.png)}" for each in shown]
    study = files.sha256_of("\n".join(lines).encode())[:STUDY_DIGITS]
    key = {
        "format": FORMAT,
        "study": study,
        **counts(drawn, reals),
        "answers": {each.name: _told(each) for each in drawn},
    }
    texts = {PAGE: page(study, shown), KEY: files.json_text(key)}
    return texts, {"study": study, **counts(drawn, reals)}


def check_same(there: Mapping[str, Any], count: int, reals: str) -> None:
    """Hold a study that is there already to the one that is asked for: readers may be answering it.

    Raises:
        OutputError: it is another one.
    """
    asked = {"images": count, "reals": reals}
    differing = [f"{name} was {there.get(name)}, is now {now}" for name, now in asked.items() if there.get(name) != now]
    if differing:
        raise OutputError(
            f"there is another reader study already, which readers may be answering: {'; '.join(differing)}",
            "choose another --out, or --overwrite to do without it",
        )


def read_key(evaluation: Artifact) -> dict[str, Any]:
    """The key of the study in an evaluation: `study`, and `answers` by the image's name.

    Raises:
        DataError: it has no study.
        ArtifactError: its key is none.
    """
    if KEY not in evaluation.manifest["files"]:
        raise no_study(evaluation.path)
    key = json.loads(evaluation.file(KEY).read_text(encoding="utf-8"))
    if key.get("format") != FORMAT:
        raise ArtifactError(f"{evaluation.path / KEY} has format {key.get('format')}, not {FORMAT}", "make it again")
    return dict(key)


def no_study(out: object) -> DataError:
    """That there is nothing that readers' answers could be held to."""
    return DataError(f"{out} has no reader study for these answers to be of", "xrayaug evaluate ... --reader-study 40")


def _arms(runs: Sequence[Run]) -> list[Dataset]:
    """What the runs of arms with synthetic images were trained on, each once."""
    fed = [run.data for run in runs if run.arm["control"] is None and run.data.select(split="train", synthetic=True)]
    return list({artifacts.digest(data.path): data for data in fed}.values())


def _synthetic(arms: Sequence[Dataset], count: int, random: np.random.Generator) -> list[Drawn]:
    every = [Drawn(data, row) for data in arms for row in data.select(split="train", synthetic=True)]
    pool = list({_picture(each): each for each in every}.values())  # the arms' doses nest
    wanted = count // 2
    if wanted > len(pool):
        raise DataError(
            f"--reader-study {count} shows {wanted} synthetic images, and the arms of these runs hold {len(pool)}",
            f"ask for at most {2 * len(pool) + 1}" if pool else "judge a run on an arm that has some",
        )
    return [pool[at] for at in random.permutation(len(pool))[:wanted]]


def _real(arms: Sequence[Dataset], reals: str, wanted: Mapping[str, int], random: np.random.Generator) -> list[Drawn]:
    """As many real images of each label as are wanted."""
    pool = list({_picture(each): each for each in _offered(arms, reals)}.values())
    found: list[Drawn] = []
    for label in sorted(wanted):
        of_label = [each for each in pool if each.row.label == label]
        if wanted[label] > len(of_label):
            whose = "the generator learnt from" if reals == "generator" else "the arms train on"
            raise DataError(
                f"the reader study needs {wanted[label]} real images labelled {label}, and {whose} {len(of_label)}",
                "ask for fewer, or choose others with --reader-reals",
            )
        found += [of_label[at] for at in random.permutation(len(of_label))[: wanted[label]]]
    return found


def _offered(arms: Sequence[Dataset], reals: str) -> Iterable[Drawn]:
    if reals == "arm":
        return [Drawn(arm, row) for arm in arms for row in arm.select(split="train", synthetic=False) if not row.copy]
    try:
        learnt = [validity.learnt_from(arm.artifact) for arm in arms]
    except InputError as problem:
        raise DataError(
            f"what the generator learnt from cannot be found: {problem.message}",
            "--reader-reals arm takes the arms' own real images",
        ) from None
    return [Drawn(data, row) for data, rows in learnt for row in rows]


def _picture(each: Drawn) -> tuple[str, str, int]:
    """What tells one picture from another: the artifact that the row's array lies in or comes from, and where in it."""
    borrowed_from, _, rest = each.row.image.rpartition("/")
    if not borrowed_from:
        return artifacts.digest(each.data.path), rest, each.row.row
    first, _, further = borrowed_from.partition("/")
    return str(each.data.artifact.manifest["inputs"][first]["sha256"]), f"{further}/{rest}", each.row.row


def _size(drawn: Sequence[Drawn]) -> int:
    """The size at which all are shown: the smallest, so that none is enlarged and none has more detail."""
    return min(each.side for each in drawn)


def _told(each: Drawn) -> dict[str, Any]:
    row = each.row
    told = {"synthetic": row.synthetic, "label": row.label, "source": row.source, "file": row.file}
    return told | {"data": each.data.path.name, "image": row.image, "row": row.row}
