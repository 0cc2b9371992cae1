"""The statements of a search, composed with SQLAlchemy Core and kept compiled.

Joins go upwards only (Instance → Series → Study): a result is one row, however many Series a Study has.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from skiagraph.index.conditions import Shape, expression
from skiagraph.index.schema import documents, instances, series, studies
from skiagraph.values import Level

Place: TypeAlias = Literal["first", "after", "within", "beyond"]
"""Where a chunk begins: at the start; behind the last row; and, in a Study's Instances, behind the last row in its
Series, or with the Series that follow."""

_TABLES: dict[Level, sa.Table] = {Level.STUDY: studies, Level.SERIES: series, Level.INSTANCE: instances}

_BRIEF: dict[Level, tuple[str, ...]] = {
    Level.STUDY: ("study_instance_uid", "recency", "answer", "modalities", "number_of_series", "number_of_instances"),
    Level.SERIES: ("study_instance_uid", "series_instance_uid", "series_number", "answer", "number_of_instances"),
    Level.INSTANCE: ("sop_instance_uid", "instance_number", "answer"),
}
_FULL: dict[Level, tuple[str, ...]] = {
    Level.STUDY: ("id", "irregular", "sop_classes", "attributes"),
    Level.SERIES: ("id", "irregular", "attributes"),
    Level.INSTANCE: ("id", "irregular", "transfer_syntax_uid"),
}

_dialect = sqlite.dialect(paramstyle="named")


@dataclass(frozen=True, slots=True)
class Form:
    """What a statement depends on, values apart."""

    level: Level
    in_study: bool
    """One Study is given (its number in the parameter `study`)."""
    in_series: bool
    """One Series is given (its number in the parameter `series`)."""
    brief: frozenset[Level]
    """Whose tables are read."""
    full: frozenset[Level]
    """Whose attributes are read too."""
    documents: bool
    shapes: tuple[tuple[Level, tuple[Shape, ...], bool], ...]
    """Conditions by level; whether irregular rows are to be let through."""

    @property
    def by_number(self) -> bool:
        """The Instances of one Study: ordered by Series first."""
        return self.level is Level.INSTANCE and self.in_study and not self.in_series


@lru_cache(maxsize=512)
def select(form: Form, place: Place) -> str:
    """Return the statement for one chunk; parameters by name: p0… in order of the shapes, study, series, limit, offset,
    and for the place a0…"""
    columns = [_TABLES[level].c[name].label(f"{_TABLES[level].name}.{name}") for level, name in _names(form)]
    if form.documents:
        columns += [documents.c.parts.label("documents.parts"), documents.c.document.label("documents.document")]
    order = _order(form)
    statement = sa.select(*columns).select_from(_from(form)).where(*_where(form)).order_by(*order)
    if place in ("after", "within"):
        keys = order[2:] if place == "within" else order
        statement = statement.where(_behind(keys))
        if place == "within":
            statement = statement.where(series.c.id == sa.bindparam("of_series", type_=sa.Integer))
    elif place == "beyond":
        statement = statement.where(_behind(order[:2]))
    limit, offset = sa.bindparam("limit", type_=sa.Integer), sa.bindparam("offset", type_=sa.Integer)
    return _compile(statement.limit(limit).offset(offset))


@lru_cache(maxsize=512)
def count(form: Form) -> str:
    """Return the statement that counts all rows."""
    needed = {level for level, shapes, _ in form.shapes if shapes}
    if form.by_number:
        needed.add(Level.SERIES)
    form = replace(form, brief=frozenset(needed), documents=False)
    return _compile(sa.select(sa.func.count()).select_from(_from(form)).where(*_where(form)))


@lru_cache(maxsize=512)
def places(form: Form) -> dict[str, int]:
    """Return where each column stands in a row: ``studies.answer`` → 2."""
    names = [f"{_TABLES[level].name}.{name}" for level, name in _names(form)]
    if form.documents:
        names += ["documents.parts", "documents.document"]
    return {name: place for place, name in enumerate(names)}


@lru_cache(maxsize=64)
def order_columns(form: Form) -> tuple[str, ...]:
    """Return the columns that the rows are ordered by, as `places` names them."""
    return tuple(f"{column.table.name}.{column.name}" for column in _order(form))


def _names(form: Form) -> list[tuple[Level, str]]:
    return [
        (level, name)
        for level in (Level.INSTANCE, Level.SERIES, Level.STUDY)
        if level in form.brief
        for name in _BRIEF[level] + (_FULL[level] if level in form.full or form.by_number else ())
    ]


def _from(form: Form) -> sa.FromClause:
    tables = set(form.brief)
    if Level.STUDY in tables and form.level is Level.INSTANCE:
        tables.add(Level.SERIES)
    found: sa.FromClause = _TABLES[form.level]
    if form.level is Level.INSTANCE and Level.SERIES in tables:
        found = found.join(series, series.c.id == instances.c.series)
    if form.level is not Level.STUDY and Level.STUDY in tables:
        found = found.join(studies, studies.c.id == series.c.study)
    if form.documents:
        found = found.join(documents, documents.c.instance == instances.c.id)
    return found


def _where(form: Form) -> list[sa.ColumnElement[bool]]:
    numbers = itertools.count()

    def bind() -> sa.BindParameter[Any]:
        return sa.bindparam(f"p{next(numbers)}", type_=sa.types.NullType())

    found: list[sa.ColumnElement[bool]] = []
    if form.in_series:
        found.append(instances.c.series == sa.bindparam("series", type_=sa.Integer))
    elif form.in_study:
        found.append(series.c.study == sa.bindparam("study", type_=sa.Integer))
    for level, shapes, irregular in form.shapes:
        if not shapes:
            continue
        condition: sa.ColumnElement[bool] = sa.and_(*[expression(shape, bind) for shape in shapes])
        if irregular:
            condition = sa.or_(condition, _TABLES[level].c.irregular == sa.literal_column("1"))
        found.append(condition)
    return found


def _order(form: Form) -> tuple[sa.Column[Any], ...]:
    match form.level:
        case Level.STUDY:
            return studies.c.recency, studies.c.study_instance_uid
        case Level.SERIES if form.in_study:
            return series.c.series_number, series.c.series_instance_uid
        case Level.SERIES:
            return series.c.series_instance_uid, series.c.study_instance_uid
        case _ if form.in_series:
            return instances.c.instance_number, instances.c.sop_instance_uid
        case _ if form.by_number:
            return (
                series.c.series_number,
                series.c.series_instance_uid,
                instances.c.instance_number,
                instances.c.sop_instance_uid,
            )
        case _:
            return (instances.c.sop_instance_uid,)


def _behind(columns: tuple[sa.Column[Any], ...]) -> sa.ColumnElement[bool]:
    values = [sa.bindparam(f"a{i}", type_=column.type) for i, column in enumerate(columns)]
    if len(columns) == 1:
        return columns[0] > values[0]
    return sa.tuple_(*columns) > sa.tuple_(*values)


def _compile(statement: sa.Select[Any]) -> str:
    return str(statement.compile(dialect=_dialect))
