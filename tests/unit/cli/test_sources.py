"""What is sent and what is left out."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from skiagraph.cli.sources import Item, Skipped, file_meta, find, looks_like_dataset, sop_instance_uid

from .conftest import part10_file


def names(found: list[Item | Skipped], kind: type) -> list[str]:
    return [Path(one.name.replace("!", "/")).name for one in found if isinstance(one, kind)]


@pytest.mark.parametrize(
    ("name", "content", "sent"),
    [
        pytest.param("a.dcm", part10_file("1.2.3"), True, id="PS3.10 file"),
        pytest.param("IM0001", part10_file("1.2.3"), True, id="no extension"),
        pytest.param("a", b"\x08\0\x05\0CS\n\0ISO_IR 100", True, id="data set without preamble, explicit VR"),
        pytest.param("a", b"\x08\0\x05\0\n\0\0\0ISO_IR 100", True, id="data set without preamble, implicit VR"),
        pytest.param("a", b"\0\x08\0\x05CS\0\nISO_IR 100", True, id="data set without preamble, big endian"),
        pytest.param("a", b"\x02\0\0\0UL\x04\0\xc8\0\0\0", True, id="File Meta Information without preamble"),
        pytest.param("DICOMDIR", part10_file("1.2.3"), False, id="DICOMDIR by name"),
        pytest.param("dir", part10_file("1.2.3", "1.2.840.10008.1.3.10"), False, id="DICOMDIR by SOP class"),
        pytest.param("a.txt", b"Dear colleague,", False, id="text"),
        pytest.param("empty", b"", False, id="empty"),
        pytest.param("a.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF", False, id="JPEG"),
    ],
)
def test_a_folder_gives_what_looks_like_dicom(tmp_path: Path, name: str, content: bytes, sent: bool) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / name).write_bytes(content)
    found = list(find([tmp_path]))
    assert [type(one) for one in found] == [Item if sent else Skipped]


def test_a_file_that_is_named_is_sent_whatever_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"no DICOM")
    (item,) = find([tmp_path / "a.txt"])
    assert isinstance(item, Item)
    assert item.sop_instance_uid == ""


def test_folders_are_walked_in_order_and_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    for name in ("b/2", "b/1", "a/3"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(part10_file("1.2"))
    (tmp_path / "a" / "circle").symlink_to(tmp_path)
    assert names(list(find([tmp_path])), Item) == ["3", "1", "2"]


def test_a_file_that_can_not_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    (skipped,) = find([tmp_path])
    assert isinstance(skipped, Skipped)
    assert "No such file" in skipped.reason


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_zip_entries_are_streamed_and_their_names_become_no_files(tmp_path: Path, method: int) -> None:
    content = part10_file("1.2.3", content=bytes(100_000))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("../../evil.dcm", content)
        archive.writestr("notes.txt", "no DICOM")
        archive.writestr("folder/", "")
        archive.writestr("inner.zip", b"PK\x03\x04 and so on")
    found = list(find([tmp_path / "a.zip"]))
    (item,) = (one for one in found if isinstance(one, Item))
    assert item.name.endswith("a.zip!../../evil.dcm")
    assert item.sop_instance_uid == "1.2.3"
    assert item.size == len(content)
    with item.open() as file:
        assert file.read() == content
    assert sorted(names(found, Skipped)) == ["inner.zip", "notes.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip"]


def test_a_broken_zip_is_left_out_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 but nothing more")
    (skipped,) = find([tmp_path])
    assert isinstance(skipped, Skipped)
    assert "can not be read" in skipped.reason


def test_a_corrupt_entry_does_not_hide_its_neighbours(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1", part10_file("1.2.3", content=b"x" * 999))
        archive.writestr("2", part10_file("1.2.4"))
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[40:60] = b"\xff" * 20
    (tmp_path / "a.zip").write_bytes(data)
    found = list(find([tmp_path]))
    assert names(found, Item) == ["2"]
    assert names(found, Skipped) == ["1"]


@pytest.mark.parametrize("size", [0, 7, 127, 131, 132, 135, 140, 150, 160, 180])
def test_cut_headers_are_read_as_far_as_they_go(size: int) -> None:
    head = part10_file("1.2.3")[:size]
    assert file_meta(head).get(3) in (None, "1.2.3")
    assert looks_like_dataset(head) in (True, False)
    assert sop_instance_uid(head) in ("", "1.2.3")
