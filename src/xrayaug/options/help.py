"""Texts on an option for `--help`, the reference and errors: its placeholder, its choices, its bounds, its default."""

import re
from dataclasses import MISSING, Field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from xrayaug.options.base import Panel, describe_bounds, flag_name, format_value

METAVARS: dict[Any, str] = {int: "INT", float: "FLOAT", str: "TEXT", Path: "PATH", bool: ""}
NOUNS: dict[Any, str] = {int: "an integer", float: "a number"}
MAX_METAVAR_WIDTH = 12  # columns; choices that need more are named in the help text alone


def value_type(hint: Any) -> Any:
    """Return the type of an option without None: ``int`` for ``int | None``."""
    alternatives = get_args(hint)
    return next(kind for kind in alternatives if kind is not type(None)) if type(None) in alternatives else hint


def choices(field: "Field[Any]", hint: Any) -> tuple[str, ...]:
    """Return the words that an option accepts; empty if it takes any value."""
    kind = value_type(hint)
    return tuple(field.metadata["choices"] or (get_args(kind) if get_origin(kind) is Literal else ()))


def describe_allowed(field: "Field[Any]", hint: Any) -> str:
    """Return which values an option accepts: ``one of hinge, wgan``, or ``an integer, 1 or more``."""
    words = choices(field, hint)
    if words:
        return f"one of {', '.join(words)}"
    noun = NOUNS.get(value_type(hint), "another value")
    return ", ".join(filter(None, (noun, describe_bounds(field))))


def metavar(field: "Field[Any]", hint: Any) -> str:
    """Return the placeholder for the value of an option or argument; empty for a switch."""
    if field.metadata["metavar"]:
        return str(field.metadata["metavar"])
    if field.metadata["positional"]:
        return field.name.upper()
    words = choices(field, hint)
    if not words:
        return METAVARS[value_type(hint)]
    if len("|".join(words)) <= MAX_METAVAR_WIDTH:
        return "|".join(words)
    return METAVARS[int] if all(word.isdecimal() for word in words) else "NAME"


def flags(field: "Field[Any]") -> tuple[str, ...]:
    """Return the flags of an option: one, or for a switch that is not off by default also its ``--no-`` form."""
    flag = flag_name(field.name)
    is_switch = field.type in (bool, bool | None)
    return (flag, f"--no-{flag[2:]}") if is_switch and field.default is not False else (flag,)


def default_text(field: "Field[Any]") -> str | None:
    """Return the default of an option as a user would write it; None for required options and for switches."""
    if field.default is MISSING or field.default is False:
        return None
    if field.default is None:
        return str(field.metadata["default_text"])
    return "on" if field.default is True else format_value(field.default)


def help_text(field: "Field[Any]", hint: Any) -> str:
    """Return the help of an option, with its choices where neither the help nor the placeholder names them all."""
    text, words = str(field.metadata["help"]), choices(field, hint)
    is_named = all(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) for word in words)
    return text if is_named or metavar(field, hint) == "|".join(words) else f"{text} One of {', '.join(words)}."


def order(field: "Field[Any]") -> tuple[bool, int, bool]:
    """Return the sort key of an option in `--help`: arguments, then panel by panel, required options first."""
    return not field.metadata["positional"], list(Panel).index(field.metadata["panel"]), field.default is not MISSING
