"""The directory of cached results: below `--cache`, else by the XDG base directory specification."""

import os
from pathlib import Path


def directory(kind: str, cache: Path | None) -> Path:
    """Return the directory of one kind of cached results.

    Args:
        kind: such as `fid`, the name of a directory.
        cache: the value of `--cache`, None if it is not given.
    """
    if cache is not None:
        return cache / kind
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "xrayaug" / kind
