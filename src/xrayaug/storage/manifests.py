"""What `manifest.json` must hold, and that the files beside it are those it lists."""

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from xrayaug.errors import ArtifactError
from xrayaug.storage import files

FORMAT = 2
MANIFEST = "manifest.json"
KINDS = {
    "dataset": "xrayaug prepare, sample or augment",
    "gan-run": "xrayaug train-gan",
    "classifier-run": "xrayaug train-classifier",
    "fid": "xrayaug fid",
    "copies": "xrayaug copies",
    "evaluation": "xrayaug evaluate",
    "raw": "xrayaug phantom",
    "experiment": "xrayaug experiment",
}
FIELDS = {"format": int, "kind": str, "stage": str, "options": dict, "inputs": dict, "files": dict, "result": dict}
RUN_FIELDS = {name: kind for name, kind in FIELDS.items() if name not in ("files", "result")} | {"sessions": list}
INPUT_FIELDS = {"path": str, "sha256": str}
SESSION_FIELDS = {"started": str, "packages": dict}
FILE_FIELDS = {"bytes": int, "sha256": str}

SEAL = "seal"  # the field that holds the hash of all others

MAX_BYTES = 32 << 20  # 250,000 files are listed in that; Python takes up to 24 times as much memory
MAX_NUMBER_LENGTH = 40  # characters
MAX_DEPTH = 20  # objects and lists within each other; ours have five
SHA256 = re.compile(r"[0-9a-f]{64}")

Manifest = dict[str, Any]


def read(file: Path) -> Manifest:
    """The manifest, its fields of the types and its texts of the forms they must have, as it was when it was sealed.

    One of another format is given as it is.

    Raises:
        ArtifactError: it is no manifest of xrayaug's, or not what was written.
    """
    manifest = _read_object(file, FIELDS)
    for name, entry in manifest["files"].items():
        _check_fields(entry, FILE_FIELDS, file, f"files/{name}/")
        _check(_stays_inside(name), file, f"it lists '{name}', which is not inside the artifact")
        _check(entry["bytes"] >= 0, file, f"'files/{name}/bytes' is {entry['bytes']}")
        _check_hash(entry, file, f"files/{name}")
    if manifest["format"] == FORMAT and manifest.get(SEAL) != _seal_of(manifest):
        raise ArtifactError(f"{file} changed since it was sealed", f"delete {file.parent} and make it again")
    return manifest


def write(directory: Path, manifest: Manifest) -> None:
    """Write a manifest, whole or not at all, sealed by a hash of all that it says."""
    plain = json.loads(json.dumps(manifest))
    files.write_json(directory / MANIFEST, plain | {SEAL: _seal_of(plain)})


def read_run(file: Path) -> Manifest:
    """What is known of an unfinished run: a manifest without `files` and `result`, with the `sessions` so far.

    Raises:
        ArtifactError: it is damaged.
    """
    manifest = _read_object(file, RUN_FIELDS)
    for place, session in enumerate(manifest["sessions"]):
        _check_fields(session, SESSION_FIELDS, file, f"sessions/{place}/")
    return manifest


def _seal_of(manifest: Manifest) -> str:
    said = {name: value for name, value in manifest.items() if name != SEAL}
    return files.sha256_bytes(json.dumps(said, sort_keys=True).encode())


def check_files(path: Path, listed: dict[str, dict[str, Any]], hash_later: Collection[str] = ()) -> None:
    """Check the size and hash of every file that the manifest lists; of those in `hash_later` the size alone.

    Raises:
        ArtifactError: one is missing, changed, a link that leads out of the artifact, or cannot be read.
    """
    hint = f"make {path} again with --overwrite"
    for name, recorded in listed.items():
        try:
            problem = _problem(path, name, recorded, hashed=name not in hash_later)
        except (OSError, RuntimeError) as failure:  # RuntimeError: links in a circle
            problem = f"cannot be read: {getattr(failure, 'strerror', None) or failure}"
        if problem:
            raise ArtifactError(f"{path / name} {problem}", hint)


