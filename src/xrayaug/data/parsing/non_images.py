"""Images beside radiographs that are none, found by name: segmentation masks, overlays, previews, icons.

A word such as `mask` or `seg` in a name proves nothing: it may be a patient's initials. An image is left out only
where the radiograph that it belongs to exists as well.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

NO_RADIOGRAPH = "no radiograph by its name"  # beginning of the reasons to leave such an image out

PLAIN = (
    r"[a-z]*masks?|segmentations?|annotations?|annotated|ground ?truths?|overlays?|thumbs?|thumbnails?|previews?|"
    r"icons?|heat ?maps?|saliency|grad ?cam|bbox|bboxes|contours?|super ?pixels?"
)
SHORT = r"segs?|gt|rois?|cam|preds?|label"  # may be a patient's initials
WORDS = rf"{PLAIN}|{SHORT}|masked"
JOINED = r"(?!.*\b(?:and|with|without|free|un ?mask)\b)"
# These patterns match names in `_plain` form.
PLAIN_FOLDER = re.compile(rf"{JOINED}(?!.* \d+$)(?:.* )?(?:{PLAIN})(?: .*)?|labels(?: ?(?:tr|ts|va|val))?")
FOLDER = re.compile(rf"{JOINED}(?:.* )?(?:{WORDS})(?: .*|\d+)?|label+ed")
ENDING = re.compile(rf"(?P<base>.+) (?:{WORDS})(?: ?\d{{1,4}})?")
BEGINNING = re.compile(rf"(?:{PLAIN}|segs?|gt) (?P<base>.+)")
WHOLE = re.compile(rf"(?:{WORDS})")
NEVER = re.compile(r"logo|favicon|icons?|thumbs?|thumbnails?|previews?|groundtruth .*")  # the last is Augmentor's
SILENT = re.compile(r".*\b(?:masked|label+ed)\b.*")  # may as well be a name of radiographs
SERIES = re.compile(r".*\d")  # such as GT_1 and GT_2, which are patients
CHANNEL = re.compile(r"(?P<base>.+) \d{4}")  # nnU-Net's images are `a_0000.png`, their masks `a.png`
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
OTHERS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class _Suspect:
    """An image whose path contains one of these words."""

    file: str
    word: str  # name of the folder or file that contains it
    depth: int  # number of folders above that folder; -1 for the file itself
    stems: frozenset[str]  # plain names that its radiograph may have


def find_non_images(files: Iterable[str]) -> dict[str, str]:
    """Return the images that are not radiographs, each with the reason; paths are relative to the set's root."""
    files = list(files)
    suspects = [suspect for file in files if (suspect := _suspect(file))]
    if not suspects:
        return {}
    suspected = {suspect.file for suspect in suspects}
    others = [PurePosixPath(file) for file in files if file not in suspected]
    non_images = [
        *_find_in_mask_folders(suspects, others),
        *_find_in_vague_folders(suspects, others),
        *_find_by_own_name(suspects, others),
    ]
    reasons = {suspect.file: _reason(suspect) for suspect in non_images}
    return {file: reasons[file] for file in files if file in reasons}


def is_folder_of_masks(folder: str) -> bool:
    """Return whether a folder's name clearly means masks, previews and the like."""
    return bool(PLAIN_FOLDER.fullmatch(_plain(folder)))


def filter_radiographs(files: Iterable[str]) -> list[str]:
    """Return the files without masks and the like, and without the files in folders of masks, in order."""
    files = list(files)
    no_radiographs = find_non_images(files)
    return [
        file
        for file in files
        if file not in no_radiographs and not any(map(is_folder_of_masks, PurePosixPath(file).parts[:-1]))
    ]


def find_suspicious(files: Iterable[str]) -> list[str]:
    """Return the images that may not be radiographs, judged by their names alone."""
    suspects = [suspect for file in files if (suspect := _suspect(file))]
    return [suspect.file for suspect in suspects if not SILENT.fullmatch(_plain(suspect.word))]


def warnings(kept: Sequence[str], skipped: Sequence[tuple[str, str]]) -> list[str]:
    """Return warnings on images named like masks: those that are left out, and those that are read."""
    out = [(file, why) for file, why in skipped if why.startswith(NO_RADIOGRAPH)]
    named = find_suspicious(kept)
    lines = []
    if out:
        file, why = out[0]
        lines.append(f"{len(out)} pictures are left out as masks, previews and the like, such as {file}: {why}")
    if named:
        lines.append(f"{len(named)} images that are read seem to be masks, previews and the like, such as {named[0]}")
    return lines


