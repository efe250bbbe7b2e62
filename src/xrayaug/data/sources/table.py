"""A CSV file with a column of image paths and columns of what is known of them: any set that fits on a sheet."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath, PureWindowsPath

from xrayaug.data import sources
from xrayaug.data.parsing import columns, identifiers, labels, non_images
from xrayaug.data.parsing.file_lookup import FileLookup, Match, Spelling
from xrayaug.data.parsing.labels import LabelRules, WordCount
from xrayaug.data.sources import SPLIT_NAMES, Listing, Record
from xrayaug.errors import DataError, InputError, UsageError
from xrayaug.options import Prepare
from xrayaug.storage import csvfile
from xrayaug.storage.csvfile import Cells, Line, Sheet

SHOWN = 3  # examples in a message
FEW_PATIENTS, MANY_IMAGES = 3, 12  # so few patients of so many images are none, as likely as not
MERGED = 0.2  # share of images without a patient from which on cells may have been merged
TURNED = 0.9  # share of contradicted labels above which they are turned round, and not about something else
TRIED = 200  # lines whose paths tell whether they begin above the root


@dataclass(frozen=True)
class _Table:
    """A sheet, where its columns stand, and what the options say besides."""

    sheet: Sheet
    lines: list[Line]  # those of the sheet that are to be read
    root: Path
    columns: Mapping[str, int | None]  # what it tells -> where it stands
    kept: Mapping[str, int]  # further columns of the index -> where they stand
    label: str | None  # of every image, in place of a column
    rules: LabelRules
    words: list[WordCount]  # of the label column
    readings: Mapping[str, labels.Reading]  # cell of the label column -> what it means
    patient: Callable[[str], str] | None  # of an image's path, in place of a column
    patients: Mapping[str, str]  # cell -> identifier
    studies: Mapping[str, str]
    notes: list[str]
    warnings: list[str]
    elsewhere: list[str] = field(default_factory=list)  # paths of another computer, cut to what follows the root's name

    def where(self, line: Line) -> str:
        """Return the line, for an error to name."""
        return f"{self.sheet.path} line {line.number}"

    def cell(self, line: Line, what: str) -> str:
        """Return what the line says in the column of that meaning; empty where there is none."""
        return line.cell(self.columns[what])


@dataclass
class _Found:
    """What has been gathered so far."""

    records: dict[str, Record] = field(default_factory=dict)  # by file
    skipped: list[tuple[str, str]] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)  # files that a line leaves out by its label
    words: dict[str, str] = field(default_factory=dict)  # by file, of the line that came first
    joined: int = 0  # lines of another finding than an earlier line's
    repeated: int = 0
    differing: Counter[str] = field(default_factory=Counter)  # kept columns in which lines of one image differ


def detect(path: Path) -> bool:
    """Return whether `path` is a CSV file with a column of images, or a directory with one that is no other set.

    A list without a column of labels tells nothing that class folders beside it do not.
    """
    if path.is_file():
        return _names_images(path)
    lists = [file for file in _csv_files(path) if _names_images(file)]
    if not lists or any(sources.load(name).detect(path) for name in ("mura", "rsna")):
        return False
    has_labels = any(columns.is_there(csvfile.header(file), "label", None) for file in lists)
    return has_labels or not sources.load("folder").detect(path)


def read(options: Prepare) -> Listing:
    """List the images that the sheet names, with its labels, patients, studies and splits as far as it has them.

    Raises:
        UsageError: options contradict each other.
        InputError: there is no sheet, or none of its images.
        DataError: a column, label, split, identifier or path that cannot stand, or lines that contradict each other.
    """
    sheet = csvfile.read_sheet(_find_file(options), options.encoding)
    try:
        return _read(sheet, options)
    except DataError as problem:
        if not sheet.notes:
            raise
        raise DataError(
            problem.message, f"{problem.hint}; {'; '.join(sheet.notes)}"
        ) from None  # the guess may be wrong


def _read(sheet: Sheet, options: Prepare) -> Listing:
    table = _open_table(sheet, options)
    found = _Found()
    for line, named, match in _matched(table):
        _take(line, named, match, table, found)
    if not found.records:
        raise InputError(
            f"none of the {len(table.lines)} images that {table.sheet.path} lists is usable: " + _first_reasons(found),
            f"paths are relative to {table.root}",
        )
    records, unified = sources.unified(list(found.records.values()), options.patient_pattern)
    _check_telling(records, table)
    titles = {what: table.sheet.header[place] for what, place in table.columns.items() if place is not None}
    return Listing(
        table.root,
        records,
        found.skipped,
        notes=[*table.notes, *unified, *_notes(table, found)],
        warnings=[
            *table.warnings,
            *sources.on_labels(table.words, table.rules),
            *_on_patients(records, table, options),
            *sources.on_patients(records),
        ],
        lists=[table.sheet.path],
        words=table.words,
        columns=titles,
    )


def _open_table(sheet: Sheet, options: Prepare) -> _Table:
    if options.label and options.label_column:
        raise UsageError("--label and --label-column are both given", "leave out one")
    if options.patient_pattern and options.patient_column:
        raise UsageError("--patient-pattern and --patient-column are both given", "leave out one")
    places = {what: columns.find(sheet, what, _given(options, what)) for what in columns.USUAL_NAMES}
    if places["image"] is None:
        raise columns.missing(sheet, "of images", "image")
    if places["label"] is None and not options.label:
        raise columns.missing(sheet, "of labels", "label")
    lines = _chosen(sheet, options.only or ())
    rules = _rules(sheet, lines, places["label"], options)
    words = [] if options.label else _words(sheet, lines, places["label"], rules)
    patients, on_patients = _identifiers(sheet, lines, None if options.patient_pattern else places["patient"])
    studies, on_studies = _identifiers(sheet, lines, places["study"])
    return _Table(
        sheet=sheet,
        lines=lines,
        root=options.input if options.input.is_dir() else options.input.parent,
        columns=places,
        kept=columns.kept_names(sheet, options.keep_columns, places["image"]),
        label=options.label,
        rules=rules,
        words=words,
        readings={each.word: each.reading for each in words},
        patient=sources.patients_by_path(options),
        patients=patients,
        studies=studies,
        notes=[*sheet.notes, *on_patients, *on_studies],
        warnings=_on_columns(sheet, places, options),
    )


def _given(options: Prepare, what: str) -> str | None:
    return getattr(options, f"{what}_column")  # type: ignore[no-any-return] # a field of text


def _identifiers(sheet: Sheet, lines: list[Line], place: int | None) -> tuple[Mapping[str, str], list[str]]:
    if place is None:
        return {}, []
    return identifiers.unify((line.cell(place) for line in lines), sheet.header[place])


def _rules(sheet: Sheet, lines: list[Line], place: int | None, options: Prepare) -> LabelRules:
    """Return how the words of the label column become labels.

    Raises:
        DataError: the column's name does not tell what yes in it means, or contradicts the options.
    """
    if options.label or place is None:
        return labels.BY_NAME
    title = sheet.header[place]
    there = {line.cell(place) for line in lines}
    answers = {form for cell in there if (form := labels.canonical(cell)) in labels.ANSWERS}
    inverted = labels.means_normal(title) if answers else False
    rules = sources.label_rules(options, there, inverted=bool(inverted))
    named = rules.normal | rules.abnormal
    if inverted is None and not answers & named:
        raise DataError(
            f"{sheet.path}: the name of column '{title}' does not say which of {', '.join(sorted(answers))} is normal",
            "name them with --normal-class and --abnormal-class",
        )
    wrong = [form for form in sorted(answers & named) if inverted and rules.read(form) == _as_answer(form)]
    if wrong:
        raise DataError(
            f"{sheet.path}: yes in column '{title}' means normal, and the options say the opposite of '{wrong[0]}'",
            "leave out --normal-class and --abnormal-class, or rename the column",
        )
    return rules


def _as_answer(form: str) -> labels.Reading:
    """Return what a yes or no means in a column whose name means abnormal."""
    return labels.BY_NAME.read(form)


def _on_columns(sheet: Sheet, places: Mapping[str, int | None], options: Prepare) -> list[str]:
    """Return a warning for each column that looks as if it should be used and is not."""
    declined = [what for what in columns.USUAL_NAMES if _given(options, what)]
    declined += ["patient"] * (options.patient_pattern is not None) + ["label"] * (options.label is not None)
    return [_on_column(title, what) for title, what in columns.unused(sheet, places, declined)]


def _on_column(title: str, what: str) -> str:
    if what == "label":
        return f"column '{title}' may be a label too, and is not used: --label-column chooses one"
    flag = f"--{what}-column"
    return f"column '{title}' looks like a {what}, and is not used: {flag} '{title}' or {flag} {columns.NONE} decides"


def _chosen(sheet: Sheet, conditions: Iterable[str]) -> list[Line]:
    """Return the lines of which all conditions hold: `COLUMN=VALUE`, `COLUMN=VALUE|VALUE` or `COLUMN!=VALUE`.

    Raises:
        UsageError: a condition is none.
        DataError: there is no such column, or no such line.
    """
    lines = sheet.lines
    for condition in conditions:
        name, is_one, value = (part.strip() for part in condition.partition("="))
        excluded = name.endswith("!")
        name = name.removesuffix("!").rstrip()
        if not (name and is_one):
            raise UsageError(f"--only {condition} is no condition", "write COLUMN=VALUE, as in --only hand=1")
        place = sheet.column([name])
        if place is None:
            there = ", ".join(sheet.header)
            raise DataError(f"{sheet.path} has no column '{name}'; there are {there}", "check --only")
        values = {labels.canonical(each) for each in (value, *value.split("|"))}
        there_are = {labels.canonical(line.cell(place)) for line in sheet.lines}
        unknown = [each for each in value.split("|") if labels.canonical(each) not in there_are]
        if unknown and labels.canonical(value) not in there_are:
            raise DataError(f"no line of {sheet.path} has {name}={unknown[0]}", "check --only for a typing error")
        lines = [line for line in lines if (labels.canonical(line.cell(place)) in values) != excluded]
        if not lines:
            raise DataError(
                f"no line of {sheet.path} has {condition}", "several values of a column: COLUMN=VALUE|VALUE"
            )
    return lines


def _find_file(options: Prepare) -> Path:
    """Return the CSV file: `--table`, `--input` itself, or the one in `--input` that has the columns.

    Raises:
        UsageError: two files are given.
        InputError: there is none.
        DataError: several fit, or none has the columns.
    """
    if options.input.is_file():
        if options.table not in (None, options.input):
            raise UsageError(f"--input is the file {options.input}, and --table another", "give one of them")
        return options.input
    sources.require_directory(options.input)
    if options.table is not None:
        return _existing(options.table, options.input)
    files = _csv_files(options.input)
    fitting = [file for file in files if _fits(csvfile.header(file, options.encoding), options)]
    if len(fitting) > 1:
        names = ", ".join(file.name for file in fitting)
        raise DataError(f"{options.input} holds {len(fitting)} tables of images: {names}", "choose one with --table")
    if not files:
        books = [path.name for path in sources.files(options.input) if csvfile.is_workbook(path)]
        hint = (
            f"save {books[0]} as 'CSV UTF-8' in your spreadsheet program"
            if books
            else "name one elsewhere with --table"
        )
        raise InputError(f"{options.input} holds no CSV file", hint)
    if not fitting:
        there = "; ".join(f"{file.name} has {', '.join(csvfile.header(file, options.encoding))}" for file in files)
        raise DataError(
            f"no CSV file in {options.input} has the columns of images and labels: {there}",
            "its first line must name them; --image-column and --label-column say how, or give every image one --label",
        )
    return fitting[0]


def _existing(table: Path, directory: Path) -> Path:
    for path in (table, directory / table):
        if path.is_file():
            return path
    raise InputError(f"{table} does not exist, neither here nor in {directory}", "check --table for a typing error")


def _csv_files(directory: Path) -> list[Path]:
    return [path for path in sources.files(directory) if csvfile.is_list(path)]


def _names_images(file: Path) -> bool:
    return csvfile.is_list(file) and columns.is_there(csvfile.header(file), "image", None)


def _fits(header: tuple[str, ...], options: Prepare) -> bool:
    has_label = options.label is not None or columns.is_there(header, "label", options.label_column)
    return has_label and columns.is_there(header, "image", options.image_column)


def _words(sheet: Sheet, lines: list[Line], place: int | None, rules: LabelRules) -> list[WordCount]:
    """Return the words of the label column, with what each was read as.

    Raises:
        DataError: one is not understood; the message names its first line.
    """
    first: dict[str, Line] = {}
    for line in lines:
        first.setdefault(line.cell(place), line)
    for word, line in first.items():
        try:
            rules.read(word)
        except DataError as problem:
            raise DataError(f"{sheet.path} line {line.number}: {problem.message}", problem.hint) from None
    return labels.count_words((line.cell(place) for line in lines), rules)


def _matched(table: _Table) -> list[tuple[Line, str, Match]]:
    """Return every line, the path that it names, and the files which that means.

    A file that one line names as it is spelled is not another line's, which only nearly does.
    """
    lookup = FileLookup(
        table.root, lambda: non_images.radiographs(filter(sources.is_picture, sources.walk(table.root)))
    )
    paths = [(line, _path(table.cell(line, "image"), table, line)) for line in table.lines]
    above = _above_root([path for _, path in paths if path], lookup, table.root)
    if above:
        table.notes.append(f"paths of the list begin above {table.root}: '{'/'.join(above)}/' is left off")
    matches = []
    for line, path in paths:
        found = lookup.find(_below(path, above)) if path else Match(())
        matches.append((line, str(path or ""), found))
    matches = _without_taken(matches)
    if table.elsewhere:
        table.notes.append(
            f"{len(table.elsewhere)} paths are of another place, such as {table.elsewhere[0]}: what follows "
            f"{table.root.absolute().name} is looked for in {table.root}"
        )
    for spelling in Spelling:
        loose = [(named, match.files[0]) for _, named, match in matches if match.files and match.spelling is spelling]
        if loose and spelling is not Spelling.EXACT:
            named, file = loose[0]
            table.warnings.append(f"{len(loose)} images are spelled {spelling.value} on disk, such as {named}: {file}")
    return matches


def _without_taken(matches: Sequence[tuple[Line, str, Match]]) -> list[tuple[Line, str, Match]]:
    """Leave out matches that differ in spelling from their path, of files which other paths mean as well."""
    spelled: defaultdict[str, set[str]] = defaultdict(set)
    for _, named, match in matches:
        for file in match.files:
            spelled[file].add(named)
    return [
        (line, named, match if match.spelling is Spelling.EXACT or not _is_taken(match, spelled) else Match(()))
        for line, named, match in matches
    ]


def _is_taken(match: Match, spelled: Mapping[str, set[str]]) -> bool:
    return any(len(spelled[file]) > 1 for file in match.files)


def _path(named: str, table: _Table, line: Line) -> PurePosixPath | None:
    """Return the path as the line has it, held to lead nowhere but down from the root; None where there is none.

    Raises:
        DataError: it leads elsewhere.
    """
    if labels.is_missing(named):
        return None
    path = PurePosixPath(named.replace("\\", "/"))
    root = table.root.absolute()
    if path.is_absolute() and path.is_relative_to(root):
        return path.relative_to(root)
    drive = PureWindowsPath(named).drive
    if (path.is_absolute() or drive) and root.name in path.parts[1:-1]:  # of another computer
        begin = len(path.parts) - path.parts[::-1].index(root.name)
        path = PurePosixPath(*path.parts[begin:])
        table.elsewhere.append(named)
    if path.is_absolute() or ".." in path.parts or PureWindowsPath(str(path)).drive:
        raise DataError(
            f"{table.where(line)}: the path {named} leads out of the set", f"make paths relative to {table.root}"
        )
    return path


def _above_root(paths: Sequence[PurePosixPath], lookup: FileLookup, root: Path) -> tuple[str, ...]:
    """Return the directories with which the list's paths begin and which lie above the root; mostly none.

    So `CheXpert/train/a.png` is found where `--input` is `CheXpert` itself. Where the root is called otherwise, they
    must be the same for all paths, and no such directory may lie beside it: it would be another part of the set.
    """
    deep = [path for path in paths if len(path.parts) > 1][:TRIED]
    if not deep or any(lookup.is_there(path) for path in deep):
        return ()
    name = root.absolute().name
    for path in deep:
        for depth in range(1, len(path.parts)):
            above = path.parts[:depth]
            if not lookup.is_there(PurePosixPath(*path.parts[depth:])):
                continue
            is_common = all(other.parts[:depth] == above for other in paths)
            if above[-1] == name or (is_common and not (root.parent / above[0]).exists()):
                return above
    return ()


def _below(path: PurePosixPath, above: tuple[str, ...]) -> PurePosixPath:
    return PurePosixPath(*path.parts[len(above) :]) if above and path.parts[: len(above)] == above else path


def _take(line: Line, named: str, match: Match, table: _Table, found: _Found) -> None:
    """Add the record of one line, or skip it with the reason.

    Raises:
        DataError: the line contradicts an earlier one.
    """
    if not named:
        found.skipped.append((f"line {line.number}", sources.NO_NAME))
        return
    reading = table.readings.get(table.cell(line, "label"), labels.Reading(None))
    label = table.label or reading.label
    if label is None:
        file = match.files[0] if len(match.files) == 1 else named
        if file in found.records:
            raise _contradiction(line, file, table)
        found.skipped.append((file, reading.reason))
        found.left_out.add(file)
        return
    if len(match.files) != 1:
        found.skipped.append((named, _why_lost(named, match, table)))
        return
    (file,) = match.files
    if file in found.left_out:
        raise _contradiction(line, file, table)
    record = _record(file, line, label, table)
    before = found.records.get(file)
    if before is None:
        found.records[file] = record
        found.words[file] = table.cell(line, "label")
        return
    if before.label != record.label:
        earlier, now = found.words[file], table.cell(line, "label")
        if not table.rules.is_another_finding(earlier if before.label == "normal" else now):
            raise _contradiction(line, file, table)
        before, record = (replace(each, label="abnormal") for each in (before, record))
        found.joined += 1
    if replace(before, extra={}) != replace(record, extra={}):
        raise _contradiction(line, file, table)
    found.repeated += 1
    found.records[file] = replace(before, extra=_merged(before.extra, record.extra, found))


def _contradiction(line: Line, file: str, table: _Table) -> DataError:
    return DataError(
        f"{table.where(line)} contradicts an earlier line on {file}",
        "lines of an image must agree on label, patient, study and split; write several findings into one cell: A|B",
    )


def _why_lost(named: str, match: Match, table: _Table) -> str:
    if match.files:
        return f"{sources.SEVERAL}: {', '.join(match.files)}"
    return sources.why_lost(table.root / named) or sources.MISSING


def _merged(before: Mapping[str, str], now: Mapping[str, str], found: _Found) -> Mapping[str, str]:
    """Return the kept cells of several lines of an image; where they differ all values, joined by `|`."""
    if before == now:
        return before
    joined = dict(before)
    for name, value in now.items():
        if value not in joined[name].split("|"):
            joined[name] = f"{joined[name]}|{value}"
            found.differing[name] += 1
    return joined


def _record(file: str, line: Line, label: str, table: _Table) -> Record:
    alone = PurePosixPath(file).with_suffix("").as_posix()
    patient = table.patient(file) if table.patient else table.patients.get(table.cell(line, "patient"), "")
    study = table.studies.get(table.cell(line, "study"), "")
    if patient and study:
        study = f"{patient}/{study}"  # "study1" may be every patient's
    extra = Cells(table.kept, line.cells)
    whose = patient or (f"study:{study}" if study else alone)  # a study's images are one patient's, whoever that is
    return Record(file, label, whose, study or alone, _split(line, table), extra, bool(patient))


def _check_telling(records: Sequence[Record], table: _Table) -> None:
    """Refuse labels that nearly all directories, or words of another column, contradict; warn where some do.

    Raises:
        DataError: they do, so that the labels are turned round.
    """
    if table.label:
        return
    told = [(record, label) for record in records for label in [_label_of_directories(record.file)] if label]
    _hold_to(told, "the directory of the image", table)
    for name, place in table.kept.items():
        words = {line.cell(place) for line in table.lines}
        if place != table.columns["label"] and words and all(_label_of_word(word) for word in words):
            told = [(record, label) for record in records if (label := _label_of_word(record.extra[name]))]
            _hold_to(told, f"column '{name}'", table)


def _hold_to(told: Sequence[tuple[Record, str]], what: str, table: _Table) -> None:
    wrong = [record for record, label in told if label != record.label]
    if not wrong:
        return
    message = f"{len(wrong)} of {len(told)} labels contradict {what}: {wrong[0].file} is {wrong[0].label}"
    if len(wrong) > TURNED * len(told):
        raise DataError(message, "say which words are normal and abnormal with --normal-class and --abnormal-class")
    table.warnings.append(message)


def _label_of_word(word: str) -> str | None:
    """Return the label that a word tells by itself, whatever it is an answer to."""
    form = labels.canonical(word)
    return labels.BY_NAME.read(form).label if form not in labels.ANSWERS and labels.tells_label(form) else None


def _label_of_directories(file: str) -> str | None:
    """Return the label that the name of one of an image's directories tells by a word; None if none does."""
    found = (_label_of_word(name) for name in reversed(PurePosixPath(file).parts[:-1]))
    return next((label for label in found if label), None)


