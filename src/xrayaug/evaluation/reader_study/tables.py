"""Tables of a reader study and of the scores of its readers."""

from xrayaug.errors import one_line
from xrayaug.evaluation.reader_study.answers import DEFECTS
from xrayaug.evaluation.reader_study.results import Proportion, StudyScores
from xrayaug.evaluation.reader_study.study import KEY_FILE, PAGE_FILE, StudySummary
from xrayaug.runtime.console import UNDEFINED, Table, format_number


def study_table(summary: StudySummary) -> Table:
    """Return the table of a study, with the files to give to readers in its note once they are written."""
    labels = ", ".join(f"{number:,} {label}" for label, number in summary.labels.items() if number)
    row = (
        str(summary.images),
        str(summary.synthetic),
        str(summary.real),
        labels,
        f"{summary.size} px",
        summary.reals,
    )
    columns = ("Images", "Synthetic", "Real", "Labels", "Shown at", "Real ones of")
    notes = [f"study {summary.study}: give readers {PAGE_FILE}, and keep {KEY_FILE} from them"] if summary.study else []
    return Table("Reader study: real or synthetic?", columns, [row], notes)


def score_tables(scores: StudyScores) -> list[Table]:
    """Return the table of readers, with the agreement between them in its notes, and those of defects and comments."""
    rows = [
        (
            reader.reader,
            f"{reader.answered}/{scores.images}",
            *(_format_proportion(each) for each in (reader.accuracy, reader.sensitivity, reader.specificity)),
            format_number(reader.p_value, ".3g"),
            format_number(reader.index.d_prime if reader.index else None, ".2f"),
            format_number(reader.auroc, ".3f"),
            format_number(reader.median_seconds, ".1f"),
        )
        for reader in scores.readers
    ]
    columns = ("Reader", "Answered", "Accuracy (95 %)", "Synthetic found (95 %)", "Real found (95 %)", "p, guessing",
               "d'", "AUROC", "Seconds")  # fmt: skip
    tables = [Table("Real or synthetic: what readers tell apart", columns, rows, _notes(scores))]
    if any(count for counts in scores.defects.values() for count in counts.values()):
        cells = [(DEFECTS[name], str(counts["synthetic"]), str(counts["real"]))
                 for name, counts in scores.defects.items()]  # fmt: skip
        tables.append(Table("What looked wrong, in answers", ("Defect", "Synthetic images", "Real images"), cells))
    if scores.comments:
        lines = [(one_line(each.comment), each.reader, each.image, each.truth, each.answer) for each in scores.comments]
        tables.append(Table("Comments", ("Comment", "Reader", "Image", "Is", "Called"), lines))
    return tables


def _notes(scores: StudyScores) -> list[str]:
    notes = [
        "intervals: exact (Clopper-Pearson); p: exact binomial test against one half, two-sided; of what was answered"
    ]
    for reader in scores.readers:
        by_label = [f"{label} {_format_proportion(each)}" for label, each in reader.labels.items() if each.cases]
        notes.append(f"{reader.reader}, accuracy by label: {', '.join(by_label)}")
        if reader.unanswered:
            notes.append(f"{reader.reader} left {reader.unanswered} of {scores.images} images unanswered")
    if scores.mean_accuracy is not None:
        mean = scores.mean_accuracy
        interval = f"{mean.accuracy:.3f} ({mean.low:.3f} to {mean.high:.3f})"
        notes.append(f"mean accuracy of {mean.readers} readers, readers and images being samples: {interval}")
    notes += [
        f"kappa of {' and '.join(each.readers)}: {format_number(each.kappa, '.3f')} over {each.images} images"
        for each in scores.agreement
    ]
    return notes


def _format_proportion(proportion: Proportion) -> str:
    if proportion.value is None:
        return UNDEFINED
    return f"{proportion.value:.3f} ({proportion.low:.3f} to {proportion.high:.3f})"
