"""Reading, checking and writing of `manifest.json`, and checking of the files that it lists."""

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
    "privacy": "xrayaug privacy",
    "predictions": "xrayaug predict",
    "evaluation": "xrayaug evaluate",
    "export": "xrayaug export",
    "raw": "xrayaug phantom",
    "experiment": "xrayaug experiment",
}
FIELDS = {"format": int, "kind": str, "stage": str, "options": dict, "inputs": dict, "files": dict, "result": dict}
RUN_FIELDS = {name: kind for name, kind in FIELDS.items() if name not in ("files", "result")} | {"sessions": list}
INPUT_FIELDS = {"path": str, "sha256": str}
SESSION_FIELDS = {"started": str, "packages": dict}
FILE_FIELDS = {"bytes": int, "sha256": str}

SEAL = "seal"  # name of the field that holds the hash of all others

MAX_BYTES = 32 << 20  # enough to list 250,000 files; parsed, it takes up to 24 times as much memory
MAX_NUMBER_LENGTH = 40  # characters
MAX_DEPTH = 20  # of nested objects and lists; xrayaug writes at most five
SHA256 = re.compile(r"[0-9a-f]{64}")

Manifest = dict[str, Any]


def read(file: Path) -> Manifest:
    """Read a manifest, and check its fields, their types and its seal.

    The seal of a manifest of another format is not checked; the caller refuses the format.

    Raises:
        ArtifactError: the file is no manifest of xrayaug, or changed since it was sealed.
    """
    manifest = _read_object(file, FIELDS)
    for name, entry in manifest["files"].items():
        _check_fields(entry, FILE_FIELDS, file, f"files/{name}/")
        _check(_is_inside(name), file, f"it lists '{name}', which is not inside the artifact")
        _check(entry["bytes"] >= 0, file, f"'files/{name}/bytes' is {entry['bytes']}")
        _check_hash(entry, file, f"files/{name}")
    if manifest["format"] == FORMAT and manifest.get(SEAL) != _compute_seal(manifest):
        raise ArtifactError(f"{file} changed since it was sealed", f"delete {file.parent} and make it again")
    return manifest


def write(directory: Path, manifest: Manifest) -> None:
    """Write a manifest, whole or not at all, with a seal: the hash of all its other fields."""
    plain = json.loads(json.dumps(manifest))
    files.write_json(directory / MANIFEST, plain | {SEAL: _compute_seal(plain)})


def read_run(file: Path) -> Manifest:
    """Read the record of an unfinished run: a manifest with `sessions` in place of `files` and `result`.

    Raises:
        ArtifactError: the file is damaged.
    """
    manifest = _read_object(file, RUN_FIELDS)
    for place, session in enumerate(manifest["sessions"]):
        _check_fields(session, SESSION_FIELDS, file, f"sessions/{place}/")
    return manifest


def _compute_seal(manifest: Manifest) -> str:
    fields = {name: value for name, value in manifest.items() if name != SEAL}
    return files.sha256_bytes(json.dumps(fields, sort_keys=True).encode())


def check_files(path: Path, listed: dict[str, dict[str, Any]], hash_later: Collection[str] = ()) -> None:
    """Check the size and hash of every file that the manifest lists; only the size of those in `hash_later`.

    Raises:
        ArtifactError: a file is missing, changed, a link that leads out of the artifact, or cannot be read.
    """
    hint = f"make {path} again with --overwrite"
    for name, recorded in listed.items():
        try:
            problem = _find_problem(path, name, recorded, hashed=name not in hash_later)
        except (OSError, RuntimeError) as failure:  # RuntimeError: a loop of links
            problem = f"cannot be read: {getattr(failure, 'strerror', None) or failure}"
        if problem:
            raise ArtifactError(f"{path / name} {problem}", hint)


