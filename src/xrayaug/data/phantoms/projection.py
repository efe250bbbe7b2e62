"""Thickness along the beam: every structure adds its optical depth, dimensionless, to a map [rows, columns]."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from xrayaug.data.phantoms.anatomy import (
    CARPALS,
    CARPALS_GROWN,
    FLESH,
    FOREARM,
    INDEX,
    METACARPAL,
    MIDDLE,
    PROXIMAL,
    RAYS,
    RING,
    SHAPES,
    SKIN_SMOOTHING,
    THUMB,
    Bone,
    BoneShape,
    Hand,
)
from xrayaug.data.phantoms.injuries import Rod

Floats = npt.NDArray[np.float32]
Window = tuple[slice, slice]

MU_SOFT = 5.2  # attenuation per hand length
MU_CORTICAL = 26.0
MARROW = 0.21  # attenuation of spongy bone relative to cortical bone
TRABECULAR_CONTRAST = 0.09  # standard deviation relative to the mean

_T = np.linspace(0.0, 1.0, 513)


@dataclass(frozen=True)
class Frame:
    """The place of the hand plane in an image of height x width pixels."""

    height: int
    width: int
    scale: float  # pixels per hand length
    turn: complex  # unit number: rotation of the hand, counter-clockwise
    origin: complex  # column + row * i of the wrist

    def pixel(self, point: complex) -> complex:
        """Return column + row * i of a point of the hand, in pixels."""
        return self.origin + (point * self.turn).conjugate() * self.scale

    def window(self, start: complex, end: complex, reach: float) -> Window:
        """Return the rows and columns within `reach`, in hand lengths, of a segment; they may be empty."""
        a, b, margin = self.pixel(start), self.pixel(end), reach * self.scale + 2

        def span(p: float, q: float, size: int) -> slice:
            low, high = min(p, q) - margin, max(p, q) + margin
            return slice(min(max(int(low), 0), size), min(max(int(high) + 1, 0), size))

        return span(a.imag, b.imag, self.height), span(a.real, b.real, self.width)

    def local(self, window: Window, start: complex, end: complex) -> tuple[Floats, Floats]:
        """Return the coordinates of a window's pixels along the axis from `start` to `end`, and to the right of it."""
        corner = self.pixel(start)
        rows = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None] - np.float32(corner.imag)
        cols = np.arange(window[1].start, window[1].stop, dtype=np.float32)[None, :] - np.float32(corner.real)
        step = self.pixel(end) - corner
        ux, uy = (np.float32(part / (abs(step) * self.scale)) for part in (step.real, step.imag))
        return cols * ux + rows * uy, rows * ux - cols * uy


def project_soft_tissue(frame: Frame, hand: Hand) -> Floats:
    """Return the optical depth [height, width] of skin, fat and muscle, a smooth union of tapered capsules.

    The outline is smooth, so it is computed on a coarse grid as a signed distance and then enlarged.
    """
    step = max(1.0, max(frame.height, frame.width) / 112)
    rows, cols = math.ceil(frame.height / step), math.ceil(frame.width / step)
    shrink_x, shrink_y = frame.width / cols, frame.height / rows
    y = ((np.arange(rows, dtype=np.float32) + 0.5) * shrink_y - 0.5)[:, None]
    x = ((np.arange(cols, dtype=np.float32) + 0.5) * shrink_x - 0.5)[None, :]
    weight = np.full((rows, cols), 1e-30, np.float32)
    weighted = np.zeros((rows, cols), np.float32)
    for start, end, radius_start, radius_end, depth in _tissue_capsules(hand):
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


def _tissue_capsules(hand: Hand) -> Iterator[tuple[complex, complex, float, float, float]]:
    """Yield the capsules of soft tissue: start, end, radius at each, half the depth along the beam."""
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
class BoneProfile:
    """Profile of a bone at a given age, tabulated over t: relative half-widths and density."""

    outer: npt.NDArray[np.float64]
    marrow: npt.NDArray[np.float64]
    density: npt.NDArray[np.float64]


def tabulate_profile(shape: BoneShape, age: float) -> BoneProfile:
    """Return the profile of a bone at an age, which decides how far its growth plate has closed."""
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
    return BoneProfile(outer, marrow, density)


def project_bone(depth: Floats, frame: Frame, bone: Bone, profile: BoneProfile) -> None:
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


def project_carpal(depth: Floats, frame: Frame, name: str, age: float, shift: complex) -> None:
    """Add one carpal bone, whose size depends on the age, to an optical depth map."""
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


def trabeculae(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Return the relative density [height, width] of spongy bone: fine streaks along the hand."""
    noise = rng.standard_normal((shape[0] + 4, shape[1]), dtype=np.float32)
    streaks: Floats = sum((noise[k : k + shape[0]] for k in range(1, 5)), start=noise[: shape[0]])
    return 1 + np.float32(TRABECULAR_CONTRAST / math.sqrt(5)) * streaks


def project_rod(depth: Floats, frame: Frame, rod: Rod) -> None:
    """Add a rod of uniform depth to an optical depth map; overlapping rods do not add up."""
    window = frame.window(rod.start, rod.end, rod.radius)
    along, across = frame.local(window, rod.start, rod.end)
    if along.size == 0:
        return
    beyond = along - np.clip(along, 0, np.float32(abs(rod.end - rod.start)))
    cover = np.clip((rod.radius - np.hypot(beyond, across)) * frame.scale + 0.5, 0, 1)
    depth[window] = np.maximum(depth[window], np.float32(rod.depth) * cover)
