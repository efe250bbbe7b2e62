"""Images of a raw set that are skipped, and those among them that are lost: how many, why, and if that is too many.

A skipped file is left out with a reason. It is lost if it is an image that was listed or found and cannot be read.
"""

import math

from xrayaug.data.parsing.skip_reasons import AMBIGUOUS, BROKEN_LINK, MISSING, UNREAD_SUFFIX
from xrayaug.errors import DataError, InputError
from xrayaug.options import Prepare
from xrayaug.runtime import console

Skipped = tuple[str, str]  # file and reason


def check_lost(options: Prepare, lost: list[Skipped], total: int) -> None:
    """Check that no larger share of the images is lost than `--max-lost` allows.

    Raises:
        InputError: more are lost.
    """
    share = len(lost) / max(total, 1)
    if share > options.max_lost:
        sufficient = math.ceil(100 * share) / 100
        raise InputError(
            describe_lost(lost, total), f"mend that, or go on without them: prepare --max-lost {sufficient:g}"
        )


def describe_lost(lost: list[Skipped], total: int) -> str:
    """Return a sentence on the number and share of the images that are lost, the reasons, and the first of them."""
    descriptions = {
        MISSING: "not on disk",
        BROKEN_LINK: "broken links",
        AMBIGUOUS: AMBIGUOUS,
        UNREAD_SUFFIX: "of other suffixes",
    }
    counts = [
        (sum(reason.startswith(start) for _, reason in lost), description)
        for start, description in descriptions.items()
    ]
    counts.append((len(lost) - sum(count for count, _ in counts), "unusable"))
    reasons = ", ".join(f"{description}: {count:,}" for count, description in counts if count)
    share = f"{100 * len(lost) / total:.2g} %"
    return f"{len(lost):,} of {total:,} images are lost ({share}; {reasons}), such as {lost[0][0]}: {lost[0][1]}"


def check_strict(options: Prepare, skipped: list[Skipped]) -> None:
    """Check that no file is skipped if the user asked for `--strict`.

    Raises:
        DataError: one is.
    """
    if options.strict and skipped:
        file, reason = skipped[0]
        raise DataError(f"{file}: {reason}", "without --strict it would be skipped")


def warn_of_skipped(skipped: list[Skipped]) -> None:
    """Warn of the files that are skipped, with the first of them."""
    if skipped:
        file, reason = skipped[0]
        more = f" and {len(skipped) - 1} more" if len(skipped) > 1 else ""
        console.warning(f"skipped {file}: {reason}{more}; all are listed in skipped.csv")
