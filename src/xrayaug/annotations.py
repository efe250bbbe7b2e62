"""Pictures that lie beside radiographs and are none, by their names: segmentation masks, overlays, previews, icons."""

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

NO_RADIOGRAPH = "no radiograph by its name"  # how the reasons begin for which such a picture is left out

WORDS = (
    r"masks?|segs?|segmentations?|annotations?|annotated|ground ?truths?|gt|overlays?|thumbs?|thumbnails?|"
    r"previews?|icons?|heat ?maps?|saliency|grad ?cam|bbox|bboxes|contours?"
)
FOLDER = re.compile(rf"(?!.*\b(?:and|with|without|free)\b)(?:.* )?(?:{WORDS})(?: .*)?|labels")  # in `_plain` form
ENDING = re.compile(rf"(?:.* )(?:{WORDS}|label)(?: ?\d{{1,4}})?")
WHOLE = re.compile(rf"(?:{WORDS}|logo|favicon|groundtruth .*)")
BEGINNING = re.compile(r"(?:masks?|overlay|thumb|thumbnail|preview|heat ?map) .+")
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
OTHERS = re.compile(r"[^a-z0-9]+")


def reason(file: str) -> str:
    """Why the picture at this path is left out, or empty; the path begins at the set's root."""
    path = PurePosixPath(file)
    for folder in path.parts[:-1]:
        if FOLDER.fullmatch(_plain(folder)):
            return f"{NO_RADIOGRAPH}: in the directory '{folder}'"
    name = _plain(path.stem)
    if any(pattern.fullmatch(name) for pattern in (ENDING, WHOLE, BEGINNING)):
        return f"{NO_RADIOGRAPH}: '{path.name}'"
    return ""


def radiographs_first(files: Iterable[str]) -> list[str]:
    """The files without those masks and the like that bear the name of a radiograph, in order."""
    given = list(files)
    names = {PurePosixPath(file).stem for file in given if not reason(file)}
    return [file for file in given if not reason(file) or PurePosixPath(file).stem not in names]


def warnings(kept: Sequence[str], skipped: Sequence[tuple[str, str]]) -> list[str]:
    """What to warn of: such pictures that were left out, and those that are kept because a list names them."""
    left_out = [(file, why) for file, why in skipped if why.startswith(NO_RADIOGRAPH)]
    named = [file for file in kept if reason(file)]
    lines = []
    if left_out:
        file, why = left_out[0]
        lines.append(f"{len(left_out)} pictures are left out as masks, previews and the like, such as {file}: {why}")
    if named:
        lines.append(f"{len(named)} images that are read seem to be masks, previews and the like, such as {named[0]}")
    return lines


def _plain(name: str) -> str:
    """A name in lower case words: `ManualMask`, `manual_mask` and `manual-mask` are all `manual mask`."""
    return OTHERS.sub(" ", CAMEL.sub(" ", name).lower()).strip()
