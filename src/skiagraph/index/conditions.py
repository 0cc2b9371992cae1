"""Match conditions as SQL over the columns that have been made for them.

A condition becomes a *shape* (which comparison of which column, hashable) and the values to compare with. Equal
shapes share one compiled statement, whatever the values.

SQL here never loses a match on regular rows; where it also never finds too much, the clause is exact. Everything
else, and every irregular row, is decided by the reference predicate (`standard.matching`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeAlias

import orjson
import sqlalchemy as sa

from skiagraph.index.rows import level as level_of
from skiagraph.index.schema import NO_NUMBER, instances, series, studies
from skiagraph.standard import date_time, person_name
from skiagraph.standard.matching import (
    AnyOf,
    Condition,
    DateTimeRange,
    Empty,
    InSequence,
    Multiple,
    PersonName,
    Private,
    Range,
    Single,
    UidList,
    Wildcard,
    number,
)
from skiagraph.values import Level, is_uid

Shape: TypeAlias = tuple[Any, ...]


class Clause(NamedTuple):
    """A condition in SQL."""

    shape: Shape
    values: tuple[Any, ...]
    exact: bool


_TEXT = {
    "0020000D": "studies.study_instance_uid",
    "00080050": "studies.accession_number",
    "00200010": "studies.study_id",
    "00100020": "studies.patient_id",
    "00100040": "studies.patient_sex",
    "00081030": "studies.study_description",
    "00080060": "series.modality",
    "0008103E": "series.series_description",
    "0020000E": "series.series_instance_uid",
    "00080016": "instances.sop_class_uid",
    "00080018": "instances.sop_instance_uid",
}
_NUMBER = {
    "00201206": "studies.number_of_series",
    "00201208": "studies.number_of_instances",
    "00200011": "series.series_number",
    "00201209": "series.number_of_instances",
    "00200013": "instances.instance_number",
}
_NAME = {"00100010": "studies.patient_name", "00080090": "studies.referring_physician_name"}
_DATE = {"00080020": "studies.recency", "00400244": "series.performed", "00100030": "studies.patient_birth_date"}
_TIME = {"00080020": "00080030", "00400244": "00400245"}
_MODALITIES, _SOP_CLASSES = "00080061", "00080062"

_TEXT_VRS = frozenset({"AE", "AS", "CS", "LO", "LT", "SH", "ST", "UC", "UI", "UR", "UT"})
_WIDEST_SHIFT = 26 * 3_600_000_000  # microseconds between the time zones -1200 and +1400
_MAX_PATTERN = 1000
_MAX_BRANCHES = 16

_NEVER = Clause(("never",), (), True)


def first_tag(condition: Condition) -> str:
    """Return the tag of the top-level attribute that a condition looks at."""
    if isinstance(condition, DateTimeRange):
        return condition.date_path[0]
    if isinstance(condition, Private):
        return first_tag(condition.condition)
    if isinstance(condition, AnyOf):
        return first_tag(condition.conditions[0])
    return condition.path[0]


def condition_level(condition: Condition, of_search: Level) -> Level:
    """Return whose attributes a condition is held against: never of a level below that of the results."""
    return min(level_of(first_tag(condition)), of_search)


def clause(condition: Condition) -> Clause | None:
    """Return a condition in SQL; None when no column serves it."""
    if isinstance(condition, AnyOf):
        return _any_of(clause(inner) for inner in condition.conditions)
    if isinstance(condition, DateTimeRange):
        return _date_time_range(condition)
    if isinstance(condition, InSequence | Private) or len(condition.path) != 1:
        return None
    tag = condition.path[0]
    match condition:
        case Single(_, vr, value):
            return _single(tag, vr, value)
        case Wildcard(_, vr, pattern):
            return _wildcard(tag, vr, pattern)
        case UidList(_, values):
            return _uid_list(tag, values)
        case Range():
            return _date_range(tag, condition)
        case PersonName(_, value, fuzzy):
            return None if fuzzy else _person_name(tag, value)
        case Empty():
            return _empty(tag)
        case Multiple(path, vr, values):
            inner = [clause(PersonName(path, value) if vr == "PN" else Single(path, vr, value)) for value in values]
            return _all_of(inner)


def _any_of(clauses: Iterable[Clause | None]) -> Clause | None:
    found: list[Clause] = []
    for one in clauses:
        if one is None or len(found) == _MAX_BRANCHES:
            return None
        found.append(one)
    if len(found) == 1:
        return found[0]
    return Clause(
        ("or", *(one.shape for one in found)),
        tuple(value for one in found for value in one.values),
        all(one.exact for one in found),
    )


def _all_of(clauses: Iterable[Clause | None]) -> Clause | None:
    every = list(clauses)
    found = [one for one in every if one is not None][:_MAX_BRANCHES]
    if not found:
        return None
    return Clause(
        ("and", *(one.shape for one in found)),
        tuple(value for one in found for value in one.values),
        len(found) == len(every) and all(one.exact for one in found),
    )


def _single(tag: str, vr: str, value: str) -> Clause | None:
    if tag in _NUMBER:
        wanted = number(value)
        if wanted is None or wanted != int(wanted) or abs(wanted) >= NO_NUMBER:
            return _NEVER  # a regular row holds a whole number of 64 bits
        return Clause(("eq", _NUMBER[tag]), (int(wanted),), True)
    if vr not in _TEXT_VRS:
        return None
    if not _is_encodable(value):
        return _NEVER
    if tag == _MODALITIES:
        return Clause(("modality", ("eq", "series_of_study.modality")), (value,), True)
    if tag == _SOP_CLASSES:
        return _uid_list(tag, (value,))
    return Clause(("eq", _TEXT[tag]), (value,), True) if tag in _TEXT else None


def _uid_list(tag: str, values: tuple[str, ...]) -> Clause | None:
    if not all(map(_is_encodable, values)) or len(values) > 1000:
        return None
    if tag == _SOP_CLASSES:
        if not all(map(is_uid, values)):
            return None
        return _any_of(Clause(("contains", "studies.sop_classes"), (f'"{value}"',), True) for value in values)
    if len(values) == 1 and tag in _TEXT:
        return Clause(("eq", _TEXT[tag]), values, True)
    return Clause(("in", _TEXT[tag]), (orjson.dumps(values).decode(),), True) if tag in _TEXT else None


def _wildcard(tag: str, vr: str, pattern: str) -> Clause | None:
    if vr not in _TEXT_VRS or not _is_encodable(pattern):
        return None
    if tag == _MODALITIES:
        inner = _like("series_of_study.modality", pattern)
        return None if inner is None else Clause(("modality", inner.shape), inner.values, inner.exact)
    return _like(_TEXT[tag], pattern) if tag in _TEXT else None


def _person_name(tag: str, value: str) -> Clause | None:
    column = _NAME.get(tag)
    if column is None or not _is_encodable(value):
        return None
    columns = [f"{column}_{group.lower()}" for group in person_name.GROUPS]
    asked = person_name.query_groups(value)
    if len(asked) == 1:
        if not asked[0]:
            return None
        return _any_of(_like(name, pattern) for name in columns for pattern in person_name.patterns(asked[0]))
    clauses: list[Clause | None] = []
    for name, group in zip(columns, asked, strict=True):
        if not group:
            continue
        patterns = person_name.patterns(group)
        if not all(pattern.strip("*") for pattern in patterns):
            clauses.append(None)  # what matches the empty text, an absent group matches too
        else:
            clauses.append(_any_of(_like(name, pattern) for pattern in patterns))
    return _all_of(clauses)


def _like(column: str, pattern: str) -> Clause | None:
    """Match a pattern of ``*`` and ``?``; what stands before the first of them goes through the index."""
    if len(pattern) > _MAX_PATTERN:
        return None
    prefix = pattern.split("*", 1)[0].split("?", 1)[0]
    if prefix == pattern:
        return Clause(("eq", column), (pattern,), True)
    if not pattern.strip("*"):
        return Clause(("filled", column), (), True)
    glob = pattern.replace("[", "[[]")  # the other special character of GLOB
    end = _successor(prefix)
    if end is None:
        return Clause(("glob", column), (glob,), True)
    if pattern[len(prefix) :] == "*":
        return Clause(("starts", column), (prefix, end), True)
    return Clause(("and", ("starts", column), ("glob", column)), (prefix, end, glob), True)


def _successor(prefix: str) -> str | None:
    """Return the least text greater than all that start with the prefix, in the order of code points."""
    for i in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[i]) + 1
        if 0xD800 <= code <= 0xDFFF:
            code = 0xE000  # surrogates are no characters
        if code <= 0x10FFFF:
            return prefix[:i] + chr(code)
    return None


def _date_range(tag: str, condition: Range) -> Clause | None:
    if tag not in _DATE or condition.vr != "DA":
        return None
    ends: list[int | None] = []
    for i, text in enumerate((condition.low, condition.high)):
        day = date_time.date(text) if text is not None else None
        if text is not None and day is None:
            return None
        ends.append(day[i] if day is not None else None)
    return _moments(_DATE[tag], ends[0], ends[1], exact=condition.timezone is None)


def _date_time_range(condition: DateTimeRange) -> Clause | None:
    tag = condition.date_path[0]
    if len(condition.date_path) != 1 or (_TIME.get(tag),) != condition.time_path:
        return None
    ends: list[int | None] = []
    exact = condition.timezone is None
    for i, text in enumerate((condition.low, condition.high)):
        moment = date_time.date_time(text) if text is not None else None
        if text is not None and moment is None:
            return None
        ends.append(moment[0][i] if moment is not None else None)
        exact = exact and (moment is None or moment[1] is None)
    return _moments(_DATE[tag], ends[0], ends[1], exact=exact)


def _moments(column: str, low: int | None, high: int | None, *, exact: bool) -> Clause:
    """Compare moments: from `low` to before `high`. Not exact: either may be off by a time zone."""
    if not exact:
        low = None if low is None else low - _WIDEST_SHIFT
        high = None if high is None else high + _WIDEST_SHIFT
    # One bound on each side: of two, SQLite would take the first to the index and walk to it.
    shapes: list[Shape] = []
    values = []
    if column == "studies.recency":  # negative, and 0 where there is no date
        if low is None:
            shapes.append(("dated", column))
        else:
            shapes.append(("le", column))
            values.append(-max(low, 1))
        if high is not None:
            shapes.append(("gt", column))
            values.append(-high)
    else:
        if low is not None:
            shapes.append(("ge", column))
            values.append(low)
        if high is not None:
            shapes.append(("lt", column))
            values.append(high)
        if not shapes:
            shapes.append(("filled", column))
    return Clause(("and", *shapes), tuple(values), exact)


def _empty(tag: str) -> Clause | None:
    if tag in ("0020000D", "0020000E", "00080016", "00080018"):
        return _NEVER
    if tag in _TEXT:
        return Clause(("null", _TEXT[tag]), (), True)
    if tag in ("00200011", "00200013"):
        return Clause(("eq", _NUMBER[tag]), (NO_NUMBER,), True)
    if tag in _NAME:
        return Clause(("and", *(("null", f"{_NAME[tag]}_{group.lower()}") for group in person_name.GROUPS)), (), True)
    if tag == "00080020":
        return Clause(("eq", _DATE[tag]), (0,), True)
    if tag in _DATE:
        return Clause(("null", _DATE[tag]), (), True)
    return None


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# Shapes in SQLAlchemy -------------------------------------------------------------------------------------------

_series_of_study = series.alias("series_of_study")
_TABLES = {"studies": studies, "series": series, "instances": instances, "series_of_study": _series_of_study}


def expression(shape: Shape, bind: Callable[[], sa.BindParameter[Any]]) -> sa.ColumnElement[bool]:
    """Return the SQL of a shape; `bind` gives the parameters one after the other."""
    kind = shape[0]
    if kind == "never":
        return sa.false()
    if kind == "and":
        return sa.and_(*[expression(inner, bind) for inner in shape[1:]])
    if kind == "or":
        return sa.or_(*[expression(inner, bind) for inner in shape[1:]])
    if kind == "modality":
        return sa.exists().where(_series_of_study.c.study == studies.c.id, expression(shape[1], bind))
    table, name = shape[1].split(".")
    column: sa.ColumnElement[Any] = _TABLES[table].c[name]
    match kind:
        case "eq":
            return column == bind()
        case "in":
            return column.in_(sa.select(sa.func.json_each(bind()).table_valued("value").c.value))
        case "starts":
            return sa.and_(column >= bind(), column < bind())
        case "glob":
            return column.op("GLOB", is_comparison=True, return_type=sa.Boolean())(bind())
        case "contains":
            return sa.func.instr(column, bind()) > sa.literal_column("0")
        case "ge":
            return column >= bind()
        case "gt":
            return column > bind()
        case "le":
            return column <= bind()
        case "lt":
            return column < bind()
        case "dated":
            return column < sa.literal_column("0")
        case "null":
            return column.is_(None)
        case "filled":
            return column.is_not(None)
        case _:
            raise ValueError(f"unknown shape {kind}")
