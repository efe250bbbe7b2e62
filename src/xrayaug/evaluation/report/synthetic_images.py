"""What the page shows of the synthetic images themselves: pictures, distances, copies and the privacy audit."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from xrayaug.data.images import contact_sheets
from xrayaug.data.images.arrays import Pixels
from xrayaug.evaluation.evidence import DistanceEvidence, FloorEvidence, ImageGrid, PrivacyEvidence, ScreeningEvidence
from xrayaug.runtime.console import Table, format_number


@dataclass(frozen=True)
class Picture:
    """A picture and its alternative text."""

    address: str
    alt: str


@dataclass(frozen=True)
class GridView:
    """Pictures of real and synthetic training images of one label."""

    label: str
    arm: str
    real: Picture | None
    synthetic: Picture | None


@dataclass(frozen=True)
class DistanceView:
    """A distance between two sets of images as text, and the table of its floor."""

    name: str
    value: str
    counts: str
    floor: Table | None
    warnings: Sequence[str]


@dataclass(frozen=True)
class ScreeningView:
    """A screening for copies as text, and the picture of the nearest pairs."""

    images: str  # name of the synthetic dataset
    summary: str
    rule: str
    picture: Picture | None


@dataclass(frozen=True)
class PrivacyView:
    """Attacks on synthetic images as text and a table."""

    images: str
    summary: str
    rule: str
    attacks: Table


def view_grid(grid: ImageGrid) -> GridView:
    """Return pictures of training images of one label."""
    real = _encode_pixels(grid.real, f"Real {grid.label} training images")
    of = f", of {grid.generators} generators in turn" if grid.generators > 1 else ""
    synthetic = _encode_pixels(grid.synthetic, f"Synthetic images trained on as {grid.label}{of}")
    return GridView(grid.label, grid.arm, real, synthetic)


def _encode_pixels(pixels: Pixels | None, alt: str) -> Picture | None:
    return None if pixels is None else Picture(data_url("image/png", contact_sheets.encode_png(pixels)), alt)


def view_distance(distance: DistanceEvidence) -> DistanceView:
    """Return a distance between two sets of images, with its floor if there is one."""
    return DistanceView(
        name=distance.name,
        value=f"{distance.description}: {distance.value:.6g}",
        counts=" and ".join(distance.counts),
        floor=_floor_table(distance.floor),
        warnings=distance.warnings,
    )


def _floor_table(floor: FloorEvidence | None) -> Table | None:
    if floor is None:
        return None
    rows = [
        (
            each.name,
            *(format_number(part, ".4g") for part in (each.value, each.floor, each.floor_sd, each.excess, each.ratio)),
            *(format_number(part, ".3g") for part in (each.p_value, each.p_holm)),
        )
        for each in floor.measures
    ]
    columns = ("Measure", "Value", "Floor", "SD of the floor", "Excess", "Ratio", "p", "p (Holm)")
    title = f"Compared with the floor, the value between real images and other real images, at {floor.n} images"
    return Table(title, columns, rows)


def view_screening(screening: ScreeningEvidence) -> ScreeningView:
    """Return what a screening for copies found."""
    alt = "The ten synthetic images nearest to a training image, each with that image at its right, four to a row"
    counts = f"{screening.quarantined:,} of {screening.judged:,} synthetic images are flagged as possible copies."
    return ScreeningView(
        images=screening.images,
        summary=f"{screening.verdict.capitalize()}: {counts}",
        rule=screening.rule,
        picture=None if screening.picture is None else Picture(data_url("image/png", screening.picture), alt),
    )


def view_privacy(found: PrivacyEvidence) -> PrivacyView:
    """Return what the attacks of a privacy audit found."""
    rows = [
        (each.name.capitalize(), f"{each.auroc:.3f} ({each.low:.3f} to {each.high:.3f})", f"{each.p_holm:.3g}")
        for each in found.attacks
    ]
    title = "Membership inference: how well training patients are told from held-out ones"
    return PrivacyView(
        images=found.images,
        summary=f"{found.verdict.capitalize()}: {found.reason}.",
        rule=found.rule,
        attacks=Table(title, ("Attack by", "AUROC (95 %)", "p (Holm)"), rows),
    )


def data_url(media_type: str, content: bytes) -> str:
    """Return an address that holds its content."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
