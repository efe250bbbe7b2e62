"""A GAN that started from the weights of another run: the texts name the start and its training images."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from xrayaug.evaluation.gather import paper_facts
from xrayaug.evaluation.paper import descriptions, flow, methods
from xrayaug.evaluation.paper.answers import model
from xrayaug.evaluation.paper.facts import CLASSIFIER, GENERATOR, START, GanFacts, PaperFacts, StudyFacts
from xrayaug.evaluation.report import page
from xrayaug.options import Augment, Evaluate, Sample, TrainClassifier, TrainGan
from xrayaug.stages import augment, evaluate, sample, train_classifier, train_gan
from xrayaug.storage import artifacts


def evaluate_options(study: Path, out: str) -> Evaluate:
    runs = tuple(sorted([*study.glob("run-0-*"), *study.glob("run-transferred-*")]))
    return Evaluate(runs=runs, out=study / out, device="cpu", resamples=100, audit_images=0, checklist=True)


def read_facts(options: Evaluate) -> tuple[PaperFacts, StudyFacts]:
    facts = paper_facts.gather_paper(options, artifacts.open_artifact(options.out)).facts
    assert facts.study is not None
    return facts, facts.study


@pytest.fixture(scope="module")
def study(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study with a GAN that was trained on `further`, and another that started from it."""
    study = shutil.copytree(home, tmp_path_factory.mktemp("transferred") / "study")
    first = TrainGan(data=study / "further", out=study / "first", epochs=1, batch_size=8, latent=4, width=0.125,
                     preview_every=0, device="cpu")  # fmt: skip
    train_gan.run(first)
    second = replace(first, data=study / "hands", init=first.out, only_label="normal", seed=3, out=study / "second")
    train_gan.run(second)
    sample.run(Sample(run=second.out, count=20, out=study / "drawn", device="cpu"))
    augment.run(Augment(real=study / "hands", synthetic=(study / "drawn",), percent=50, out=study / "arm-transferred"))
    for seed in range(2):
        train_classifier.run(
            TrainClassifier(data=study / "arm-transferred", out=study / f"run-transferred-{seed}", size=32, epochs=1,
                            arch="squeezenet1_1", weights="none", batch_size=8, seed=seed, device="cpu")
        )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "render", lambda *_: "")  # which takes a second
        evaluate.run(evaluate_options(study, "evaluation-with-start"))
        (study / "first").rename(study / "moved")
        evaluate.run(evaluate_options(study, "evaluation-without-start"))
        (study / "moved").rename(study / "first")
    return study


def test_the_start_and_its_training_images_are_named(study: Path) -> None:
    facts, found = read_facts(evaluate_options(study, "evaluation-with-start"))
    counts = descriptions.describe_counts(next(each for each in found.gans if each.path == "first").training_images)
    start = f"GAN `second` started from the weights of `first`, which was trained on {counts} training images"
    assert f"{start} of `further`." in methods.format_methods(facts)
    answer = model.initialization(facts)
    assert f"{start} of `further`." in answer.sentences
    assert "second/manifest.json: options.seed, inputs.init" in answer.sources
    assert not any("`second`: random weights" in line for line in answer.sentences)
    assert any("`first`: random weights of seed 0" in line for line in answer.sentences)
    assert {each.name: each.roles for each in found.datasets} == {"hands": [CLASSIFIER, GENERATOR], "further": [START]}
    columns, _ = flow.make_flow(facts)
    generator = next(box for column in columns for row in column.rows for box in row if box.title.startswith("GAN"))
    assert "after first, trained on further" in generator.lines


def test_a_start_that_is_gone_is_said_to_be_unknown(study: Path) -> None:
    out = study / "evaluation-without-start" / "paper"
    assert "started from the weights of `first`, of which nothing is known any more" in (out / "methods.md").read_text()
    assert "nothing is known" in (out / "flow.svg").read_text()
    items = json.loads((out / "claim.json").read_text())["items"]
    limitations = next(each["answer"] for each in items if each["number"] == "40")
    assert "first, from which second was made, is not there any more." in limitations


def make_gan(path: str, init: str | None, classes: int, size: int = 32) -> GanFacts:
    return GanFacts(
        path=path, data=f"data-{path}", arch="projected", paper=None, options={"seed": 7}, recipe={}, size=size,
        training_images={"normal": 5}, epochs=1, steps=1, images_seen=5, generator_parameters=1,
        discriminator_parameters=1, classes=classes, init=init,
    )  # fmt: skip


def test_all_starts_of_a_chain_are_listed_and_new_weights_are_random(study: Path) -> None:
    _, found = read_facts(evaluate_options(study, "evaluation-with-start"))
    gans = [make_gan("a", None, 0), make_gan("b", "a", 0), make_gan("c", "b", 2)]
    chain = replace(found, gans=gans)
    assert [each.path for each in chain.list_starts(gans[2])] == ["b", "a"]
    assert [
        "only networks with labels have are random, of seed 7" in line for line in descriptions.describe_starts(chain)
    ] == [False, True]
    larger = replace(found, gans=[gans[0], make_gan("d", "a", 2, size=64)])
    (line,) = descriptions.describe_starts(larger)
    assert line.endswith(
        "5 normal training images of `data-a` at 32 pixels: the generator kept its layers up to that size, and its "
        "other layers and the discriminator had random weights of seed 7."
    )
