"""Weights of DINOv2's vision transformers for timm's networks, from the files in which they are published.

(Oquab et al. 2024, arXiv:2304.07193.) Three libraries have these networks: the authors' own, timm and transformers.
timm has the authors' names of tensors; transformers has others, and separate queries, keys and values.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from xrayaug.networks import architectures

MASK_TOKENS = ("mask_token", "embeddings.mask_token")  # used in pretraining only
POSITIONS = "pos_embed"  # embeddings of the positions, [1, 1 + rows x columns, width]
TRANSFORMERS_PREFIXES = ("embeddings.", "encoder.")
RENAMED = (  # pattern of transformers' names, replacement
    (re.compile(r"^embeddings\.cls_token$"), "cls_token"),
    (re.compile(r"^embeddings\.position_embeddings$"), POSITIONS),
    (re.compile(r"^embeddings\.patch_embeddings\.projection\."), "patch_embed.proj."),
    (re.compile(r"^encoder\.layer\.(\d+)\."), r"blocks.\1."),
    (re.compile(r"\.attention\.output\.dense\."), ".attn.proj."),
    (re.compile(r"\.layer_scale([12])\.lambda1$"), r".ls\1.gamma"),
    (re.compile(r"^layernorm\."), "norm."),
)
ATTENTION = re.compile(r"\.attention\.attention\.(query|key|value)\.")
ATTENTION_INPUTS = ("query", "key", "value")  # in the order in which timm stacks them


def is_dinov2(arch: str) -> bool:
    """Return whether an architecture is one of timm's that have DINOv2's weights."""
    return arch.startswith(architectures.TIMM) and "_dinov2" in arch


def adapt_weights(state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Return the tensors of a published file with the names and shapes of timm's network.

    Position embeddings for images of another size are resampled as timm does it. Tensors that are not known keep their
    name, so that a check of the names finds them.

    Args:
        state: tensors by name: of the authors, timm or transformers.
        network: timm's network.
    """
    adapted = {name: tensor for name, tensor in state.items() if name not in MASK_TOKENS}
    if any(name.startswith(TRANSFORMERS_PREFIXES) for name in adapted):
        adapted = _rename(_stack_attention(adapted))
    wanted = network.state_dict().get(POSITIONS)
    positions = adapted.get(POSITIONS)
    if wanted is not None and positions is not None and positions.shape != wanted.shape:
        adapted[POSITIONS] = _resample(positions, wanted)
    return adapted


def _stack_attention(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return transformers' tensors with queries, keys and values in one, as timm has them."""
    stacked: dict[str, Tensor] = {}
    for name, tensor in state.items():
        match = ATTENTION.search(name)
        parts = [] if match is None else [
            state.get(ATTENTION.sub(f".attention.attention.{part}.", name)) for part in ATTENTION_INPUTS
        ]  # fmt: skip
        present = [part for part in parts if part is not None]
        if match is None or len(present) < len(ATTENTION_INPUTS):
            stacked[name] = tensor
        elif match[1] == ATTENTION_INPUTS[0]:
            stacked[ATTENTION.sub(".attn.qkv.", name)] = torch.cat(present)
    return stacked


def _rename(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        current = name
        for pattern, replacement in RENAMED:
            current = pattern.sub(replacement, current)
        renamed[current] = tensor
    return renamed


def _resample(positions: Tensor, wanted: Tensor) -> Tensor:
    """Return position embeddings `[1, 1 + N, W]` for the square of `wanted`; unchanged if they are of no square."""
    old, new = (round((tensor.shape[1] - 1) ** 0.5) if tensor.ndim == 3 else 0 for tensor in (positions, wanted))
    if old**2 + 1 != positions.shape[1] or new**2 + 1 != wanted.shape[1]:
        return positions
    layers = architectures.import_timm().layers
    resampled: Tensor = layers.resample_abs_pos_embed(
        positions.float(), new_size=[new, new], old_size=[old, old], num_prefix_tokens=1
    )
    return resampled
