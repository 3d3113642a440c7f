"""Finds the binding of a request: a tree of path segments, where a literal goes before a wildcard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway.template import DEEP, STAR, Template, decode

T = TypeVar("T")
Leaf = dict[str, dict[str, T]]
"""Custom verb ("" for none), then HTTP method, to what is bound."""


@dataclass(slots=True)
class _Node(Generic[T]):
    literals: dict[str, _Node[T]] = field(default_factory=dict)
    star: _Node[T] | None = None
    here: Leaf[T] = field(default_factory=dict)
    deep: Leaf[T] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match(Generic[T]):
    """What was found: `found` is None when only other methods are bound to the path (`allowed`)."""

    found: T | None
    segments: list[str]
    allowed: frozenset[str]


class Router(Generic[T]):
    """Maps a method and a raw path to what was added for them."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, method: str, template: Template, bound: T) -> T | None:
        """Binds; answers what was already bound to an equal template and stays, else None."""
        node = self._root
        for segment in template.segments:
            if segment == DEEP:
                break
            if segment == STAR:
                node.star = node.star or _Node()
                node = node.star
            else:
                node = node.literals.setdefault(segment, _Node())
        leaf = node.deep if template.segments[-1] == DEEP else node.here
        already = leaf.setdefault(template.verb, {}).setdefault(method, bound)
        return None if already is bound else already

    def find(self, method: str, raw_path: str) -> Match[T] | None:
        """Answers the most specific match, or None if no template matches the path."""
        segments = raw_path[1:].split("/")
        allowed: set[str] = set()
        last, colon, verb = segments[-1].rpartition(":")
        if colon:
            # A path with a custom verb is first tried as such, then with the colon as a part of the value.
            cut = [*segments[:-1], last]
            if found := self._first(method, cut, verb, allowed):
                return Match(found, cut, frozenset())
        if found := self._first(method, segments, "", allowed):
            return Match(found, segments, frozenset())
        return Match(None, segments, frozenset(allowed)) if allowed else None

    def _first(self, method: str, segments: list[str], verb: str, allowed: set[str]) -> T | None:
        for leaf in _leaves(self._root, segments, 0):
            if methods := leaf.get(verb):
                if found := methods.get(method):
                    return found
                allowed.update(methods)
        return None


def _leaves(node: _Node[T], segments: list[str], at: int) -> Iterator[Leaf[T]]:
    """Yields what matches, the most specific first. An empty segment matches no wildcard."""
    if at == len(segments):
        if node.here:
            yield node.here
    elif segment := segments[at]:
        literal = node.literals.get(_plain(segment) if "%" in segment else segment)
        if literal is not None:
            yield from _leaves(literal, segments, at + 1)
        if node.star is not None:
            yield from _leaves(node.star, segments, at + 1)
    if node.deep and all(segments[at:]):
        yield node.deep


def _plain(segment: str) -> str:
    try:
        return decode(segment)
    except UnicodeDecodeError:
        return ""
