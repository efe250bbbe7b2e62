"""Killing of commands, running them again, and checking that nothing was lost."""

import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faults import tally, trees
from faults.program import Ended, Program
from faults.shim import Plan
from faults.specimens import Reference


@dataclass
class Trials:
    """Trials of one command, and the losses found in them."""

    name: str
    program: Program
    reference: Reference
    losses: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def at_boundaries(self, *at: int, act: str = "SIGKILL") -> None:
        """Kill the first process at the first of these boundaries, the next at the next; then let one end."""
        directory = self.program.new_directory(self.name)
        words = self.reference.words
        for number in at:
            ended = self.program.run(words, directory, Plan(at=number, act=act))
            self._check_killed(ended, at, must=number == at[0])
            self._check_nothing_looks_finished(directory, at)
        self.finish(directory, f"killed at {at}")

    def at_moment(self, seconds: float, *, whole_group: bool = True) -> None:
        """Kill the process, or it and its children, after some seconds; then run it again."""
        directory = self.program.new_directory(self.name)
        running = self.program.start(self.reference.words, directory)
        time.sleep(seconds)
        running.kill_all() if whole_group else running.send(signal.SIGKILL)
        ended = running.wait()
        if not running.group_is_gone(5):
            self._lose(f"killed after {seconds:.2f} s: its children go on")
            running.kill_all()
        tally.count(self.name, kills=int(ended.was_killed))
        self._check_nothing_looks_finished(directory, seconds)
        self.finish(directory, f"killed after {seconds:.2f} s")

    def finish(self, directory: Path, what: str) -> None:
        """Run the same command to its end, and compare its result with the reference."""
        ended = self.program.run(self.reference.words, directory)
        out = directory / self.reference.words[-1]
        tally.count(self.name, reruns=1)
        if ended.code != 0:
            self._lose(f"{what}: exit code {ended.code}: {ended.stderr}")
        elif wrong := [*trees.differences(trees.read(out), self.reference.tree), *trees.leftovers(out)]:
            self._lose(f"{what}: {', '.join(wrong)}")
        shutil.rmtree(directory)

    def judge(self) -> None:
        """Fail where anything was lost."""
        tally.count(self.name, seconds=time.monotonic() - self.began, lost=len(self.losses))
        assert not self.losses, "\n".join([f"{len(self.losses)} lost", *self.losses[:12]])

    def _check_killed(self, ended: Ended, at: Sequence[int], *, must: bool) -> None:
        tally.count(self.name, kills=int(ended.was_killed))
        if not ended.was_killed and (must or ended.code != 0):  # a second process may have less to do
            self._lose(f"not killed at {at}, but ended with {ended.code}: {ended.stderr}")

    def _check_nothing_looks_finished(self, directory: Path, when: object) -> None:
        wrong = trees.unfinished_that_looks_finished(directory / self.reference.words[-1])
        if wrong:
            self._lose(f"killed at {when}: {wrong}")

    def _lose(self, what: str) -> None:
        self.losses.append(what)


def spread(count: int, wanted: int) -> list[int]:
    """Return at most `wanted` numbers spread over 1 .. count, both ends among them."""
    if count <= wanted:
        return list(range(1, count + 1))
    return sorted({1 + round(place * (count - 1) / (wanted - 1)) for place in range(wanted)})
