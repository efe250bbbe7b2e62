"""A study as SLURM jobs: a script for every kind of command, arrays of its tasks, and `submit.sh`, which chains them.

The tasks share nothing but files: each is a command of the study, so a task that is queued again continues where it
was stopped. How scripts, arrays and dependencies work: https://slurm.schedmd.com/sbatch.html and job_array.html.
"""

import re
import shlex
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from xrayaug import __version__
from xrayaug.errors import OutputError, UsageError
from xrayaug.options import COMMANDS, Experiment
from xrayaug.options.base import Command, flag_name
from xrayaug.runtime import stopping
from xrayaug.storage import files
from xrayaug.studies import logs, status
from xrayaug.studies.planning import Study

SUBMIT = "submit.sh"
SCRIPT = ".sbatch"
SIGNAL_SECONDS = 120  # before the time is up: for a step to end and to be saved
RESOURCES = ("partition", "time", "memory", "cpus", "gres")
SBATCH_NAMES = {"memory": "mem", "cpus": "cpus-per-task"}
MAX_ARRAY_SIZE = 1000  # tasks; clusters allow 1001 by default (MaxArraySize)


@dataclass(frozen=True)
class Task:
    """A command, its number in the script of its kind, and the places of its dependencies in the list of tasks."""

    command: Command
    kind: str
    number: int
    waits_for: frozenset[int]


@dataclass(frozen=True)
class Submission:
    """Tasks of one kind that wait for the same others: one array, submitted at once."""

    variable: str  # of submit.sh, which holds its job's id
    kind: str
    tasks: tuple[int, ...]  # numbers in the script of that kind
    waits_for: tuple[str, ...]  # job ids, in submit.sh's variables


@dataclass(frozen=True)
class Scripts:
    """The submissions, and the commands of each kind in the order of their task numbers."""

    kinds: dict[str, list[Command]]
    submissions: list[Submission]


def arrange_jobs(study: Study, options: Experiment, *, is_final: bool = True) -> Scripts:
    """Return the commands that are not done as arrays.

    The study itself comes last, when all its parts are there, unless a sequential study goes on after these commands.
    """
    tasks = _tasks(study, options, is_final=is_final)
    kinds: dict[str, list[Command]] = {}
    for task in tasks:
        kinds.setdefault(task.kind, []).append(task.command)
    return Scripts(kinds, _submissions(tasks))


def _tasks(study: Study, options: Experiment, *, is_final: bool) -> list[Task]:
    missing = [number for number, command in enumerate(study.commands) if not status.is_done(command)]
    place, needs = {number: index for index, number in enumerate(missing)}, study.needs()
    seen: Counter[str] = Counter()
    tasks = []
    for number in missing:
        command = study.commands[number]
        page, task = divmod(seen[command.name], MAX_ARRAY_SIZE)
        seen[command.name] += 1
        kind = f"{command.name}-{page + 1}" if page else command.name
        tasks.append(Task(command, kind, task, frozenset(place[need] for need in needs[number] if need in place)))
    final = _final_command(options)
    return tasks if not is_final else [*tasks, Task(final, final.name, 0, frozenset(range(len(tasks))))]


def write_scripts(directory: Path, study: Study, options: Experiment, *, is_final: bool = True) -> Scripts:
    """Write the scripts, `submit.sh` last, so that its presence means complete.

    Args:
        directory: of the scripts.
        study: the commands.
        options: of the study.
        is_final: whether these commands complete the study. If not, `submit.sh` says how to write those that follow.

    Raises:
        OutputError: the directory holds something else.
        UsageError: a resource cannot be written into a script.
    """
    _check_resources(options)
    scripts = arrange_jobs(study, options, is_final=is_final)
    _clear(directory)
    for kind, commands in scripts.kinds.items():
        files.write_text(directory / f"{kind}{SCRIPT}", _script(kind, commands, options))
    files.write_text(directory / SUBMIT, _submit_script(scripts, options, is_final=is_final))
    (directory / SUBMIT).chmod(0o755)
    return scripts


def _final_command(options: Experiment) -> Experiment:
    """Return the study as a command that finds every part complete and writes the final manifest."""
    unset: dict[str, Any] = {f"slurm_{name}": None for name in (*RESOURCES, "options")}
    unset |= dict.fromkeys(("slurm", "jobs", "devices", "max_minutes"))
    return replace(options, json=False, **unset)


