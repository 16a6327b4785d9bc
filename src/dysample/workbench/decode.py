"""Dataclasses from the plain values of JSON, checked by their annotations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")

ELSEWHERE = {"in file": False}
"""The metadata of a field that JSON does not hold."""

_RULES = {str: "text", int: "a whole number", float: "a finite number", bool: "true or false"}


def decode(kind: type[T], value: Any, key: str) -> T:
    """A value of JSON as `kind`.

    Args:
        kind: a dataclass, ``Mapping[str, V]``, ``tuple[V, ...]``, ``str``, ``int``, ``float``,
            ``bool``, ``Any``, or a union of them with None. Every field must be there, except those
            with the metadata `ELSEWHERE`; keys without a field are passed over.
        value: as `json` reads it.
        key: where it stands, with dots between keys, for errors.

    Raises:
        ValueError: a value of another form, naming its key, the rule and the value.
    """
    return cast(T, _decode(kind, value, key))


def refused(key: str, value: Any, rule: str) -> ValueError:
    """The error for a value: its key, itself if it is short, and the rule."""
    shown = repr(value)
    if isinstance(value, dict | list):
        shown = "{...}" if isinstance(value, dict) else "[...]"
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return ValueError(f"`{key}` (={shown}) must be {rule}")


def _decode(kind: Any, value: Any, key: str) -> Any:
    if kind is Any:
        return value
    if get_origin(kind) in (Union, UnionType):
        return _decode(_member(get_args(kind), value), value, key)
    if kind is NoneType:
        return None
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise refused(key, value, "a list")
        return tuple(_decode(get_args(kind)[0], one, f"{key}[{i}]") for i, one in enumerate(value))
    if is_dataclass(kind) or _is_object(kind):
        if not isinstance(value, dict):
            raise refused(key, value, "an object")
        if is_dataclass(kind):
            return _built(kind, value, key)
        inner = get_args(kind)[1]
        return {name: _decode(inner, one, f"{key}.{name}") for name, one in value.items()}
    return _scalar(kind, value, key)


def _member(kinds: tuple[Any, ...], value: Any) -> Any:
    """The part of a union that a value is meant for: null, an object, or something else."""
    if value is None and NoneType in kinds:
        return NoneType
    kinds = tuple(kind for kind in kinds if kind is not NoneType)
    fitting = (kind for kind in kinds if _is_object(kind) == isinstance(value, dict))
    return next(fitting, kinds[0])


def _is_object(kind: Any) -> bool:
    return is_dataclass(kind) or get_origin(kind) is Mapping


@lru_cache
def _read_fields(kind: type) -> dict[str, Any]:
    """The types of the fields that are in the file."""
    hints = get_type_hints(kind)
    return {one.name: hints[one.name] for one in fields(kind) if one.metadata != ELSEWHERE}


def _built(kind: Any, value: dict[str, Any], key: str) -> Any:
    found = {}
    for name, inner in _read_fields(kind).items():
        path = f"{key}.{name}" if key else name
        if name not in value:
            raise ValueError(f"`{path}` is missing")
        found[name] = _decode(inner, value[name], path)
    return kind(**found)


def _scalar(kind: Any, value: Any, key: str) -> Any:
    # bool is a subclass of int: true is no number.
    wanted = (int, float) if kind is float else (kind,)
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
        raise refused(key, value, _RULES[kind])
    if kind is not float:
        return value
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        number = math.inf
    if not math.isfinite(number):
        raise refused(key, value, _RULES[kind])
    return number
