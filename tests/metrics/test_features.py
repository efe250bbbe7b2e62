"""Features by name: Inception's own, random ones, and those of a classifier that was trained on radiographs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import MakeDataset, edit_manifest, write_classifier

from xrayaug.data.image_sets import ImagePixels
from xrayaug.errors import ArtifactError, UsageError, WeightsError
from xrayaug.metrics import features, frechet
from xrayaug.metrics.features import ClassifierFeatureExtractor
from xrayaug.networks import classifier, inception
from xrayaug.storage import artifacts
from xrayaug.storage.files import WEIGHTS_FILE

CPU = torch.device("cpu")
SIZE = 32


@pytest.fixture(scope="module")
def data(make_dataset: MakeDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("data") / "set", studies=2, synthetic=3)


def run_of(data: Path, out: Path, arch: str = "resnet18", seed: int = 0) -> Path:
    return write_classifier(out, data, arch=arch, size=SIZE, seed=seed, synthetic=3)


@pytest.fixture
def pictures() -> list[ImagePixels]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, shape, np.uint8) for shape in ((32, 32), (48, 20), (40, 40, 3))]


@pytest.mark.parametrize(("arch", "dims"), [("resnet18", 512), ("squeezenet1_1", 512)])
def test_a_classifiers_features_are_what_its_output_layer_is_given(
    data: Path, tmp_path: Path, pictures: list[ImagePixels], arch: str, dims: int
) -> None:
    found = features.load_extractor(str(run_of(data, tmp_path / "run", arch)), CPU)
    assert isinstance(found, ClassifierFeatureExtractor)
    made = found.features(pictures)
    assert (made.shape, str(made.dtype), found.dims) == ((3, dims), "float32", dims)
    network = classifier.restore(tmp_path / "run" / WEIGHTS_FILE, arch, size=SIZE).eval()
    output: Any = classifier.output_layer(network)
    with torch.inference_mode():
        given = torch.from_numpy(made)
        logits = output(given[..., None, None] if arch.startswith("squeeze") else given).flatten()
        expected = network(classifier.to_input(torch.from_numpy(pictures[0])[None]))
    assert logits[:1].tolist() == pytest.approx(expected.tolist(), rel=1e-4, abs=1e-6)


def test_the_identity_depends_on_the_weights_and_not_on_the_path(data: Path, tmp_path: Path) -> None:
    runs = [run_of(data, tmp_path / name, seed=seed) for name, seed in (("a", 0), ("b", 0), ("c", 1))]
    origins = [features.load_extractor(str(run), CPU).origin for run in runs]
    assert origins[0] == origins[1]
    assert origins[0]["network"] != origins[2]["network"]
    assert set(origins[0]) == set(frechet.ORIGIN_KEYS)
    assert "inception" not in str(origins[0]).lower()


def test_a_classifiers_training_data_are_known(data: Path, tmp_path: Path) -> None:
    learnt = features.load_extractor(str(run_of(data, tmp_path / "run")), CPU).learnt_from
    assert learnt == features.TrainingData(str(tmp_path / "run"), artifacts.digest(data), synthetic=3)
    assert features.load_extractor("random", CPU, dims=64).learnt_from is None


def test_random_features_are_inceptions_network(pictures: list[ImagePixels]) -> None:
    found = features.load_extractor("random", CPU, dims=64, seed=2)
    expected = inception.InceptionNetwork(inception.random_weights(2), 64, CPU).features(pictures)
    np.testing.assert_array_equal(found.features(pictures), expected)
    assert (found.origin["features"], found.origin["network_name"]) == ("random", "random weights, seed 2")


def test_options_for_another_network_and_damaged_runs_are_refused(data: Path, tmp_path: Path) -> None:
    run = run_of(data, tmp_path / "run")
    with pytest.raises(UsageError, match="is none of dinov2, imagenet"):
        features.load_extractor("randon", CPU)
    with pytest.raises(UsageError, match="exclude each other"):
        features.load_extractor(str(run), CPU, weights=Path("x.pth"))
    with pytest.raises(ArtifactError, match="'dataset'"):
        features.load_extractor(str(data), CPU)
    edit_manifest(run, lambda manifest: manifest["result"].update(arch="resnet34"))
    with pytest.raises(WeightsError, match="does not fit"):
        features.load_extractor(str(run), CPU)
    (run / WEIGHTS_FILE).write_bytes(b"x")
    with pytest.raises(ArtifactError, match="changed since"):
        features.load_extractor(str(run), CPU)
