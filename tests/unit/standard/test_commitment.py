"""Storage Commitment modules: Tables J.1-1 and J.2-1 of PS3.18."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.errors import CannotUnderstand
from skiagraph.standard import commitment
from skiagraph.standard.commitment import Reason, Reference
from skiagraph.values import Attributes

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"


def ui(uid: str) -> dict[str, Any]:
    return {"vr": "UI", "Value": [uid]}


def sq(*items: Attributes) -> dict[str, Any]:
    return {"vr": "SQ", "Value": list(items)} if items else {"vr": "SQ"}


def instance(uid: str, sop_class: str | None = None, reason: int = 0) -> Attributes:
    item = {"00081150": ui(sop_class)} if sop_class else {}
    item["00081155"] = ui(uid)
    return item | ({"00081197": {"vr": "US", "Value": [reason]}} if reason else {})


def study(uid: str, *series: Attributes) -> Attributes:
    return {"00081115": sq(*series), "0020000D": ui(uid)}


def series(uid: str, *classes: Attributes) -> Attributes:
    return {"00081112": sq(*classes), "0020000E": ui(uid)}


def of_class(uid: str, *instances: Attributes) -> Attributes:
    return {"0008114A": sq(*instances), "00081150": ui(uid)}


FLAT: Attributes = {"00081199": sq(instance("3.1", CT), instance("3.2", MR))}
TREE: Attributes = {
    "00081110": sq(
        study("1.1", series("2.1", of_class(CT, instance("3.1"), instance("3.2")), of_class(MR, instance("3.3")))),
        study("1.2", series("2.2", of_class(CT, instance("3.4"))), series("2.3", of_class(CT, instance("3.5")))),
    )
}
FLAT_REFERENCES = [Reference(CT, "3.1"), Reference(MR, "3.2")]
TREE_REFERENCES = [
    Reference(CT, "3.1", "1.1", "2.1"),
    Reference(CT, "3.2", "1.1", "2.1"),
    Reference(MR, "3.3", "1.1", "2.1"),
    Reference(CT, "3.4", "1.2", "2.2"),
    Reference(CT, "3.5", "1.2", "2.3"),
]


@pytest.mark.parametrize(
    ("request_module", "expected"),
    [
        (FLAT, FLAT_REFERENCES),
        (TREE, TREE_REFERENCES),
        (FLAT | TREE, FLAT_REFERENCES + TREE_REFERENCES),
        ({"00081199": sq(*[instance("3.1", CT)] * 2)}, FLAT_REFERENCES[:1]),
        (FLAT | {"00081195": ui("9.9"), "00100010": {"vr": "PN"}}, FLAT_REFERENCES),
    ],
    ids=["flat", "tree", "both", "the same twice", "what does not belong there"],
)
def test_references(request_module: Attributes, expected: list[Reference]) -> None:
    assert commitment.references(request_module) == expected


@pytest.mark.parametrize(
    ("request_module", "message"),
    [
        ({}, r"neither a Referenced SOP Sequence \(0008,1199\) nor"),
        ({"00081199": sq()}, r"^\(0008,1199\) has no Items"),
        ({"00081199": {"vr": "UN"}}, r"^\(0008,1199\) has no Items"),
        ({"00081110": sq()}, r"^\(0008,1110\) has no Items"),
        (FLAT | {"00081110": sq()}, r"^\(0008,1110\) has no Items"),
        ({"00081199": sq({})}, r"^\(0008,1199\)\[1\]\.\(0008,1150\) is not one UID"),
        (
            {"00081199": sq(instance("3.1", CT), instance("3.x", CT))},
            r"\(0008,1199\)\[2\]\.\(0008,1155\) is not one UID",
        ),
        ({"00081199": sq(instance("3.1"))}, r"\(0008,1150\) is not one UID"),
        ({"00081199": sq({"00081150": ui(CT), "00081155": {"vr": "UI"}})}, r"\(0008,1155\) is not one UID"),
        ({"00081199": sq({"00081150": ui(CT), "00081155": {"vr": "UI", "Value": ["1", "2"]}})}, "is not one UID"),
        ({"00081199": sq({"00081150": ui(CT), "00081155": ui("1" * 65)})}, "at most 64"),
        ({"00081110": sq({"00081115": sq()})}, r"\[1\]\.\(0020,000D\) is not one UID"),
        ({"00081110": sq(study("1.1"))}, r"^\(0008,1110\)\[1\]\.\(0008,1115\) has no Items"),
        ({"00081110": sq(study("1.1", series("2.1")))}, r"\(0008,1115\)\[1\]\.\(0008,1112\) has no Items"),
        ({"00081110": sq(study("1.1", {"00081112": sq()}))}, r"\(0008,1115\)\[1\]\.\(0020,000E\) is not one UID"),
        (
            {"00081110": sq(study("1.1", series("2.1", of_class(CT))))},
            r"^\(0008,1110\)\[1\]\.\(0008,1115\)\[1\]\.\(0008,1112\)\[1\]\.\(0008,114A\) has no Items",
        ),
        (
            {"00081110": sq(study("1.1", series("2.1", {"0008114A": sq(instance("3.1"))})))},
            r"\(0008,1112\)\[1\]\.\(0008,1150\) is not one UID",
        ),
    ],
)
def test_what_is_missing_is_said_with_its_place(request_module: Attributes, message: str) -> None:
    with pytest.raises(CannotUnderstand, match=message):
        commitment.references(request_module)


def test_all_committed_is_the_request_again() -> None:
    for module in (FLAT, TREE, FLAT | TREE):
        asked = commitment.references(module)
        assert commitment.response(asked, [0] * len(asked)) == dict(sorted(module.items()))


def test_failures_of_a_flat_request() -> None:
    assert commitment.response(FLAT_REFERENCES, [0, Reason.NO_SUCH_INSTANCE]) == {
        "00081198": sq(instance("3.2", MR, 274)),
        "00081199": sq(instance("3.1", CT)),
    }
    failed = commitment.response(FLAT_REFERENCES, [272, 281])
    assert failed == {"00081198": sq(instance("3.1", CT, 272), instance("3.2", MR, 281))}, "absent, not empty"


def test_a_study_may_be_in_both_lists() -> None:
    assert commitment.response(TREE_REFERENCES, [0, 274, 0, 272, 0]) == {
        "00081110": sq(
            study("1.1", series("2.1", of_class(CT, instance("3.1")), of_class(MR, instance("3.3")))),
            study("1.2", series("2.3", of_class(CT, instance("3.5")))),
        ),
        "0008119B": sq(
            study("1.1", series("2.1", of_class(CT, instance("3.2", reason=274)))),
            study("1.2", series("2.2", of_class(CT, instance("3.4", reason=272)))),
        ),
    }


_UIDS = st.sampled_from(["1.1", "1.2", "1.3"])
_REFERENCES = st.lists(
    st.builds(Reference, st.sampled_from([CT, MR]), _UIDS)
    | st.builds(Reference, st.sampled_from([CT, MR]), _UIDS, _UIDS, _UIDS),
    min_size=1,
    unique=True,
)


@given(_REFERENCES, st.data())
def test_each_reference_is_in_one_of_the_lists(asked: list[Reference], data: st.DataObject) -> None:
    reasons = data.draw(st.lists(st.sampled_from([0, 272, 274]), min_size=len(asked), max_size=len(asked)))
    made = commitment.response(asked, reasons)
    renamed = {"00081198": "00081199", "0008119B": "00081110"}
    committed = {tag: made[tag] for tag in renamed.values() if tag in made}
    failed = {renamed[tag]: made[tag] for tag in renamed if tag in made}
    for module, wanted in ((committed, True), (failed, False)):
        expected = {one for one, reason in zip(asked, reasons, strict=True) if (reason == 0) is wanted}
        found = commitment.references(module) if module else []
        assert len(found) == len(expected)
        assert set(found) == expected
