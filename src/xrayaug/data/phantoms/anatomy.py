"""The bones of a hand, and random hands of different age, build and pose.

Geometry is in hand lengths (wrist crease to middle fingertip, about 18 cm in an adult) on complex numbers: the real
axis points to the thumb side (radial), the imaginary axis to the fingertips (distal), the origin is the middle of the
wrist joint. The hand is a left one seen from behind; a right hand is its mirror image.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

THUMB, INDEX, MIDDLE, RING, LITTLE = range(1, 6)
FOREARM = 0
METACARPAL, PROXIMAL, MIDDLE_PHALANX, DISTAL = range(4)


@dataclass(frozen=True)
class Ray:
    """One metacarpal and its phalanges, proximal first."""

    base: complex  # carpometacarpal joint
    angle: float  # of the metacarpal, degrees from distal towards the thumb
    closed: float  # angle of the phalanges with the fingers held together
    spread: float  # and with the fingers spread
    lengths: tuple[float, ...]
    half_widths: tuple[float, ...]  # at the base of each bone
    flesh: float  # soft-tissue girth relative to the index finger


RAYS = {
    THUMB: Ray(0.178 + 0.135j, 39, 33, 50, (0.190, 0.140, 0.098), (0.036, 0.034, 0.029), 1.16),
    INDEX: Ray(0.088 + 0.182j, 7, 4, 14, (0.308, 0.192, 0.118, 0.085), (0.037, 0.035, 0.029, 0.023), 1.0),
    MIDDLE: Ray(0.014 + 0.180j, 0, 0, 1, (0.292, 0.216, 0.140, 0.090), (0.034, 0.035, 0.030, 0.024), 1.03),
    RING: Ray(-0.055 + 0.172j, -8, -5, -11, (0.262, 0.2, 0.132, 0.09), (0.027, 0.033, 0.028, 0.023), 0.97),
    LITTLE: Ray(-0.101 + 0.145j, -19, -9, -26, (0.244, 0.156, 0.09, 0.078), (0.028, 0.03, 0.024, 0.019), 0.84),
}
BONE_NAMES = ("metacarpal", "proximal phalanx", "middle phalanx", "distal phalanx")

# Outlines traced on an adult wrist, in thousandths of a hand length. The number before
# each outline is the age in years at which the bone starts to ossify, and so to show.
CARPALS: dict[str, tuple[float, tuple[tuple[int, int], ...]]] = {
    "capitate": (0.3, ((-18, 165), (8, 170), (38, 170), (56, 152), (50, 119), (55, 93), (50, 61), (25, 45),
                       (5, 50), (-7, 73), (-7, 102), (-17, 131))),
    "hamate": (0.4, ((-50, 157), (-23, 157), (-18, 139), (-8, 109), (-8, 79), (-30, 58), (-50, 83),
                     (-64, 104), (-86, 119), (-79, 139))),
    "triquetrum": (2.5, ((-101, 102), (-74, 104), (-60, 94), (-50, 71), (-38, 53), (-56, 35), (-71, 17),
                         (-88, 26), (-96, 53), (-109, 74), (-109, 89))),
    "lunate": (3.5, ((-55, 12), (-53, 31), (-38, 50), (-15, 60), (7, 45), (20, 35), (23, 17), (13, 2),
                     (-15, -2), (-41, 3))),
    "trapezium": (5.0, ((90, 118), (110, 136), (134, 150), (144, 136), (154, 111), (152, 87), (140, 72),
                        (122, 72), (101, 90))),
    "trapezoid": (5.5, ((63, 149), (73, 165), (96, 170), (121, 170), (129, 152), (111, 134), (88, 116),
                        (63, 127))),
    "scaphoid": (5.5, ((25, 8), (31, 28), (47, 42), (59, 60), (66, 86), (82, 102), (101, 86), (121, 60),
                       (117, 42), (93, 22), (63, 5), (36, 1))),
    "pisiform": (9.5, ((-119, 30), (-112, 48), (-99, 55), (-86, 48), (-79, 30), (-86, 12), (-99, 5),
                       (-112, 12))),
}  # fmt: skip
CARPALS_GROWN = 13.0  # years


@dataclass(frozen=True)
class BoneShape:
    """Shape of a tubular bone at any age, as a function of t: 0 at its start, 1 at its end."""

    half_widths: tuple[tuple[float, float], ...]  # (t, half-width relative to the bone's own)
    caps: tuple[float, float]  # lengths in t over which each end rounds off
    cortex: float  # cortical thickness at mid-shaft, relative half-width
    physis: float  # t of the growth plate
    closing: float  # age in years at which the growth plate has fused
    hollow: float = 0.03  # curvature of base (concave) and head (convex), t per squared half-width
    tilt: float = 0.0  # slope of the ends, t per half-width
    ossifies: float = 0.0  # age in years at which the epiphysis starts to show


_METACARPAL = ((0, 1), (0.08, 1), (0.28, 0.64), (0.50, 0.52), (0.70, 0.60), (0.87, 0.95), (1, 0.95))
_PHALANX = ((0, 1), (0.07, 1), (0.32, 0.61), (0.60, 0.50), (0.80, 0.63), (0.92, 0.76), (1, 0.72))
_TUFTED = ((0, 1), (0.10, 1), (0.36, 0.52), (0.66, 0.38), (0.84, 0.58), (0.94, 0.62), (1, 0.55))
# The forearm is drawn two hand lengths long, so that it always leaves the picture.
_RADIUS = ((0, 0.97), (0.02, 1), (0.04, 0.95), (0.085, 0.62), (0.14, 0.49), (0.22, 0.45), (1, 0.5))
_ULNA = ((0, 0.9), (0.015, 1), (0.04, 0.95), (0.09, 0.73), (0.25, 0.72), (1, 0.9))
SHAPES = {
    "metacarpal": BoneShape(_METACARPAL, (0.03, 0.10), 0.21, 0.86, 16),
    "first metacarpal": BoneShape(_METACARPAL, (0.06, 0.12), 0.21, 0.13, 16),
    "proximal phalanx": BoneShape(_PHALANX, (0.04, 0.06), 0.19, 0.10, 16),
    "middle phalanx": BoneShape(_PHALANX, (0.06, 0.08), 0.19, 0.12, 16),
    "distal phalanx": BoneShape(_TUFTED, (0.08, 0.12), 0.20, 0.15, 15.5),
    "radius": BoneShape(_RADIUS, (0.012, 0.01), 0.15, 0.033, 18, hollow=0.007, tilt=-0.009),
    "ulna": BoneShape(_ULNA, (0.014, 0.01), 0.20, 0.027, 17.5, hollow=-0.004, tilt=0.004, ossifies=6),
}

# Soft tissue around each bone of a ray: radius at its start and end, half its depth along the beam.
FLESH = ((0.064, 0.060, 0.085), (0.055, 0.047, 0.062), (0.048, 0.042, 0.055), (0.043, 0.036, 0.046))
SKIN_SMOOTHING = 0.010  # distance over which neighbouring tissues melt together


@dataclass(frozen=True)
class Bone:
    """A tubular bone, or the fragment of one between two fracture lines."""

    digit: int
    order: int
    shape: str
    start: complex
    end: complex
    half_width: float
    bend: float = 0.0  # sideways bow at mid-shaft
    span: tuple[float, float] = (-1.0, 2.0)  # part of t that exists
    slant: float = 0.0  # obliquity of the fracture lines, t per hand length

    def at(self, t: float) -> complex:
        """Return the point at `t` on the straight axis."""
        return self.start + (self.end - self.start) * t


@dataclass(frozen=True)
class Hand:
    """The bones of one person's hand in one pose."""

    age: float  # years; 18 and above is adult
    bones: tuple[Bone, ...]
    carpal_shift: complex
    plumpness: float


