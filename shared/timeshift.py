"""Moves the times inside a state made of msgspec Structs, in place: for when the clock that they are of was set. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct, inspect

Move = Callable[[datetime], datetime]
NOTHING: Mapping[type[Struct], frozenset[str]] = {}


def move_times(found: Struct, move: Move, but: Mapping[type[Struct], frozenset[str]] = NOTHING) -> None:
    """Put every time in `found`, and in what it holds, through `move`. Structs and containers stay the same objects.

    `but`: by class the fields to leave alone with all that they hold; none named: the whole class. Raises TypeError for a
    time that is the key of a mapping or in a set, which no state here has.
    """
    if type(found) in but and not but[type(found)]:
        return
    kept = but.get(type(found), frozenset())
    for name in fields_with_times(type(found)):
        if name not in kept:
            value = getattr(found, name)
            if value is not None:
                moved = _moved(value, move, but)
                if moved is not value:
                    setattr(found, name, moved)


def _moved(value: Any, move: Move, but: Mapping[type[Struct], frozenset[str]]) -> Any:
    if isinstance(value, datetime):
        return move(value)
    if isinstance(value, Struct):
        if value.__struct_config__.frozen:
            return _replaced(value, move, but)
        move_times(value, move, but)
    elif isinstance(value, dict):
        for key, one in value.items():
            value[key] = _moved(one, move, but)
    elif isinstance(value, list):
        value[:] = [_moved(one, move, but) for one in value]
    elif isinstance(value, tuple):
        return tuple(_moved(one, move, but) for one in value)
    return value


def _replaced(value: Struct, move: Move, but: Mapping[type[Struct], frozenset[str]]) -> Struct:
    if type(value) in but and not but[type(value)]:
        return value
    kept = but.get(type(value), frozenset())
    names = [name for name in fields_with_times(type(value)) if name not in kept]
    changed = {name: _moved(one, move, but) for name in names if (one := getattr(value, name)) is not None}
    return msgspec.structs.replace(value, **changed)


@lru_cache(maxsize=256)
def fields_with_times(kind: type[Struct]) -> tuple[str, ...]:
    """The fields of `kind` that are times or may hold some."""
    found = inspect.type_info(kind)
    assert isinstance(found, inspect.StructType)
    return tuple(field.name for field in found.fields if _holds(field.type, f"{kind.__name__}.{field.name}"))


def _holds(kind: inspect.Type, where: str) -> bool:
    match kind:
        case inspect.DateTimeType():
            return True
        case inspect.StructType(cls=cls):
            return bool(fields_with_times(cls))
        case inspect.UnionType(types=types):
            return any(_holds(one, where) for one in types)
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return _holds(item, where)
        case inspect.TupleType(item_types=items):
            return any(_holds(one, where) for one in items)
        case inspect.DictType(key_type=key, value_type=value):
            if _holds(key, where):
                raise TypeError(f"{where}: a time as the key of a mapping cannot be moved in place")
            return _holds(value, where)
        case inspect.SetType(item_type=item) | inspect.FrozenSetType(item_type=item):
            if _holds(item, where):
                raise TypeError(f"{where}: a time in a set cannot be moved in place")
    return False