def _problem(path: Path, name: str, recorded: dict[str, Any], *, hashed: bool) -> str:
    """What is wrong with a file, empty if nothing is."""
    file = path / name
    if not file.resolve().is_relative_to(path.resolve()):
        return f"is a link to what is not inside {path}"
    if not file.is_file():
        return "is missing"
    same = file.stat().st_size == recorded["bytes"] and (not hashed or files.sha256_file(file) == recorded["sha256"])
    return "" if same else "changed since it was made"


def _read_object(file: Path, fields: Mapping[str, type]) -> Manifest:
    manifest = parse_json(_content(file), file)
    _check(isinstance(manifest, dict), file, "it is no JSON object")
    _check_fields(manifest, fields, file, "")
    _check(manifest["kind"] in KINDS, file, f"its kind is '{manifest['kind']}'")
    for name, entry in manifest["inputs"].items():
        _check_fields(entry, INPUT_FIELDS, file, f"inputs/{name}/")
        _check("\0" not in entry["path"] and entry["path"] != "", file, f"'inputs/{name}/path' is no path")
        _check_hash(entry, file, f"inputs/{name}")
    checked: Manifest = manifest  # a dict by now
    return checked


def _content(file: Path) -> bytes:
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise ArtifactError(f"{file} is no manifest: it has {size:,} bytes, more than {MAX_BYTES:,}")
        return file.read_bytes()
    except OSError as problem:
        raise ArtifactError(f"{file} cannot be read: {problem.strerror}") from None


def parse_json(content: bytes, file: Path) -> Any:
    """The JSON value: no key twice, every number finite and of a sane length, every text UTF-8, nothing nested deep.

    Raises:
        ArtifactError: it is not.
    """
    try:
        value = json.loads(
            content.decode(),
            object_pairs_hook=_without_repetition,
            parse_constant=_number,
            parse_int=lambda text: int(_number(text)),
            parse_float=lambda text: float(_number(text)),
        )
        _check_depth(value, MAX_DEPTH)
        json.dumps(value, ensure_ascii=False).encode()  # escapes can make text that is none: half a surrogate pair
    except (ValueError, RecursionError) as problem:
        raise ArtifactError(f"{file} is not JSON: {problem}", "make the artifact again") from None
    return value


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _number(text: str) -> str:
    """The number as it is written.

    Raises:
        ValueError: it is NaN or infinite, or too long to be one of ours.
    """
    if len(text) > MAX_NUMBER_LENGTH or not math.isfinite(float(text)):
        raise ValueError(f"{text[:MAX_NUMBER_LENGTH]} is no number that we write")
    return text


def _check_depth(value: Any, left: int) -> None:
    inner: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if not left:
        raise ValueError("it is nested too deep")
    for each in inner:
        _check_depth(each, left - 1)


def _stays_inside(name: str) -> bool:
    """Whether a file's name leads nowhere but down."""
    path = PurePosixPath(name)
    plain = path.as_posix() == name and not path.is_absolute() and ".." not in path.parts
    return plain and name not in (".", MANIFEST) and "\0" not in name


def _check_hash(entry: Mapping[str, Any], file: Path, where: str) -> None:
    _check(SHA256.fullmatch(entry["sha256"]) is not None, file, f"'{where}/sha256' is no sha256")


def _check_fields(entry: Any, wanted: Mapping[str, type], file: Path, where: str) -> None:
    for name, kind in wanted.items():
        given = entry.get(name) if isinstance(entry, dict) else None
        fits = isinstance(given, kind) and not isinstance(given, bool)
        _check(fits, file, f"'{where}{name}' is missing or of another type")


def _check(holds: bool, file: Path, otherwise: str) -> None:
    if not holds:
        raise ArtifactError(f"{file} is not an xrayaug manifest: {otherwise}", "make the artifact again")
