"""Phantom hand radiographs: drawn stand-ins for patient images, to try the pipeline without data.

A hand is laid out as bones in the plane (`_grow_hand`), optionally injured (`_injure`), and projected:
every structure adds its thickness to an optical depth map, the map attenuates a beam, and the beam is
shown as a detector would show it, dense bright.

Geometry is in hand lengths (wrist crease to middle fingertip, about 18 cm in an adult) on complex
numbers: the real axis points to the thumb side (radial), the imaginary axis to the fingertips (distal),
the origin is the middle of the wrist joint. The hand drawn is a left one seen from behind; a right hand
is its mirror image. Optical depths are dimensionless; images are [rows, columns].
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.float32]
Window = tuple[slice, slice]

# --- Anatomy, in hand lengths unless said otherwise ---------------------------------------------------

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
class Shape:
    """Profile of a tubular bone, from t = 0 at its start to t = 1 at its end."""

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
    "metacarpal": Shape(_METACARPAL, (0.03, 0.10), 0.21, 0.86, 16),
    "first metacarpal": Shape(_METACARPAL, (0.06, 0.12), 0.21, 0.13, 16),
    "proximal phalanx": Shape(_PHALANX, (0.04, 0.06), 0.19, 0.10, 16),
    "middle phalanx": Shape(_PHALANX, (0.06, 0.08), 0.19, 0.12, 16),
    "distal phalanx": Shape(_TUFTED, (0.08, 0.12), 0.20, 0.15, 15.5),
    "radius": Shape(_RADIUS, (0.012, 0.01), 0.15, 0.033, 18, hollow=0.007, tilt=-0.009),
    "ulna": Shape(_ULNA, (0.014, 0.01), 0.20, 0.027, 17.5, hollow=-0.004, tilt=0.004, ossifies=6),
}

# Soft tissue around each bone of a ray: radius at its start and end, half its depth along the beam.
FLESH = ((0.064, 0.060, 0.085), (0.055, 0.047, 0.062), (0.048, 0.042, 0.055), (0.043, 0.036, 0.046))
SKIN_SMOOTHING = 0.010  # distance over which neighbouring tissues melt together

# --- Physics -------------------------------------------------------------------------------------------

MU_SOFT = 5.2  # attenuation per hand length
MU_CORTICAL = 26.0
MARROW = 0.21  # attenuation of spongy bone relative to cortical bone
TRABECULAR_CONTRAST = 0.09  # standard deviation relative to the mean
METAL_DEPTH = 4.5  # optical depth of an implant or of the lead marker
SCATTER = 0.04  # scattered share of the beam, which limits the contrast of dense parts
PHOTONS = 9000.0  # per pixel
COLLIMATED = 0.10  # share of images with a shuttered margin
WORKING_SIZE = 256  # smaller images are drawn at least this large (pixels) and averaged down

MARKER_STROKES: dict[str, tuple[tuple[complex, complex], ...]] = {
    "L": ((0 + 1j, 0), (0, 0.6 + 0j)),
    "R": ((0, 1j), (1j, 0.4 + 1j), (0.4 + 1j, 0.6 + 0.85j), (0.6 + 0.85j, 0.6 + 0.65j),
          (0.6 + 0.65j, 0.4 + 0.5j), (0.4 + 0.5j, 0.5j), (0.3 + 0.5j, 0.62 + 0j)),
}  # fmt: skip

_T = np.linspace(0.0, 1.0, 513)


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
        """Point on the straight axis."""
        return self.start + (self.end - self.start) * t


@dataclass(frozen=True)
class Rod:
    """A straight piece of metal (or lead)."""

    start: complex
    end: complex
    radius: float
    depth: float = METAL_DEPTH


@dataclass(frozen=True)
class Frame:
    """Where the hand plane lies in an image of height x width pixels."""

    height: int
    width: int
    scale: float  # pixels per hand length
    turn: complex  # unit number: rotation of the hand, counter-clockwise
    origin: complex  # column + row * i of the wrist

    def pixel(self, point: complex) -> complex:
        """Column + row * i of a point of the hand."""
        return self.origin + (point * self.turn).conjugate() * self.scale

    def window(self, start: complex, end: complex, reach: float) -> Window:
        """Rows and columns within `reach` of a segment; may be empty."""
        a, b, margin = self.pixel(start), self.pixel(end), reach * self.scale + 2

        def span(p: float, q: float, size: int) -> slice:
            low, high = min(p, q) - margin, max(p, q) + margin
            return slice(min(max(int(low), 0), size), min(max(int(high) + 1, 0), size))

        return span(a.imag, b.imag, self.height), span(a.real, b.real, self.width)

    def local(self, window: Window, start: complex, end: complex) -> tuple[Floats, Floats]:
        """Coordinates of a window's pixels along start-to-end and to the right of it, from `start`."""
        corner = self.pixel(start)
        rows = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None] - np.float32(corner.imag)
        cols = np.arange(window[1].start, window[1].stop, dtype=np.float32)[None, :] - np.float32(corner.real)
        step = self.pixel(end) - corner
        ux, uy = (np.float32(part / (abs(step) * self.scale)) for part in (step.real, step.imag))
        return cols * ux + rows * uy, rows * ux - cols * uy


