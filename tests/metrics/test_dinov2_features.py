"""Features of DINOv2 and RAD-DINO: preparation of images, weights from a file, and what is missing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from xrayaug.errors import UsageError, WeightsError
from xrayaug.metrics import dinov2_features, extractors, features
from xrayaug.metrics.extractors import dinov2, rad_dino
from xrayaug.networks import architectures, classifier
from xrayaug.networks.architectures import Normalization
from xrayaug.storage import weights

CPU = torch.device("cpu")


@pytest.fixture
def _timm(monkeypatch: pytest.MonkeyPatch) -> None:
    """timm counts as installed."""
    monkeypatch.setattr(dinov2_features, "find_spec", lambda _: object())


@pytest.mark.parametrize("shape", [(40, 40), (60, 40), (40, 71), (518, 20), (40, 60, 3)])
def test_the_middle_square_is_cut_out(shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    found = rad_dino.crop_to_square(picture, 80)
    assert (found.shape, str(found.dtype)) == ((80, 80), "uint8")
    grey = Image.fromarray(picture).convert("L")
    width, height = grey.size
    scale = 80 / min(width, height)
    larger = np.asarray(grey.resize((int(scale * width), int(scale * height)), Image.Resampling.BICUBIC))
    top, left = (larger.shape[0] - 80) // 2, (larger.shape[1] - 80) // 2
    np.testing.assert_array_equal(found, larger[top : top + 80, left : left + 80])


def test_names_and_counts() -> None:
    assert {"dinov2", "rad-dino", "radiomics"} <= set(extractors.names())
    assert [extractors.load(name).DIMS for name in ("dinov2", "rad-dino", "imagenet", "radiomics")] == [
        384, 768, 1280, 380
    ]  # fmt: skip
    assert extractors.load("inception").DIMS is extractors.load("random").DIMS is None
    assert [name for name in extractors.names() if extractors.is_scaled(name)] == ["radiomics"]


@pytest.mark.parametrize("name", ["dinov2", "rad-dino"])
def test_a_missing_package_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dinov2_features, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=f"{name} features need the package timm") as caught:
        features.load_extractor(name, CPU)
    assert caught.value.hint == "pip install timm"
    with pytest.raises(UsageError, match="timm"):
        extractors.load(name).describe(None, 0)


@pytest.mark.usefixtures("_timm")
@pytest.mark.parametrize("name", ["dinov2", "rad-dino"])
def test_a_missing_file_is_named_before_anything_is_loaded(name: str, tmp_path: Path) -> None:
    module = extractors.load(name)
    for call in (
        lambda path: module.describe(path, 0),
        lambda path: features.load_extractor(name, CPU, weights=path),
    ):
        with pytest.raises(WeightsError, match="no weights file"):
            call(tmp_path / "missing.safetensors")
        with pytest.raises(WeightsError, match="is a directory") as caught:
            call(tmp_path)
        assert str(tmp_path / "model.safetensors") in caught.value.hint
    (tmp_path / "w.safetensors").write_bytes(b"")
    assert str(tmp_path / "w.safetensors") in module.describe(tmp_path / "w.safetensors", 0)
    assert "not FID" in module.describe(None, 0)


@pytest.mark.usefixtures("_timm")
def test_weights_that_cannot_be_downloaded_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hub:
        @staticmethod
        def hf_hub_download(repository: str, file: str) -> str:
            raise OSError(f"no connection for {repository}\nand more")

    monkeypatch.setattr(dinov2_features, "import_module", lambda _: Hub)
    with pytest.raises(WeightsError, match="no connection for microsoft/rad-dino") as caught:
        rad_dino.load(CPU, 2048, None, 0)
    assert "--weights FILE" in caught.value.hint
    assert "\n" not in caught.value.message


@pytest.mark.usefixtures("_timm")
def test_the_hint_names_the_option_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise WeightsError("timm cannot load the weights", "run it once with a network connection")

    monkeypatch.setattr(classifier, "build", refuse)
    with pytest.raises(WeightsError, match="timm cannot") as caught:
        dinov2.load(CPU, 2048, None, 0)
    assert caught.value.hint == "run it once with a network connection, or give fid and copies --weights FILE"


def test_features_are_the_class_token_of_the_prepared_images(tmp_path: Path) -> None:
    size = 28
    network = classifier.build("timm:vit_small_patch14_dinov2", size=size, seed=3).eval()
    weights.save(tmp_path / "w.safetensors", classifier.state_of(network))
    normalization = Normalization((0.5,) * 3, (0.25,) * 3)
    kind = replace(rad_dino.FEATURES, arch="timm:vit_small_patch14_dinov2", size=size, normalization=normalization)
    found = kind.load(CPU, tmp_path / "w.safetensors")
    assert (found.dims, found.origin["features"]) == (384, "rad-dino")
    assert "square in the middle" in found.origin["preprocessing"]
    picture = np.random.default_rng(0).integers(0, 256, (40, 60), np.uint8)
    grey = torch.tensor(rad_dino.crop_to_square(picture, size)) / 255
    model = architectures.import_timm().create_model("vit_small_patch14_dinov2", img_size=size, num_classes=0).eval()
    model.load_state_dict({name: tensor for name, tensor in network.network.state_dict().items() if "head" not in name})
    with torch.inference_mode():
        expected = model(((grey - 0.5) / 0.25).expand(1, 3, size, size))
    np.testing.assert_allclose(found.features([picture]), expected.numpy(), rtol=1e-4, atol=1e-5)
    other = replace(kind, normalization=Normalization((0.4,) * 3, (0.25,) * 3)).load(CPU, tmp_path / "w.safetensors")
    assert other.origin["network"] != found.origin["network"]
