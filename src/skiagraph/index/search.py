"""Search: SQL finds, the reference predicate decides where SQL can not, and the answers are joined bytes.

A search is read in chunks like a list (`read`). With a limit or an offset the matches are counted, from counters
where there are no conditions.
"""

from __future__ import annotations

import operator
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import orjson

from skiagraph.index import answers, statements
from skiagraph.index.base import Match
from skiagraph.index.conditions import Shape, clause, condition_level, first_tag
from skiagraph.index.entities import document
from skiagraph.index.rows import level as level_of
from skiagraph.index.statements import Form
from skiagraph.standard import dictionary, matching
from skiagraph.standard.attributes import COMPUTED, RETURN_KEYS, searched_levels
from skiagraph.standard.matching import Condition, InSequence, Search
from skiagraph.values import Attributes, Level, ResourcePath

CHUNK = 500
"""Matches in one chunk."""

_WITH_DOCUMENTS = 50  # rows read at once when each needs its document
_FAR = 2**62

_AVAILABILITY = "00080056"
_STUDY = (
    "SELECT id, answer, modalities, number_of_series, number_of_instances, sop_classes, attributes"
    " FROM studies WHERE study_instance_uid = ?"
)
_SERIES = (
    "SELECT id, answer, number_of_instances, attributes FROM series"
    " WHERE series_instance_uid = ? AND study_instance_uid = ?"
)
_TOTALS = "SELECT studies, series, instances FROM totals WHERE id = 1"
_IRREGULAR = {
    level: f"SELECT 1 FROM {table} WHERE irregular = 1 LIMIT 1"  # noqa: S608
    for level, table in ((Level.STUDY, "studies"), (Level.SERIES, "series"), (Level.INSTANCE, "instances"))
}