# --- Laying out the hand -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hand:
    """The bones of one person's hand in one pose."""

    age: float  # years; 18 and above is adult
    bones: tuple[Bone, ...]
    carpal_shift: complex
    plumpness: float


def _direction(degrees: float) -> complex:
    """Unit vector `degrees` from distal towards the thumb."""
    return 1j * complex(np.exp(-1j * math.radians(degrees)))


def _grow_hand(rng: np.random.Generator) -> Hand:
    """A hand of random age, build and pose."""
    age = float(rng.choice([rng.uniform(3.0, 17.0), rng.uniform(18.0, 60.0)], p=[0.6, 0.4]))
    youth = float(np.clip((18.0 - age) / 14.0, 0.0, 1.0))
    spread = float(rng.uniform(0.1, 1.1))
    build = float(rng.uniform(0.90, 1.10))
    bones = [bone for digit in RAYS for bone in _grow_ray(rng, digit, youth, spread, build)]
    bones += _grow_forearm(rng, youth, build)
    shift = complex(rng.normal(0, 0.003), rng.normal(0, 0.003))
    return Hand(age, tuple(bones), shift, plumpness=float(rng.uniform(0.94, 1.08)) + 0.12 * youth)


def _grow_ray(rng: np.random.Generator, digit: int, youth: float, spread: float, build: float) -> Iterator[Bone]:
    """Metacarpal and phalanges of one digit, each starting a joint space beyond the last."""
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


def _grow_forearm(rng: np.random.Generator, youth: float, build: float) -> Iterator[Bone]:
    """Radius and ulna, starting at the wrist."""
    deviation = rng.normal(0, 5.0)  # degrees between hand and forearm
    gap = 0.004 + 0.008 * youth
    for order, (shape, base, angle, half_width) in enumerate(
        (("radius", 0.020 - 0.010j, 189.0, 0.085), ("ulna", -0.108 - 0.008j, 192.0, 0.042))
    ):
        start = base - gap * 1j
        end = start + 2.0 * _direction(angle + deviation)
        yield Bone(FOREARM, order, shape, start, end, half_width * build, rng.normal(0, 0.004))


# --- Injuries ------------------------------------------------------------------------------------------


def _injure(rng: np.random.Generator, hand: Hand) -> tuple[Hand, list[Rod]]:
    """Either break a bone or fix metal to one."""
    if rng.random() < 0.5:
        return _fracture(rng, hand), []
    return hand, (_plate if rng.random() < 0.6 else _wire)(rng, hand)


def _pick(rng: np.random.Generator, hand: Hand) -> Bone:
    """A random bone large enough to injure."""
    candidates = [bone for bone in hand.bones if bone.order < MIDDLE_PHALANX]
    return candidates[int(rng.integers(len(candidates)))]


