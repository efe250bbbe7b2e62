"""Comparison of the results of two runs, byte by byte, apart from times."""

import json
from pathlib import Path
from typing import Any

from xrayaug.errors import XrayaugError
from xrayaug.evaluation.gather import judgements
from xrayaug.storage import artifacts
from xrayaug.storage.files import JUDGEMENTS_ENDING

TIMES = ("seconds", "images_per_second")  # of a line of log.jsonl

STUDY_NAME = "study"  # directory of the result of an experiment
UNFINISHED = (".partial", ".replaced", ".discarded", ".new")

Tree = dict[str, bytes]


def read(directory: Path) -> Tree:
    """Return every file under `directory` without times and, in a study, without logs and the hashes of its parts.

    A study's report names the directory of the study, beside its raw sets; the name is removed.
    """
    is_study = (directory / "commands.sh").exists()
    place = f"{directory.parent.name}/{directory.name}/".encode() if is_study else b""
    return {
        file.relative_to(directory).as_posix(): _without_times(file, is_study=is_study).replace(place, b"")
        for file in sorted(directory.rglob("*"))
        if not file.is_dir() and file.suffix != ".times" and not (is_study and file.parent == directory / "logs")
    }


def differences(found: Tree, expected: Tree) -> list[str]:
    """Return the files that are missing, new or different, one line each."""
    return [
        f"{name} {'differs' if name in found and name in expected else 'is missing' if name in expected else 'is new'}"
        for name in sorted(found.keys() | expected.keys())
        if found.get(name) != expected.get(name)
    ]


def unfinished_that_looks_finished(out: Path) -> str:
    """Return why `out` is no finished artifact; an empty string if it is one or does not exist."""
    if not out.exists():
        return ""
    if (out / "commands.sh").exists() or out.name == STUDY_NAME:  # grows part by part
        parts = [part for part in out.iterdir() if part.is_dir() and "." not in part.name and part.name != "logs"]
        return "; ".join(filter(None, map(unfinished_that_looks_finished, parts)))
    try:
        artifacts.open_artifact(out)
    except XrayaugError as problem:
        return problem.message
    return ""


def leftovers(out: Path) -> list[str]:
    """Return the temporary files left in and beside `out`; the lock of a dead process and a record are allowed."""
    beside = [path for path in out.parent.iterdir() if path.name.startswith(out.name + ".")]
    within = [path for path in out.rglob("*") if path.name.endswith(UNFINISHED)]
    return [path.name for path in (*beside, *within) if not path.name.endswith((".lock", JUDGEMENTS_ENDING))]


def _without_times(file: Path, *, is_study: bool) -> bytes:
    if file.name == "log.jsonl":
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        return json.dumps([{name: line[name] for name in line if name not in TIMES} for line in lines]).encode()
    if file.name.endswith(JUDGEMENTS_ENDING):  # whose entries hold a time, and hashes of manifests, which do too
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        return json.dumps([{name: line[name] for name in ("seeds", *judgements.QUESTION)} for line in lines]).encode()
    if file.name == "manifest.json":
        return json.dumps(_manifest(json.loads(file.read_bytes()), is_study=is_study)).encode()
    return file.read_bytes()


def _manifest(manifest: dict[str, Any], *, is_study: bool) -> dict[str, Any]:
    varying = {"log.jsonl", "report.html"} if is_study else {"log.jsonl"}
    files = {name: entry for name, entry in manifest["files"].items() if name not in varying}
    inputs = {name: entry["path"] if is_study else entry for name, entry in manifest["inputs"].items()}
    return manifest | {"environment": {}, "seal": "", "files": files, "inputs": inputs}
