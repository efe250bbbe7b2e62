"""The options of `xrayaug prepare`."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from xrayaug.options.base import Command, Panel, Role, option, parse_words
from xrayaug.options.choices import SOURCES, Label, Part
from xrayaug.options.mixins import CheckpointOptions, SplitOptions, WorkersOptions

UNDECLARED = ("none", "unknown")  # values of --learnt-from that are no dataset
UNNAMED_GENERATOR = "external"  # where neither --generator nor the name of a directory names it
MAX_GENERATOR_NAME = 60  # characters


@dataclass(frozen=True, kw_only=True)
class Prepare(SplitOptions, WorkersOptions, CheckpointOptions, Command):
    """Read raw radiographs and labels into a checked dataset of grey images of one size with fixed splits."""

    name = "prepare"
    example = "xrayaug prepare --source mura --input MURA-v1.1 --part hand --size 224 --out data/mura"
    reads_raw = True

    input: Path = option(
        help="Directory of the raw set. With --source table it may also be the CSV file itself.", role=Role.INPUT
    )
    source: str = option(
        "auto",
        choices=("auto", *SOURCES),
        help="Layout of the raw set on disk, or the public set by its name; auto detects it and reports what it found.",
    )
    part: Part = option("hand", help="Body part to read from MURA, or all seven.", panel=Panel.DATA)
    table: Path | None = option(
        None,
        help="CSV file of --source table, relative to the working directory or to --input, the directory of images.",
        role=Role.INPUT,
        panel=Panel.DATA,
        metavar="FILE",
        default_text="the CSV file in --input that lists images",
    )
    encoding: str | None = option(
        None,
        help="Text encoding of the CSV file of --source table or dicom, or of the lists of a public set.",
        panel=Panel.DATA,
        default_text="UTF-8 or UTF-16; else a guess that is reported, or proposed for a public set",
    )
    image_column: str | None = option(
        None,
        help="Column of --source table with the path of the image.",
        panel=Panel.DATA,
        metavar="COLUMN",
        default_text="recognised by its name",
    )
    label_column: str | None = option(
        None,
        help="Column of --source table with the label.",
        panel=Panel.DATA,
        metavar="COLUMN",
        default_text="recognised by its name",
    )
    patient_column: str | None = option(
        None,
        help="Column of --source table that identifies the patient; none if there is no such column.",
        panel=Panel.DATA,
        metavar="COLUMN",
        default_text="recognised by its name",
    )
    study_column: str | None = option(
        None,
        help="Column of --source table that identifies the study; none if there is no such column.",
        panel=Panel.DATA,
        metavar="COLUMN",
        default_text="recognised by its name",
    )
    patient_pattern: str | None = option(
        None,
        help="Regular expression that finds the patient in the path of an image, for --source folder or table. If it "
        "has a group, the group is the patient.",
        panel=Panel.DATA,
        metavar="REGEX",
        default_text="every image is a patient of its own",
    )
    split_column: str | None = option(
        None,
        help="Column of --source table that says train, valid or test; none if there is no such column.",
        panel=Panel.DATA,
        metavar="COLUMN",
        default_text="recognised by its name",
    )
    keep_columns: tuple[str, ...] | None = option(
        None,
        help="Columns of --source table to copy to index.csv, separated by commas; none copies none.",
        panel=Panel.DATA,
        metavar="NAME,...",
        parse=parse_words,
        default_text="all",
    )
    only: tuple[str, ...] | None = option(
        None,
        help="Rows of --source table to read, as COLUMN=VALUE, COLUMN=VALUE|VALUE or COLUMN!=VALUE. Of several, "
        "separated by commas, all must hold. For public sets, columns are those of index.csv, as in view=PA.",
        panel=Panel.DATA,
        metavar="RULE,...",
        parse=parse_words,
        default_text="all rows",
    )
    finding: tuple[str, ...] | None = option(
        None,
        help="Findings of a public set that count as abnormal, separated by commas.",
        panel=Panel.DATA,
        metavar="NAME,...",
        parse=parse_words,
        default_text="the set's own question, or any finding",
    )
    other_findings: Literal["skip", "normal", "abnormal"] | None = option(
        None,
        help="Label of images that show other findings than --finding, and none of these; skip leaves them out.",
        panel=Panel.DATA,
        default_text="skip",
    )
    abnormal_class: str | None = option(
        None,
        help="Names of the classes that count as abnormal, separated by commas. All other classes are then normal, "
        "unless --normal-class is given too.",
        panel=Panel.DATA,
        metavar="NAME,...",
        default_text="recognised by their names",
    )
    normal_class: str | None = option(
        None,
        help="Names of the classes that count as normal, separated by commas. All other classes are then abnormal, "
        "unless --abnormal-class is given too; with both, any other class is an error.",
        panel=Panel.DATA,
        metavar="NAME,...",
        default_text="recognised by their names",
    )
    empty_label: Label | None = option(
        None,
        help="Label of rows of --source table whose label is empty, NA, nan, null, None or -, and of images of public "
        "sets on which nothing is said.",
        panel=Panel.DATA,
        default_text="such images are left out",
    )
    unsure_label: Literal["skip", "normal", "abnormal"] | None = option(
        None,
        help="Label of images whose label is uncertain, such as -1 in CheXpert and MIMIC-CXR; skip leaves them out.",
        panel=Panel.DATA,
        default_text="skip",
    )
    label: Label | None = option(
        None,
        help="Label of every image of a set that has no labels.",
        panel=Panel.DATA,
        default_text="none",
    )
    synthetic: bool = option(
        False,
        help="The images are synthetic, drawn by a generator from elsewhere. All of them are for training, and they "
        "have no patients.",
        panel=Panel.DATA,
    )
    generator: str | None = option(
        None,
        help="Name of the generator of synthetic images.",
        panel=Panel.DATA,
        metavar="NAME",
        default_text="the name of the directory of images",
    )
    learnt_from: str | None = option(
        None,
        help="What the generator of synthetic images was trained on: a prepared dataset, of which it saw no image "
        "outside the training split; none if it saw no image of this study; or unknown.",
        panel=Panel.DATA,
        metavar="DATASET|none|unknown",
        default_text="unknown",
    )
    size: int = option(128, help="Width and height of the prepared images, in pixels.", minimum=8, maximum=4096)
    fit: Literal["squash", "pad", "crop"] = option(
        "squash",
        help="How images become square: squash ignores the aspect ratio (as in the thesis), pad adds black borders, "
        "crop cuts the longer side.",
        panel=Panel.DATA,
    )
    resample: Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"] = option(
        "bicubic", help="Resampling filter. All but nearest are antialiased.", panel=Panel.DATA
    )
    bits: Literal["auto", "8", "10", "12", "14", "16"] = option(
        "auto",
        help="Bit depth of files of more than 8 bits. auto takes the smallest that holds every value of the set.",
        panel=Panel.DATA,
        metavar="BITS",
    )
    invert: bool = option(
        False, help="Invert grey values, for sets that show bone dark (as in MONOCHROME1).", panel=Panel.DATA
    )
    window: Literal["none", "file", "percentile"] = option(
        "file",
        help="Grey levels of DICOM images: file applies their own window or VOI LUT, percentile maps the 0.5th to the "
        "99.5th percentile of each image to black and white, none maps all values that there can be.",
        panel=Panel.DATA,
    )
    keep_identifiers: bool = option(
        False,
        help="Keep patients, studies and file names of a set with DICOM images as they are, and all columns of its "
        "list. Without it, they are replaced by pseudonyms.",
        panel=Panel.DATA,
    )
    holdout: float | None = option(
        None,
        help="Share of the training images to hold out for validation.",
        panel=Panel.DATA,
        minimum=0,
        maximum=0.9,
        default_text="0.1, or 0 if the set has only one class",
    )
    strict: bool = option(
        False,
        help="Treat the first unusable file as an error instead of listing it in skipped.csv.",
        panel=Panel.DATA,
    )
    max_lost: float = option(
        0.05,
        help="Largest share of the images that may be missing, unreadable or damaged; 1 accepts any loss.",
        role=Role.EXECUTION,
        panel=Panel.DATA,
        minimum=0,
        maximum=1,
    )

    @property
    def generator_name(self) -> str:
        """The name of the generator: `--generator`, or the name of the directory of images where it can be one."""
        if self.generator is not None:
            return self.generator
        path = Path(os.path.abspath(self.input))  # noqa: PTH100 # the name of a link is the one that was given
        name = path.parent.name if path.is_file() else path.name
        return name if is_generator_name(name) else UNNAMED_GENERATOR

    @property
    def provenance(self) -> str:
        """What is said of the training data of the generator: "declared", "none" or "unknown"."""
        return (self.learnt_from or "unknown") if self.learnt_from in (None, *UNDECLARED) else "declared"

    def identity(self) -> dict[str, Any]:
        """Return the settings; those of synthetic images, public sets and DICOM are left out where not used."""
        settings = super().identity()
        for name in ("finding", "other_findings", "window", "keep_identifiers"):
            if settings[name] == type(self).__dataclass_fields__[name].default:
                del settings[name]
        if self.synthetic:
            return settings | {"generator": self.generator_name, "learnt_from": self.provenance}
        for name in ("synthetic", "generator", "learnt_from"):
            del settings[name]
        return settings

    def inputs(self) -> dict[str, Path]:
        """Return the paths that are read; `--table` may be relative to `--input`."""
        paths = super().inputs()
        if self.table is not None and not self.table.exists():
            paths["table"] = self.input / self.table
        if self.learnt_from is not None and self.provenance == "declared":
            paths["learnt_from"] = Path(self.learnt_from)
        return paths


def is_generator_name(name: str) -> bool:
    """Return whether a generator can have this name: printable, on one line, not too long, and without commas."""
    return 0 < len(name.strip()) == len(name) <= MAX_GENERATOR_NAME and name.isprintable() and "," not in name
