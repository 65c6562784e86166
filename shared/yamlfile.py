"""YAML configuration read into structs, with errors that name file, line and key."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml
from msgspec import inspect

from shared.errors import SettingsError

T = TypeVar("T")
Where = Callable[[str], str]

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+|\.\.\.)\]")


class _Loader(yaml.SafeLoader):
    """Keys are the text that was written (an agent 0815 is not a number), and none may come twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:  # before merging, which may well replace a key
            key = key_node.value
            if not isinstance(key, str) or key in seen:
                problem = f"{key!r} is there twice" if isinstance(key, str) else "a key must be plain text"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen.add(key)
        self.flatten_mapping(node)
        return {key_node.value: self.construct_object(value_node, deep=True) for key_node, value_node in node.value}


def load_checked(path: Path, kind: type[T], *, setting: str = "") -> tuple[T, Where]:
    """The content of `path` as `kind`, and a function that turns a dotted key into `file:line: key`.

    Raises SettingsError for a missing file (naming `setting`, which says where it is), bad YAML, or a value of the wrong type.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        advice = f"; {setting} says where it is" if setting else ""
        raise SettingsError(f"{path}: cannot be read: {exc.strerror}{advice}") from exc
    except UnicodeDecodeError as exc:  # another encoding, GB18030 say, or no text at all
        line = exc.object.count(b"\n", 0, exc.start) + 1
        raise SettingsError(f"{path}:{line}: is not UTF-8 text; save the file as UTF-8") from exc
    return parse_checked(text, str(path), kind)


def parse_checked(text: str, name: str, kind: type[T]) -> tuple[T, Where]:
    """Like `load_checked`, of text that came from `name`."""
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        plain = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 1
        what = "cannot be used" if isinstance(exc, yaml.constructor.ConstructorError) else "not YAML"
        raise SettingsError(f"{name}:{line}: {what}: {exc.problem}{_advice(exc.problem or '')}") from exc
    except yaml.reader.ReaderError as exc:  # such as a NUL
        line = text.count("\n", 0, exc.position) + 1
        raise SettingsError(
            f"{name}:{line}: not YAML: the character U+{ord(text[exc.position]):04X} may not be in it"
        ) from exc
    except ValueError as exc:  # what looks like a date and is none
        raise SettingsError(f"{name}: not YAML: {exc}") from exc
    except RecursionError as exc:
        raise SettingsError(f"{name}: not YAML: nested too deeply") from exc

    def where(key: str) -> str:
        return f"{name}:{_line_of(tree, key)}: {key}" if key else f"{name}:{_line_of(tree, key)}"

    plain = {} if plain is None else plain
    try:
        return msgspec.convert(plain, kind), where
    except msgspec.ValidationError as exc:
        message, key = _explain(plain, kind, exc)
        if message.startswith("Invalid enum value"):
            message += _choices(kind, key)
        raise SettingsError(f"{where(key)}: {_plainly(message)}") from exc


_WORDS = {"`object`": "keys with values", "`array`": "a list", "`str`": "a text", "`bool`": "true or false",
          "`int`": "a whole number", "`float`": "a number", "`null`": "nothing", "`str | object`": "a text or keys with values",
          "`str | array`": "a text or a list"}  # fmt: skip


def _plainly(message: str) -> str:
    """What msgspec says, in the words of somebody who writes YAML."""
    message = message.replace("Object contains unknown field", "there is no key")
    message = message.replace("Object missing required field", "this key is missing:")
    message = re.sub(r"`[a-z |]+`", lambda found: _WORDS.get(found.group(), found.group()), message)
    return message[:1].lower() + message[1:]


def _advice(problem: str) -> str:
    if problem.startswith("expected <block end>"):
        return "; is it indented as the lines above it?"
    return "; indent with blanks" if "'\\t'" in problem else ""


def _explain(plain: Any, kind: type[T], error: msgspec.ValidationError) -> tuple[str, str]:
    """The message, and the dotted key it is about, an unknown field included.

    msgspec writes `[...]` for a key of a mapping: which it is shows by leaving the others out.
    """
    message, _, tail = str(error).partition(" - at `$")
    path = [name or f"[{index}]" for name, index in _STEP.findall(tail.rstrip("`"))]
    holder = plain
    for position, step in enumerate(path):
        if step == "[...]" and isinstance(holder, dict):
            step = path[position] = str(_culprit(plain, holder, kind, message))
        if isinstance(holder, dict):
            holder = next((value for name, value in holder.items() if str(name) == step), None)
        elif isinstance(holder, list) and step.strip("[]").isdigit():
            holder = holder[int(step.strip("[]"))]
    unknown = re.search(r"unknown field `(.+?)`", message)
    if unknown:
        path.append(unknown.group(1))
    return message, ".".join(path).replace(".[", "[")


def _culprit(plain: Any, holder: dict[Any, Any], kind: type[T], message: str) -> Any:
    """The key of `holder` (a part of `plain`) that alone still makes the same error."""
    everything = dict(holder)
    try:
        for name, value in everything.items():
            holder.clear()
            holder[name] = value
            try:
                msgspec.convert(plain, kind)
            except msgspec.ValidationError as exc:
                if str(exc).startswith(message):
                    return name
    finally:
        holder.clear()
        holder.update(everything)
    return "..."


def _choices(kind: type[T], key: str) -> str:
    """`; allowed: a, b` for the value at `key`; nothing when the type there lists none."""
    found = [inspect.type_info(kind)]
    for name, _ in _STEP.findall(key):
        found = [inner for one in found for inner in _inside(one, name)]
    allowed = [str(value) for one in found if isinstance(one, inspect.LiteralType) for value in one.values]
    return f"; allowed: {', '.join(allowed)}" if allowed else ""


def _inside(kind: inspect.Type, name: str) -> list[inspect.Type]:
    """The types that the part `name` of a value of `kind` may have; "" is an item of a list."""
    match kind:
        case inspect.StructType(fields=fields):
            return [field.type for field in fields if field.encode_name == name]
        case inspect.DictType(value_type=inner) | inspect.VarTupleType(item_type=inner):
            return [inner]
        case inspect.UnionType(types=types):
            return [inner for one in types for inner in _inside(one, name)]
        case _:
            return []


def _line_of(tree: yaml.Node | None, key: str) -> int:
    """The line, from 1, of the deepest part of `key` that exists in `tree`."""
    node, line = tree, 1
    for name, index in _STEP.findall(key):
        found: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key_node, value_node in node.value:
                if key_node.value == name:
                    found, line = value_node, key_node.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and index.isdigit() and int(index) < len(node.value):
            found = node.value[int(index)]
            line = found.start_mark.line + 1
        if found is None:
            break
        node = found
    return line