def _on_patients(records: Sequence[Record], table: _Table, options: Prepare) -> list[str]:
    """Return what to warn of: columns that may be patients or splits by their values, few patients, merged cells."""
    said = []
    title = table.sheet.header[table.columns["patient"]] if table.columns["patient"] is not None else ""
    known = {record.patient for record in records if record.patient_known}
    if title and known and len(known) <= FEW_PATIENTS and len(records) >= MANY_IMAGES:
        said.append(
            f"column '{title}' names only {len(known)} patients for {len(records)} images: is it one of patients?"
        )
    unknown = sum(not record.patient_known for record in records)
    if title and MERGED * len(records) < unknown < len(records):
        said.append(f"column '{title}' is empty for {unknown} of {len(records)} images: merged cells of a spreadsheet?")
    if not (title or options.patient_column or options.patient_pattern):
        likely = columns.like_identifiers(table.sheet, table.lines, table.columns)
        said += [
            f"patients are unknown: if column '{name}' tells them, use --patient-column '{name}'" for name in likely
        ]
    if table.columns["split"] is None and not options.split_column:
        for place, name in enumerate(table.sheet.header):
            words = {line.cell(place) for line in table.lines if not labels.is_missing(line.cell(place))}
            if len(words) > 1 and all(sources.split_of(word) for word in words):
                said.append(f"column '{name}' holds splits, and is not used: --split-column '{name}' uses it")
    return said


