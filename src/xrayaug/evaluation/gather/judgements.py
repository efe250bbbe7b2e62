"""The record of what was judged before in one place: a sealed log beside `--out`, which `--overwrite` does not delete.

A study that is judged again with more seeds, or by another score, has had several chances of a false claim, which its
verdict does not know. The record only knows of evaluations in the same `--out`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xrayaug.evaluation.results import EarlierJudgement, Evaluation
from xrayaug.options import Evaluate
from xrayaug.storage import artifacts, files, manifests, sealed_log
from xrayaug.storage.artifacts import Artifact
from xrayaug.storage.manifests import FORMAT, MANIFEST

START = "judgements"  # what the first entry of the log follows
QUESTION = ("metric", "level", "margin")  # keys of a verdict: another value is another question


def record(out: Path) -> None:
    """Add the finished evaluation at `out`, if there is one, to the record, unless it is there.

    Looks of a sequential study are not added, as its own log has them. Only the manifest is read, so that an evaluation
    whose files are damaged can still be replaced.

    Raises:
        ArtifactError: the record or the manifest was changed since it was written.
    """
    if not artifacts.is_artifact(out):
        return
    evaluation = Artifact(out, manifests.read(out / MANIFEST))
    if evaluation.kind != "evaluation" or evaluation.manifest["format"] != FORMAT:
        return
    try:
        entry = _describe(evaluation)
    except KeyError:  # of an earlier version of the package, whose results had other names
        return
    if "sequential" in evaluation.result["verdict"]:
        return
    path = files.sibling(out, files.JUDGEMENTS_ENDING)
    if all(_identify(entry) != _identify(each) for each in sealed_log.read(path, START)):
        sealed_log.append(path, START, entry)


def find_earlier(options: Evaluate, evaluation: Evaluation) -> list[EarlierJudgement]:
    """Return the earlier judgements of runs of this evaluation, with other seeds or by another question, oldest first.

    Raises:
        ArtifactError: the record was changed since it was written.
    """
    now: dict[str, Any] = {
        "runs": _digest_runs(
            {name: artifacts.digest(path) for name, path in options.inputs().items()}, evaluation.runs
        ),
        "seeds": sorted({run.seed for run in evaluation.runs}),
        **{name: getattr(evaluation.verdict.question, name) for name in QUESTION},
    }
    earlier = []
    for each in sealed_log.read(files.sibling(options.out, files.JUDGEMENTS_ENDING), START):
        is_same_question = all(each[name] == now[name] for name in QUESTION)
        if set(each["runs"]) & set(now["runs"]) and not (is_same_question and each["seeds"] == now["seeds"]):
            values = {name: each[name] for name in QUESTION}
            earlier.append(EarlierJudgement(len(each["seeds"]), **values, started=str(each["started"])))
    return earlier


def _describe(evaluation: Artifact) -> dict[str, Any]:
    """Return the entry of an evaluation."""
    runs = evaluation.result["runs"]
    inputs = {name: entry["sha256"] for name, entry in evaluation.manifest["inputs"].items()}
    return {
        "runs": _digest_runs(inputs, runs),
        "seeds": sorted({int(run["seed"]) for run in runs}),
        **{name: evaluation.result["verdict"][name] for name in QUESTION},
        "started": str(evaluation.manifest.get("environment", {}).get("started", "")),
    }


def _identify(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what makes an entry another one than others: all but its time."""
    return (sorted(entry["runs"]), *(entry[name] for name in ("seeds", *QUESTION)))


def _digest_runs(inputs: Mapping[str, str], runs: Any) -> list[str]:
    """Return what identifies each run: the sha256 of its manifest; of predictions from elsewhere that of its scores."""
    digests = [digest for name, digest in inputs.items() if name.startswith("runs/")]
    if digests:
        return digests
    return [files.sha256_bytes(files.format_json(_fingerprint(run)).encode()) for run in runs]


def _fingerprint(run: Any) -> list[Any]:
    """Return the seed of a run and its counts and area per image, which do not depend on how arms are named."""
    if isinstance(run, Mapping):
        scores = run["image"]
        return [run["seed"], *(scores[name] for name in ("cases", "tp", "fp", "tn", "fn", "auroc"))]
    scores = run.scores["image"]
    return [run.seed, *(getattr(scores, name) for name in ("cases", "tp", "fp", "tn", "fn", "auroc"))]
