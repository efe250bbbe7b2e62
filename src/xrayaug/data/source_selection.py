"""Selection of the source (layout) of a raw set, and the list of its images."""

from collections.abc import Iterable
from dataclasses import replace

from xrayaug.data import dicom_listing, raw_rows, sources
from xrayaug.data.parsing import columns, directories, list_files, non_images
from xrayaug.data.sources import Listing
from xrayaug.errors import InputError, UsageError
from xrayaug.options import Prepare
from xrayaug.options.base import flag_name
from xrayaug.runtime import console
from xrayaug.storage import csvfile

TABLE_OPTIONS = ("table", "image_column", "label_column", "patient_column", "study_column", "split_column",
                 "keep_columns")  # fmt: skip
LIST_OPTIONS = ("only", "empty_label", "unsure_label", "encoding")  # options of tables, of DICOM and of public sets
FINDING_OPTIONS = ("finding", "other_findings")  # options of public sets
DICOM_OPTIONS = ("table", "image_column", "label_column", "split_column", "keep_columns")
NOT_OF_PUBLIC_SETS = ("label", "normal_class", "abnormal_class", "patient_pattern")
SOURCES_WITH_PATIENTS = ("rsna", "mura", "dicom")  # sources that define the patient of each image themselves
DETECTION_ORDER = ("rsna", "mura", "table", "folder")  # the most specific first


def list_images(options: Prepare) -> tuple[str, Listing]:
    """Return the name of the source of `--input` and the list of its images; files that are missing are skipped.

    Raises:
        UsageError: options do not fit the source.
        InputError: `--input` does not exist, fits no source, or holds no image of it.
        DataError: the set contradicts itself.
    """
    if not options.input.exists():
        raise InputError(f"--input {options.input} does not exist", "check the path for a typing error")
    list_warnings = _check_unreadable_lists(options)
    name = _select_source(options)
    if name == "folder":
        list_warnings += list_files.unused_list_warnings(directories.search_directories(options.input))
    listing = sources.drop_missing_files(sources.load(name).read(options))
    listing = dicom_listing.read_headers(listing, name, options)
    if not listing.records:
        shown: tuple[str, ...] = listing.skipped[0] if listing.skipped else ()
        if listing.dicom.files and not options.keep_identifiers:
            shown = shown[1:]  # the name of the file may be that of a patient
        reason = f"; the first left out: {': '.join(shown)}" if shown else ""
        raise InputError(f"{options.input} holds no images of a '{name}' set{reason}", "check --input and --source")
    if options.synthetic:
        raw_rows.check_synthetic_splits(listing.records, name)
    mask_warnings = non_images.warnings([record.file for record in listing.records], listing.skipped)
    return name, replace(listing, warnings=[*list_warnings, *listing.warnings, *mask_warnings])


def _select_source(options: Prepare) -> str:
    """Return the name of the source: the one of `--source`, that of the options given, or the first that fits.

    Raises:
        UsageError: options of another source are given.
        InputError: no source fits, or several public sets do.
    """
    name = options.source
    if name == "auto":
        name = _select_by_list(options) if _given_flags(options, TABLE_OPTIONS) else _detect_source(options)
    _check_flags(options, name)
    return name


def _check_flags(options: Prepare, name: str) -> None:
    """Check that no option is given that another source reads.

    Raises:
        UsageError: one is.
    """
    is_public = sources.signature(name) is not None
    if name != "table":
        others = [each for each in TABLE_OPTIONS if name != "dicom" or each not in DICOM_OPTIONS]
        for flag in _given_flags(options, others):
            raise UsageError(f"{flag} is read by --source table alone, not by {name}", "leave it out")
        for flag in () if is_public or name == "dicom" else _given_flags(options, LIST_OPTIONS):
            raise UsageError(f"{flag} is read by --source table, dicom and public sets, not by {name}", "leave it out")
    for flag in _given_flags(options, NOT_OF_PUBLIC_SETS if is_public else FINDING_OPTIONS):
        if is_public:
            hint = "--finding chooses what counts as abnormal" if flag.endswith("class") else "leave it out"
            raise UsageError(
                f"{flag} does not apply to --source {name}, which has labels and patients of its own", hint
            )
        public = ", ".join(each for each in sources.names() if sources.signature(each))
        raise UsageError(
            f"{flag} is read by {public}, not by {name}",
            "--abnormal-class names the abnormal words of a table or folder"
            if name in ("table", "folder")
            else "leave it out",
        )
    if options.patient_pattern is not None and name in SOURCES_WITH_PATIENTS:
        raise UsageError(
            f"--patient-pattern does not apply to --source {name}, which names the patients itself", "leave it out"
        )


def _select_by_list(options: Prepare) -> str:
    """Return the source where options of lists are given: a table, or DICOM files that a list names by identifiers."""
    if options.image_column is not None or not sources.load("dicom").detect(options.input):
        return "table"
    if options.table is not None:
        header = csvfile.read_header(list_files.find_named_list(options.table, options.input), options.encoding)
        if columns.is_there(header, "image", None):
            return "table"
    console.info(f"{options.input} looks like a 'dicom' set")
    return "dicom"


def _detect_source(options: Prepare) -> str:
    path = options.input
    public = sources.find_public_sets(path)
    if len(public) > 1:
        raise InputError(f"{path} looks like several sets: {', '.join(public)}", "choose one with --source")
    if not public and _given_flags(options, LIST_OPTIONS):
        return _select_by_list(options)
    others = [name for name in sources.names() if name not in DETECTION_ORDER and not sources.signature(name)]
    for name in (*public, *DETECTION_ORDER, *others):
        if name in public or sources.load(name).detect(path):
            console.info(f"{path} looks like a '{name}' set")
            return name
    raise InputError(
        f"{path} looks like none of {', '.join(sources.names())}",
        "name the layout with --source, of a CSV file its --image-column; for images in one flat folder give --source "
        "folder --label LABEL",
    )


def _check_unreadable_lists(options: Prepare) -> list[str]:
    """Return one warning for each list that is ignored since it is empty or cannot be read.

    Raises:
        InputError: there is such a list, and `--source folder` is not given.
    """
    if options.table is not None or not options.input.is_dir():
        return []
    is_table = options.source == "table" or bool(_given_flags(options, TABLE_OPTIONS + LIST_OPTIONS))
    searched = [options.input] if is_table else directories.search_directories(options.input)
    unreadable = list_files.find_unreadable_lists(searched, options.encoding)
    if unreadable and options.source != "folder":
        reason, hint = unreadable[0]
        remedy = "mend the list or take it out" + ("" if is_table else "; --source folder goes on without it")
        raise InputError(reason, f"{hint}; {remedy}" if hint else remedy)
    return [f"{reason}: labels and patients are read without it" for reason, _ in unreadable]


def _given_flags(options: Prepare, names: Iterable[str]) -> list[str]:
    """Return the flags of these options that are given."""
    return [flag_name(name) for name in names if getattr(options, name) is not None]
