"""Regular expressions of a blueprint, held against lines that others may have written, in time linear in the line.

Python's own engine backtracks: some patterns take it longer than the age of the universe on a line of fifty
characters, and it holds the interpreter's lock all the while. Here a pattern, read by Python's own parser, becomes a
nondeterministic automaton, of which a deterministic one is made state by state as lines need it. It only tells whether
a pattern is found, so nothing has to be tried twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from re import _parser  # type: ignore[attr-defined]  # what re itself reads patterns with
from typing import Any, Final, NamedTuple, TypeAlias

_MOST_NODES: Final = 2000
"""Of one automaton; ``(a{100}){100}`` is one of 10,000."""
_MOST_STATES: Final = 1000
"""Kept of the deterministic automaton; a line that leads to more has them made anew."""
_CATEGORIES: Final = {"DIGIT": r"\d", "NOT_DIGIT": r"\D", "SPACE": r"\s", "NOT_SPACE": r"\S", "WORD": r"\w",
                      "NOT_WORD": r"\W"}  # fmt: skip
_REFUSED: Final = {
    "ASSERT": "looks ahead or behind, as in (?=…)",
    "ASSERT_NOT": "looks ahead or behind, as in (?!…)",
    "GROUPREF": r"refers back to a group, as in \1",
    "GROUPREF_EXISTS": "asks whether a group was found, as in (?(1)…)",
    "ATOMIC_GROUP": "has an atomic group, (?>…)",
    "POSSESSIVE_REPEAT": "has a possessive repetition, as in a++",
}
_START, _OTHER, _WORD, _ASCII_WORD = range(4)
"""What stands before a place in a line: nothing, a character, one of a word, one of a word for ``(?a)`` too."""

Ops: TypeAlias = Iterable[tuple[Any, Any]]  # Any: what Python's parser makes of a pattern


def pattern_mistake(pattern: str) -> str | None:
    """Why this is no pattern that can be used; None where it is one."""
    try:
        re.compile(pattern)
        _compiled(pattern)
    except re.error as error:
        return f"is not a regular expression: {error}"
    except (_CannotBe, RecursionError, OverflowError) as error:
        why = error if isinstance(error, _CannotBe) else "is nested or repeated too much"
        return f"{why}; patterns are matched in linear time, which rules that out"
    return None


def is_found(pattern: str, line: str) -> bool:
    """Whether ``re.search`` would find the pattern in a line, which has no line break in it."""
    return _compiled(pattern).search(line)


class _CannotBe(Exception):
    """What a pattern does that cannot be done in linear time."""


# --- the nondeterministic automaton -------------------------------------------------------------------------


class _Node(NamedTuple):
    """``char`` (a regular expression for one character), ``at`` (an assertion), ``split``, or ``found``."""

    what: str
    test: Any  # Any: re.Pattern, or the name of an assertion and its flags
    then: tuple[int, ...]


class _Builder:
    """Builds from the end: each part knows what comes after it."""

    def __init__(self) -> None:
        self.nodes: list[_Node] = [_Node("found", None, ())]

    def add(self, what: str, test: object, then: tuple[int, ...]) -> int:
        if len(self.nodes) >= _MOST_NODES:
            raise _CannotBe(f"repeats more than {_MOST_NODES} characters")
        self.nodes.append(_Node(what, test, then))
        return len(self.nodes) - 1

    def build(self, ops: Ops, then: int, flags: int) -> int:
        for op, argument in reversed(list(ops)):
            then = self._build(str(op), argument, then, flags)
        return then

    def _build(self, op: str, argument: Any, then: int, flags: int) -> int:  # Any: as the parser has it
        match op:
            case "SUBPATTERN":
                _, on, off, ops = argument
                return self.build(ops, then, (flags | on) & ~off)
            case "BRANCH":
                return self.add("split", None, tuple(self.build(ops, then, flags) for ops in argument[1]))
            case "MAX_REPEAT" | "MIN_REPEAT":
                least, most, ops = argument
                return self._repeat(least, most, ops, then, flags)
            case "AT":
                return self.add("at", (str(argument).removeprefix("AT_"), flags), (then,))
            case _ if op in _REFUSED:
                raise _CannotBe(_REFUSED[op])
        return self.add("char", _one(op, argument, flags), (then,))

    def _repeat(self, least: int, most: int, ops: Ops, then: int, flags: int) -> int:
        if most == _parser.MAXREPEAT:
            loop = self.add("split", None, ())
            self.nodes[loop] = _Node("split", None, (self.build(ops, loop, flags), then))
            then = loop
        else:
            end = then
            for _ in range(most - least):
                then = self.add("split", None, (self.build(ops, then, flags), end))
        for _ in range(least):
            before, then = then, self.build(ops, then, flags)
            if then == before:  # nothing, however often
                break
        return then


def _one(op: str, argument: Any, flags: int) -> re.Pattern[str]:  # Any: as the parser has it
    """A test of one character, left to Python's engine, which knows all about cases and classes."""
    kept = flags & (re.IGNORECASE | re.ASCII | re.DOTALL)
    match op:
        case "ANY":
            return _test(".", kept)
        case "LITERAL":
            return _test(f"[{_char(argument)}]", kept)
        case "NOT_LITERAL":
            return _test(f"[^{_char(argument)}]", kept)
        case "IN":
            return _test(f"[{''.join(_member(str(kind), value) for kind, value in argument)}]", kept)
    raise _CannotBe(f"has {op}, which converge does not know")