class Searching:
    """One search, chunk by chunk; each chunk may be read on another connection."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._level = search.level
        self._tables = searched_levels(
            search.level,
            study_given=search.study_instance_uid is not None,
            series_given=search.series_instance_uid is not None,
        )
        self._conditions: dict[Level, list[Condition]] = {level: [] for level in Level if level <= search.level}
        conditions = search.conditions
        if search.series_instance_uid is not None and search.study_instance_uid is None:
            conditions = (*conditions, matching.UidList(("0020000E",), (search.series_instance_uid,)))
        for condition in conditions:
            self._conditions[condition_level(condition, search.level)].append(condition)
        self._extra = self._extra_tags()
        self._left = _FAR if search.limit is None else search.limit
        self._offset = min(search.offset, _FAR)
        # What is the same for all results
        self._study: tuple[Any, ...] | None = None
        self._series: tuple[Any, ...] | None = None
        self._given: dict[Level, Attributes] = {}
        # What `open` decides
        self._form: Form
        self._places: dict[str, int] = {}
        self._order: tuple[int, ...] = ()
        self._values: dict[str, Any] = {}
        self._residual: dict[Level, list[Condition]] = {}
        self._by_python = False
        # Where the last chunk ended
        self._match: _Matcher
        self._last: _Row | None = None
        self._ended = False
        self._held: dict[Level, tuple[Any, bool]] = {}
        self._parsed: dict[Level, tuple[Any, Attributes]] = {}

    def open(self, connection: sqlite3.Connection) -> tuple[list[Match], int, int | None]:
        """Return the first chunk, how many matches are behind the last of all, and how many there are if counted."""
        search = self._search
        if not self._find_given(connection):
            self._ended = True
            return [], 0, 0 if self._counts else None
        self._plan(connection)
        if not self._counts:
            return self.read(connection), 0, None
        if self._by_python:
            return self._open_counting(connection)
        total = self._count(connection)
        matches = self.read(connection)
        given = min(max(0, total - search.offset), total if search.limit is None else search.limit)
        return matches, max(0, total - search.offset - given), total

    def read(self, connection: sqlite3.Connection) -> list[Match]:
        """Return the next chunk; empty at the end."""
        found: list[Match] = []
        while not found and not self._ended and self._left > 0:
            for row in self._rows(connection):
                if self._by_python:
                    if not self._holds(connection, row):
                        continue
                    if self._offset > 0:
                        self._offset -= 1
                        continue
                found.append(self._match(connection, row))
                self._left -= 1
                if self._left == 0:
                    break
        return found

    @property
    def ended(self) -> bool:
        """Whether all has been read."""
        return self._ended or self._left <= 0

    @property
    def _counts(self) -> bool:
        return self._search.limit is not None or self._search.offset > 0

    def _open_counting(self, connection: sqlite3.Connection) -> tuple[list[Match], int, int]:
        """Count by holding every row against the predicate; keep the first chunk and where it ended."""
        search = self._search
        total = 0
        first: list[Match] = []
        resume: _Row | None = None
        limit = _FAR if search.limit is None else search.limit
        while not self._ended:
            for row in self._rows(connection):
                if not self._holds(connection, row):
                    continue
                total += 1
                if total > search.offset and len(first) < min(limit, CHUNK):
                    first.append(self._match(connection, row))
                    resume = row
        given = min(max(0, total - search.offset), limit)
        self._offset = 0
        self._left = given - len(first)
        self._ended = self._left <= 0
        self._last = resume
        return first, max(0, total - search.offset - given), total

    # Planning

    def _find_given(self, connection: sqlite3.Connection) -> bool:
        """Look up the Study and Series of the path; whether they are there and satisfy the conditions on them."""
        search = self._search
        if search.study_instance_uid is None:
            return True
        self._study = connection.execute(_STUDY, (search.study_instance_uid,)).fetchone()
        if self._study is None:
            return False
        levels = [Level.STUDY]
        if search.series_instance_uid is not None:
            self._series = connection.execute(
                _SERIES, (search.series_instance_uid, search.study_instance_uid)
            ).fetchone()
            if self._series is None:
                return False
            levels.append(Level.SERIES)
        for level in levels:
            if level is self._level:
                continue
            if self._conditions[level] or any(level_of(tag) is level for tag in self._extra):
                self._given[level] = self._given_attributes(level)
            if self._conditions[level] and not matching.matches(self._conditions[level], self._given[level]):
                return False
        return True

    def _given_attributes(self, level: Level) -> Attributes:
        if level is Level.STUDY and self._study is not None:
            _, _, modalities, number_of_series, number_of_instances, sop_classes, attributes = self._study
            return study_attributes(attributes, modalities, sop_classes, number_of_series, number_of_instances)
        if self._series is not None:
            return series_attributes(self._series[3], self._series[2])
        raise LookupError(f"no {level.name} is given")

    def _plan(self, connection: sqlite3.Connection) -> None:
        given = self._search.study_instance_uid is not None
        in_series = self._series is not None
        brief = {self._level} | set(self._tables)
        if self._level is Level.INSTANCE and not in_series:
            brief.add(Level.SERIES)  # for the UIDs
        full: set[Level] = set()
        shapes: list[tuple[Level, tuple[Shape, ...], bool]] = []
        values: list[Any] = []
        for level, conditions in self._conditions.items():
            if level in self._given or (given and level is Level.STUDY and self._level is not Level.STUDY):
                continue
            if in_series and level is Level.SERIES:
                continue
            exact: list[Shape] = []
            residual = []
            for condition in conditions:
                # A key below the level of the results has no column here; it is held against what is absent.
                found = clause(condition) if level_of(first_tag(condition)) is level else None
                if found is None:
                    residual.append(condition)
                    continue
                exact.append(found.shape)
                values += found.values
                if not found.exact:
                    residual.append(condition)
            irregular = bool(exact) and connection.execute(_IRREGULAR[level]).fetchone() is not None
            if conditions:
                brief.add(level)
            if residual or irregular:
                full.add(level)
                self._residual[level] = residual
                self._by_python = True
            shapes.append((level, tuple(exact), irregular))
        for level in brief:
            if self._search.include_all or any(self._extra_level(tag) is level for tag in self._extra):
                full.add(level)
        if self._level is Level.INSTANCE and self._search.include_private:
            full.add(Level.INSTANCE)
        wanted = {self._extra_level(tag) for tag in self._extra} - set(self._given)
        brief |= wanted
        full |= wanted
        self._form = Form(
            level=self._level,
            in_study=given and not in_series and self._level is not Level.STUDY,
            in_series=in_series,
            brief=frozenset(brief),
            full=frozenset(full),
            documents=Level.INSTANCE in full,
            shapes=tuple(shapes),
        )
        self._places = statements.places(self._form)
        self._order = tuple(self._places[name] for name in statements.order_columns(self._form))
        self._values = {f"p{i}": value for i, value in enumerate(values)} | {"offset": 0}
        self._match = self._matcher()
        self._values["study"] = self._study[0] if self._study is not None else None
        self._values["series"] = self._series[0] if self._series is not None else None

    def _count(self, connection: sqlite3.Connection) -> int:
        if any(shapes for _, shapes, _ in self._form.shapes):
            return int(connection.execute(statements.count(self._form), self._values).fetchone()[0])
        if self._series is not None:
            return int(self._series[2])
        if self._study is not None:
            return int(self._study[3] if self._level is Level.SERIES else self._study[4])
        return int(connection.execute(_TOTALS).fetchone()[self._level - 1])

    # Reading

    def _rows(self, connection: sqlite3.Connection) -> Iterator[_Row]:
        """Yield the rows of the next chunk."""
        limit = _WITH_DOCUMENTS if self._form.documents else CHUNK
        if not self._by_python:
            limit = min(limit, self._left)
        rows = self._fetch(connection, limit)
        if len(rows) < limit:
            self._ended = True
        for row in rows:
            self._last = row  # where to go on, should the reader stop here
            yield row

    def _fetch(self, connection: sqlite3.Connection, limit: int) -> list[_Row]:
        form, last = self._form, self._last
        if last is None:
            offset = 0 if self._by_python else self._offset
            values = self._values | {"limit": limit, "offset": offset}
            return connection.execute(statements.select(form, "first"), values).fetchall()
        keys = [last[place] for place in self._order]
        if not form.by_number:
            values = self._values | {"limit": limit} | {f"a{i}": key for i, key in enumerate(keys)}
            return connection.execute(statements.select(form, "after"), values).fetchall()
        values = self._values | {"limit": limit, "a0": keys[2], "a1": keys[3]}
        values["of_series"] = last[self._places["series.id"]]
        rows = connection.execute(statements.select(form, "within"), values).fetchall()
        if len(rows) < limit:
            values = self._values | {"limit": limit - len(rows), "a0": keys[0], "a1": keys[1]}
            rows += connection.execute(statements.select(form, "beyond"), values).fetchall()
        return rows

    def _holds(self, connection: sqlite3.Connection, row: _Row) -> bool:
        """Hold a row against the conditions that SQL could not decide."""
        for level, residual in self._residual.items():
            irregular = row[self._places[f"{_NAMES[level]}.irregular"]]
            conditions: Sequence[Condition] = self._conditions[level] if irregular else residual
            if not conditions:
                continue
            id = row[self._places[f"{_NAMES[level]}.id"]]
            known = self._held.get(level)
            if known is None or known[0] != id:
                known = id, matching.matches(conditions, self._attributes(connection, level, row))
                self._held[level] = known
            if not known[1]:
                return False
        return True

    def _attributes(self, connection: sqlite3.Connection, level: Level, row: _Row) -> Attributes:
        """Return all attributes of a row at a level, computed ones included."""
        if level in self._given:
            return self._given[level]
        at = self._places
        id = row[at[f"{_NAMES[level]}.id"]]
        parsed = self._parsed.get(level)
        if parsed is not None and parsed[0] == id:
            return parsed[1]
        if level is Level.STUDY:
            found = study_attributes(
                row[at["studies.attributes"]],
                row[at["studies.modalities"]],
                row[at["studies.sop_classes"]],
                row[at["studies.number_of_series"]],
                row[at["studies.number_of_instances"]],
            )
        elif level is Level.SERIES:
            found = series_attributes(row[at["series.attributes"]], row[at["series.number_of_instances"]])
        else:
            text = document(connection, id, row[at["documents.parts"]], row[at["documents.document"]])
            found = instance_attributes(text, row[at["instances.transfer_syntax_uid"]])
        self._parsed[level] = id, found
        return found

    # Answering

    def _matcher(self) -> _Matcher:
        """Return what makes the result of a row (all that is the same for all rows is looked up here)."""
        bare = {Level.STUDY: self._study_match, Level.SERIES: self._series_match, Level.INSTANCE: self._instance_match}
        make = bare[self._level]()
        if not (self._extra or self._search.include_all or self._search.include_private):
            return lambda _, row: make(row)

        def extended(connection: sqlite3.Connection, row: _Row) -> Match:
            match = make(row)
            before, after = answers.extend((match.before, match.after), self._more(connection, row))
            return Match(match.path, before, after)

        return extended

    def _study_match(self) -> Callable[[_Row], Match]:
        uid_at = self._places["studies.study_instance_uid"]
        table = self._study_table()

        def match(row: _Row) -> Match:
            uid = row[uid_at]
            return Match(ResourcePath(uid), *answers.study(uid, *table(row)))

        return match

    def _series_match(self) -> Callable[[_Row], Match]:
        study_uid_at, uid_at, answer_at, count_at = (
            self._places[f"series.{name}"]
            for name in ("study_instance_uid", "series_instance_uid", "answer", "number_of_instances")
        )
        table = self._study_table() if Level.STUDY in self._tables else None

        def match(row: _Row) -> Match:
            path = ResourcePath(row[study_uid_at], row[uid_at])
            uids = answers.series_uids(row[study_uid_at], row[uid_at])
            return Match(path, *answers.series(uids, row[answer_at], row[count_at], table(row) if table else None))

        return match

    def _instance_match(self) -> Callable[[_Row], Match]:
        at = self._places
        uid_at, answer_at = at["instances.sop_instance_uid"], at["instances.answer"]
        if self._series is not None:  # the most frequent of all searches
            study_uid, series_uid = self._search.study_instance_uid or "", self._search.series_instance_uid
            uids = answers.series_uids(study_uid, series_uid or "")

            def match_in_series(row: _Row) -> Match:
                path = ResourcePath(study_uid, series_uid, row[uid_at])
                return Match(path, *answers.instance(uids, row[answer_at], None, None))

            return match_in_series
        study_uid_at, series_uid_at = at["series.study_instance_uid"], at["series.series_instance_uid"]
        series_at = at["series.answer"], at["series.number_of_instances"]
        in_table = Level.SERIES in self._tables
        table = self._study_table() if Level.STUDY in self._tables else None

        def match(row: _Row) -> Match:
            path = ResourcePath(row[study_uid_at], row[series_uid_at], row[uid_at])
            uids = answers.series_uids(row[study_uid_at], row[series_uid_at])
            series = (row[series_at[0]], row[series_at[1]]) if in_table else None
            return Match(path, *answers.instance(uids, row[answer_at], series, table(row) if table else None))

        return match

    def _study_table(self) -> Callable[[_Row], tuple[bytes, str, int, int]]:
        columns = ("answer", "modalities", "number_of_series", "number_of_instances")
        return operator.itemgetter(*(self._places[f"studies.{name}"] for name in columns))

    def _more(self, connection: sqlite3.Connection, row: _Row) -> Attributes:
        """Return the attributes that are asked for beyond the tables."""
        found: Attributes = {}  # without bulk data
        own: Attributes = {}  # of the Instance found: its bulk data can be named
        if self._search.include_all:
            for level in self._tables:
                attributes = self._attributes(connection, level, row)
                if level is Level.INSTANCE:
                    own |= {tag: element for tag, element in attributes.items() if _is_own(tag)}
                else:
                    found |= answers.without_bulk(attributes)
        for tag in self._extra:
            level = self._extra_level(tag)
            element = self._attributes(connection, level, row).get(tag)
            if element is not None and level is Level.INSTANCE:
                own[tag] = element
            elif element is not None:
                found |= answers.without_bulk({tag: element})
            elif (vr := dictionary.vr_of(int(tag, 16))) is not None and len(vr) == 2:
                found[tag] = {"vr": vr}
        if self._level is Level.INSTANCE:
            for creator, path in self._search.include_private:
                attributes = self._attributes(connection, Level.INSTANCE, row)
                group, element_in_block = path[0][:4], path[0][6:]
                for block in matching.blocks(attributes, group, creator):
                    for tag in (f"{group}00{block}", f"{group}{block}{element_in_block}"):
                        if tag in attributes:
                            own[tag] = attributes[tag]
        found |= own
        for condition in self._search.conditions:
            if isinstance(condition, InSequence) and len(condition.path) == 1 and condition.path[0] in found:
                found[condition.path[0]] = _matching_items(found[condition.path[0]], condition)
        return found

    def _extra_tags(self) -> tuple[str, ...]:
        """Return the top-level tags to return beyond the tables: asked for, or match keys."""
        table = {key.tag for level in self._tables for key in RETURN_KEYS[level]}
        table |= {"0020000D", "0020000E", "00080018", answers.RETRIEVE_URL}
        table.discard(answers.REQUEST_ATTRIBUTES)  # of which the table has only two keys
        tags = [path[0] for path in self._search.include if path[0] not in table or len(path) > 1]
        for condition in self._search.conditions:
            tag = first_tag(condition)
            if not isinstance(condition, matching.Private) and tag not in table:
                tags.append(tag)
        if self._search.include_all:
            tags.append(answers.REQUEST_ATTRIBUTES)  # whole, not only the keys of the table
        return tuple(
            dict.fromkeys(
                tag for tag in tags if _is_standard(tag) and (level_of(tag) <= self._level or tag == _AVAILABILITY)
            )
        )

    def _extra_level(self, tag: str) -> Level:
        return min(level_of(tag), self._level)


_Row: TypeAlias = tuple[Any, ...]
_Matcher: TypeAlias = Callable[[sqlite3.Connection, _Row], Match]
_NAMES = {Level.STUDY: "studies", Level.SERIES: "series", Level.INSTANCE: "instances"}


def study_attributes(stored: bytes, modalities: str, sop_classes: str, series: int, instances: int) -> Attributes:
    """Return all attributes of a Study, those that the archive computes included."""
    found: Attributes = orjson.loads(stored)
    found[_AVAILABILITY] = {"vr": "CS", "Value": ["ONLINE"]}
    found["00080061"] = _list("CS", modalities)
    found["00080062"] = _list("UI", sop_classes)
    found["00201206"] = {"vr": "IS", "Value": [series]}
    found["00201208"] = {"vr": "IS", "Value": [instances]}
    return found


def series_attributes(stored: bytes, instances: int) -> Attributes:
    """Return all attributes of a Series, those that the archive computes included."""
    found: Attributes = orjson.loads(stored)
    found[_AVAILABILITY] = {"vr": "CS", "Value": ["ONLINE"]}
    found["00201209"] = {"vr": "IS", "Value": [instances]}
    return found


def instance_attributes(document: bytes, transfer_syntax_uid: str) -> Attributes:
    """Return all attributes of an Instance, those that the archive computes included."""
    found: Attributes = orjson.loads(document)
    for tag in COMPUTED:
        found.pop(tag, None)
    found[_AVAILABILITY] = {"vr": "CS", "Value": ["ONLINE"]}
    found["00083002"] = answers.available_transfer_syntaxes(transfer_syntax_uid)
    return found


def _list(vr: str, values: str) -> dict[str, Any]:
    found = orjson.loads(values)
    return {"vr": vr, "Value": found} if found else {"vr": vr}


def _matching_items(element: dict[str, Any], condition: InSequence) -> dict[str, Any]:
    """Reduce a Sequence to the Items that satisfy the condition (PS3.4 C.2.2.2.6)."""
    items = [item for item in element.get("Value", ()) if matching.matches(condition.conditions, item)]
    return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}


def _is_own(tag: str) -> bool:
    return level_of(tag) is Level.INSTANCE


def _is_standard(tag: str) -> bool:
    return int(tag[:4], 16) % 2 == 0