def _fracture(rng: np.random.Generator, hand: Hand) -> Hand:
    """Cut a bone obliquely; what lies beyond the cut shifts and angulates with the rest of its digit."""
    broken = _pick(rng, hand)
    t = float(rng.uniform(0.05, 0.11) if broken.digit == FOREARM else rng.uniform(0.35, 0.65))
    axis = broken.end - broken.start
    along = axis / abs(axis)
    side = float(rng.choice([-1.0, 1.0]))
    # A metacarpal swings its whole finger, so it angulates less than other bones.
    angulation = rng.uniform(12, 22) if broken.order == METACARPAL else rng.uniform(15, 30)  # degrees
    hinge = broken.at(t)
    sideways = side * rng.uniform(0.38, 0.66) * broken.half_width  # a mid-shaft is half as wide as the base
    shift = along * complex(-rng.uniform(-0.004, 0.014), -sideways)
    swing = complex(np.exp(1j * side * math.radians(angulation)))
    slant = float(rng.uniform(0.3, 0.9) * rng.choice([-1.0, 1.0])) / abs(axis)

    def move(point: complex) -> complex:
        return hinge + shift + (point - hinge) * swing

    def settle(bone: Bone) -> Iterator[Bone]:
        gap = 0.004 / abs(axis)
        if bone is broken:
            yield replace(bone, span=(-1.0, t - gap), slant=slant)
            yield replace(bone, start=move(bone.start), end=move(bone.end), span=(t + gap, 2.0), slant=slant)
        elif bone.digit == broken.digit != FOREARM and bone.order > broken.order:
            yield replace(bone, start=move(bone.start), end=move(bone.end))
        else:
            yield bone

    return replace(hand, bones=tuple(part for bone in hand.bones for part in settle(bone)))


def _plate(rng: np.random.Generator, hand: Hand) -> list[Rod]:
    """A plate along a shaft, held by screws through the bone."""
    bone = _pick(rng, hand)
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
    """One or two stout wires driven obliquely along a bone."""
    bone = _pick(rng, hand)
    low, high = (-0.02, 0.18) if bone.digit == FOREARM else (-0.15, 0.95)
    axis = bone.end - bone.start
    across = 1j * axis / abs(axis)
    side = float(rng.choice([-1.0, 1.0]))
    wires = []
    for sign in (side, -side)[: int(rng.integers(1, 3))]:
        lean = across * sign * rng.uniform(0.3, 0.8) * bone.half_width
        wires.append(Rod(bone.at(low) + lean, bone.at(high) - 0.5 * lean, 0.0075))
    return wires


# --- Projection ----------------------------------------------------------------------------------------


def _project_soft_tissue(frame: Frame, hand: Hand) -> Floats:
    """Optical depth [height, width] of skin, fat and muscle, a smooth union of tapered capsules.

    The outline is smooth, so it is found on a coarse grid as a signed distance and then enlarged.
    """
    step = max(1.0, max(frame.height, frame.width) / 112)
    rows, cols = math.ceil(frame.height / step), math.ceil(frame.width / step)
    shrink_x, shrink_y = frame.width / cols, frame.height / rows
    y = ((np.arange(rows, dtype=np.float32) + 0.5) * shrink_y - 0.5)[:, None]
    x = ((np.arange(cols, dtype=np.float32) + 0.5) * shrink_x - 0.5)[None, :]
    weight = np.full((rows, cols), 1e-30, np.float32)
    weighted = np.zeros((rows, cols), np.float32)
    for start, end, radius_start, radius_end, depth in _flesh(hand):
        a, b = frame.pixel(start), frame.pixel(end)
        step_x, step_y = np.float32(b.real - a.real), np.float32(b.imag - a.imag)
        px, py = x - np.float32(a.real), y - np.float32(a.imag)
        along = np.clip((px * step_x + py * step_y) / np.float32(abs(b - a) ** 2), 0, 1)
        distance = np.hypot(px - along * step_x, py - along * step_y) / np.float32(frame.scale)
        inside = (radius_start + along * (radius_end - radius_start)) * hand.plumpness - distance
        share = np.exp(np.clip(inside / SKIN_SMOOTHING, -60, 60))
        weight += share
        weighted += share * np.float32(depth)
    full = (frame.width, frame.height)
    inside, depth_map = (
        np.asarray(Image.fromarray(coarse).resize(full, Image.Resampling.BICUBIC))
        for coarse in (SKIN_SMOOTHING * np.log(weight), weighted / weight)
    )
    rim = 1 - np.clip(inside / (0.58 * depth_map + 1e-6), 0, 1)  # flat beyond a rounded edge
    thickness: Floats = 2 * depth_map * np.sqrt(1 - rim * rim)
    return MU_SOFT * thickness


