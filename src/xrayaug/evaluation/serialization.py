"""Dataclasses <-> JSON objects: the only place where results become dictionaries, or are read back from them.

The JSON key of a field is its name. Two entries of a field's metadata change how it is written: `inline` puts the keys
of its value among those of the object, and `optional` leaves the key out if the value is the default, or else None.
"""

import dataclasses
import types
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from xrayaug.errors import ArtifactError

T = TypeVar("T")


def to_dict(value: Any) -> dict[str, Any]:
    """Return a dataclass as a JSON object with its keys in the order of the fields."""
    data: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        content = getattr(value, field.name)
        if field.metadata.get("inline"):
            data |= {} if content is None else _to_json(content)
        elif not field.metadata.get("optional") or content != _default(field):
            data[field.name] = _to_json(content)
    return data


def from_dict(cls: type[T], data: Mapping[str, Any]) -> T:
    """Return the dataclass that `to_dict` made `data` from.

    Raises:
        ArtifactError: a key is missing, as in an evaluation that another version of the package made.
    """
    try:
        return _from_dict(cls, data)
    except KeyError as missing:
        raise ArtifactError(
            f"the evaluation was made by another version of xrayaug: its results have no {missing}",
            "evaluate again, with another --out or with --overwrite",
        ) from None


def _from_dict(cls: type[T], data: Mapping[str, Any]) -> T:
    hints, known = _hints(cast(Any, cls)), _keys(cast(Any, cls))
    values: dict[str, Any] = {}
    for field in dataclasses.fields(cast(Any, cls)):
        hint = hints[field.name]
        if not field.metadata.get("inline"):
            is_absent = field.metadata.get("optional") and field.name not in data
            values[field.name] = _default(field) if is_absent else _from_json(hint, data[field.name])
        elif (inlined := _find_dataclass(hint)) is not None:
            is_absent = inlined is not hint and not _keys(inlined) & data.keys()
            values[field.name] = None if is_absent else _from_json(inlined, data)
        else:
            values[field.name] = _from_json(hint, {key: item for key, item in data.items() if key not in known})
    return cls(**values)


def _to_json(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, Mapping):
        return {str(key): _to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    return value


def _from_json(hint: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(hint) and value is not None:
        return _from_dict(cast(type[Any], hint), value)
    origin, arguments = get_origin(hint) if value is not None else None, get_args(hint)
    if origin in (Union, types.UnionType):
        (non_none,) = (argument for argument in arguments if argument is not type(None))
        return _from_json(non_none, value)
    if origin is Mapping:
        key_type, item_type = arguments
        return {key_type(key): _from_json(item_type, item) for key, item in value.items()}
    if origin is Sequence:
        return [_from_json(arguments[0], item) for item in value]
    if origin is tuple:
        return tuple(_from_json(arguments[0], item) for item in value)
    return value


def _default(field: "dataclasses.Field[Any]") -> Any:
    return None if field.default is dataclasses.MISSING else field.default


def _find_dataclass(hint: Any) -> Any:
    """Return the dataclass that a hint is of, or that it allows beside None; None if there is none."""
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return next((kind for kind in kinds if dataclasses.is_dataclass(kind)), None)


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


@cache
def _keys(cls: Any) -> frozenset[str]:
    """Return the fixed JSON keys of a class: all but those of inlined mappings."""
    keys: set[str] = set()
    for field in dataclasses.fields(cls):
        hint = _hints(cls)[field.name]
        if not field.metadata.get("inline"):
            keys.add(field.name)
        elif (inlined := _find_dataclass(hint)) is not None:
            keys |= _keys(inlined)
    return frozenset(keys)
