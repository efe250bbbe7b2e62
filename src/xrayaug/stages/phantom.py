"""Draw phantom hands and write them as a raw set in the layout of RSNA or MURA, with its CSV files."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from xrayaug.data.images import contact_sheets
from xrayaug.data.phantoms import draw_hand
from xrayaug.options import Phantom
from xrayaug.runtime import console, parallel
from xrayaug.runtime.console import Table
from xrayaug.storage import builder, csvfile, files
from xrayaug.storage.artifacts import Result

ASPECT_RATIO = 0.8  # width by height, as of most hand radiographs
LAYOUT, DRAWING = range(2)  # purposes of random streams

RSNA_FIRST_ID = 1377
MURA_TEST_SHARE = 0.2  # of the studies; with MURA's own 0.08, a small set would have very few
MURA_ABNORMAL_SHARE = 0.3  # of the studies, as among MURA's hands
MURA_VIEWS = ((1, 0.1), (2, 0.2), (3, 0.6), (4, 0.1))  # images per study, and how often


@dataclass(frozen=True)
class PlannedImage:
    """One image to draw, and its file."""

    file: str
    abnormal: bool
    left: bool


def run(options: Phantom) -> Result:
    """Draw the images and write the raw set."""
    return builder.build_artifact(options, "raw", partial(_draw_set, options))


def plan(options: Phantom) -> Result:
    """Return the numbers of images by kind, without drawing them."""
    return _summary(options, _plan_images(options))


def tables(result: Result) -> list[Table]:
    """Return a table of the drawn images."""
    return [Table("Phantoms", ("", "value"), [(name, str(value)) for name, value in result.items()])]


def _draw_set(options: Phantom, directory: Path) -> Result:
    images = _plan_images(options)
    draw = partial(_draw_image, options, directory)
    drawing = parallel.map_in_processes(draw, enumerate(images), options.workers or parallel.available_cpus())
    with closing(drawing) as drawn, console.progress(len(images), "phantom") as advance:
        for _ in drawn:
            advance(1)
    write = {"rsna": _write_rsna_lists, "mura": _write_mura_lists}[options.layout]
    write(directory, images, np.random.default_rng((options.seed, LAYOUT)))
    return _summary(options, images)


def _draw_image(options: Phantom, directory: Path, numbered_image: tuple[int, PlannedImage]) -> None:
    """Draw one image from the random stream of its number."""
    index, image = numbered_image
    random = np.random.default_rng((options.seed, DRAWING, index))
    width = round(options.height * ASPECT_RATIO)
    picture = draw_hand(
        random,
        options.height,
        width,
        abnormal=image.abnormal,
        left=image.left,
        finding_size=options.finding_size,
    )
    contact_sheets.save_png(directory / image.file, picture)


def _plan_images(options: Phantom) -> list[PlannedImage]:
    random = np.random.default_rng((options.seed, LAYOUT))
    plan_layout = {"rsna": _plan_rsna, "mura": _plan_mura}[options.layout]
    return list(plan_layout(options.count, random))


def _plan_rsna(count: int, random: np.random.Generator) -> Iterator[PlannedImage]:
    """Yield normal left hands; ids rise from RSNA's first with gaps, in the doubled directory of the Kaggle copy."""
    folder = "boneage-training-dataset/boneage-training-dataset"
    for number in RSNA_FIRST_ID + np.cumsum(random.integers(1, 3, count)):
        yield PlannedImage(f"{folder}/{number}.png", abnormal=False, left=True)


def _plan_mura(count: int, random: np.random.Generator) -> Iterator[PlannedImage]:
    """Yield the images of studies of one to four views, of either hand, each of a patient of its own."""
    views, shares = zip(*MURA_VIEWS, strict=True)
    studies: Counter[str] = Counter()
    drawn = 0
    for patient in itertools.count(1):
        split = "valid" if _is_due(MURA_TEST_SHARE, patient) else "train"
        studies[split] += 1
        abnormal = _is_due(MURA_ABNORMAL_SHARE, studies[split])
        left = bool(random.random() < 0.5)
        study = f"study1_{'positive' if abnormal else 'negative'}"
        folder = f"MURA-v1.1/{split}/XR_HAND/patient{patient:05}/{study}"
        for view in range(1, min(int(random.choice(views, p=shares)), count - drawn) + 1):
            drawn += 1
            yield PlannedImage(f"{folder}/image{view}.png", abnormal, left)
        if drawn == count:
            return


def _is_due(share: float, number: int) -> bool:
    """Return whether the `number`-th image, from 1, belongs to an evenly spread share; the first always does."""
    return math.ceil(share * number) > math.ceil(share * (number - 1))


def _write_rsna_lists(directory: Path, images: list[PlannedImage], random: np.random.Generator) -> None:
    rows = [(Path(image.file).stem, random.integers(12, 217), bool(random.random() < 0.54)) for image in images]
    files.write_text(directory / "boneage-training-dataset.csv", csvfile.dump([("id", "boneage", "male"), *rows]))


def _write_mura_lists(directory: Path, images: list[PlannedImage], _: np.random.Generator) -> None:
    """Write MURA's four CSV files: no header, studies with a trailing slash."""
    for split in ("train", "valid"):
        chosen = [image for image in images if image.file.startswith(f"MURA-v1.1/{split}/")]
        studies = {f"{Path(image.file).parent.as_posix()}/": int(image.abnormal) for image in chosen}
        root = directory / "MURA-v1.1"
        root.mkdir(exist_ok=True)
        files.write_text(root / f"{split}_image_paths.csv", csvfile.dump((image.file,) for image in chosen))
        files.write_text(root / f"{split}_labeled_studies.csv", csvfile.dump(studies.items()))


def _summary(options: Phantom, images: list[PlannedImage]) -> Result:
    return {
        "layout": options.layout,
        "images": len(images),
        "normal": sum(not image.abnormal for image in images),
        "abnormal": sum(image.abnormal for image in images),
        "height": options.height,
        "width": round(options.height * ASPECT_RATIO),
    }
