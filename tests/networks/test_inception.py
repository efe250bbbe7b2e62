"""Features equal those of pytorch-fid's own network; weights are checked and named."""

import urllib.error
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from pytorch_fid.inception import InceptionV3

from xrayaug.data.image_sets import ImagePixels
from xrayaug.errors import WeightsError
from xrayaug.networks import inception
from xrayaug.networks.inception import DIMS, InceptionNetwork, InceptionWeights
from xrayaug.storage.weights import file_hash

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights() -> InceptionWeights:
    return inception.random_weights(3)


@pytest.fixture(scope="module")
def torch_home(tmp_path_factory: pytest.TempPathFactory, weights: InceptionWeights) -> Iterator[Path]:
    """A cache in which random weights lie under the name of pytorch-fid's file, as its own loader takes them."""
    home = tmp_path_factory.mktemp("torch-home")
    file = home / "hub" / "checkpoints" / inception.FILE_NAME
    file.parent.mkdir(parents=True)
    torch.save(weights.state | {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}, file)
    yield home
    file.unlink()  # pytest keeps the directories of three sessions; this is 90 MB


@pytest.fixture
def pictures() -> list[ImagePixels]:
    random = np.random.default_rng(0)
    shapes = [(48, 48), (31, 57), (320, 200, 3), (299, 299)]
    return [random.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]


def theirs(picture: ImagePixels) -> torch.Tensor:
    """Return the image as pytorch-fid's data loader does: [1, 3, H, W] in [0, 1]."""
    coloured = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    return torch.from_numpy(coloured).permute(2, 0, 1)[None].float().div(255)


def test_features_are_pytorch_fids(
    monkeypatch: pytest.MonkeyPatch, torch_home: Path, weights: InceptionWeights, pictures: list[ImagePixels]
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    reference = InceptionV3([0, 1, 2, 3]).eval()
    with torch.no_grad():
        blocks = [reference(theirs(picture)) for picture in pictures]
    for place, dims in enumerate(DIMS):
        expected = torch.cat([block[place].mean((2, 3)) for block in blocks]).numpy()
        found = InceptionNetwork(weights, dims, CPU).features(pictures)
        assert found.shape == (len(pictures), dims)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_random_weights_depend_on_the_seed_alone_and_keep_activations_alive(
    weights: InceptionWeights, pictures: list[ImagePixels]
) -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    again = inception.random_weights(3)
    assert torch.equal(torch.get_rng_state(), state)
    assert again.identity == weights.identity != inception.random_weights(4).identity
    assert weights.name == "random weights, seed 3"
    for dims in DIMS:
        found = InceptionNetwork(weights, dims, CPU).features(pictures)
        assert 0.01 < found.mean() < 10, dims
        assert found.std(axis=0).mean() > 1e-3, dims


def test_a_file_of_another_hash_is_custom_and_named_so(torch_home: Path, weights: InceptionWeights) -> None:
    file = torch_home / "hub" / "checkpoints" / inception.FILE_NAME
    loaded = inception.load_weights(file)
    assert loaded.kind == "custom weights"
    assert loaded.name == f"custom weights, sha256 {file_hash(file)}"
    assert loaded.identity == weights.identity


def test_pytorch_fids_hash_makes_inception(
    monkeypatch: pytest.MonkeyPatch, torch_home: Path, weights: InceptionWeights
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    monkeypatch.setattr(inception, "HASH_PREFIX", file_hash(inception.cached_weights_path())[:8])
    loaded = inception.load_weights(None)
    assert (loaded.kind, loaded.name, loaded.identity) == ("inception", "Inception", weights.identity)


def test_a_cached_file_of_another_hash_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    inception.cached_weights_path().parent.mkdir(parents=True)
    inception.cached_weights_path().write_bytes(b"half a download")
    with pytest.raises(WeightsError, match=r"its sha256 begins with .*, not 6726825d"):
        inception.load_weights(None)


@pytest.mark.parametrize(
    "problem",
    [urllib.error.URLError("Name or service not known"), TimeoutError("timed out"), RuntimeError("invalid hash value")],
)
def test_a_failed_download_names_the_url_the_path_and_the_alternative(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, problem: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(WeightsError) as caught:
        inception.load_weights(None)
    for part in (inception.WEIGHTS_URL, str(inception.cached_weights_path())):
        assert part in caught.value.message
    assert "--weights FILE" in caught.value.hint
    assert "\n" not in caught.value.message + caught.value.hint


def test_a_download_with_another_hash_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = tmp_path / "source.pth"
    source.write_bytes(b"an error page")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(inception, "WEIGHTS_URL", source.as_uri())
    with pytest.raises(WeightsError, match="invalid hash value"):
        inception.load_weights(None)
    assert not any(inception.cached_weights_path().parent.iterdir())


def test_a_file_of_another_network_is_refused(tmp_path: Path, weights: InceptionWeights) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"470 of 470 tensors are missing .*, Conv2d_1a_3x3\.conv\.weight the first"):
        inception.load_weights(tmp_path / "other.pth")


@pytest.mark.parametrize("content", [b"", b"not weights"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "damaged.pth").write_bytes(content)
    with pytest.raises(WeightsError, match=r"damaged\.pth cannot be read as weights"):
        inception.load_weights(tmp_path / "damaged.pth")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no weights file .*gone\.pth"):
        inception.load_weights(tmp_path / "gone.pth")