def _suspect(file: str) -> _Suspect | None:
    path = PurePosixPath(file)
    name = _plain(path.stem)
    bases = (match["base"] for pattern in (ENDING, BEGINNING) if (match := pattern.fullmatch(name)))
    stems = frozenset([name, *bases])
    for depth, folder in enumerate(path.parts[:-1]):
        if _is_suspicious(folder):
            return _Suspect(file, folder, depth, stems)
    if len(stems) > 1 or WHOLE.fullmatch(name) or NEVER.fullmatch(name):
        return _Suspect(file, path.name, -1, stems - {name})
    return None


@lru_cache(maxsize=4096)
def _is_suspicious(folder: str) -> bool:
    name = _plain(folder)
    return bool(FOLDER.fullmatch(name) or PLAIN_FOLDER.fullmatch(name))


def _reason(suspect: _Suspect) -> str:
    location = f"'{suspect.word}'" if suspect.depth < 0 else f"in the directory '{suspect.word}'"
    return f"{NO_RADIOGRAPH}: {location}"


def _find_in_mask_folders(suspects: Sequence[_Suspect], others: Sequence[PurePosixPath]) -> Iterator[_Suspect]:
    """Yield all suspects in folders such as `masks` if one of a folder has the name of an image outside."""
    stems = {stem for path in others for stem in _stems(path)}
    folders: defaultdict[tuple[str, ...], list[_Suspect]] = defaultdict(list)
    for suspect in suspects:
        if suspect.depth >= 0 and PLAIN_FOLDER.fullmatch(_plain(suspect.word)):
            folders[PurePosixPath(suspect.file).parts[: suspect.depth + 1]].append(suspect)
    for members in folders.values():
        if any(member.stems & stems for member in members):
            yield from members


def _find_in_vague_folders(suspects: Sequence[_Suspect], others: Sequence[PurePosixPath]) -> Iterator[_Suspect]:
    """Yield suspects in folders such as `gt` with exactly one counterpart beside that folder, in equal subfolders."""
    is_vague = {suspect.word: _is_vague(_plain(suspect.word)) for suspect in suspects}
    vague = [suspect for suspect in suspects if suspect.depth >= 0 and is_vague[suspect.word]]
    above = {PurePosixPath(suspect.file).parts[: suspect.depth] for suspect in vague}
    count: Counter[tuple[tuple[str, ...], tuple[str, ...]]] = Counter()
    for path in others if vague else ():
        for depth in range(len(path.parts)):
            if path.parts[:depth] in above:
                for start in range(depth, len(path.parts)):
                    count.update((path.parts[:depth], (*path.parts[start:-1], stem)) for stem in _stems(path))
    for suspect in vague:
        parts = PurePosixPath(suspect.file).parts
        below = parts[suspect.depth + 1 : -1]
        if any(count[parts[: suspect.depth], (*below, stem)] == 1 for stem in suspect.stems):
            yield suspect


def _is_vague(folder: str) -> bool:
    """Return whether a folder's plain name neither clearly means masks nor ends in a number, as patients' do."""
    return not (PLAIN_FOLDER.fullmatch(folder) or SERIES.fullmatch(folder))


def _find_by_own_name(suspects: Sequence[_Suspect], others: Sequence[PurePosixPath]) -> Iterator[_Suspect]:
    """Yield suspects by their own name whose radiograph lies beside them or has a name that no other image has."""
    beside = {(path.parent, stem) for path in others for stem in _stems(path)}
    count = Counter(stem for path in others for stem in _stems(path))
    pictures = Counter(path.parent for path in others)
    for suspect in suspects:
        path = PurePosixPath(suspect.file)
        if suspect.depth >= 0:
            continue
        is_whole = WHOLE.fullmatch(_plain(path.stem)) and pictures[path.parent] == 1
        has_radiograph = any(
            (path.parent, stem) in beside or (count[stem] == 1 and re.search(r"\d", stem)) for stem in suspect.stems
        )
        if NEVER.fullmatch(_plain(path.stem)) or is_whole or has_radiograph:
            yield suspect


def _stems(path: PurePosixPath) -> set[str]:
    """Return the plain names that the mask of an image may have: its own, and that without a channel number."""
    name = _plain(path.stem)
    match = CHANNEL.fullmatch(name) if _plain(path.parent.name).startswith("images ") else None
    return {name, match["base"]} if match else {name}


def _plain(name: str) -> str:
    """Return a name in lower-case words: `ManualMask`, `manual_mask` and `manual-mask` are all `manual mask`."""
    return OTHERS.sub(" ", CAMEL.sub(" ", name).lower()).strip()
