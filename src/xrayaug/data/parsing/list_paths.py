"""Image paths that a list names, matched with the files under its root."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from xrayaug.data.parsing import directories, image_files, labels, non_images
from xrayaug.data.parsing.file_lookup import FileLookup, Match, Spelling
from xrayaug.data.parsing.image_list import ImageList
from xrayaug.errors import DataError
from xrayaug.storage.csvfile import Line

MAX_PATHS_TRIED = 200  # paths that are looked up to find out whether they begin above the root


def match_paths(image_list: ImageList) -> list[tuple[Line, str, Match]]:
    """Return each line with the path that it names and the files that match it.

    Where one path matches a file exactly, another path whose spelling differs does not match that file.
    Notes and warnings on the paths are added to the list.

    Raises:
        DataError: a path leads out of the root.
    """
    lookup = FileLookup(
        image_list.root,
        lambda: non_images.filter_radiographs(
            file for file in directories.walk(image_list.root) if image_files.is_image(image_list.root, file)
        ),
    )
    paths = [(line, _relative_path(image_list.cell(line, "image"), image_list, line)) for line in image_list.lines]
    prefix = _find_extra_prefix([path for _, path in paths if path], lookup, image_list.root)
    if prefix:
        image_list.notes.append(f"paths of the list begin above {image_list.root}: '{'/'.join(prefix)}/' is left off")
    matches = []
    for line, path in paths:
        match = lookup.find(_strip_prefix(path, prefix)) if path else Match(())
        matches.append((line, str(path or ""), match))
    matches = _drop_ambiguous(matches)
    if image_list.foreign_paths:
        image_list.notes.append(
            f"{len(image_list.foreign_paths)} paths are of another place, such as {image_list.foreign_paths[0]}: "
            f"what follows {image_list.root.absolute().name} is looked for in {image_list.root}"
        )
    for spelling in Spelling:
        respelled = [
            (named, match.files[0]) for _, named, match in matches if match.files and match.spelling is spelling
        ]
        if respelled and spelling is not Spelling.EXACT:
            named, file = respelled[0]
            image_list.warnings.append(
                f"{len(respelled)} images are spelled {spelling.value} on disk, such as {named}: {file}"
            )
    return matches


def _drop_ambiguous(matches: Sequence[tuple[Line, str, Match]]) -> list[tuple[Line, str, Match]]:
    """Return the matches without inexact ones whose file is matched by another path as well."""
    names: defaultdict[str, set[str]] = defaultdict(set)
    for _, named, match in matches:
        for file in match.files:
            names[file].add(named)
    return [
        (line, named, match if match.spelling is Spelling.EXACT or not _is_shared(match, names) else Match(()))
        for line, named, match in matches
    ]


def _is_shared(match: Match, names: Mapping[str, set[str]]) -> bool:
    return any(len(names[file]) > 1 for file in match.files)


def _relative_path(named: str, image_list: ImageList, line: Line) -> PurePosixPath | None:
    """Return the path of a line relative to the root; None where its cell is empty.

    An absolute path of another computer is cut to what follows the root's name, and noted in `foreign_paths`.

    Raises:
        DataError: the path leads out of the root.
    """
    if labels.is_missing(named):
        return None
    path = PurePosixPath(named.replace("\\", "/"))
    root = image_list.root.absolute()
    if path.is_absolute() and path.is_relative_to(root):
        return path.relative_to(root)
    drive = PureWindowsPath(named).drive
    if (path.is_absolute() or drive) and root.name in path.parts[1:-1]:  # a path of another computer
        start = len(path.parts) - path.parts[::-1].index(root.name)
        path = PurePosixPath(*path.parts[start:])
        image_list.foreign_paths.append(named)
    if path.is_absolute() or ".." in path.parts or PureWindowsPath(str(path)).drive:
        raise DataError(
            f"{image_list.describe_line(line)}: the path {named} leads out of the set",
            f"make paths relative to {image_list.root}",
        )
    return path


def _find_extra_prefix(paths: Sequence[PurePosixPath], lookup: FileLookup, root: Path) -> tuple[str, ...]:
    """Return the leading directories of the list's paths that lie above the root; usually none.

    With them removed, `CheXpert/train/a.png` is found where `--input` is `CheXpert` itself. If the root has another
    name, the directories must be the same for all paths, and no directory of that name may lie beside the root: it
    would be another part of the set.
    """
    deep = [path for path in paths if len(path.parts) > 1][:MAX_PATHS_TRIED]
    if not deep or any(lookup.is_there(path) for path in deep):
        return ()
    name = root.absolute().name
    for path in deep:
        for depth in range(1, len(path.parts)):
            prefix = path.parts[:depth]
            if not lookup.is_there(PurePosixPath(*path.parts[depth:])):
                continue
            is_common = all(other.parts[:depth] == prefix for other in paths)
            if prefix[-1] == name or (is_common and not (root.parent / prefix[0]).exists()):
                return prefix
    return ()


def _strip_prefix(path: PurePosixPath, prefix: tuple[str, ...]) -> PurePosixPath:
    return PurePosixPath(*path.parts[len(prefix) :]) if prefix and path.parts[: len(prefix)] == prefix else path
