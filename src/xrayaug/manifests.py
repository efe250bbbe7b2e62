"""What `manifest.json` must hold, and that the files beside it are those it lists."""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from xrayaug import files
from xrayaug.errors import ArtifactError

FORMAT = 1
MANIFEST = "manifest.json"
KINDS = {
    "dataset": "xrayaug prepare, sample or augment",
    "gan-run": "xrayaug train-gan",
    "classifier-run": "xrayaug train-classifier",
    "fid": "xrayaug fid",
    "evaluation": "xrayaug evaluate",
    "raw": "xrayaug phantom",
    "experiment": "xrayaug experiment",
}
FIELDS = {"format": int, "kind": str, "stage": str, "options": dict, "inputs": dict, "files": dict, "result": dict}
OF_RUN = {name: kind for name, kind in FIELDS.items() if name not in ("files", "result")} | {"sessions": list}
OF_INPUT = {"path": str, "sha256": str}
OF_SESSION = {"started": str, "packages": dict}
OF_FILE = {"bytes": int, "sha256": str}

Manifest = dict[str, Any]


def read(file: Path) -> Manifest:
    """The manifest, its fields of the types they must have; its format is not looked at.

    Raises:
        ArtifactError: it is no manifest of xrayaug's.
    """
    manifest = _read_object(file, FIELDS)
    for name, entry in manifest["files"].items():
        _check_fields(entry, OF_FILE, file, f"files/{name}/")
    return manifest


def read_run(file: Path) -> Manifest:
    """What is known of an unfinished run: a manifest without `files` and `result`, with the `sessions` so far.

    Raises:
        ArtifactError: it is damaged.
    """
    manifest = _read_object(file, OF_RUN)
    for place, session in enumerate(manifest["sessions"]):
        _check_fields(session, OF_SESSION, file, f"sessions/{place}/")
    return manifest


def _read_object(file: Path, fields: Mapping[str, type]) -> Manifest:
    try:
        manifest = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as problem:
        raise ArtifactError(f"{file} is not JSON: {problem}", "make the artifact again") from None
    except OSError as problem:
        raise ArtifactError(f"{file} cannot be read: {problem.strerror}") from None
    if not isinstance(manifest, dict):
        raise ArtifactError(f"{file} is not an xrayaug manifest: it is no JSON object")
    _check_fields(manifest, fields, file, "")
    for name, entry in manifest["inputs"].items():
        _check_fields(entry, OF_INPUT, file, f"inputs/{name}/")
    return manifest


def check_files(path: Path, listed: dict[str, dict[str, Any]]) -> None:
    """Hold every file of the artifact at `path` to the size and hash that its manifest lists.

    Raises:
        ArtifactError: one is missing, changed, or not inside the artifact.
    """
    hint = f"make {path} again with --overwrite"
    root = path.resolve()
    for name, recorded in listed.items():
        if PurePosixPath(name).is_absolute() or not (path / name).resolve().is_relative_to(root):
            raise ArtifactError(f"{path / MANIFEST} lists '{name}', which is not inside {path}", hint)
        file = path / name
        if not file.is_file():
            raise ArtifactError(f"{file} is missing", hint)
        if file.stat().st_size != recorded["bytes"] or files.sha256(file) != recorded["sha256"]:
            raise ArtifactError(f"{file} changed since it was made", hint)


def _check_fields(entry: Any, wanted: Mapping[str, type], file: Path, where: str) -> None:
    for name, kind in wanted.items():
        given = entry.get(name) if isinstance(entry, dict) else None
        if not isinstance(given, kind) or isinstance(given, bool):
            raise ArtifactError(f"{file} is not an xrayaug manifest: '{where}{name}' is missing or of another type")
