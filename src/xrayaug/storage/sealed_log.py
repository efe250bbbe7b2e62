"""Logs to which entries are only added: JSON lines, each with the hash of the line before it and of itself.

An entry that was edited, removed from the middle or put in another place is found when the log is read. A log that was
cut off at its end, or written anew as a whole, is not: the hash of its last entry, kept elsewhere, would show that.
"""

import json
from pathlib import Path
from typing import Any

from xrayaug.errors import ArtifactError
from xrayaug.storage import files, manifests

PREVIOUS, HASH = "previous", "hash"  # keys of every entry
MAX_BYTES = 32 << 20

Entry = dict[str, Any]


def read(path: Path, start: str) -> list[Entry]:
    """Return the entries of a log, without the hashes; none if there is no file.

    Args:
        path: the file.
        start: what the first entry follows, in place of the hash of an entry: that of a plan, or a word.

    Raises:
        ArtifactError: the file is no log, or an entry was changed since it was written.
    """
    entries: list[Entry] = []
    previous = start
    for number, line in enumerate(_read_lines(path), 1):
        entry = manifests.parse_json(line, path)
        if not isinstance(entry, dict) or entry.get(PREVIOUS) != previous or entry.get(HASH) != _hash(entry):
            raise ArtifactError(
                f"{path} line {number} changed since it was written, or a line before it is missing",
                "restore the file from a copy",
            )
        previous = entry[HASH]
        entries.append({name: value for name, value in entry.items() if name not in (PREVIOUS, HASH)})
    return entries


def append(path: Path, start: str, entry: Entry) -> str:
    """Add an entry to a log, whole or not at all, and return its hash; the log begins with it if there is none.

    Raises:
        ArtifactError: as `read`.
    """
    read(path, start)
    lines = _read_lines(path)
    previous = json.loads(lines[-1])[HASH] if lines else start
    sealed = json.loads(json.dumps(entry)) | {PREVIOUS: previous}
    sealed[HASH] = _hash(sealed)
    files.write_text(path, "".join(f"{line.decode()}\n" for line in lines) + json.dumps(sealed) + "\n")
    return str(sealed[HASH])


def _read_lines(path: Path) -> list[bytes]:
    """Return the lines of a log.

    Raises:
        ArtifactError: it cannot be read, or is too large.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ArtifactError(f"{path} has {size:,} bytes, more than {MAX_BYTES:,}", "restore the file from a copy")
        return path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as problem:
        raise ArtifactError(f"{path} cannot be read: {problem.strerror}") from None


def _hash(entry: Entry) -> str:
    fields = {name: value for name, value in entry.items() if name != HASH}
    return files.sha256_bytes(json.dumps(fields, sort_keys=True).encode())