def _flesh(hand: Hand) -> Iterator[tuple[complex, complex, float, float, float]]:
    """Capsules of soft tissue: start, end, radius at each, half depth along the beam."""
    for bone in hand.bones:
        if bone.digit == FOREARM:
            continue
        start, end, depth = FLESH[bone.order]
        girth = RAYS[bone.digit].flesh if bone.order != METACARPAL else 1.0
        first, last = max(bone.span[0], 0.0), min(bone.span[1], 1.0)
        yield bone.at(first), bone.at(last), start * girth, end * girth, depth * girth
    part = {(bone.digit, bone.order): bone for bone in hand.bones}
    for digit in (INDEX, MIDDLE, RING):
        near, far = part[digit, METACARPAL], part[digit + 1, METACARPAL]
        for t in (0.35, 0.65, 0.95):  # palm
            yield near.at(t), far.at(t), 0.050, 0.050, 0.085
        near, far = part[digit, PROXIMAL], part[digit + 1, PROXIMAL]
        yield near.at(0.20), far.at(0.24), 0.036, 0.036, 0.070  # web between two fingers
    thumb, index = part[THUMB, METACARPAL], part[INDEX, METACARPAL]
    for t, radius, depth in ((0.35, 0.080, 0.090), (0.58, 0.060, 0.080), (0.80, 0.045, 0.065)):
        yield thumb.at(t), index.at(t), radius, radius, depth  # thenar eminence to first web
    yield -0.085 + 0.15j, 0.11 + 0.13j, 0.075, 0.075, 0.10  # carpus
    lateral, medial = (bone for bone in hand.bones if bone.digit == FOREARM and bone.span[0] < 0)
    for near_t, far_t, wide, wider in ((-0.04, 0.10, 0.150, 0.150), (0.10, 1.0, 0.150, 0.30)):
        axis = [0.7 * lateral.at(t) + 0.3 * medial.at(t) for t in (near_t, far_t)]
        yield axis[0], axis[1], wide, wider, 0.12  # forearm


@dataclass(frozen=True)
class Profile:
    """A shape at a given age, tabulated over t: relative half-widths and density."""

    outer: npt.NDArray[np.float64]
    marrow: npt.NDArray[np.float64]
    density: npt.NDArray[np.float64]


def _profile(shape: Shape, age: float) -> Profile:
    """Tabulate a shape, with its growth plate as open as the age has it."""
    knots, widths = np.array(shape.half_widths).T
    outer = np.interp(_T, knots, widths)
    outer = np.convolve(np.pad(outer, 12, mode="edge"), np.full(25, 1 / 25), mode="valid")
    base, head = (1 - np.clip(x / cap, 0, 1) for x, cap in zip((_T, 1 - _T), shape.caps, strict=True))
    outer *= np.sqrt(1 - base**2) * np.sqrt(1 - head**2)

    opened = float(np.clip((shape.closing - age) / 2.5, 0, 1))
    growth = float(np.clip(0.5 + age / 24, 0, 1))
    end = min(shape.physis, 1 - shape.physis)  # length of the epiphysis in t
    beyond = (_T - shape.physis) * (shape.physis - 0.5) > 0  # the epiphysis
    outer[beyond] *= 1 - opened * (1 - growth)
    gap = end * (0.13 + 0.10 * opened * (1 - growth))
    away = np.abs(_T - shape.physis)
    density = 1 - 0.92 * opened * np.exp(-((away / gap) ** 2))
    density += (0.12 + 0.2 * opened) * np.exp(-(((away - 2 * gap * opened) / (0.7 * gap)) ** 2))

    narrowness = np.clip((1 - outer) / (1 - np.array(widths).min()), 0, 1)
    marrow = np.maximum(outer - 0.07 - (shape.cortex - 0.07) * narrowness, 0)
    shell = 0.3 * min(shape.caps)
    marrow[np.abs(_T - 0.5) > 0.5 - shell] = 0  # subchondral bone closes both ends
    if age < shape.ossifies:
        density[beyond] = 0
    return Profile(outer, marrow, density)


