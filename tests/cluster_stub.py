"""Stands for a cluster: an `sbatch` that runs every array when it is submitted, so after all that it waits for."""

import os
from pathlib import Path

import pytest

PLACE = "CLUSTER_STUB"  # environment variable: its directory
SBATCH = """#!/bin/bash
while [ $# -gt 1 ]; do
  case $1 in
    --array=*) tasks=${1#*=} tasks=${tasks%\\%*} ;;
    --dependency=afterok:*) needs=${1#*:} ;;
    --output=*) output=${1#*=} output=${output//%%/%} ;;
  esac
  shift
done
cd "$CLUSTER_STUB" && touch failed
id=$(($(wc -l <submitted) + 101))
echo "$(basename "$1" .sbatch) $tasks $needs" >>submitted
for number in $(eval echo "$(sed -E 's/([0-9]+)-([0-9]+)/{\\1..\\2}/g; s/,/ /g' <<<"$tasks")"); do
  if grep -qxF "${needs//:/$'\\n'}" failed && [ "$needs" ]; then code=never; fi
  while [ -z "$code" ]; do
    env SLURM_ARRAY_TASK_ID="$number" SLURM_JOB_ID="$id$number" bash "$1" >>"${output/\\%x-\\%A_\\%a/$id-$number}" 2>&1
    code=$?
    if grep -qx "$id$number" requeued; then sed -i "/^$id$number$/d" requeued; code=; fi
  done
  [ "$code" = 0 ] || printf '%s\\n' "${id}_$number" "$id" >>failed
  code=
done
echo "$id;stub"
"""
SCONTROL = """#!/bin/bash
[ "$1" = requeue ] && echo "$2" | tee -a "$CLUSTER_STUB/all-requeued" >>"$CLUSTER_STUB/requeued"
"""
SCANCEL = """#!/bin/bash
echo "$*" >"$CLUSTER_STUB/cancelled"
"""


def install(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the stub first on the PATH; returns the directory of its logs."""
    place = directory / "cluster"
    place.mkdir()
    for name, text in (("sbatch", SBATCH), ("scontrol", SCONTROL), ("scancel", SCANCEL)):
        (place / name).write_text(text)
        (place / name).chmod(0o755)
    for name in ("submitted", "requeued", "all-requeued", "failed"):
        (place / name).touch()
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv(PLACE, str(place))
    return place


def read_log(place: Path, name: str = "submitted") -> list[str]:
    """Return the lines of a log of the stub."""
    return (place / name).read_text().splitlines()