def _direction(degrees: float) -> complex:
    """Return the unit vector that points `degrees` from distal towards the thumb."""
    return 1j * complex(np.exp(-1j * math.radians(degrees)))


def sample_hand(rng: np.random.Generator) -> Hand:
    """Return a hand of random age, build and pose."""
    age = float(rng.choice([rng.uniform(3.0, 17.0), rng.uniform(18.0, 60.0)], p=[0.6, 0.4]))
    youth = float(np.clip((18.0 - age) / 14.0, 0.0, 1.0))
    spread = float(rng.uniform(0.1, 1.1))
    build = float(rng.uniform(0.90, 1.10))
    bones = [bone for digit in RAYS for bone in _sample_ray(rng, digit, youth, spread, build)]
    bones += _sample_forearm(rng, youth, build)
    shift = complex(rng.normal(0, 0.003), rng.normal(0, 0.003))
    return Hand(age, tuple(bones), shift, plumpness=float(rng.uniform(0.94, 1.08)) + 0.12 * youth)


def _sample_ray(rng: np.random.Generator, digit: int, youth: float, spread: float, build: float) -> Iterator[Bone]:
    """Yield the metacarpal and the phalanges of one digit, proximal first, with joint spaces between them."""
    ray = RAYS[digit]
    joint_space = 0.008 + 0.010 * youth
    point = ray.base - 0.004j * (1 - youth)
    angle = ray.angle + rng.normal(0, 1.5) + (8.0 * (spread - 0.5) if digit == THUMB else 0.0)
    for index, (length, half_width) in enumerate(zip(ray.lengths, ray.half_widths, strict=True)):
        order = index if digit != THUMB or index < 2 else DISTAL
        if index == 1:
            angle = ray.closed + (ray.spread - ray.closed) * spread
        angle += rng.normal(0, 2.0)
        end = point + length * rng.normal(1.0, 0.02) * _direction(angle)
        shape = BONE_NAMES[order] if (digit, order) != (THUMB, METACARPAL) else "first metacarpal"
        bow = {METACARPAL: 0.004 if digit in (THUMB, LITTLE) else -0.002}.get(order, 0.0)
        bend = bow + rng.normal(0, 0.0012)
        yield Bone(digit, order, shape, point, end, half_width * build * (1 - 0.08 * youth), bend)
        point = end + joint_space * _direction(angle)


def _sample_forearm(rng: np.random.Generator, youth: float, build: float) -> Iterator[Bone]:
    """Yield the radius and the ulna, which start at the wrist."""
    deviation = rng.normal(0, 5.0)  # degrees between hand and forearm
    gap = 0.004 + 0.008 * youth
    for order, (shape, base, angle, half_width) in enumerate(
        (("radius", 0.020 - 0.010j, 189.0, 0.085), ("ulna", -0.108 - 0.008j, 192.0, 0.042))
    ):
        start = base - gap * 1j
        end = start + 2.0 * _direction(angle + deviation)
        yield Bone(FOREARM, order, shape, start, end, half_width * build, rng.normal(0, 0.004))
