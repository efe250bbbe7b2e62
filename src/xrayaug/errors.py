"""Errors that the user can fix.

XrayaugError            one line and a hint; exit code 1, no traceback
├── UsageError          the value of an option is not valid; exit code 2
├── InputError          an input is missing, of another kind, damaged or unusable
│   ├── ArtifactError   not a complete artifact of the expected kind, or changed since it was sealed
│   └── DataError       labels, splits or pixels are not valid
├── OutputError         --out contains something else, or cannot be written
├── WeightsError        pretrained weights are missing, damaged, or of another network
├── VerdictError        the verdict is not the one that --fail-unless asks for
├── TrainingError       training failed (NaN, collapse)
├── PeerError           another process of the same run ended, or did not join
├── CaptureError        a training step cannot be recorded as a CUDA graph
└── ResourceError       memory, shared memory or worker processes ran out

Every other exception is a bug and keeps its traceback.
"""

import re

# Damaged files may contain control characters, and terminals act on some of them.
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
MAX_MESSAGE_LENGTH = 2000  # characters of a message


class XrayaugError(Exception):
    """Error with a message of one line, and a hint that says what to do."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = one_line(message)
        self.hint = hint
        super().__init__(self.message)


def one_line(text: str) -> str:
    """Return a text, which may quote a damaged file, without control characters and of limited length."""
    line = CONTROL_CHARACTERS.sub(" ", text)
    half = MAX_MESSAGE_LENGTH // 2  # both ends are kept: the beginning names the file, the end says what is wrong
    return line if len(line) <= MAX_MESSAGE_LENGTH else f"{line[:half]} ... {line[-half:]}"


class UsageError(XrayaugError):
    """The value of an option is not valid, by itself or together with another option."""

    exit_code = 2


class InputError(XrayaugError):
    """An input is missing, of another kind, damaged or unusable."""


class ArtifactError(InputError):
    """A directory is not a complete artifact of the expected kind, or has changed since it was sealed."""


class DataError(InputError):
    """Labels, splits or pixels are not valid."""


class OutputError(XrayaugError):
    """``--out`` contains something else, or cannot be written."""


class WeightsError(XrayaugError):
    """Pretrained weights are missing, damaged, or of another network."""


class VerdictError(XrayaugError):
    """The verdict is not the one that ``--fail-unless`` asks for."""


class TrainingError(XrayaugError):
    """Training failed: losses or weights are NaN, or the network collapsed."""


class PeerError(XrayaugError):
    """Another process of the same run ended, or did not join."""


class CaptureError(XrayaugError):
    """A training step cannot be recorded as a CUDA graph."""


class ResourceError(XrayaugError):
    """Memory, shared memory or worker processes ran out."""
