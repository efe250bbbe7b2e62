"""Draw phantom hands and write them as a raw set in the layout of RSNA or MURA, with its CSV files."""

from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np

from xrayaug.data.images import contact_sheets
from xrayaug.data.phantoms import draw_hand, layouts
from xrayaug.data.phantoms.layouts import PlannedImage
from xrayaug.options import Phantom
from xrayaug.runtime import console, parallel
from xrayaug.runtime.console import Table
from xrayaug.storage import builder, csvfile, files
from xrayaug.storage.artifacts import Result

ASPECT_RATIO = 0.8  # width by height, as of most hand radiographs


def run(options: Phantom) -> Result:
    """Draw the images and write the raw set."""
    return builder.build_artifact(options, "raw", partial(_draw_set, options))


def plan(options: Phantom) -> Result:
    """Return the numbers of images by kind, without drawing them."""
    return _summary(options, layouts.plan_images(options))


def tables(result: Result) -> list[Table]:
    """Return a table of the drawn images."""
    return [Table("Phantoms", ("", "value"), [(name, str(value)) for name, value in result.items()])]


def _draw_set(options: Phantom, directory: Path) -> Result:
    images = layouts.plan_images(options)
    draw = partial(_draw_image, options, directory)
    drawing = parallel.map_in_processes(draw, enumerate(images), options.workers or parallel.available_cpus())
    with closing(drawing) as drawn, console.progress(len(images), "phantom") as advance:
        for _ in drawn:
            advance(1)
    write = {"rsna": _write_rsna_lists, "mura": _write_mura_lists}[options.layout]
    write(directory, images, np.random.default_rng((options.seed, layouts.LAYOUT)))
    return _summary(options, images)


def _draw_image(options: Phantom, directory: Path, numbered_image: tuple[int, PlannedImage]) -> None:
    """Draw one image from the random stream of its number."""
    index, image = numbered_image
    random = np.random.default_rng((options.seed, layouts.DRAWING, index))
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
