"""What an index is to its callers: a list and a filter. Slow, in memory, and plain enough to be believed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from skiagraph.index.base import NewInstance, Outcome, Policy
from skiagraph.standard import date_time, dictionary, matching
from skiagraph.standard.attributes import (
    COMPUTED,
    REQUEST_ATTRIBUTES_KEYS,
    RETURN_KEYS,
    level_of,
    searched_levels,
)
from skiagraph.standard.matching import AnyOf, Condition, DateTimeRange, InSequence, Private, Search
from skiagraph.values import Attributes, Level, ResourcePath

_NO_NUMBER = 2**63 - 1


@dataclass
class IndexModel:
    """The stored Instances by SOP Instance UID, and the paths of those that were deleted."""

    stored: dict[str, NewInstance] = field(default_factory=dict)
    gone: set[ResourcePath] = field(default_factory=set)

    def add(self, batch: Iterable[NewInstance], policy: Policy) -> list[tuple[Outcome, str | None]]:
        """Add; return outcome and the key of the blob that gave way."""
        return [self._add(new, policy) for new in batch]

    def _add(self, new: NewInstance, policy: Policy) -> tuple[Outcome, str | None]:
        path = path_of(new)
        uid = path.sop_instance_uid or ""
        old = self.stored.get(uid)
        if old is not None:
            if path_of(old) != path:
                return Outcome.DUPLICATE, None
            if old.dataset_digest == new.dataset_digest:
                return Outcome.SAME, None
            if policy == "keep":
                return Outcome.KEPT, None
            if policy == "reject":
                return Outcome.DUPLICATE, None
        self.stored[uid] = new
        self.gone.discard(path)
        return (Outcome.ADDED, None) if old is None else (Outcome.REPLACED, old.key)

    def delete(self, path: ResourcePath) -> list[str]:
        """Delete what is below the path; return its keys, ascending."""
        below = self.below(path)
        for new in below:
            self.gone.add(path_of(new))
            del self.stored[path_of(new).sop_instance_uid or ""]
        return sorted(new.key for new in below)

    def below(self, path: ResourcePath) -> list[NewInstance]:
        """Return the Instances below a path in the order in which they are retrieved."""
        found = [new for new in self.stored.values() if _is_below(path_of(new), path)]
        return sorted(found, key=lambda new: (*self._series_order(path_of(new)), *_instance_order(new)))

    def was_there(self, path: ResourcePath) -> bool:
        """Whether something below the path was deleted and nothing is there."""
        return not self.below(path) and any(_is_below(gone, path) for gone in self.gone)

    def search(self, search: Search) -> list[tuple[ResourcePath, Attributes]]:
        """Return path and answer (without Retrieve URL) of all matches in order, whatever limit and offset say."""
        found = []
        for path in self._paths(search):
            sets = {level: self.attributes(path, level) for level in Level if level <= search.level}
            if all(matching.matches(one, sets[_level(one, search.level)]) for one in search.conditions):
                found.append((path, self._answer(search, path, sets)))
        return sorted(found, key=lambda match: self._order(search, match[0]))

    def attributes(self, path: ResourcePath, level: Level) -> Attributes:
        """Return the attributes of the Study, Series or Instance on the path, computed ones included."""
        study, series = path.study_instance_uid, path.series_instance_uid
        if level is Level.INSTANCE:
            new = self.stored[path.sop_instance_uid or ""]
            found = {tag: element for tag, element in new.header.attributes.items() if tag not in COMPUTED}
            found["00083002"] = {"vr": "UI", "Value": [new.header.transfer_syntax_uid]}
        elif level is Level.SERIES:
            below = self.below(ResourcePath(study, series))
            found = _folded(below, level)
            found["00201209"] = {"vr": "IS", "Value": [len(below)]}
        else:
            below = self.below(ResourcePath(study))
            found = _folded(below, level)
            all_series = {path_of(new).series_instance_uid for new in below}
            modalities = {
                _first(self.attributes(ResourcePath(study, one), Level.SERIES), "00080060") for one in all_series
            }
            classes = {_first(new.header.attributes, "00080016") for new in below}
            found["00080061"] = _list("CS", modalities)
            found["00080062"] = _list("UI", classes)
            found["00201206"] = {"vr": "IS", "Value": [len(all_series)]}
            found["00201208"] = {"vr": "IS", "Value": [len(below)]}
        found["00080056"] = {"vr": "CS", "Value": ["ONLINE"]}
        return found

    def _paths(self, search: Search) -> set[ResourcePath]:
        paths = set()
        for path in map(path_of, self.stored.values()):
            if search.study_instance_uid not in (None, path.study_instance_uid):
                continue
            if search.series_instance_uid not in (None, path.series_instance_uid):
                continue
            if search.level is Level.STUDY:
                path = ResourcePath(path.study_instance_uid)
            elif search.level is Level.SERIES:
                path = ResourcePath(path.study_instance_uid, path.series_instance_uid)
            paths.add(path)
        return paths

    def _answer(self, search: Search, path: ResourcePath, sets: dict[Level, Attributes]) -> Attributes:
        levels = searched_levels(
            search.level,
            study_given=search.study_instance_uid is not None,
            series_given=search.series_instance_uid is not None,
        )
        found: Attributes = {"0020000D": {"vr": "UI", "Value": [path.study_instance_uid]}}
        if search.level >= Level.SERIES:
            found["0020000E"] = {"vr": "UI", "Value": [path.series_instance_uid]}
        for level in sorted(levels):
            for key in RETURN_KEYS[level]:
                element = sets[level].get(key.tag)
                if key.tag == "00400275" and element is not None:
                    element = _requests(element)
                if element is not None and "Value" in element:
                    found.setdefault(key.tag, element) if key.tag[:6] == "002000" else found.update({key.tag: element})
                elif key.type != "C":
                    found.setdefault(key.tag, {"vr": key.vr})
        table = {key.tag for level in levels for key in RETURN_KEYS[level]} | {"0020000D", "0020000E", "00080018"}
        for condition in search.conditions:  # match keys are returned
            tag = _first_tag(condition)
            if level_of(tag) > search.level or isinstance(condition, Private):
                continue
            element = sets[level_of(tag)].get(tag, {"vr": dictionary.vr_of(int(tag, 16))})
            if tag not in table or tag == "00400275":  # of which the table has only two keys
                found[tag] = element
        for condition in search.conditions:
            if isinstance(condition, InSequence) and condition.path[0] in found:
                element = found[condition.path[0]]
                items = [item for item in element.get("Value", ()) if matching.matches(condition.conditions, item)]
                found[condition.path[0]] = {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
        found.pop("00081190", None)
        return found

    def _order(self, search: Search, path: ResourcePath) -> tuple[Any, ...]:
        study, series = path.study_instance_uid, path.series_instance_uid or ""
        if search.level is Level.STUDY:
            return -(_moment(self.attributes(path, Level.STUDY)) or 0), study
        if search.level is Level.SERIES:
            return (series, study) if search.study_instance_uid is None else self._series_order(path)
        new = self.stored[path.sop_instance_uid or ""]
        if search.study_instance_uid is None:
            return (path.sop_instance_uid,)
        return (*self._series_order(path), *_instance_order(new))

    def _series_order(self, path: ResourcePath) -> tuple[Any, ...]:
        below = [
            new
            for new in self.stored.values()
            if _is_below(path_of(new), ResourcePath(path.study_instance_uid, path.series_instance_uid))
        ]
        return _number(_folded(below, Level.SERIES), "00200011"), path.series_instance_uid


def path_of(new: NewInstance) -> ResourcePath:
    """Return the path that the data set names."""
    attributes = new.header.attributes
    return ResourcePath(*(attributes[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018")))


def _is_below(path: ResourcePath, parent: ResourcePath) -> bool:
    return (
        path.study_instance_uid == parent.study_instance_uid
        and parent.series_instance_uid in (None, path.series_instance_uid)
        and parent.sop_instance_uid in (None, path.sop_instance_uid)
    )


def _first_tag(condition: Condition) -> str:
    while isinstance(condition, Private | AnyOf):
        condition = condition.condition if isinstance(condition, Private) else condition.conditions[0]
    return (condition.date_path if isinstance(condition, DateTimeRange) else condition.path)[0]


def _level(condition: Condition, of_search: Level) -> Level:
    return min(level_of(_first_tag(condition)), of_search)


def _folded(below: Sequence[NewInstance], level: Level) -> Attributes:
    """Take each attribute from the Instance with the least key among those that have a value for it."""
    candidates: dict[str, list[tuple[bool, str, dict[str, Any]]]] = {}
    for new in below:
        for tag, element in new.header.attributes.items():
            of_level = level_of(tag) is level or (tag == "00080201" and level is Level.SERIES)
            if of_level and tag not in COMPUTED:
                values = [value for value in element.get("Value", ()) if value not in (None, "", {})]
                candidates.setdefault(tag, []).append((not values and "InlineBinary" not in element, new.key, element))
    return {tag: min(found, key=lambda one: one[:2])[2] for tag, found in candidates.items()}


def _requests(element: dict[str, Any]) -> dict[str, Any]:
    items = [item for item in element.get("Value", ()) if isinstance(item, dict)]
    keys = REQUEST_ATTRIBUTES_KEYS
    if not items:
        return {"vr": "SQ"}
    return {"vr": "SQ", "Value": [{key.tag: item.get(key.tag, {"vr": key.vr}) for key in keys} for item in items]}


def _first(attributes: Attributes, tag: str) -> str | None:
    values = attributes.get(tag, {}).get("Value") or [None]
    return values[0] or None


def _list(vr: str, values: set[str | None]) -> dict[str, Any]:
    found = sorted(value for value in values if value)
    return {"vr": vr, "Value": found} if found else {"vr": vr}


def _moment(attributes: Attributes) -> int | None:
    day = date_time.date(_first(attributes, "00080020") or "")
    clock = date_time.time(_first(attributes, "00080030") or "")
    return None if day is None else day[0] + (clock[0] if clock is not None else 0)


def _number(attributes: Attributes, tag: str) -> int:
    values = attributes.get(tag, {}).get("Value") or [None]
    value = matching.number(values[0])
    return _NO_NUMBER if value is None or value != int(value) else int(value)


def _instance_order(new: NewInstance) -> tuple[int, str]:
    return _number(new.header.attributes, "00200013"), path_of(new).sop_instance_uid or ""
