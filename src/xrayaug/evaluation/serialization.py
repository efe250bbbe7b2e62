"""Dataclasses <-> JSON objects: the only place where results become dictionaries, or are read back from them.

A field may say otherwise by its metadata: `key` is its JSON key where that differs from the name; `inline` puts the
keys of its value among those of the object; `optional` leaves the key out where the value is None.
"""

import dataclasses
import types
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_dict(value: Any) -> dict[str, Any]:
    """Return a dataclass as a JSON object, its keys in the order of the fields."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        content = getattr(value, field.name)
        if field.metadata.get("inline"):
            found |= _to_json(content)
        elif content is not None or not field.metadata.get("optional"):
            found[_key(field)] = _to_json(content)
    return found


def from_dict(cls: type[T], data: Mapping[str, Any]) -> T:
    """Return the dataclass that `to_dict` made `data` from.

    Raises:
        KeyError: a field is missing.
    """
    hints, known = _hints(cast(Any, cls)), _keys(cast(Any, cls))
    values: dict[str, Any] = {}
    for field in dataclasses.fields(cast(Any, cls)):
        hint = hints[field.name]
        if not field.metadata.get("inline"):
            is_absent = field.metadata.get("optional") and _key(field) not in data
            values[field.name] = None if is_absent else _from_json(hint, data[_key(field)])
        elif dataclasses.is_dataclass(hint):
            values[field.name] = _from_json(hint, data)
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
        return from_dict(cast(type[Any], hint), value)
    origin, arguments = get_origin(hint) if value is not None else None, get_args(hint)
    if origin in (Union, types.UnionType):
        (only,) = (each for each in arguments if each is not type(None))
        return _from_json(only, value)
    if origin is Mapping:
        of_key, of_item = arguments
        return {of_key(key): _from_json(of_item, item) for key, item in value.items()}
    if origin is Sequence:
        return [_from_json(arguments[0], item) for item in value]
    if origin is tuple:
        return tuple(_from_json(arguments[0], item) for item in value)
    return value


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


@cache
def _keys(cls: Any) -> frozenset[str]:
    """Return the JSON keys of a class that are known beforehand: all but those of inlined mappings."""
    found: set[str] = set()
    for field in dataclasses.fields(cls):
        hint = _hints(cls)[field.name]
        if not field.metadata.get("inline"):
            found.add(_key(field))
        elif dataclasses.is_dataclass(hint):
            found |= _keys(cast(Any, hint))
    return frozenset(found)


def _key(field: "dataclasses.Field[Any]") -> str:
    return str(field.metadata.get("key", field.name))
