"""Findings that make a hand abnormal: a displaced fracture, or metal fixed to a bone."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from xrayaug.data.phantoms.anatomy import FOREARM, METACARPAL, MIDDLE_PHALANX, Bone, Hand

METAL_DEPTH = 4.5  # optical depth of an implant or of the lead marker
MAX_ANGULATION = 80.0  # degrees; a finger that is bent further would lie on the hand


@dataclass(frozen=True)
class Rod:
    """A straight piece of metal (or lead)."""

    start: complex
    end: complex
    radius: float
    depth: float = METAL_DEPTH


def injure(rng: np.random.Generator, hand: Hand, size: float = 1.0) -> tuple[Hand, list[Rod]]:
    """Break a bone of a hand, or fix metal to one; both are equally likely.

    Args:
        rng: decides everything.
        hand: the normal hand.
        size: factor of the shift and angulation of fragments and of the thickness of metal; 1 as in life.

    Returns:
        The hand with the broken bone, or unchanged, and the pieces of metal.
    """
    if rng.random() < 0.5:
        return _fracture(rng, hand, size), []
    metal = (_plate if rng.random() < 0.6 else _wire)(rng, hand)
    return hand, [replace(rod, radius=size * rod.radius) for rod in metal]


def _choose_bone(rng: np.random.Generator, hand: Hand) -> Bone:
    """Return a random bone that is large enough to injure."""
    candidates = [bone for bone in hand.bones if bone.order < MIDDLE_PHALANX]
    return candidates[int(rng.integers(len(candidates)))]


def _fracture(rng: np.random.Generator, hand: Hand, size: float) -> Hand:
    """Return the hand with one bone cut obliquely; the part beyond the cut shifts and angulates with its digit."""
    broken = _choose_bone(rng, hand)
    t = float(rng.uniform(0.05, 0.11) if broken.digit == FOREARM else rng.uniform(0.35, 0.65))
    axis = broken.end - broken.start
    along = axis / abs(axis)
    side = float(rng.choice([-1.0, 1.0]))
    # A metacarpal swings its whole finger, so it angulates less than other bones.
    angulation = rng.uniform(12, 22) if broken.order == METACARPAL else rng.uniform(15, 30)  # degrees
    angulation = min(size * angulation, MAX_ANGULATION)
    hinge = broken.at(t)
    sideways = side * rng.uniform(0.38, 0.66) * broken.half_width  # a mid-shaft is half as wide as the base
    shift = size * along * complex(-rng.uniform(-0.004, 0.014), -sideways)
    swing = complex(np.exp(1j * side * math.radians(angulation)))
    slant = float(rng.uniform(0.3, 0.9) * rng.choice([-1.0, 1.0])) / abs(axis)

    def move(point: complex) -> complex:
        return hinge + shift + (point - hinge) * swing

    def fragments(bone: Bone) -> Iterator[Bone]:
        gap = 0.004 / abs(axis)
        if bone is broken:
            yield replace(bone, span=(-1.0, t - gap), slant=slant)
            yield replace(bone, start=move(bone.start), end=move(bone.end), span=(t + gap, 2.0), slant=slant)
        elif bone.digit == broken.digit != FOREARM and bone.order > broken.order:
            yield replace(bone, start=move(bone.start), end=move(bone.end))
        else:
            yield bone

    return replace(hand, bones=tuple(part for bone in hand.bones for part in fragments(bone)))


def _plate(rng: np.random.Generator, hand: Hand) -> list[Rod]:
    """Return a plate along a shaft and the screws through the bone that hold it."""
    bone = _choose_bone(rng, hand)
    low, high = (0.03, 0.24) if bone.digit == FOREARM else (0.14, 0.86)
    axis = bone.end - bone.start
    across = 1j * axis / abs(axis) * float(rng.choice([-1.0, 1.0]))
    width = 0.014 if bone.digit == FOREARM else 0.011
    seat = across * rng.uniform(0.25, 0.5) * bone.half_width
    start, end = bone.at(low) + seat, bone.at(high) + seat
    count = int(rng.integers(4, 7))
    screws = [
        Rod(head, head - across * rng.uniform(0.75, 1.05) * bone.half_width, 0.0055)
        for head in (start + (end - start) * (k + 0.5) / count for k in range(count))
    ]
    return [Rod(start, end, width, 0.85 * METAL_DEPTH), *screws]


def _wire(rng: np.random.Generator, hand: Hand) -> list[Rod]:
    """Return one or two thick wires that run obliquely along a bone."""
    bone = _choose_bone(rng, hand)
    low, high = (-0.02, 0.18) if bone.digit == FOREARM else (-0.15, 0.95)
    axis = bone.end - bone.start
    across = 1j * axis / abs(axis)
    side = float(rng.choice([-1.0, 1.0]))
    wires = []
    for sign in (side, -side)[: int(rng.integers(1, 3))]:
        lean = across * sign * rng.uniform(0.3, 0.8) * bone.half_width
        wires.append(Rod(bone.at(low) + lean, bone.at(high) - 0.5 * lean, 0.0075))
    return wires