def _submissions(tasks: list[Task]) -> list[Submission]:
    """Return arrays of the tasks that have the same kind and the same dependencies, in order."""
    groups: dict[tuple[str, frozenset[int]], list[int]] = {}
    for place, task in enumerate(tasks):
        groups.setdefault((task.kind, task.waits_for), []).append(place)
    submissions: list[Submission] = []
    location: dict[int, tuple[str, int, int]] = {}  # place -> variable, number, number of tasks of the submission
    for (kind, waits_for), places in groups.items():
        variable = f"{kind.replace('-', '_')}_{len(submissions)}"
        numbers = tuple(tasks[place].number for place in places)
        submissions.append(Submission(variable, kind, numbers, tuple(_job_ids(waits_for, location))))
        location |= {place: (variable, tasks[place].number, len(places)) for place in places}
    return submissions


def _job_ids(needed: Iterable[int], location: dict[int, tuple[str, int, int]]) -> Iterator[str]:
    """Return the job ids of the tasks that are needed; for a whole array, that of the array."""
    by_variable: dict[str, list[int]] = {}
    sizes = {}
    for number in sorted(needed):
        variable, task, sizes[variable] = location[number]
        by_variable.setdefault(variable, []).append(task)
    for variable, tasks in by_variable.items():
        whole = len(tasks) == sizes[variable]
        yield from [f"${variable}"] if whole else [f"${{{variable}}}_{task}" for task in tasks]


def _check_resources(options: Experiment) -> None:
    for name in (*RESOURCES, "options"):
        given = getattr(options, f"slurm_{name}")
        spaced = isinstance(given, str) and re.search(r"[\r\n]" if name == "options" else r"\s", given.strip())
        if given is not None and (spaced or not str(given).strip()):
            raise UsageError(f"{flag_name(f'slurm_{name}')} is {given!r}", "give what sbatch takes, in one word")


def _clear(directory: Path) -> None:
    """Delete the scripts of an earlier run.

    Raises:
        OutputError: the directory holds something else.
    """
    if directory.is_file():
        raise OutputError(f"--slurm {directory} is a file", "choose another directory")
    own = re.compile(rf"{SUBMIT}|{logs.DIRECTORY}|({'|'.join(COMMANDS)})(-\d+)?{SCRIPT}|\..*{files.NEW}")
    names = sorted(entry.name for entry in directory.iterdir()) if directory.is_dir() else []
    foreign = [name for name in names if not own.fullmatch(name)]
    if foreign:
        raise OutputError(f"--slurm {directory} holds something else: {foreign[0]}", "choose another directory")
    (directory / SUBMIT).unlink(missing_ok=True)
    for name in names:
        if name.endswith(SCRIPT):
            (directory / name).unlink()
    if names:
        files.delete_leftovers(directory, deep=False)


def _script(kind: str, commands: list[Command], options: Experiment) -> str:
    cases = [
        f"  {number}) log={shlex.quote(str(log))} command=({shlex.join(command.argv())}) ;;"
        for number, command in enumerate(commands)
        for log in (logs.log_path(options.out, command),)
    ]
    return "\n".join([
        "#!/bin/bash",
        f"#SBATCH --job-name={re.sub(r'[^A-Za-z0-9_.-]', '_', options.out.resolve().name)}-{kind}",
        *(f"#SBATCH {option}" for option in _sbatch_options(commands[0], options)),
        f"# {kind}, a command of the study for each task of the array; written by xrayaug {__version__}.",
        f"cd -- {shlex.quote(str(Path.cwd()))} || exit 1",
        f"xrayaug=({shlex.quote(sys.executable)} -m xrayaug)",
        *(['export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$SLURM_CPUS_PER_TASK}"'] if options.slurm_cpus else []),
        'case $SLURM_ARRAY_TASK_ID in',
        *cases,
        f'  *) echo "submit this by {SUBMIT}: there is no task \'$SLURM_ARRAY_TASK_ID\'" >&2; exit 1 ;;',
        'esac',
        TAIL,
    ])  # fmt: skip


def _sbatch_options(command: Command, options: Experiment) -> Iterator[str]:
    """Return the sbatch options of a job; those of the user come last and override the others."""
    yield from ("--nodes=1", "--ntasks=1", "--requeue", "--open-mode=append", f"--signal=B:USR1@{SIGNAL_SECONDS}")
    computes = hasattr(command, "device") and not isinstance(command, Experiment)  # which only writes the manifest
    for name in RESOURCES:
        given = getattr(options, f"slurm_{name}")
        if given is not None and (name != "gres" or computes):
            yield f"--{SBATCH_NAMES.get(name, name)}={given}"
    if options.slurm_options:
        own = options.slurm_options.strip()
        yield own if own.startswith("-") else f"--{own}"


