"""Everything that can go wrong and that the user can mend.

XrayaugError            one clear line and a hint; exit code 1, no traceback
├── UsageError          an option's value makes no sense; exit code 2
├── InputError          what was given to read is missing, foreign, damaged or unusable
│   ├── ArtifactError   not a finished artifact of the expected kind, or changed since it was sealed
│   └── DataError       labels, splits or pixels that cannot stand
├── OutputError         --out holds something else, or cannot be written
├── WeightsError        pretrained weights are not here, damaged, or of another network
├── VerdictError        the verdict is not the one that --fail-unless asks for
├── TrainingError       training broke down (NaN, collapse)
├── PeerError           another process of the same run ended
├── CaptureError        a training step cannot be recorded as a CUDA graph
└── ResourceError       memory, shared memory or worker processes ran out

Anything else is a bug and keeps its traceback.
"""

import re

# Damaged files may hold control characters, and terminals obey some of them.
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
MAX_MESSAGE_LENGTH = 2000  # characters of a message


class XrayaugError(Exception):
    """What happened, in one line, and a hint that says what to do about it."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = one_line(message)
        self.hint = hint
        super().__init__(self.message)


def one_line(text: str) -> str:
    """A text that may quote a damaged file, fit for one line of a terminal."""
    line = CONTROL_CHARACTERS.sub(" ", text)
    half = MAX_MESSAGE_LENGTH // 2  # the end is what says what is wrong with what begins it
    return line if len(line) <= MAX_MESSAGE_LENGTH else f"{line[:half]} ... {line[-half:]}"


class UsageError(XrayaugError):
    """An option's value makes no sense, alone or beside another option."""

    exit_code = 2


class InputError(XrayaugError):
    """What was given to read is missing, foreign, damaged or unusable."""


class ArtifactError(InputError):
    """Not a finished artifact of the expected kind, or changed since it was sealed."""


class DataError(InputError):
    """Labels, splits or pixels that cannot stand."""


class OutputError(XrayaugError):
    """``--out`` holds something else, or cannot be written."""


class WeightsError(XrayaugError):
    """Pretrained weights are not here, damaged, or of another network."""


class VerdictError(XrayaugError):
    """The verdict is not the one that ``--fail-unless`` asks for."""


class TrainingError(XrayaugError):
    """Training broke down: NaN losses or weights, or a collapsed network."""


class PeerError(XrayaugError):
    """Another process of the same run ended, or did not come."""


class CaptureError(XrayaugError):
    """A training step cannot be recorded as a CUDA graph."""


class ResourceError(XrayaugError):
    """Memory, shared memory or worker processes ran out."""