def _project_bone(depth: Floats, frame: Frame, bone: Bone, profile: Profile) -> None:
    """Add a tubular bone, a dense shell around spongy marrow, to an optical depth map."""
    window = frame.window(bone.start, bone.end, 1.4 * bone.half_width + abs(bone.bend))
    along, across = frame.local(window, bone.start, bone.end)
    if along.size == 0:
        return
    length = abs(bone.end - bone.start)
    shape = SHAPES[bone.shape]
    t = along / np.float32(length)
    v = (across - np.float32(4 * bone.bend) * t * (1 - t)) / np.float32(bone.half_width)
    curved = t + (shape.tilt + shape.hollow * v) * v

    def chord(table: npt.NDArray[np.float64]) -> Floats:
        half_width = np.interp(curved, _T, table, left=0, right=0).astype(np.float32)
        half_chord: Floats = np.sqrt(np.maximum(half_width * half_width - v * v, 0))
        return half_chord

    bony = chord(profile.outer) - np.float32(1 - MARROW) * chord(profile.marrow)
    bony *= np.interp(curved, _T, profile.density).astype(np.float32)
    if bone.span != (-1.0, 2.0):
        ragged = t - bone.slant * across - 0.004 / length * np.sin(across * 700)
        edge = frame.scale * length  # pixels per t
        bony *= np.clip((ragged - bone.span[0]) * edge, 0, 1) * np.clip((bone.span[1] - ragged) * edge, 0, 1)
    depth[window] += MU_CORTICAL * 2 * min(bone.half_width, 0.036) * bony


def _project_carpal(depth: Floats, frame: Frame, name: str, age: float, shift: complex) -> None:
    """Add one carpal bone, as large as the age has it."""
    onset, outline = CARPALS[name]
    size = 1.06 * min(0.3 + 0.7 * (age - onset) / (CARPALS_GROWN - onset), 1.0)
    if age < onset:
        return
    vertices = np.array([complex(x, y) for x, y in outline]) / 1000
    centre = complex(vertices.mean())
    spokes = (vertices - centre) * size
    reach = float(np.abs(spokes).max())
    centre += shift
    window = frame.window(centre, centre, reach)
    y, x = frame.local(window, centre, centre + 1j)
    if x.size == 0 or y.size == 0:
        return
    angles = np.linspace(-np.pi, np.pi, 180, endpoint=False)
    radii = np.interp(angles, np.angle(spokes), np.abs(spokes), period=2 * np.pi)
    radii = np.convolve(np.pad(radii, 7, mode="wrap"), np.full(15, 1 / 15), mode="valid")  # round corners
    rim = np.interp(np.arctan2(y, x), angles, radii, period=2 * np.pi).astype(np.float32)
    distance = np.hypot(x, y)
    outer = np.sqrt(np.maximum(1 - (distance / rim) ** 2, 0))
    core = np.maximum(rim - 0.0045, 1e-3)
    marrow = np.sqrt(np.maximum(1 - (distance / core) ** 2, 0)) * (core / rim)
    depth[window] += MU_CORTICAL * 2 * 0.8 * min(reach, 0.035) * (outer - (1 - MARROW) * marrow)