# Bash runs a trap only after its foreground command has ended. So the command runs in the background, and after each
# signal the script waits again. SIGTERM from SLURM is a cancellation, or SLURM itself queues the job again.
TAIL = f"""
received= child=
forward() {{ received=${{received:-$1}}; [ -z "$child" ] || kill -s "$1" "$child" 2>/dev/null; interrupted=yes; }}
trap 'forward USR1' USR1
trap 'forward TERM' TERM
mkdir -p -- "$(dirname -- "$log")"
printf '{logs.BEGAN} %s: job %s on %s: xrayaug %s\\n' \\
  "$(date -u +%Y-%m-%dT%H:%M:%S+00:00)" "$SLURM_JOB_ID" "$(hostname)" "${{command[*]}}" >>"$log"
echo "xrayaug ${{command[*]}}; its log is $log"
"${{xrayaug[@]}}" "${{command[@]}}" >>"$log" 2>&1 &
child=$!
[ -z "$received" ] || kill -s "$received" "$child"
interrupted=yes code=0
while [ "$interrupted" = yes ]; do
  interrupted=
  wait "$child"
  code=$?
  [ "$code" -gt 128 ] || break
done
printf '{logs.ENDED} %s\\n' "$code" >>"$log"
echo "exit code $code${{received:+ after SIG$received}}"
if [ "$code" -eq {stopping.STOPPED_EARLY} ] || [ "$code" -eq 138 ]; then # 138: of SIGUSR1 while it was starting
  [ "$received" = TERM ] || scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
"""


def _submit_script(scripts: Scripts, options: Experiment, *, is_final: bool) -> str:
    throttle = f"%{options.jobs}" if options.jobs else ""
    lines = []
    for each in scripts.submissions:
        waits = "".join(f' "{name}"' for name in each.waits_for)
        lines.append(f"{each.variable}=$(submit {each.kind} '{_array(each.tasks)}{throttle}'{waits})")
        lines.append(f'submitted+=("${each.variable}")')
    status_line = shlex.join(["xrayaug", *replace(_final_command(options), status=True).argv()])
    then = "" if is_final else f"when these jobs have ended, write those of the next look: {options.command_line()}"
    return "\n".join([
        "#!/bin/bash",
        f"# Submits the study's jobs, each after those whose files it reads; written by xrayaug {__version__}.",
        "# If the study is not complete, write the scripts again and run this one: it submits what is missing.",
        "set -euo pipefail",
        'here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)',
        f'mkdir -p -- "$here/{logs.DIRECTORY}"',
        "submitted=()",
        "give_up() {",
        '  [ "${#submitted[@]}" = 0 ] || scancel "${submitted[@]}"',
        '  echo "error: sbatch refused a job, see above; what had been submitted is cancelled" >&2',
        "}",
        "trap give_up ERR",
        "",
        "submit() { # KIND TASKS [ID ...]: the id of the array that runs those tasks after those jobs",
        "  local kind=$1 tasks=$2 waits",
        "  shift 2",
        "  waits=$(IFS=:; echo \"$*\")",
        '  sbatch --parsable --array="$tasks" ${waits:+--dependency="afterok:$waits" --kill-on-invalid-dep=yes} \\',
        f'    --output="${{here//\\%/%%}}/{logs.DIRECTORY}/%x-%A_%a.log" "$here/$kind{SCRIPT}" | cut -d";" -f1',
        "}",
        "",
        *lines,
        'echo "submitted ${#submitted[@]} arrays: ${submitted[*]}"',
        f"echo {shlex.quote(f'their status: (cd {shlex.quote(str(Path.cwd()))} && {status_line})')}",
        *([f"echo {shlex.quote(then)}"] if then else []),
        "",
    ])  # fmt: skip


def _array(tasks: tuple[int, ...]) -> str:
    """Return task numbers as ``0-4``, or as ``0,2`` if they are not consecutive."""
    if len(tasks) > 1 and all(after == before + 1 for before, after in pairwise(tasks)):
        return f"{tasks[0]}-{tasks[-1]}"
    return ",".join(map(str, tasks))