def _member(kind: str, value: Any) -> str:  # Any: as the parser has it
    match kind:
        case "NEGATE":
            return "^"
        case "LITERAL":
            return _char(value)
        case "RANGE":
            return f"{_char(value[0])}-{_char(value[1])}"
        case "CATEGORY":
            return _CATEGORIES[str(value).removeprefix("CATEGORY_")]
    raise _CannotBe(f"has {kind}, which converge does not know")


def _char(code: int) -> str:
    return f"\\U{code:08x}"


@lru_cache(maxsize=1024)
def _test(pattern: str, flags: int) -> re.Pattern[str]:
    return re.compile(pattern, flags)


# --- the deterministic one ----------------------------------------------------------------------------------


class _State:
    """Where one may be in the automaton, and what stood before."""

    __slots__ = ("after", "before", "nodes")

    def __init__(self, nodes: frozenset[int], before: int) -> None:
        self.nodes = nodes
        self.before = before
        self.after: dict[str, _State | None] = {}
        """By the next character; None where the pattern is found."""


class _Automaton:
    def __init__(self, pattern: str) -> None:
        tree = _parser.parse(pattern)
        builder = _Builder()
        self._flags: int = tree.state.flags
        self._first = builder.build(tree, 0, self._flags)
        self._nodes = builder.nodes
        self._anywhere = frozenset([self._first]) if self._begins_anywhere() else frozenset[int]()
        self._states: dict[tuple[frozenset[int], int], _State] = {}
        self._start = _State(frozenset([self._first]), _START)

    def _begins_anywhere(self) -> bool:
        """Whether it may be found elsewhere than at the beginning of the line."""
        seen, todo = set[int](), [self._first]
        while todo:
            at = todo.pop()
            node = self._nodes[at]
            if node.what in ("char", "found"):
                return True
            if at not in seen and not (node.what == "at" and node.test[0].startswith("BEGINNING")):
                todo += node.then
            seen.add(at)
        return False

    def search(self, line: str) -> bool:
        state = self._start
        for char in line:
            if not state.nodes:
                return False
            try:
                after = state.after[char]
            except KeyError:
                after = self._step(state, char)
            if after is None:
                return True
            state = after
        return self._reached(state, None) is None

    def _step(self, state: _State, char: str) -> _State | None:
        reached = self._reached(state, char)
        found: _State | None = None
        if reached is not None:
            nodes = frozenset(
                then for node in reached if node.test.match(char) for then in node.then
            ) | self._anywhere  # fmt: skip
            found = self._state(nodes, _kind_of(char))
        if len(state.after) < _MOST_STATES:
            state.after[char] = found
        return found

    def _state(self, nodes: frozenset[int], before: int) -> _State:
        states = self._states
        if len(states) >= _MOST_STATES:
            # Those who are in the midst of a line keep the ones that they have.
            self._states, self._start = {}, _State(self._start.nodes, _START)
            states = self._states
        return states.setdefault((nodes, before), _State(nodes, before))

    def _reached(self, state: _State, char: str | None) -> list[_Node] | None:
        """The tests for the next character that stand there without taking one; None where the pattern is found."""
        seen, todo, tests = set(state.nodes), list(state.nodes), []
        while todo:
            node = self._nodes[todo.pop()]
            if node.what == "found":
                return None
            if node.what == "char":
                tests.append(node)
            elif node.what == "split" or _holds(node.test, state.before, char):
                new = [then for then in node.then if then not in seen]
                seen.update(new)
                todo += new
        return tests


def _holds(test: tuple[str, int], before: int, char: str | None) -> bool:
    """An assertion between what stood before and the next character."""
    what, flags = test
    match what:
        case "BEGINNING" | "BEGINNING_STRING":
            return before == _START
        case "END" | "END_STRING":
            return char is None
    if before == _START and char is None:  # an empty line has neither, in Python up to 3.13
        return False
    after_word = before == _ASCII_WORD or (before == _WORD and not flags & re.ASCII)
    boundary = after_word != (char is not None and _is_word(char, flags))
    return boundary == (what == "BOUNDARY")


def _kind_of(char: str) -> int:
    if _is_word(char, re.ASCII):
        return _ASCII_WORD
    return _WORD if _is_word(char, 0) else _OTHER


def _is_word(char: str, flags: int) -> bool:
    return _test(r"\w", flags & re.ASCII).match(char) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> _Automaton:
    return _Automaton(pattern)