def _find_problem(path: Path, name: str, recorded: dict[str, Any], *, hashed: bool) -> str:
    """Return a description of what is wrong with a file; an empty string if nothing is."""
    file = path / name
    if not file.resolve().is_relative_to(path.resolve()):
        return f"is a link to what is not inside {path}"
    if not file.is_file():
        return "is missing"
    same = file.stat().st_size == recorded["bytes"] and (not hashed or files.sha256_file(file) == recorded["sha256"])
    return "" if same else "changed since it was made"


def _read_object(file: Path, fields: Mapping[str, type]) -> Manifest:
    manifest = parse_json(_read_bytes(file), file)
    _check(isinstance(manifest, dict), file, "it is no JSON object")
    _check_fields(manifest, fields, file, "")
    _check(manifest["kind"] in KINDS, file, f"its kind is '{manifest['kind']}'")
    for name, entry in manifest["inputs"].items():
        _check_fields(entry, INPUT_FIELDS, file, f"inputs/{name}/")
        _check("\0" not in entry["path"] and entry["path"] != "", file, f"'inputs/{name}/path' is no path")
        _check_hash(entry, file, f"inputs/{name}")
    checked: Manifest = manifest  # checked to be a dict
    return checked


def _read_bytes(file: Path) -> bytes:
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise ArtifactError(f"{file} is no manifest: it has {size:,} bytes, more than {MAX_BYTES:,}")
        return file.read_bytes()
    except OSError as problem:
        raise ArtifactError(f"{file} cannot be read: {problem.strerror}") from None


def parse_json(content: bytes, file: Path) -> Any:
    """Parse strict JSON: no duplicate keys, finite numbers of limited length, valid UTF-8, limited nesting.

    Raises:
        ArtifactError: the content is not such JSON.
    """
    try:
        value = json.loads(
            content.decode(),
            object_pairs_hook=_reject_duplicate_keys,
            parse_constant=_check_number,
            parse_int=lambda text: int(_check_number(text)),
            parse_float=lambda text: float(_check_number(text)),
        )
        _check_depth(value, MAX_DEPTH)
        json.dumps(value, ensure_ascii=False).encode()  # fails on half a surrogate pair, which an escape can make
    except (ValueError, RecursionError) as problem:
        raise ArtifactError(f"{file} is not JSON: {problem}", "make the artifact again") from None
    return value


def _reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a key is there twice")
    return members


def _check_number(text: str) -> str:
    """Return the text of a number unchanged, after checking it.

    Raises:
        ValueError: the number is NaN or infinite, or longer than any that xrayaug writes.
    """
    if len(text) > MAX_NUMBER_LENGTH or not math.isfinite(float(text)):
        raise ValueError(f"{text[:MAX_NUMBER_LENGTH]} is no number that we write")
    return text


def _check_depth(value: Any, max_depth: int) -> None:
    inner: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if not max_depth:
        raise ValueError("it is nested too deep")
    for member in inner:
        _check_depth(member, max_depth - 1)


def _is_inside(name: str) -> bool:
    """Return whether a relative path names a file inside the artifact, other than the manifest."""
    path = PurePosixPath(name)
    plain = path.as_posix() == name and not path.is_absolute() and ".." not in path.parts
    return plain and name not in (".", MANIFEST) and "\0" not in name


def _check_hash(entry: Mapping[str, Any], file: Path, prefix: str) -> None:
    _check(SHA256.fullmatch(entry["sha256"]) is not None, file, f"'{prefix}/sha256' is no sha256")


def _check_fields(entry: Any, expected: Mapping[str, type], file: Path, prefix: str) -> None:
    for name, kind in expected.items():
        value = entry.get(name) if isinstance(entry, dict) else None
        fits = isinstance(value, kind) and not isinstance(value, bool)
        _check(fits, file, f"'{prefix}{name}' is missing or of another type")


def _check(condition: bool, file: Path, problem: str) -> None:
    if not condition:
        raise ArtifactError(f"{file} is not an xrayaug manifest: {problem}", "make the artifact again")
