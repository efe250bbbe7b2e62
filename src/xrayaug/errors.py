"""Everything that can go wrong and that the user can mend.

XrayaugError            one clear line and a hint; exit code 1, no traceback
├── UsageError          an option's value makes no sense; exit code 2
├── InputError          what was given to read is missing, foreign, damaged or unusable
│   ├── ArtifactError   not a finished artifact of the expected kind, or changed since it was sealed
│   └── DataError       labels, splits or pixels that cannot stand
├── OutputError         --out holds something else, or cannot be written
├── WeightsError        pretrained weights are not here, damaged, or of another network
├── TrainingError       training broke down (NaN, collapse)
└── ResourceError       memory, shared memory or worker processes ran out

Anything else is a bug and keeps its traceback.
"""


class XrayaugError(Exception):
    """What happened, in one line, and a hint that says what to do about it."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


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


class TrainingError(XrayaugError):
    """Training broke down: NaN losses or weights, or a collapsed network."""


class ResourceError(XrayaugError):
    """Memory, shared memory or worker processes ran out."""
