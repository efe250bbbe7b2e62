"""A network starts from the weights that it is given, and from no others; nothing in a file is ever executed."""

import hashlib
import pickle
import urllib.error
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torchvision import models

from xrayaug.errors import WeightsError
from xrayaug.networks import architectures, classifier, pretrained
from xrayaug.storage.weights import file_hash


def state_of(arch: str, classes: int, seed: int = 1, **settings: Any) -> dict[str, Tensor]:
    """A state dict as torchvision's own network has it, from random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = models.get_model(arch, weights=None, num_classes=classes, **settings)
    return dict(network.state_dict())


def as_of_2017(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """DenseNet's names as torchvision's files still have them, without the counters that came later."""
    renamed = {}
    for name, tensor in state.items():
        if not name.endswith("num_batches_tracked"):
            for part in ("norm1", "norm2", "conv1", "conv2"):
                if "denselayer" in name:
                    name = name.replace(f".{part}.", f".{part[:4]}.{part[4]}.")  # noqa: PLW2901
            renamed[name] = tensor
    return renamed


def test_densenet169_from_a_file_with_the_old_names(tmp_path: Path) -> None:
    state = state_of("densenet169", 1000)
    torch.save(as_of_2017(state), tmp_path / "densenet169.pth")
    fresh = classifier.build("densenet169", size=32, seed=4)
    loaded = classifier.build("densenet169", size=32, weights=str(tmp_path / "densenet169.pth"), seed=4)
    own = loaded.network.state_dict()
    for name, tensor in state.items():
        if not name.startswith("classifier."):
            assert torch.equal(own[name], tensor), name
    assert torch.equal(own["classifier.weight"], fresh.network.state_dict()["classifier.weight"])


@pytest.mark.parametrize(
    ("arch", "settings"),
    [("squeezenet1_1", {}), ("googlenet", {"init_weights": False}), ("mnasnet0_5", {}), ("resnet18", {})],
)
def test_a_file_gives_all_but_the_output_layer(arch: str, settings: dict[str, Any], tmp_path: Path) -> None:
    state = state_of(arch, 7, **settings)
    assert arch != "googlenet" or any(name.startswith("aux1.") for name in state)
    save_file(state, tmp_path / "seven.safetensors")
    loaded = classifier.build(arch, size=64, weights=str(tmp_path / "seven.safetensors"))
    output = architectures.output_layer(loaded.network)
    for name, tensor in loaded.network.state_dict().items():
        if name.startswith(f"{output}."):
            assert tensor.shape[0] == 1
        else:
            assert torch.equal(tensor, state[name]), name


def test_vit_from_a_file_with_the_old_names(tmp_path: Path) -> None:
    settings = {"image_size": 32, "patch_size": 32, "num_layers": 1, "num_heads": 1, "hidden_dim": 8, "mlp_dim": 16}
    network = models.VisionTransformer(**settings)
    old = {name.replace(".mlp.0.", ".mlp.linear_1.").replace(".mlp.3.", ".mlp.linear_2."): tensor + 1
           for name, tensor in network.state_dict().items()}  # fmt: skip
    torch.save(old, tmp_path / "vit.pth")
    pretrained.load_pretrained(network, "vit_b_32", 32, tmp_path / "vit.pth")
    block = network.state_dict()["encoder.layers.encoder_layer_0.mlp.3.weight"]
    assert torch.equal(block, old["encoder.layers.encoder_layer_0.mlp.linear_2.weight"])


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "squeezenet.pth"
    torch.save(state_of("squeezenet1_0", 1000), file)
    with pytest.raises(WeightsError, match=r"does not fit squeezenet1_1.*'features.0.weight' is \[96, 3, 7, 7\]"):
        classifier.build("squeezenet1_1", size=32, weights=str(file))
    with pytest.raises(WeightsError, match=r"'conv1\.weight' is missing"):
        classifier.build("resnet18", size=32, weights=str(file))
    more = {**state_of("squeezenet1_1", 1000), "stowaway": torch.zeros(1)}
    torch.save(more, file)
    with pytest.raises(WeightsError, match="'stowaway'"):
        classifier.build("squeezenet1_1", size=32, weights=str(file))


class Hostile:
    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> Any:
        return Path.touch, (self.victim,)


@pytest.mark.parametrize(
    "write", [torch.save, lambda state, file: Path(file).write_bytes(pickle.dumps(state, protocol=2))]
)
def test_a_hostile_file_is_refused_and_not_executed(write: Any, tmp_path: Path) -> None:
    write({"features.0.weight": Hostile(tmp_path / "executed")}, tmp_path / "hostile.pth")
    with pytest.raises(WeightsError, match=r"hostile\.pth"):
        classifier.build("squeezenet1_1", size=32, weights=str(tmp_path / "hostile.pth"))
    assert not (tmp_path / "executed").exists()


def test_a_missing_file_is_named() -> None:
    with pytest.raises(WeightsError, match=r"no weights file nowhere\.pth"):
        classifier.build("squeezenet1_1", size=32, weights="nowhere.pth")


def test_a_failed_download_names_the_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(WeightsError, match="not known") as caught:
        classifier.build("densenet169", size=32, weights="imagenet")
    for part in (
        "https://download.pytorch.org/models/densenet169-",
        str(tmp_path / "hub" / "checkpoints" / "densenet169-"),
    ):
        assert part in caught.value.hint
    assert "\n" not in caught.value.message + caught.value.hint


def test_cached_imagenet_weights_are_checked_by_their_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    url = models.SqueezeNet1_1_Weights.IMAGENET1K_V1.url
    file = tmp_path / "hub" / "checkpoints" / url.rpartition("/")[2]
    file.parent.mkdir(parents=True)
    torch.save(state_of("squeezenet1_1", 1000), file)
    with pytest.raises(WeightsError, match="is damaged"):
        classifier.build("squeezenet1_1", size=32, weights="imagenet")
    monkeypatch.setattr("xrayaug.storage.weights.file_hash", lambda _: file.stem.rpartition("-")[2] + "00")
    assert pretrained.imagenet_file("squeezenet1_1") == file
    classifier.build("squeezenet1_1", size=32, weights="imagenet")


def test_a_download_is_checked_by_the_hash_in_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *given, **_: asked.extend(given))
    file = pretrained.imagenet_file("resnet50")
    assert asked[0] == models.ResNet50_Weights.IMAGENET1K_V1.url  # not V2, whose recipe is another
    assert (asked[1], asked[2]) == (str(file), "0676ba61")


def test_hash_names_follow_torch_hub() -> None:
    for arch in models.list_models(module=models):
        for offered in models.get_model_weights(arch):
            assert pretrained.HASH_IN_NAME.search(offered.url.rpartition("/")[2]), offered.url
    assert file_hash(Path(__file__)) == hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