def _split(line: Line, table: _Table) -> str:
    word = table.cell(line, "split")
    if labels.is_missing(word):
        return ""
    split = sources.split_of(word)
    if split is None:
        raise DataError(
            f"{table.where(line)}: '{word}' is no split",
            f"splits are {', '.join(SPLIT_NAMES)} or empty; --split-column names the column, or is {columns.NONE}",
        )
    return split


def _first_reasons(found: _Found) -> str:
    return "; ".join(f"{file}: {reason}" for file, reason in found.skipped[:2]) or "it has only a header"


def _notes(table: _Table, found: _Found) -> list[str]:
    notes = []
    if table.label and table.columns["label"] is not None:
        notes.append(f"--label is given: the column '{table.sheet.header[table.columns['label']]}' is not read")
    if len(table.lines) < len(table.sheet.lines):
        notes.append(f"--only: {len(table.lines)} of {len(table.sheet.lines)} lines are read")
    unknown = sum(not record.patient_known for record in found.records.values())
    if unknown:
        rest = ", but images of a study stay together" if table.studies else ""
        notes.append(f"the patient of {unknown} images is unknown: each counts as a patient of its own{rest}")
    without = sum(not table.studies.get(table.cell(line, "study"), "") for line in table.lines)
    if without:
        notes.append(f"the study of {without} lines is unknown: each image counts as a study of its own")
    if found.repeated:
        notes.append(f"{found.repeated} lines repeat an image, with the same label, patient, study and split")
    if found.joined:
        notes.append(f"{found.joined} of them name another finding: an image is abnormal if any of its lines is")
    if found.differing:
        names = ", ".join(sorted(found.differing))
        notes.append(f"lines of one image differ in {names}: all their values are kept, joined by |")
    return notes