def _trabeculae(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Relative density [height, width] of spongy bone: fine streaks along the hand."""
    noise = rng.standard_normal((shape[0] + 4, shape[1]), dtype=np.float32)
    streaks: Floats = sum((noise[k : k + shape[0]] for k in range(1, 5)), start=noise[: shape[0]])
    return 1 + np.float32(TRABECULAR_CONTRAST / math.sqrt(5)) * streaks


def _project_rod(depth: Floats, frame: Frame, rod: Rod) -> None:
    """Lay a flat-shaded rod over an optical depth map; overlapping rods do not add up."""
    window = frame.window(rod.start, rod.end, rod.radius)
    along, across = frame.local(window, rod.start, rod.end)
    if along.size == 0:
        return
    beyond = along - np.clip(along, 0, np.float32(abs(rod.end - rod.start)))
    cover = np.clip((rod.radius - np.hypot(beyond, across)) * frame.scale + 0.5, 0, 1)
    depth[window] = np.maximum(depth[window], np.float32(rod.depth) * cover)


# --- Picture -------------------------------------------------------------------------------------------


def _choose_frame(rng: np.random.Generator, height: int, width: int) -> Frame:
    """Place the hand so that its fingers fit and its forearm leaves through the lower edge."""
    turn = complex(np.exp(1j * math.radians(np.clip(rng.normal(0, 5), -12, 12))))
    scale = min(0.76 * height, 0.98 * width) * rng.uniform(0.86, 1.0)
    middle = complex(0.5 * width, 0.06 * height + 0.5 * scale + 0.4 * max(height - 1.3 * scale, 0))
    middle += scale * complex(rng.normal(0, 0.02), rng.uniform(-0.03, 0.04))
    origin = middle - ((0.06 + 0.48j) * turn).conjugate() * scale
    return Frame(height, width, scale, turn, origin)


def _mark_side(rng: np.random.Generator, depth: Floats, letter: str) -> None:
    """Lay a lead letter, on its plastic plate, into a corner away from the hand."""
    height, width = depth.shape
    size = min(height, width) * rng.uniform(0.07, 0.10)
    thumb_side = rng.random() < 0.3
    right = thumb_side == (letter == "L")
    column = width - 1.6 * size if right else 1.0 * size
    row = height - 1.2 * size if thumb_side or rng.random() < 0.5 else 2.2 * size
    turn = complex(np.exp(1j * math.radians(rng.normal(0, 8))))
    frame = Frame(height, width, size, turn, complex(column, row))
    _project_rod(depth, frame, Rod(0.3 + 0.2j, 0.3 + 0.8j, 0.75, depth=0.10))
    for start, end in MARKER_STROKES[letter]:
        _project_rod(depth, frame, Rod(start, end, 0.10))


def _blur(image: Floats) -> Floats:
    """Blur slightly, by (1 2 1) / 4 along rows and columns."""
    for axis in (0, 1):
        pad = [(1, 1) if axis == k else (0, 0) for k in (0, 1)]
        wide = np.pad(image, pad, mode="edge")
        image = 0.5 * image + 0.25 * (wide[:-2] + wide[2:] if axis == 0 else wide[:, :-2] + wide[:, 2:])
    return image


def _expose(rng: np.random.Generator, depth: Floats) -> npt.NDArray[np.uint8]:
    """Turn an optical depth map into the grey image of a detector with random settings."""
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
    """Leave a grey margin where the beam was shuttered off."""
    top, side = (int(size * rng.uniform(0.02, 0.06)) for size in shown.shape)
    framed = np.full_like(shown, rng.uniform(0.2, 0.45))
    inside = (slice(top, shown.shape[0] - top), slice(side, shown.shape[1] - side))
    framed[inside] = shown[inside]
    return framed


def draw_hand(
    rng: np.random.Generator, height: int, width: int, *, abnormal: bool, left: bool = True
) -> npt.NDArray[np.uint8]:
    """One phantom radiograph [height, width], uint8 grey, bones bright on a dark ground.

    `abnormal` breaks a bone visibly or fixes metal to one; the same generator state draws the same hand
    with and without it. `left` tells which hand it is: a left hand has its thumb on the right.
    """
    fine = max(1, round(WORKING_SIZE / max(height, width)))  # working pixels per pixel and axis
    hand = _grow_hand(rng)
    frame = _choose_frame(rng, height * fine, width * fine)
    injury_rng, marker_rng = (np.random.default_rng(rng.integers(2**63)) for _ in range(2))
    hand, metal = _injure(injury_rng, hand) if abnormal else (hand, [])

    bony = np.zeros((frame.height, frame.width), np.float32)
    profiles = {name: _profile(shape, hand.age) for name, shape in SHAPES.items()}
    for bone in hand.bones:
        _project_bone(bony, frame, bone, profiles[bone.shape])
    for name in CARPALS:
        _project_carpal(bony, frame, name, hand.age, hand.carpal_shift)
    depth = _project_soft_tissue(frame, hand) + bony * _trabeculae(rng, bony.shape)
    for rod in metal:
        _project_rod(depth, frame, rod)
    depth = depth if left else np.ascontiguousarray(depth[:, ::-1])
    _mark_side(marker_rng, depth, "L" if left else "R")
    depth = depth.reshape(height, fine, width, fine).mean(axis=(1, 3))
    return _expose(rng, depth)
