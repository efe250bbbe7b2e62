"""Beginnings of the reasons in `skipped.csv` for which an image that was listed or found cannot be read."""

MISSING = "listed but not on disk"
BROKEN_LINK = "a broken link"
AMBIGUOUS = "in several places"
NO_NAME = "names no image"
UNREAD_SUFFIX = "a picture whose suffix is not read"

LOST = (MISSING, BROKEN_LINK, AMBIGUOUS, NO_NAME, UNREAD_SUFFIX)
