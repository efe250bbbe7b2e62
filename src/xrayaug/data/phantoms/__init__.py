"""Phantom hand radiographs: drawn stand-ins for patient images, to try the pipeline without data.

A random hand is laid out in the plane (`anatomy`), may be injured (`injuries`), and is projected (`projection`): every
structure adds its optical depth to a map, and the grey value of a pixel follows from the beam that passes through it;
dense structures are bright.
"""

import math

import numpy as np
import numpy.typing as npt

from xrayaug.data.phantoms.anatomy import CARPALS, SHAPES, sample_hand
from xrayaug.data.phantoms.injuries import Rod, injure
from xrayaug.data.phantoms.projection import (
    Floats,
    Frame,
    project_bone,
    project_carpal,
    project_rod,
    project_soft_tissue,
    tabulate_profile,
    trabeculae,
)

SCATTER = 0.04  # scattered share of the beam, which limits the contrast of dense parts
PHOTONS = 9000.0  # per pixel
COLLIMATED = 0.10  # share of images with a collimated margin
WORKING_SIZE = 256  # smaller images are drawn at least this large (pixels) and averaged down

MARKER_STROKES: dict[str, tuple[tuple[complex, complex], ...]] = {
    "L": ((0 + 1j, 0), (0, 0.6 + 0j)),
    "R": ((0, 1j), (1j, 0.4 + 1j), (0.4 + 1j, 0.6 + 0.85j), (0.6 + 0.85j, 0.6 + 0.65j),
          (0.6 + 0.65j, 0.4 + 0.5j), (0.4 + 0.5j, 0.5j), (0.3 + 0.5j, 0.62 + 0j)),
}  # fmt: skip


def _choose_frame(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Return a frame in which the fingers fit and the forearm leaves through the lower edge."""
    turn = complex(np.exp(1j * math.radians(np.clip(rng.normal(0, 5), -12, 12))))
    scale = min(0.76 * height, 0.98 * width) * rng.uniform(0.86, 1.0)
    middle = complex(0.5 * width, 0.06 * height + 0.5 * scale + 0.4 * max(height - 1.3 * scale, 0))
    middle += scale * complex(rng.normal(0, 0.02), rng.uniform(-0.03, 0.04))
    origin = middle - ((0.06 + 0.48j) * turn).conjugate() * scale
    return Frame(height, width, scale, turn, origin)


def _mark_side(rng: np.random.Generator, depth: Floats, letter: str) -> None:
    """Add a lead letter on its plastic plate to a corner away from the hand."""
    height, width = depth.shape
    size = min(height, width) * rng.uniform(0.07, 0.10)
    thumb_side = rng.random() < 0.3
    right = thumb_side == (letter == "L")
    column = width - 1.6 * size if right else 1.0 * size
    row = height - 1.2 * size if thumb_side or rng.random() < 0.5 else 2.2 * size
    turn = complex(np.exp(1j * math.radians(rng.normal(0, 8))))
    frame = Frame(height, width, size, turn, complex(column, row))
    project_rod(depth, frame, Rod(0.3 + 0.2j, 0.3 + 0.8j, 0.75, depth=0.10))
    for start, end in MARKER_STROKES[letter]:
        project_rod(depth, frame, Rod(start, end, 0.10))


def _blur(image: Floats) -> Floats:
    """Return the image blurred slightly, by (1 2 1) / 4 along rows and columns."""
    for axis in (0, 1):
        pad = [(1, 1) if axis == k else (0, 0) for k in (0, 1)]
        wide = np.pad(image, pad, mode="edge")
        image = 0.5 * image + 0.25 * (wide[:-2] + wide[2:] if axis == 0 else wide[:, :-2] + wide[:, 2:])
    return image


def _expose(rng: np.random.Generator, depth: Floats) -> npt.NDArray[np.uint8]:
    """Return the grey image of an optical depth map, by a detector with random settings."""
    photons = np.float32(PHOTONS * rng.uniform(0.4, 2.0))
    beam = np.exp(-_blur(depth)) + np.float32(SCATTER)
    beam += rng.standard_normal(depth.shape, dtype=np.float32) * np.sqrt(beam / photons)
    signal = -np.log(np.maximum(beam, 1e-3))
    for axis, size in enumerate(depth.shape):  # beam and detector are uneven
        slope = np.linspace(-1, 1, size, dtype=np.float32) * np.float32(rng.normal(0, 0.05))
        signal += np.expand_dims(slope, 1 - axis)
    black, white = np.float32(-rng.uniform(0.02, 0.25)), np.float32(rng.uniform(2.0, 2.9))
    gamma = np.float32(rng.uniform(0.80, 1.20))
    shown: Floats = np.clip((signal - black) / (white - black), 0, 1) ** gamma
    if rng.random() < COLLIMATED:
        shown = _collimate(rng, shown)
    grey: npt.NDArray[np.uint8] = np.rint(255 * shown).astype(np.uint8)
    return grey


def _collimate(rng: np.random.Generator, shown: Floats) -> Floats:
    """Return the image with a uniform grey margin where a collimator blocks the beam."""
    top, side = (int(size * rng.uniform(0.02, 0.06)) for size in shown.shape)
    framed = np.full_like(shown, rng.uniform(0.2, 0.45))
    inside = (slice(top, shown.shape[0] - top), slice(side, shown.shape[1] - side))
    framed[inside] = shown[inside]
    return framed


def draw_hand(
    rng: np.random.Generator, height: int, width: int, *, abnormal: bool, left: bool = True, finding_size: float = 1.0
) -> npt.NDArray[np.uint8]:
    """Return a phantom radiograph [height, width], uint8: bones are bright on a dark background.

    Args:
        rng: decides everything; the same state draws the same hand, with and without an injury.
        height: of the image, in pixels.
        width: of the image, in pixels.
        abnormal: True to break a bone visibly, or to fix metal to one.
        left: True for a left hand, which has its thumb on the right.
        finding_size: factor of the size of an injury; 1 as in life.
    """
    fine = max(1, round(WORKING_SIZE / max(height, width)))  # working pixels per pixel and axis
    hand = sample_hand(rng)
    frame = _choose_frame(rng, height * fine, width * fine)
    injury_rng, marker_rng = (np.random.default_rng(rng.integers(2**63)) for _ in range(2))
    hand, metal = injure(injury_rng, hand, finding_size) if abnormal else (hand, [])

    bony = np.zeros((frame.height, frame.width), np.float32)
    profiles = {name: tabulate_profile(shape, hand.age) for name, shape in SHAPES.items()}
    for bone in hand.bones:
        project_bone(bony, frame, bone, profiles[bone.shape])
    for name in CARPALS:
        project_carpal(bony, frame, name, hand.age, hand.carpal_shift)
    depth = project_soft_tissue(frame, hand) + bony * trabeculae(rng, bony.shape)
    for rod in metal:
        project_rod(depth, frame, rod)
    depth = depth if left else np.ascontiguousarray(depth[:, ::-1])
    _mark_side(marker_rng, depth, "L" if left else "R")
    depth = depth.reshape(height, fine, width, fine).mean(axis=(1, 3), dtype=np.float32)
    return _expose(rng, depth)
