"""The plans of searches: indexes serve them, however large the archive is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from skiagraph.index import statements
from skiagraph.index.search import Searching
from skiagraph.index.sql import SqlIndex
from skiagraph.index.statements import Place
from skiagraph.standard.matching import AnyOf, Condition, PersonName, Range, Search, Single, UidList, Wildcard
from skiagraph.testing.headers import data_set, header, new_instance
from skiagraph.values import Level

PATIENT = Single(("00100020",), "LO", "P-1")
CT = Single(("00080060",), "CS", "CT")
DAY = Range(("00080020",), "DA", "20240131", "20240131")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlIndex]:
    path: Path = tmp_path_factory.mktemp("index") / "index.sqlite"
    index = SqlIndex.open(path, durable=False)
    index.add([index.prepare(new_instance(header(data_set("1.1", "2.1", "3.1"))))], "reject")
    index.close()
    index = SqlIndex.open(path, durable=False)
    yield index
    index.close()


def _plan(index: SqlIndex, search: Search, place: Place = "first", *, count: bool = False) -> list[str]:
    connection = index._connections.reader()
    searching = Searching(search)
    assert searching._find_given(connection)
    searching._plan(connection)
    statement = statements.count(searching._form) if count else statements.select(searching._form, place)
    values = searching._values | {"limit": 1, "a0": 0, "a1": "", "a2": 0, "a3": "", "of_series": 1}
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]


def _search(level: Level, *conditions: Condition, study: str | None = None, series: str | None = None) -> Search:
    return Search(level, study, series, conditions=conditions)


@pytest.mark.parametrize(
    ("search", "place", "plan"),
    [
        pytest.param(_search(Level.STUDY), "first", ["SCAN studies USING INDEX studies_order"], id="studies"),
        pytest.param(
            _search(Level.STUDY),
            "after",
            ["SEARCH studies USING INDEX studies_order ((recency,study_instance_uid)>(?,?))"],
            id="studies, next chunk",
        ),
        pytest.param(
            _search(Level.STUDY, DAY),
            "first",
            ["SEARCH studies USING INDEX studies_order (recency>? AND recency<?)"],
            id="studies of a day",
        ),
        pytest.param(
            _search(Level.SERIES, study="1.1"),
            "first",
            ["SEARCH series USING INDEX series_order (study=?)"],
            id="series of a study",
        ),
        pytest.param(
            _search(Level.SERIES, study="1.1"),
            "after",
            ["SEARCH series USING INDEX series_order (study=? AND (series_number,series_instance_uid)>(?,?))"],
            id="series of a study, next chunk",
        ),
        pytest.param(
            _search(Level.INSTANCE, study="1.1", series="2.1"),
            "first",
            ["SEARCH instances USING INDEX instances_order (series=?)"],
            id="instances of a series",
        ),
        pytest.param(
            _search(Level.INSTANCE, study="1.1", series="2.1"),
            "after",
            ["SEARCH instances USING INDEX instances_order (series=? AND (instance_number,sop_instance_uid)>(?,?))"],
            id="instances of a series, next chunk",
        ),
        pytest.param(
            _search(Level.INSTANCE, study="1.1"),
            "first",
            [
                "SEARCH series USING INDEX series_order (study=?)",
                "SEARCH instances USING INDEX instances_order (series=?)",
            ],
            id="instances of a study",
        ),
        pytest.param(
            _search(Level.INSTANCE, study="1.1"),
            "within",
            [
                "SEARCH series USING INTEGER PRIMARY KEY (rowid=?)",
                "SEARCH instances USING INDEX instances_order (series=? AND (instance_number,sop_instance_uid)>(?,?))",
            ],
            id="instances of a study, rest of the series",
        ),
        pytest.param(
            _search(Level.INSTANCE, study="1.1"),
            "beyond",
            [
                "SEARCH series USING INDEX series_order (study=? AND (series_number,series_instance_uid)>(?,?))",
                "SEARCH instances USING INDEX instances_order (series=?)",
            ],
            id="instances of a study, following series",
        ),
        pytest.param(
            _search(Level.SERIES),
            "after",
            [
                "SEARCH series USING INDEX series_uid ((series_instance_uid,study_instance_uid)>(?,?))",
                "SEARCH studies USING INTEGER PRIMARY KEY (rowid=?)",
            ],
            id="all series, next chunk",
        ),
        pytest.param(
            _search(Level.INSTANCE),
            "after",
            [
                "SEARCH instances USING INDEX sqlite_autoindex_instances_1 (sop_instance_uid>?)",
                "SEARCH series USING INTEGER PRIMARY KEY (rowid=?)",
                "SEARCH studies USING INTEGER PRIMARY KEY (rowid=?)",
            ],
            id="all instances, next chunk",
        ),
    ],
)
def test_in_order_without_sorting(index: SqlIndex, search: Search, place: Place, plan: list[str]) -> None:
    assert _plan(index, search, place) == plan


@pytest.mark.parametrize(
    ("search", "start"),
    [
        pytest.param(
            _search(Level.STUDY, PATIENT),
            "SEARCH studies USING INDEX studies_patient_id (patient_id=?)",
            id="PatientID",
        ),
        pytest.param(
            _search(Level.STUDY, PATIENT, DAY),
            "SEARCH studies USING INDEX studies_patient_id (patient_id=?)",
            id="PatientID and StudyDate",
        ),
        pytest.param(
            _search(Level.STUDY, Single(("00080050",), "SH", "A")),
            "SEARCH studies USING INDEX studies_accession_number (accession_number=?)",
            id="AccessionNumber",
        ),
        pytest.param(
            _search(Level.STUDY, Wildcard(("00100020",), "LO", "P-?*")),
            "SEARCH studies USING INDEX studies_patient_id (patient_id>? AND patient_id<?)",
            id="wildcard with a prefix",
        ),
        pytest.param(
            _search(Level.STUDY, UidList(("0020000D",), ("1.1", "1.2"))),
            "SEARCH studies USING INDEX sqlite_autoindex_studies_1 (study_instance_uid=?)",
            id="list of StudyInstanceUID",
        ),
        pytest.param(
            _search(Level.SERIES, CT, PATIENT),
            "SEARCH studies USING INDEX studies_patient_id (patient_id=?)",
            id="series by PatientID and Modality",
        ),
        pytest.param(
            _search(Level.SERIES, UidList(("0020000E",), ("1.1",))),
            "SEARCH series USING INDEX series_uid (series_instance_uid=?)",
            id="SeriesInstanceUID",
        ),
        pytest.param(
            _search(Level.INSTANCE, PATIENT),
            "SEARCH studies USING INDEX studies_patient_id (patient_id=?)",
            id="instances by PatientID",
        ),
        pytest.param(
            _search(Level.INSTANCE, DAY),
            "SEARCH studies USING INDEX studies_order (recency>? AND recency<?)",
            id="instances by StudyDate",
        ),
        pytest.param(
            _search(Level.INSTANCE, UidList(("00080018",), ("3.1",))),
            "SEARCH instances USING INDEX sqlite_autoindex_instances_1 (sop_instance_uid=?)",
            id="SOPInstanceUID",
        ),
        pytest.param(
            _search(Level.INSTANCE, UidList(("00080016",), ("1.2", "1.3"))),
            "SEARCH instances USING INDEX instances_sop_class_uid (sop_class_uid=?)",
            id="list of SOPClassUID",
        ),
    ],
)
def test_conditions_use_their_index(index: SqlIndex, search: Search, start: str) -> None:
    for count in (False, True):
        plan = _plan(index, search, count=count)
        assert plan[0].replace("COVERING ", "") == start, plan
        assert not any(step.startswith(("SCAN studies", "SCAN instances")) for step in plan)


def test_person_name_in_any_group(index: SqlIndex) -> None:
    plan = _plan(index, _search(Level.STUDY, PersonName(("00100010",), "doe^j*")))
    for group in ("alphabetic", "ideographic", "phonetic"):
        column = f"patient_name_{group}"
        assert f"SEARCH studies USING INDEX studies_{column} ({column}>? AND {column}<?)" in plan


def test_modalities_in_study_looks_up_each_study(index: SqlIndex) -> None:
    either = AnyOf((Single(("00080061",), "CS", "CT"), Single(("00080061",), "CS", "MR")))
    plan = _plan(index, _search(Level.STUDY, either))
    assert plan[0] == "SCAN studies USING INDEX studies_order"
    assert (
        plan.count("SEARCH series_of_study USING COVERING INDEX series_modality (modality=? AND study=?)")
        + plan.count("SEARCH series_of_study USING INDEX series_modality (modality=? AND study=?)")
        == 2
    )


def test_values_do_not_make_statements(index: SqlIndex) -> None:
    """Searches of one form share one compiled statement."""
    connection = index._connections.reader()
    forms = set()
    for i in range(10):
        searching = Searching(_search(Level.STUDY, Single(("00100020",), "LO", f"P-{i}"), DAY))
        assert searching._find_given(connection)
        searching._plan(connection)
        forms.add(searching._form)
    assert len(forms) == 1
