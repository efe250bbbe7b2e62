"""Weights of DINOv2 in the forms in which they are published fit timm's networks."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from xrayaug.errors import WeightsError
from xrayaug.networks import architectures, classifier, dinov2
from xrayaug.storage import weights

ARCH, SIZE, WIDTH, PATCH = "timm:vit_small_patch14_dinov2", 56, 384, 14


def authors_weights(size: int, depth: int = 12, width: int = WIDTH) -> dict[str, Tensor]:
    """Random weights of a ViT for images of `size` pixels, with the names of DINOv2's authors."""
    random = torch.Generator().manual_seed(0)
    hidden = 4 * width
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, 1 + (size // PATCH) ** 2, width),
        "mask_token": (1, width),
        "patch_embed.proj.weight": (width, 3, PATCH, PATCH),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    for number in range(depth):
        block = f"blocks.{number}"
        shapes |= {f"{block}.{norm}.{part}": (width,) for norm in ("norm1", "norm2") for part in ("weight", "bias")}
        shapes |= {f"{block}.{scale}.gamma": (width,) for scale in ("ls1", "ls2")}
        for layer, outputs, inputs in (
            ("attn.qkv", 3 * width, width),
            ("attn.proj", width, width),
            ("mlp.fc1", hidden, width),
            ("mlp.fc2", width, hidden),
        ):
            shapes |= {f"{block}.{layer}.weight": (outputs, inputs), f"{block}.{layer}.bias": (outputs,)}
    return {name: 0.05 * torch.randn(shape, generator=random) for name, shape in shapes.items()}


def transformers_weights(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same weights with the names of transformers' Dinov2Model, as microsoft/rad-dino has them."""
    renamed: dict[str, Tensor] = {}
    outer = {
        "cls_token": "embeddings.cls_token",
        "pos_embed": "embeddings.position_embeddings",
        "mask_token": "embeddings.mask_token",
        "norm": "layernorm",
        "patch_embed": "embeddings.patch_embeddings",
    }
    inner = {"ls1": "layer_scale1", "ls2": "layer_scale2"}
    for name, tensor in state.items():
        first, *rest = name.split(".")
        if first != "blocks":
            renamed[".".join([outer[first], *("projection" if part == "proj" else part for part in rest)])] = tensor
            continue
        number, layer, *last = rest
        prefix = f"encoder.layer.{number}"
        if layer == "attn" and last[0] == "qkv":
            for part, chunk in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                renamed[f"{prefix}.attention.attention.{part}.{last[1]}"] = chunk.contiguous()
        elif layer == "attn":
            renamed[f"{prefix}.attention.output.dense.{last[1]}"] = tensor
        elif layer in inner:
            renamed[f"{prefix}.{inner[layer]}.lambda1"] = tensor
        else:
            renamed[f"{prefix}.{layer}.{'.'.join(last)}"] = tensor
    return renamed


def test_names_of_transformers_become_those_of_the_authors() -> None:
    state = authors_weights(SIZE, depth=2, width=8)
    found = dinov2.adapt_weights(transformers_weights(state), nn.Module())
    assert found.keys() == state.keys() - {"mask_token"}
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, state[name], rtol=0, atol=0)
    assert dinov2.adapt_weights(state, nn.Module()).keys() == found.keys()


def test_tensors_that_are_not_known_keep_their_names() -> None:
    state = transformers_weights(authors_weights(SIZE, depth=1, width=8))
    del state["encoder.layer.0.attention.attention.key.bias"]
    state["decoder.weight"] = torch.zeros(2)
    found = dinov2.adapt_weights(state, nn.Module())
    assert "decoder.weight" in found
    assert "blocks.0.attn.qkv.bias" not in found
    assert "blocks.0.attn.qkv.weight" in found


def test_only_timms_networks_with_these_weights_are_meant() -> None:
    assert dinov2.is_dinov2(ARCH)
    assert not dinov2.is_dinov2("timm:vit_small_patch16_224")
    assert not dinov2.is_dinov2("vit_b_16")


@pytest.mark.parametrize("form", ["authors", "transformers"])
def test_weights_for_larger_images_are_loaded_as_timm_loads_them(tmp_path: Path, form: str) -> None:
    from timm.models.vision_transformer import checkpoint_filter_fn  # type: ignore[import-not-found, unused-ignore]

    state = authors_weights(5 * PATCH)
    weights.save(tmp_path / "w.safetensors", state if form == "authors" else transformers_weights(state))
    found = classifier.build(ARCH, size=SIZE, weights=str(tmp_path / "w.safetensors")).eval()
    expected = architectures.import_timm().create_model(ARCH.removeprefix("timm:"), img_size=SIZE, num_classes=0)
    expected.load_state_dict(checkpoint_filter_fn(dict(state), expected))
    images = torch.rand(2, 1, SIZE, SIZE)
    with torch.inference_mode():
        features = classifier.penultimate_features(found, images)
        torch.testing.assert_close(features, expected.eval()((images - found.mean) / found.std), rtol=1e-5, atol=1e-5)
    assert features.std() > 0.01


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    weights.save(tmp_path / "narrow.safetensors", authors_weights(SIZE, width=192))
    with pytest.raises(WeightsError, match="'cls_token' is"):
        classifier.build(ARCH, size=SIZE, weights=str(tmp_path / "narrow.safetensors"))
