"""The options of `xrayaug prepare`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from xrayaug.options.base import Command, Panel, Role, option, parse_words
from xrayaug.options.choices import SOURCES, Label, Part
from xrayaug.options.mixins import CheckpointOptions, SplitOptions, WorkersOptions


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
        help="Layout of the raw set on disk; auto detects it and reports what it found.",
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
        help="Text encoding of the CSV file of --source table.",
        panel=Panel.DATA,
        default_text="UTF-8 or UTF-16, else a guess that is reported",
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
        "separated by commas, all must hold.",
        panel=Panel.DATA,
        metavar="RULE,...",
        parse=parse_words,
        default_text="all rows",
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
        help="Label of rows of --source table whose label is empty, NA, nan, null, None or -.",
        panel=Panel.DATA,
        default_text="such rows are left out",
    )
    unsure_label: Literal["skip", "normal", "abnormal"] | None = option(
        None,
        help="Label of rows of --source table whose label is uncertain, such as -1 in CheXpert and MIMIC-CXR; skip "
        "leaves them out.",
        panel=Panel.DATA,
        default_text="skip",
    )
    label: Label | None = option(
        None,
        help="Label of every image of a set that has no labels.",
        panel=Panel.DATA,
        default_text="none",
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

    def inputs(self) -> dict[str, Path]:
        """Return the paths that are read; `--table` may be relative to `--input`."""
        paths = super().inputs()
        if self.table is not None and not self.table.exists():
            paths["table"] = self.input / self.table
        return paths
