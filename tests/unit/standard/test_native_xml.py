"""standard.native_xml: PS3.19 A.1 and PS3.18 F.3.1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from skiagraph.errors import CannotUnderstand
from skiagraph.standard import part10
from skiagraph.standard.native_xml import from_xml, to_xml
from skiagraph.values import Attributes

HEAD = '<?xml version="1.0" encoding="UTF-8"?><NativeDicomModel xml:space="preserve">'
SAMPLE = (
    HEAD + '<DicomAttribute keyword="SpecificCharacterSet" tag="00080005" vr="CS"/>'
    '<DicomAttribute keyword="StudyDate" tag="00080020" vr="DA"><Value number="1">20220928</Value></DicomAttribute>'
    '<DicomAttribute keyword="ReferringPhysicianName" tag="00080090" vr="PN"/>'
    '<DicomAttribute keyword="RetrieveURL" tag="00081190" vr="UR"><Value number="1">http://localhost:8080/rs/studies/'
    "2.16.840</Value></DicomAttribute>"
    '<DicomAttribute keyword="PatientName" tag="00100010" vr="PN"><PersonName number="1"><Alphabetic><FamilyName>Zeta'
    "</FamilyName><GivenName>Zachary</GivenName></Alphabetic></PersonName></DicomAttribute>"
    '<DicomAttribute keyword="NumberOfStudyRelatedSeries" tag="00201206" vr="IS"><Value number="1">1</Value>'
    "</DicomAttribute></NativeDicomModel>"
)


def test_sample_exchange() -> None:
    """The shape of the sample exchange: no namespace, ``keyword tag vr``, empty elements closed at once."""
    attributes = {
        "00080005": {"vr": "CS"},
        "00080020": {"vr": "DA", "Value": ["20220928"]},
        "00080090": {"vr": "PN"},
        "00081190": {"vr": "UR", "Value": ["http://localhost:8080/rs/studies/2.16.840"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Zeta^Zachary"}]},
        "00201206": {"vr": "IS", "Value": [1]},
    }
    assert to_xml(attributes).decode() == SAMPLE
    assert from_xml(SAMPLE.encode()) == attributes


def written(attributes: Attributes, **options: Any) -> str:
    return to_xml(attributes, **options).decode().removeprefix(HEAD).removesuffix("</NativeDicomModel>")


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        pytest.param({}, "", id="no attributes"),
        pytest.param(
            {"00080008": {"vr": "CS", "Value": ["MPG", None, "XR3"]}},
            '<DicomAttribute keyword="ImageType" tag="00080008" vr="CS"><Value number="1">MPG</Value>'
            '<Value number="2"/><Value number="3">XR3</Value></DicomAttribute>',
            id="A.1.5 empty value among several",
        ),
        pytest.param(
            {"00104000": {"vr": "LT", "Value": [' <a> & "b"\r\n\tc\x1b\x0c']}},
            '<DicomAttribute keyword="PatientComments" tag="00104000" vr="LT"><Value number="1"> &lt;a&gt; &amp;'
            " &quot;b&quot;&#13;\n\tc\ufffd\ufffd</Value></DicomAttribute>",
            id="special and control characters",
        ),
        pytest.param(
            {"00189073": {"vr": "FD", "Value": [1e-7, "NaN", "Infinity", "-Infinity"]}},
            '<DicomAttribute keyword="AcquisitionDuration" tag="00189073" vr="FD"><Value number="1">1e-07</Value>'
            '<Value number="2">NaN</Value><Value number="3">INF</Value><Value number="4">-INF</Value></DicomAttribute>',
            id="floats as XML Schema has them",
        ),
        pytest.param(
            {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^^^Dr", "Phonetic": "x^y^z^p^s^t"}, None]}},
            '<DicomAttribute keyword="PatientName" tag="00100010" vr="PN"><PersonName number="1"><Alphabetic>'
            "<FamilyName>A</FamilyName><NamePrefix>Dr</NamePrefix></Alphabetic><Phonetic><FamilyName>x</FamilyName><GivenName>y"
            "</GivenName><MiddleName>z</MiddleName><NamePrefix>p</NamePrefix><NameSuffix>s^t</NameSuffix></Phonetic>"
            '</PersonName><PersonName number="2"/></DicomAttribute>',
            id="name components",
        ),
        pytest.param(
            {"00081140": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2"]}}, {}]}},
            '<DicomAttribute keyword="ReferencedImageSequence" tag="00081140" vr="SQ"><Item number="1"><DicomAttribute'
            ' keyword="ReferencedSOPInstanceUID" tag="00081155" vr="UI"><Value number="1">1.2</Value></DicomAttribute>'
            '</Item><Item number="2"/></DicomAttribute>',
            id="items",
        ),
        pytest.param(
            {"00081140": {"vr": "SQ", "Value": []}},
            '<DicomAttribute keyword="ReferencedImageSequence" tag="00081140" vr="SQ"/>',
            id="no items",
        ),
        pytest.param(
            {"00090010": {"vr": "LO", "Value": ['V "1"']}, "00091002": {"vr": "UN", "InlineBinary": "AAE="}},
            '<DicomAttribute tag="00090002" vr="UN" privateCreator="V &quot;1&quot;"><InlineBinary>AAE=</InlineBinary>'
            "</DicomAttribute>",
            id="A.1.5.2 private elements in block 00",
        ),
        pytest.param(
            {"00090010": {"vr": "LO", "Value": ["V"]}, "00091102": {"vr": "LO", "Value": ["x"]}},
            '<DicomAttribute tag="00090010" vr="LO"><Value number="1">V</Value></DicomAttribute>'
            '<DicomAttribute tag="00091102" vr="LO"><Value number="1">x</Value></DicomAttribute>',
            id="reservation without elements, element without reservation: nothing vanishes",
        ),
        pytest.param(
            {"0009000F": {"vr": "LO", "Value": ["x"]}, "00080001": {"vr": "UN"}},
            '<DicomAttribute keyword="LengthToEnd" tag="00080001" vr="UN"/>'
            '<DicomAttribute tag="0009000F" vr="LO"><Value number="1">x</Value></DicomAttribute>',
            id="illegal private element",
        ),
    ],
)
def test_to_xml(attributes: Attributes, expected: str) -> None:
    assert written(attributes) == expected


@pytest.mark.parametrize(
    ("uri", "base", "expected"),
    [
        ("bulkdata/00282000", "http://h/i", "http://h/i/bulkdata/00282000"),
        ("bulkdata/00282000", None, "bulkdata/00282000"),
        ("https://x/?a&b", "http://h/i", "https://x/?a&amp;b"),
        ("/x", "http://h/i", "/x"),
        ("urn:uuid:1", "http://h/i", "urn:uuid:1"),
    ],
)
def test_bulk_data(uri: str, base: str | None, expected: str) -> None:
    attributes = {"7FE00010": {"vr": "OW", "BulkDataURI": uri}}
    assert f'<BulkData uri="{expected}"/>' in written(attributes, bulk_base=base)
    nested = {"00081140": {"vr": "SQ", "Value": [attributes]}}
    assert f'<BulkData uri="{expected}"/>' in written(nested, bulk_base=base)


def read(inner: str, root: str = "<NativeDicomModel>") -> Attributes:
    return from_xml(f"{root}{inner}</NativeDicomModel>".encode())


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(
            '<DicomAttribute Tag="0008103e" VR="LO" Keyword="SeriesDescription"><Value>x</Value></DicomAttribute>',
            {"0008103E": {"vr": "LO", "Value": ["x"]}},
            id="names and tags in any case, no number",
        ),
        pytest.param(
            '<DicomAttribute keyword="PatientID"><Value number="1">x</Value></DicomAttribute>',
            {"00100020": {"vr": "LO", "Value": ["x"]}},
            id="keyword alone",
        ),
        pytest.param(
            '<DicomAttribute tag="00090002" privateCreator="V"/><DicomAttribute tag="00280106"/>',
            {"00090010": {"vr": "LO", "Value": ["V"]}, "00091002": {"vr": "UN"}, "00280106": {"vr": "US"}},
            id="no vr",
        ),
        pytest.param(
            '<DicomAttribute tag="00080008" vr="CS"><Value number="3"> C </Value><Value number="1">A</Value>'
            "</DicomAttribute>",
            {"00080008": {"vr": "CS", "Value": ["A", None, "C"]}},
            id="order by number, missing is empty, blanks do not count in CS",
        ),
        pytest.param(
            '<DicomAttribute tag="00104000" vr="LT"><Value number="1"> a\r\n<!-- no -->b&#13;</Value></DicomAttribute>',
            {"00104000": {"vr": "LT", "Value": [" a\nb\r"]}},
            id="blanks count in LT",
        ),
        pytest.param(
            '<DicomAttribute tag="00080008" vr="CS"><Value number="1"/></DicomAttribute>',
            {"00080008": {"vr": "CS"}},
            id="one empty value is none",
        ),
        pytest.param(
            '<DicomAttribute tag="00280030" vr="DS"><Value number="1">0.5</Value><Value number="2">1e</Value>'
            '</DicomAttribute><DicomAttribute tag="00200013" vr="IS"><Value number="1"> 7 </Value></DicomAttribute>',
            {"00200013": {"vr": "IS", "Value": [7]}, "00280030": {"vr": "DS", "Value": [0.5, "1e"]}},
            id="IS and DS",
        ),
        pytest.param(
            '<DicomAttribute tag="00189073" vr="FD"><Value number="1">INF</Value><Value number="2">-INF</Value><Value'
            ' number="3">NaN</Value><Value number="4">-1.5E3</Value></DicomAttribute>',
            {"00189073": {"vr": "FD", "Value": ["Infinity", "-Infinity", "NaN", -1500.0]}},
            id="floats",
        ),
        pytest.param(
            '<DicomAttribute tag="00280009" vr="AT"><Value number="1">0018106a</Value></DicomAttribute>',
            {"00280009": {"vr": "AT", "Value": ["0018106A"]}},
            id="AT in upper case",
        ),
        pytest.param(
            '<DicomAttribute tag="00100010" vr="PN"><PersonName number="1"><Alphabetic><GivenName>B</GivenName>'
            "</Alphabetic><Phonetic/></PersonName></DicomAttribute>",
            {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "^B"}]}},
            id="names, an empty group is none",
        ),
        pytest.param(
            '<DicomAttribute tag="7FE00010" vr="OB"><InlineBinary> AA\nE= </InlineBinary></DicomAttribute>'
            '<DicomAttribute tag="00420011" vr="OB"><BulkData uuid="x"/></DicomAttribute>',
            {"00420011": {"vr": "OB", "BulkDataURI": "x"}, "7FE00010": {"vr": "OB", "InlineBinary": "AAE="}},
            id="binary",
        ),
        pytest.param(
            '<DicomAttribute tag="00080000" vr="UL"><Value number="1">8</Value></DicomAttribute>',
            {},
            id="group length is no part",
        ),
        pytest.param(
            "<Other><DicomAttribute tag='00100020' vr='LO'/></Other>"
            '<DicomAttribute tag="00100020" vr="LO"><Other>y</Other><Value>x<Other>z</Other></Value></DicomAttribute>',
            {"00100020": {"vr": "LO", "Value": ["x"]}},
            id="unknown elements",
        ),
        pytest.param(
            '<DicomAttribute tag="00090010" vr="LO"><Value>Old</Value></DicomAttribute>'
            '<DicomAttribute tag="00091001" vr="LO"><Value>a</Value></DicomAttribute>'
            '<DicomAttribute tag="00091202" vr="LO"><Value>b</Value></DicomAttribute>'
            '<DicomAttribute tag="00090001" vr="LO" privateCreator="New"><Value>c</Value></DicomAttribute>'
            '<DicomAttribute tag="00090005" vr="LO" privateCreator="Old"><Value>d</Value></DicomAttribute>'
            '<DicomAttribute tag="00090003" vr="LO" privateCreator="Newer"><Value>e</Value></DicomAttribute>',
            {
                "00090010": {"vr": "LO", "Value": ["Old"]},
                "00090011": {"vr": "LO", "Value": ["New"]},
                "00090013": {"vr": "LO", "Value": ["Newer"]},
                "00091001": {"vr": "LO", "Value": ["a"]},
                "00091005": {"vr": "LO", "Value": ["d"]},
                "00091101": {"vr": "LO", "Value": ["c"]},
                "00091202": {"vr": "LO", "Value": ["b"]},
                "00091303": {"vr": "LO", "Value": ["e"]},
            },
            id="F.3.1 private blocks are given out beside those in use",
        ),
        pytest.param(
            '<DicomAttribute tag="00090001" vr="LO" privateCreator="A"><Value>1</Value></DicomAttribute>'
            '<DicomAttribute tag="00090001" vr="LO" privateCreator="A"><Value>2</Value></DicomAttribute>',
            {
                "00090010": {"vr": "LO", "Value": ["A"]},
                "00090011": {"vr": "LO", "Value": ["A"]},
                "00091001": {"vr": "LO", "Value": ["1"]},
                "00091101": {"vr": "LO", "Value": ["2"]},
            },
            id="F.3.1 one creator with two blocks",
        ),
        pytest.param(
            '<DicomAttribute tag="00720083" vr="UV"><Value>9007199254740992</Value><Value>9007199254740993</Value>'
            "</DicomAttribute>",
            {"00720083": {"vr": "UV", "Value": [2**53, "9007199254740993"]}},
            id="F.2.3 integers that doubles do not have",
        ),
    ],
)
def test_from_xml(document: str, expected: Attributes) -> None:
    assert read(document) == expected
    namespace = '<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM" xml:space="preserve">'
    assert read(document, namespace) == expected


def test_other_encodings() -> None:
    inner = (
        '<NativeDicomModel><DicomAttribute tag="00100020" vr="LO"><Value>é</Value></DicomAttribute></NativeDicomModel>'
    )
    for encoding in ("ISO-8859-1", "UTF-16"):
        document = f'<?xml version="1.0" encoding="{encoding}"?>{inner}'.encode(encoding)
        assert from_xml(document) == {"00100020": {"vr": "LO", "Value": ["é"]}}


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "'
    + "&a;" * 1000
    + '"><!ENTITY c "'
    + "&b;" * 1000
    + '">]><NativeDicomModel><DicomAttribute tag="00104000" vr="LT"><Value>&c;</Value></DicomAttribute>'
    "</NativeDicomModel>"
)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        pytest.param(b"", "not well-formed|no NativeDicomModel", id="nothing"),
        pytest.param(b"\xff\xfe\0\0", "not well-formed", id="no XML"),
        pytest.param(b"{}", "not well-formed", id="JSON"),
        pytest.param(b"<html/>", "no NativeDicomModel", id="another document"),
        pytest.param(b"<NativeDicomModel>", "not well-formed", id="cut"),
        pytest.param(b"<NativeDicomModel/><NativeDicomModel/>", "not well-formed", id="two roots"),
        pytest.param(BOMB.encode(), "document type", id="entity bomb"),
        pytest.param(BOMB.encode("utf-16"), "document type", id="entity bomb in UTF-16"),
        pytest.param(
            b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><NativeDicomModel/>', "document type", id="external document type"
        ),
        pytest.param(b"<NativeDicomModel>&x;</NativeDicomModel>", "not well-formed", id="unknown entity"),
        pytest.param(
            b"<NativeDicomModel>" + b'<DicomAttribute tag="00081140" vr="SQ"><Item number="1">' * 10_000,
            "nested deeper than 64",
            id="deep",
        ),
        pytest.param(b'<NativeDicomModel><DicomAttribute vr="LO"/></NativeDicomModel>', "no tag of 8", id="no tag"),
        pytest.param(
            b'<NativeDicomModel><DicomAttribute tag="PatientID" vr="LO"/></NativeDicomModel>',
            "no tag of 8",
            id="bad tag",
        ),
        pytest.param(
            b'<NativeDicomModel><DicomAttribute tag="00100020" vr="L&quot;"/></NativeDicomModel>', "vr", id="bad vr"
        ),
        pytest.param(
            b'<NativeDicomModel><DicomAttribute tag="00280010" vr="US"><Value>x</Value></DicomAttribute>'
            b"</NativeDicomModel>",
            "00280010 is no number",
            id="no number",
        ),
        pytest.param(
            b'<NativeDicomModel><DicomAttribute tag="00100020" vr="LO"><Value number="999999999"/></DicomAttribute>'
            b"</NativeDicomModel>",
            "not numbered",
            id="number out of all proportion",
        ),
        pytest.param(
            b'<NativeDicomModel><DicomAttribute tag="00100020" vr="LO"><Value number="1"/><Value number="1"/>'
            b"</DicomAttribute></NativeDicomModel>",
            "not numbered",
            id="number twice",
        ),
        pytest.param(
            b'<NativeDicomModel><DicomAttribute tag="00420011" vr="OB"><BulkData/></DicomAttribute></NativeDicomModel>',
            "neither uri nor uuid",
            id="bulk data without address",
        ),
        pytest.param(
            b"<NativeDicomModel>"
            + b"".join(b'<DicomAttribute tag="00090002" vr="LO" privateCreator="%d"/>' % i for i in range(241))
            + b"</NativeDicomModel>",
            "more private creators",
            id="more creators than blocks",
        ),
    ],
)
def test_malformed(document: bytes, says: str) -> None:
    with pytest.raises(CannotUnderstand, match=says):
        from_xml(document)


def test_too_large() -> None:
    with pytest.raises(CannotUnderstand, match="more than 10 bytes"):
        from_xml(SAMPLE.encode(), max_bytes=10)


# Characters that XML holds, CR among them
text = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cn")) | st.sampled_from("\t\n\r&<>\"'"), min_size=1, max_size=8
)
inner_text = text.map(lambda value: f"x{value}x")
component = st.text(st.characters(categories=("L", "N", "P"), exclude_characters="^="), max_size=5)
group = st.lists(component, min_size=1, max_size=5).map(lambda parts: "^".join(parts).rstrip("^"))


@pytest.mark.parametrize("uri", ["http://h/x?a=1&b=2", "&", "&#38;", "&amp;", 'a<b>"c"', "&#38;#38;"])
def test_references_in_attributes(uri: str) -> None:
    data: Attributes = {"00282000": {"vr": "OB", "BulkDataURI": uri}}
    assert from_xml(to_xml(data), max_bytes=10_000, max_depth=9) == data


name = st.dictionaries(st.sampled_from(["Alphabetic", "Ideographic", "Phonetic"]), group.filter(bool), min_size=1)


def values(each: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """One value, or several of which some are empty."""
    several = st.lists(st.none() | each, min_size=2, max_size=4)
    return several | each.map(lambda value: [value])


def of(vr: str, each: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.just({"vr": vr}) | values(each).map(lambda found: {"vr": vr, "Value": found})


leaf = {
    "00100020": of("LO", inner_text),
    "00104000": of("LT", text),
    "00100010": of("PN", name),
    "00200013": of("IS", st.integers(-(2**31), 2**31)),
    "00280030": of("DS", st.integers(-999, 999) | st.sampled_from([0.5, -1.25, "1.5e", "1e5x"])),
    "00280010": of("US", st.integers(0, 65535)),
    "00189073": of("FD", st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(["NaN", "Infinity"])),
    "00280009": of("AT", st.sampled_from(["0018106A", "00200013"])),
    "00080018": of("UI", st.sampled_from(["1.2", "2.25.3"])),
    "7FE00010": st.sampled_from(
        [{"vr": "OW"}, {"vr": "OW", "InlineBinary": "AAE="}, {"vr": "OB", "BulkDataURI": "x/y"}]
    ),
}
PRIVATE: Attributes = {
    "00090010": {"vr": "LO", "Value": ["One"]},
    "00090011": {"vr": "LO", "Value": ["Two"]},
    "00091001": {"vr": "SH", "Value": ["a"]},
    "00091101": {"vr": "UN", "InlineBinary": "AAE="},
}
data_sets = st.recursive(
    st.fixed_dictionaries({}, optional=leaf),
    lambda inner: st.fixed_dictionaries({}, optional=leaf | {"00081140": of("SQ", inner)}),
    max_leaves=6,
)


@given(data_sets, st.booleans())
def test_round_trip(attributes: Attributes, private: bool) -> None:
    """JSON → XML → JSON loses nothing; Items are never null, though."""
    attributes = dict(sorted((attributes | (PRIVATE if private else {})).items()))
    document = to_xml(attributes)
    assert from_xml(document) == items_for_nulls(attributes)
    assert to_xml(from_xml(document)) == document


def items_for_nulls(attributes: Attributes) -> Attributes:
    return {
        tag: element | {"Value": [items_for_nulls(item or {}) for item in element["Value"]]}
        if element["vr"] == "SQ" and "Value" in element
        else element
        for tag, element in attributes.items()
    }


@given(st.binary(max_size=60) | st.text(alphabet='<>/="NativeDcomlAru &;#x0', max_size=60).map(str.encode))
def test_no_bytes_are_any_other_error(data: bytes) -> None:
    for document in (data, b"<NativeDicomModel>" + data + b"</NativeDicomModel>"):
        try:
            from_xml(document)
        except CannotUnderstand:
            pass


@pytest.mark.shared_data
@pytest.mark.parametrize("folder", ["text", "modalities"])
def test_real_data_sets(shared_data: Path, folder: str) -> None:
    """Well-formed for every file; and again the same document when read."""
    count = 0
    for path in sorted((shared_data / folder).rglob("*.dcm")):
        try:
            attributes = part10.read(part10.BytesSource(path.read_bytes())).attributes
        except CannotUnderstand:
            continue
        document = to_xml(attributes, bulk_base="http://host/dicom-web/studies/1")
        etree.fromstring(document, etree.XMLParser(huge_tree=True))
        again = from_xml(document, max_depth=256)
        assert from_xml(to_xml(again), max_depth=256) == again, path
        # Names of nothing but ^ are empty, characters that XML can not hold become others; nothing vanishes
        assert len(again) == len(attributes), path
        count += 1
    assert count > 10
