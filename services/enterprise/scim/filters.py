"""SCIM filters to conditions on rows: `eq` over what is indexed, joined by `and` and `or`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import UUID

from scim2_models import SCIMException, ScimFilter
from scim2_models.path import (
    AttrPath,
    CompareOperator,
    Comparison,
    FilterVisitor,
    LogicalExpr,
    LogicalOperator,
    Not,
    Present,
    ValuePath,
)
from sqlalchemy import ColumnElement, and_, false, or_

from services.enterprise.scim.errors import ScimFilterInvalid, refusal

MOST_DEEP = 20
Condition = ColumnElement[bool]
Column = Callable[[str | bool], Condition]
"""Answers the condition that an attribute equals a value."""
_TRUTHS = {"true": True, "false": False}


def condition(text: str, columns: Mapping[str, Column]) -> Condition:
    """Answers the condition of a filter; `columns` are by the attribute's name in lower case.

    Raises ScimFilterInvalid for a malformed filter, and for one that wants more than is supported.
    """
    if text.count("(") > MOST_DEEP:
        raise ScimFilterInvalid(f"A filter has {MOST_DEEP} parentheses at most.")
    try:
        return _Conditions(columns).visit(ScimFilter(text).ast)
    except SCIMException as error:
        raise refusal(error) from error


def as_id(value: str | bool) -> UUID | None:
    """Answers the id that a text is."""
    try:
        return UUID(str(value))
    except ValueError:
        return None


def as_truth(value: str | bool) -> bool:
    """Answers the truth value; many send it as text. Raises ScimFilterInvalid."""
    found = value if isinstance(value, bool) else _TRUTHS.get(value.lower())
    if found is None:
        raise ScimFilterInvalid("This attribute is true or false.")
    return found


class _Conditions(FilterVisitor[Condition]):
    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._columns = columns

    def visit_comparison(self, node: Comparison) -> Condition:
        return self._equals(_name(node.attr_path), node)

    def visit_logical_expr(self, node: LogicalExpr) -> Condition:
        terms = [self.visit(each) for each in node.terms]
        return and_(*terms) if node.op is LogicalOperator.and_ else or_(*terms)

    def visit_value_path(self, node: ValuePath) -> Condition:
        """Takes `emails[type eq "work"].value eq ...`, which arrives as one selection by both."""
        name, work, value = _name(node.attr_path), False, None
        inner = node.val_filter
        for each in inner.terms if isinstance(inner, LogicalExpr) else (inner,):
            if isinstance(inner, LogicalExpr) and inner.op is not LogicalOperator.and_:
                raise _unsupported()
            if not isinstance(each, Comparison):
                raise _unsupported()
            if _name(each.attr_path) == "value":
                value = each
            elif _name(each.attr_path) == "type" and each.op is CompareOperator.eq:
                if str(each.value).lower() != "work":
                    return false()
                work = True
            else:
                raise _unsupported()
        if value is None:
            raise _unsupported()
        return self._equals(f"{name}[work].value" if work else f"{name}.value", value)

    def visit_present(self, node: Present) -> Condition:
        raise _unsupported()

    def visit_not(self, node: Not) -> Condition:
        raise _unsupported()

    def _equals(self, name: str, node: Comparison) -> Condition:
        column = self._columns.get(name)
        if column is None or node.op is not CompareOperator.eq or not isinstance(node.value, str | bool):
            raise _unsupported()
        return column(node.value)


def _name(path: AttrPath) -> str:
    return (f"{path.attr}.{path.sub_attr}" if path.sub_attr else path.attr).lower()


def _unsupported() -> ScimFilterInvalid:
    return ScimFilterInvalid(
        "Filters compare userName, externalId, id, displayName, active and emails of users, and "
        "externalId, id and displayName of groups, by eq, joined by and, or."
    )
