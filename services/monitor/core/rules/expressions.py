"""Conditions of rules: a small expression language over named fields, compiled once to a Python function.

    state == "talk" and direction == "outbound" and not listened
    waiting > 0 and (ready == 0 or longest_wait_s > 2 * 60)

It has names, texts, numbers, true, false, comparisons (== != < <= > >= in, not in), and, or, not, + - * / and parentheses;
no calls, attributes or subscripts, so an expression can read its fields and nothing else, and always ends. Names, types and
the values of enumerated fields are checked when it is compiled.

A value that does not exist (None) is neither above nor below anything: a comparison with it does not hold, nor does its
negation, as in SQL. That is why `not` is carried down to the comparisons before anything is compiled.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from msgspec import Struct

Kind = Literal["text", "number", "flag", "texts"]
Holds = Callable[[Mapping[str, Any] | None, Any], bool]

LONGEST: Final = 1000  # characters; also bounds how deep an expression nests
_LARGEST: Final = 1e15


class Field(Struct, frozen=True):
    """A name that expressions may use. `values`: which texts exist, None for any. `optional`: it may be None.

    `direct`: how Python reads it off the subject `it` itself, such as `it.state`; "" when it takes more than that. `exists`:
    likewise, whether an optional one is there.
    """

    kind: Kind
    about: str = ""
    values: frozenset[str] | None = None
    optional: bool = False
    direct: str = ""
    exists: str = ""


class ExpressionError(Exception):
    """An expression cannot be used; the message says what is wrong with it and what would be right."""


class _Leaf(NamedTuple):
    """One comparison. `decides`: the values of the text field `name` for which it holds, where that is all it says; `at`: the
    number that the field `name` is compared with, likewise."""

    source: str
    names: frozenset[str]
    name: str = ""
    decides: frozenset[str] | None = None
    at: float | None = None


class _Many(NamedTuple):
    every: bool  # and; else or
    parts: tuple[_Node, ...]


_Node = _Leaf | _Many


class Condition:
    """A compiled condition. `names`: the fields it reads.

    `holds(fields, it)`: whether it holds for the subject `it` with these fields; when it is `direct` it needs no fields.
    """

    def __init__(self, node: _Node, fields: Mapping[str, Field]) -> None:
        self._node, self._fields = node, fields
        self.names = _names(node)
        self.direct = all(name in fields and fields[name].direct for name in self.names)
        self.always = isinstance(node, _Many) and node.every and not node.parts
        code = compile(f"lambda f, it=None: {_source(node)}", "<rule>", "eval")
        self.holds: Holds = eval(code, {"__builtins__": {"len": len}})

    def may_hold(self, name: str, value: str) -> bool:
        """False when it cannot hold for a subject whose enumerated field `name` is `value`."""
        return _reduced(self._node, lambda leaf: _when(leaf, name, value)) is not False

    def given(self, name: str, value: str) -> Condition:
        """What is left to ask of a subject for which it may hold, as its enumerated field `name` is `value`."""
        return self._of(_reduced(self._node, lambda leaf: _when(leaf, name, value)))

    def foretold(self) -> Condition:
        """The `direct` part of it: where that does not hold, it does not either."""
        return self._of(_reduced(self._node, lambda leaf: leaf if self._reads_directly(leaf) else True))

    def _of(self, left: _Node | bool) -> Condition:
        if left is self._node:
            return self
        return Condition(_Many(left, ()) if isinstance(left, bool) else left, self._fields)

    def _reads_directly(self, leaf: _Leaf) -> bool:
        return all(name in self._fields and self._fields[name].direct for name in leaf.names)

    def crossings(self, name: str) -> frozenset[float] | None:
        """The numbers at which a growing field `name` may change the answer; None when it may at any."""
        found: set[float] = set()
        for leaf in _leaves(self._node):
            if name in leaf.names:
                if leaf.name != name or leaf.at is None:
                    return None
                found.add(leaf.at)
        return frozenset(found)


def compile_all(texts: list[str], fields: Mapping[str, Field]) -> Condition:
    """The condition that all of `texts` hold. Raises ExpressionError."""
    return Condition(_Many(True, tuple(parse(text, fields) for text in texts)), fields)


def any_of(conditions: Iterable[Condition]) -> Condition:
    """The condition that at least one of `conditions`, of the same fields, holds."""
    found = list(conditions)
    node = _reduced(_Many(False, tuple(one._node for one in found)), lambda leaf: leaf)
    return Condition(_Many(node, ()) if isinstance(node, bool) else node, found[0]._fields if found else {})


def _names(node: _Node) -> frozenset[str]:
    return node.names if isinstance(node, _Leaf) else frozenset().union(*(_names(part) for part in node.parts))


def _leaves(node: _Node) -> Iterator[_Leaf]:
    if isinstance(node, _Leaf):
        yield node
    else:
        for part in node.parts:
            yield from _leaves(part)


def _source(node: _Node) -> str:
    if isinstance(node, _Leaf):
        return node.source
    if not node.parts:
        return str(node.every)
    return "(" + (" and " if node.every else " or ").join(_source(part) for part in node.parts) + ")"


def _when(leaf: _Leaf, name: str, value: str) -> _Leaf | bool:
    """The leaf when the field `name` is `value`."""
    return leaf if leaf.decides is None or leaf.name != name else value in leaf.decides


def _reduced(node: _Node, known: Callable[[_Leaf], _Leaf | bool]) -> _Node | bool:
    """What is left of a condition when its leaves are as `known` says; True or False where nothing is left to ask."""
    if isinstance(node, _Leaf):
        return known(node)
    left: list[_Node] = []
    for part in node.parts:
        found = _reduced(part, known)
        if found is not node.every:  # else it changes nothing
            if isinstance(found, bool):
                return found
            left.append(found)
    if len(left) == 1:
        return left[0]
    if not left:
        return node.every
    return node if left == list(node.parts) else _Many(node.every, tuple(left))


# ---------------------------------------------------------------- from text to nodes


def parse(text: str, fields: Mapping[str, Field]) -> _Node:
    """Read and check one expression. Raises ExpressionError."""
    if len(text) > LONGEST:
        raise ExpressionError(f"has {len(text)} characters; at most {LONGEST} are read")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
        raise ExpressionError(f"cannot be read: {_why(text, exc)}") from exc
    return _Parser(fields).condition(tree.body, wanted=True)


def _why(text: str, exc: Exception) -> str:
    if "&&" in text or "||" in text or text.lstrip().startswith("!"):
        return "write `and`, `or`, `not` for &&, ||, !"
    if re.search(r"[^=!<>]=[^=]", text):
        return "write == to compare"
    if re.search(r"(\b(and|or|not|in)|[-=<>+*/(,])\s*$", text):
        return "something is missing at its end"
    if isinstance(exc, SyntaxError):
        return f"{(exc.msg or 'it is not an expression').split('. ')[0]}, at character {exc.offset or 1}"
    return "it nests too deep or holds a character that no expression has"


_COMPARISONS: Final = MappingProxyType[type[ast.cmpop], tuple[str, str]](
    {  # and what it is when denied
        ast.Eq: ("==", "!="),
        ast.NotEq: ("!=", "=="),
        ast.Lt: ("<", ">="),
        ast.LtE: ("<=", ">"),
        ast.Gt: (">", "<="),
        ast.GtE: (">=", "<"),
        ast.In: ("in", "not in"),
        ast.NotIn: ("not in", "in"),
    }
)
_ARITHMETIC: Final = MappingProxyType[type[ast.operator], str](
    {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
)
_SAID: Final = MappingProxyType[Kind, str](
    {"text": "a text", "number": "a number", "flag": "true or false", "texts": "a list of texts"}
)


class _Value(NamedTuple):
    """One side of a comparison."""

    kind: Kind
    source: str
    names: frozenset[str] = frozenset()
    guards: tuple[str, ...] = ()  # what must be so for it to exist
    field: str = ""  # when it is a field and nothing else
    constants: tuple[Any, ...] = ()  # when it is one, or a list of them
    listed: bool = False


class _Parser:
    def __init__(self, fields: Mapping[str, Field]) -> None:
        self._fields = fields

    def condition(self, node: ast.expr, *, wanted: bool) -> _Node:
        """The node that holds exactly when `node` is `wanted`."""
        match node:
            case ast.BoolOp(op=op, values=values):
                every = isinstance(op, ast.And) == wanted
                return _Many(every, tuple(self.condition(value, wanted=wanted) for value in values))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self.condition(operand, wanted=not wanted)
            case ast.Compare(left=left, ops=ops, comparators=others):
                sides = [self.value(side) for side in (left, *others)]
                parts = tuple(self._compare(sides[i], op, sides[i + 1], wanted=wanted) for i, op in enumerate(ops))
                return parts[0] if len(parts) == 1 else _Many(wanted, parts)
            case ast.Name():
                value = self.value(node)
                if value.kind == "flag" and value.field:
                    return self._flag(value, wanted=wanted)
        said = ast.unparse(node)
        try:
            kind = _SAID[self.value(node).kind]
        except ExpressionError:
            if not isinstance(node, ast.Constant | ast.Tuple | ast.List):
                raise
            kind = "a value"
        raise ExpressionError(f"`{said}` is {kind} and no condition; compare it with something, as in `waiting > 0`")

    def _flag(self, value: _Value, *, wanted: bool) -> _Leaf:
        source = value.source if wanted else f"(not {value.source})"
        return _Leaf(source, value.names)

    def value(self, node: ast.expr) -> _Value:
        """A side of a comparison. Raises ExpressionError for what is not in the language."""
        match node:
            case ast.Name(id="true" | "false" as word):
                return _Value("flag", repr(word == "true"), constants=(word == "true",))
            case ast.Name(id=name):
                return self._name(name)
            case ast.Constant(value=bool() as flag):
                return _Value("flag", repr(flag), constants=(flag,))
            case ast.Constant(value=str() as text):
                return _Value("text", repr(text), constants=(text,))
            case ast.Constant(value=int() | float() as number):
                if not abs(number) <= _LARGEST:
                    raise ExpressionError(f"`{number}` is too large a number")
                return _Value("number", repr(float(number)), constants=(number,))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self._number(operand)
                negative = tuple(-number for number in inner.constants)
                return inner._replace(source=f"(-{inner.source})", field="", constants=negative)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return self._arithmetic(self._number(left), _ARITHMETIC[type(op)], self._number(right))
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
                return self._list(items)
        raise ExpressionError(
            f"`{ast.unparse(node)}` is not part of the language: names, texts, numbers, comparisons, "
            "in, and, or, not, + - * / and parentheses are"
        )

    def _name(self, name: str) -> _Value:
        field = self._fields.get(name)
        if field is None and name.startswith("attr_"):
            field = self._fields.get("attr_")
        if field is None:
            raise ExpressionError(f"there is no `{name}`; there is {', '.join(sorted(map(_shown, self._fields)))}")
        source = field.direct or f"f[{name!r}]"
        guards = (field.exists or f"{source} is not None",) if field.optional else ()
        return _Value(field.kind, source, frozenset((name,)), guards, field=name)

    def _number(self, node: ast.expr) -> _Value:
        value = self.value(node)
        if value.kind != "number" or value.listed:
            raise ExpressionError(
                f"`{ast.unparse(node)}` is {_SAID[value.kind]}, and only numbers can be reckoned with"
            )
        return value

    def _arithmetic(self, left: _Value, sign: str, right: _Value) -> _Value:
        guards = (*left.guards, *right.guards)
        if sign == "/":
            guards = (*guards, f"{right.source} != 0")
        source = f"({left.source} {sign} {right.source})"
        both = (*left.constants, *right.constants)
        constants = (_reckon(both[0], sign, both[1]),) if len(both) == 2 and (sign != "/" or both[1]) else ()
        return _Value("number", source, left.names | right.names, guards, constants=constants)

    def _list(self, items: list[ast.expr]) -> _Value:
        found = [self.value(item) for item in items]
        kinds = {one.kind for one in found}
        if len(kinds) != 1 or any(len(one.constants) != 1 for one in found):
            raise ExpressionError('a list holds texts only, or numbers only, such as ["hold", "consult"]')
        source = "(" + ", ".join(one.source for one in found) + ",)"
        return _Value(kinds.pop(), source, constants=tuple(one.constants[0] for one in found), listed=True)

    # ------------------------------------------------------------ one comparison

    def _compare(self, left: _Value, op: ast.cmpop, right: _Value, *, wanted: bool) -> _Leaf:
        if type(op) not in _COMPARISONS:
            raise ExpressionError("`is` is not part of the language; write == or !=")
        sign = _COMPARISONS[type(op)][0 if wanted else 1]
        self._check_types(left, sign, right)
        self._check_values(left, right)
        self._check_values(right, left)
        if left.kind == right.kind == "flag" and left.field and right.constants:
            return self._flag(left, wanted=right.constants[0] == (sign == "=="))
        test = f"{left.source} {sign} {right.source}"
        guards = dict.fromkeys((*left.guards, *right.guards))
        source = "(" + " and ".join((*guards, test)) + ")" if guards else f"({test})"
        names = left.names | right.names
        for field, other in ((left, right), (right, left)):
            if field.field and field.kind == "number" and len(other.constants) == 1 and not other.listed:
                return _Leaf(source, names, field.field, at=float(other.constants[0]))
        return _Leaf(source, names, *self._decides(left, sign, right))

    def _check_types(self, left: _Value, sign: str, right: _Value) -> None:
        if left.listed or (right.listed and sign not in ("in", "not in")):
            raise ExpressionError("a list stands at the right of `in` only")
        if sign in ("in", "not in"):
            if right.listed and left.kind == right.kind:
                return
            if right.kind == "texts" and left.kind == "text":
                return
            raise ExpressionError(
                '`in` asks whether a value is in a list, as in `state in ["hold", "consult"]` or `"new" in tags`'
            )
        if left.kind != right.kind:
            raise ExpressionError(
                f"{_words(left)} is {_SAID[left.kind]} and {_words(right)} is {_SAID[right.kind]}: "
                "they cannot be compared"
            )
        if left.kind == "texts" or (sign not in ("==", "!=") and left.kind != "number"):
            raise ExpressionError(f"{_words(left)} is {_SAID[left.kind]}, which `{sign}` cannot compare")

    def _check_values(self, field: _Value, other: _Value) -> None:
        """Texts that a field never is are misspellings."""
        possible = self._values(field)
        if possible is None:
            return
        wrong = [text for text in other.constants if text not in possible]
        if wrong:
            raise ExpressionError(
                f"{field.field} is never {', '.join(map(repr, wrong))}; it is one of {', '.join(sorted(possible))}"
            )

    def _values(self, value: _Value) -> frozenset[str] | None:
        return self._fields[value.field].values if value.field in self._fields else None

    def _decides(self, left: _Value, sign: str, right: _Value) -> tuple[str, frozenset[str] | None]:
        if right.field and not left.field and sign in ("==", "!="):
            left, right = right, left
        possible = self._values(left)
        if possible is None or not right.constants or sign not in ("==", "!=", "in", "not in"):
            return "", None
        named = frozenset(right.constants)
        return left.field, possible & named if sign in ("==", "in") else possible - named


def _reckon(left: float, sign: str, right: float) -> float:
    match sign:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
    return left / right


def _shown(name: str) -> str:
    return "attr_NAME" if name == "attr_" else name


def _words(value: _Value) -> str:
    if value.field:
        return f"`{value.field}`"
    return f"`{value.constants[0]!r}`" if value.constants else "the calculation"
