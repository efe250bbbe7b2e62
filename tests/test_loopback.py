"""The job scripts on a real SLURM: from `submit.sh` to a verdict, with a GAN that is stopped twice on its way."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import ask, cluster, wait_until

from xrayaug.options import Experiment, Phantom
from xrayaug.stages import experiment, phantom
from xrayaug.storage import artifacts
from xrayaug.studies import logs, planning, slurm

pytestmark = pytest.mark.slurm

SECONDS = 300.0  # for all of it, on a loaded machine


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with raw sets, beside a cluster."""
    place = tmp_path_factory.mktemp("slurm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(place / "slurm.conf"))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.chdir(place)
        phantom.run(Phantom(layout="rsna", count=40, height=40, workers=1, out=Path("raw-rsna")))
        phantom.run(Phantom(layout="mura", count=40, height=40, seed=1, workers=1, out=Path("raw-mura")))
        with cluster(place):
            yield place


def study() -> Experiment:
    return Experiment(
        rsna=Path("raw-rsna"), mura=Path("raw-mura"), percents=(0.0, 50.0), seeds=1, gan_size=32, gan_epochs=300,
        gan_batch_size=10, samples=40, features="random", classifier_arch="squeezenet1_1", classifier_weights="none",
        classifier_size=32, classifier_epochs=1, classifier_batch_size=8, workers=1, on_collapse="warn",
        slurm=Path("jobs"), slurm_time="30", slurm_cpus=1, out=Path("study"),
    )  # fmt: skip


def gan_job() -> str:
    """The id of the GAN's job that runs, empty where none does."""
    return ask("squeue", "--noheader", "--states=RUNNING", "--name=study-train-gan", "--format=%A")


def epochs_trained() -> int:
    log = Path("study/gan.partial/log.jsonl")
    return len(log.read_text().splitlines()) if log.is_file() else 0


def runs_of_the_gan() -> list[str]:
    """Return the exit codes of its runs so far."""
    lines = (Path("study") / logs.DIRECTORY / "gan.log").read_text().splitlines()
    return [line.removeprefix(logs.ENDED).strip() for line in lines if line.startswith(logs.ENDED)]


def stop_the_gan(*command: str, before: int) -> None:
    """Tell SLURM to, once it has trained for some epochs more, and wait until it has saved."""
    already = epochs_trained()
    wait_until(lambda: gan_job() and epochs_trained() > already + 2, SECONDS)
    subprocess.run([*command, gan_job()], check=True)
    wait_until(lambda: len(runs_of_the_gan()) > before, SECONDS)


def test_from_submission_to_a_verdict_with_two_stops_on_the_way(here: Path) -> None:
    experiment.run(study())
    submitted = subprocess.run(["bash", f"jobs/{slurm.SUBMIT}"], capture_output=True, text=True, check=False)
    assert submitted.returncode == 0, submitted.stderr
    stop_the_gan("scancel", "--batch", "--signal=USR1", before=0)  # as before the time is up: the script alone gets it
    stop_the_gan("scontrol", "requeue", before=1)  # as by a preemption
    wait_until(lambda: not ask("squeue", "--noheader"), SECONDS)
    assert runs_of_the_gan() == ["75", "75", "0"]
    assert artifacts.open_artifact(Path("study/gan")).manifest["environment"]["stops"] == 2
    said = "\n".join(file.read_text() for file in sorted(Path("jobs/logs").glob("study-train-gan-*")))
    assert [said.count(f"exit code {code}") for code in ("75 after SIGUSR1", "75 after SIGTERM", "0")] == [1, 1, 1]
    verdict = artifacts.open_artifact(Path("study/evaluation"), "evaluation").result["verdict"]
    assert verdict
    assert artifacts.open_artifact(Path("study"), "experiment").result["arms"]


def test_every_part_is_then_done(here: Path) -> None:
    whole = planning.plan(study())
    assert experiment.run(Experiment(**(vars(study()) | {"slurm": None, "status": True})))["counts"] == {
        "done": len(whole.commands), "running": 0, "failed": 0, "stopped": 0, "waiting": 0
    }  # fmt: skip
    assert sys.executable in Path("jobs/evaluate.sbatch").read_text()
