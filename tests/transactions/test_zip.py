"""Instances as files in a ZIP archive over HTTP: an extension of PS3.18 §10.4, after drafts of Supplement 211."""

from __future__ import annotations

import io
import shutil
import subprocess
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pydicom
import pytest
from pydicom.fileset import FileSet

from dicom_files import ct, multipart, part10, uid
from skiagraph.standard.directory_records import record_type

ZIP = "application/zip"


@dataclass
class Study:
    """A Study of two Series, and where its Instances are."""

    url: str
    contents: dict[str, bytes]
    """URL → what was stored."""


@pytest.fixture(scope="module")
def study(base_url: str) -> Study:
    url, found = uid(), {}
    for series_number in (1, 2):
        series = uid()
        for number in (1, 2, 3):
            # One of them is sent in several chunks
            pixels = np.arange(1500 * 1000, dtype="<u2").tobytes() if number == 2 else bytes(2 * 8 * 6)
            rows, columns = (1500, 1000) if number == 2 else (6, 8)
            data = ct(
                StudyInstanceUID=url,
                SeriesInstanceUID=series,
                SeriesNumber=series_number,
                InstanceNumber=number,
                Rows=rows,
                Columns=columns,
                PixelData=pixels,
            )
            found[f"{base_url}/studies/{url}/series/{series}/instances/{data.SOPInstanceUID}"] = part10(data)
    body, headers = multipart(found.values())
    assert httpx.post(f"{base_url}/studies", content=body, headers=headers, trust_env=False).status_code == 200
    return Study(f"{base_url}/studies/{url}", found)


def get(url: str, accept: str = "*/*", method: str = "GET", **headers: str) -> httpx.Response:
    return httpx.request(method, url, headers={"Accept": accept} | headers, trust_env=False, timeout=60)


def entries(response: httpx.Response) -> dict[str, bytes]:
    assert response.status_code == 200
    assert response.headers["content-type"] == ZIP
    archive = zipfile.ZipFile(io.BytesIO(response.content))
    assert archive.testzip() is None
    return {name: archive.read(name) for name in archive.namelist()}


def test_a_study_of_several_series(study: Study) -> None:
    """Each file is what the retrieval of the Instance alone gives, byte by byte."""
    response = get(study.url, ZIP)
    found = entries(response)
    assert list(found.values()) == [get(url, "application/dicom").content for url in study.contents]
    assert list(found.values()) == list(study.contents.values())
    uids = [url.rsplit("/", 3)[1] for url in study.contents]
    assert list(found) == [
        f"{study.url.rsplit('/', 1)[1]}/{place // 3 + 1:03}_{series}/{place % 3 + 1:06}.dcm"
        for place, series in enumerate(uids)
    ]
    assert response.headers["content-disposition"] == f'attachment; filename="{study.url.rsplit("/", 1)[1]}.zip"'
    assert int(response.headers["content-length"]) == len(response.content)


def test_series_and_instance(study: Study) -> None:
    url, content = next(iter(study.contents.items()))
    assert list(entries(get(url, ZIP)).values()) == [content]
    series = url.rsplit("/", 2)[0]
    assert list(entries(get(series, ZIP)).values()) == list(study.contents.values())[:3]


@pytest.mark.parametrize(
    ("accept", "query"),
    [
        pytest.param(ZIP, "", id="header"),
        pytest.param(f"{ZIP}; transfer-syntax=*", "", id="as stored"),
        pytest.param(f"{ZIP}; transfer-syntax=1.2.840.10008.1.2.1", "", id="by name"),
        pytest.param(f'{ZIP}; type="application/dicom"', "", id="Supplement 211 with type"),
        pytest.param("*/*", "?accept=application/zip", id="8.3.3.1 accept parameter"),
        pytest.param(
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "?accept=application/zip%3Btransfer-syntax%3D*",
            id="a link in a browser",
        ),
        pytest.param("application/zip, */*;q=0.5", "", id="preferred"),
    ],
)
def test_ways_to_ask(study: Study, accept: str, query: str) -> None:
    for url in (study.url, next(iter(study.contents))):
        assert entries(get(url + query, accept))


@pytest.mark.parametrize(
    ("accept", "status", "media_type"),
    [
        pytest.param("*/*", 200, "multipart/related", id="not by a wildcard"),
        pytest.param("application/*", 406, "application/dicom+json", id="nor by application/*"),
        pytest.param("application/zip;q=0.5, */*", 200, "multipart/related", id="liked less"),
        pytest.param("application/zip;q=0, */*", 200, "multipart/related", id="not wanted"),
        pytest.param(f'{ZIP}; type="application/dicom+json"', 406, "application/dicom+json", id="metadata in archives"),
        pytest.param(f"{ZIP}; transfer-syntax=1.2.840.10008.1.2", 406, "application/dicom+json", id="8.7.3 never"),
        pytest.param(f'multipart/related; type="{ZIP}"', 406, "application/dicom+json", id="not in multipart"),
    ],
)
def test_when_it_is_not_given(study: Study, accept: str, status: int, media_type: str) -> None:
    response = get(study.url, accept)
    assert response.status_code == status
    if status == 200:
        assert response.headers["content-type"].startswith(media_type)
    else:
        assert "application/zip; transfer-syntax=1.2.840.10008.1.2.1" in response.text, "what can be had"


@pytest.mark.parametrize("below", ["/metadata", "/rendered", "/thumbnail", "/pixeldata", "/bulkdata"])
def test_other_resources_have_none(study: Study, below: str) -> None:
    assert get(study.url + below, ZIP).status_code == 406


def test_again_and_without_payload(study: Study) -> None:
    for url in (study.url, next(iter(study.contents))):
        whole = get(url, ZIP)
        head = get(url, ZIP, "HEAD")
        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-type", "content-length", "content-disposition", "etag"):
            assert head.headers[name] == whole.headers[name]
        again = get(url, ZIP, **{"If-None-Match": whole.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        part = get(url, ZIP, Range="bytes=0-9")
        assert (part.status_code, part.content) == (200, whole.content), "ranges are not offered"


def test_what_is_not_there(base_url: str) -> None:
    assert get(f"{base_url}/studies/{uid()}", ZIP).status_code == 404


@contextmanager
def file_set(folder: Path) -> Iterator[FileSet]:
    """A folder as pydicom reads it, which has a folder of its own beside it."""
    found = FileSet(pydicom.dcmread(folder / "DICOMDIR"))
    try:
        yield found
    finally:
        found._stage["t"].cleanup()


class TestFileSet:
    """With ``dicomdir=yes``, a further extension: a File-set that media readers take (PS3.10 §8, PS3.3 Annex F)."""

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("media")
        for name, content in entries(get(study.url + "?dicomdir=yes", f"{ZIP}; transfer-syntax=*")).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder

    def test_names(self, folder: Path, study: Study) -> None:
        names = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file()]
        assert names == [f"DICOM/S000000{series}/I000000{number}" for series in (1, 2) for number in (1, 2, 3)] + [
            "DICOMDIR"
        ]
        assert {(folder / name).read_bytes() for name in names[:-1]} == set(study.contents.values())

    def test_pydicom_reads_it(self, folder: Path, study: Study) -> None:
        with file_set(folder) as files:
            assert len(files) == 6
            urls = {f"{study.url}/series/{each.SeriesInstanceUID}/instances/{each.SOPInstanceUID}" for each in files}
            assert urls == set(study.contents)
            for each in files:
                assert each.load().SOPInstanceUID == each.SOPInstanceUID

    @pytest.mark.skipif(shutil.which("dcmmkdir") is None, reason="dcmtk is not installed")
    def test_dcmtk_reads_it(self, folder: Path, tmp_path: Path) -> None:
        dump = subprocess.run(["dcmdump", "DICOMDIR"], cwd=folder, capture_output=True, text=True, check=True)
        assert not dump.stderr
        assert dump.stdout.count("[IMAGE]") == 6
        copy = tmp_path / "media"
        shutil.copytree(folder, copy)
        # It opens the directory, checks it, and takes every file once more
        update = ["dcmmkdir", "--update", "--recurse", "--invent", "DICOM"]
        done = subprocess.run(update, cwd=copy, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert not [line for line in done.stderr.splitlines() if line.startswith("E:")]
        with file_set(copy) as files:
            assert len(files) == 6

    @pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
    def test_dciodvfy_finds_no_fault(self, folder: Path) -> None:
        done = subprocess.run(["dciodvfy", str(folder / "DICOMDIR")], capture_output=True, text=True, check=False)
        assert not [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]

    def test_what_is_converted_is_what_the_records_say(self, study: Study, tmp_path: Path) -> None:
        """Also a lossy copy, which is another Instance with a UID of its own."""
        url = next(iter(study.contents))
        for syntax, same in (("1.2.840.10008.1.2.4.90", True), ("1.2.840.10008.1.2.4.91", False)):
            found = entries(get(url + "?dicomdir=yes", f"{ZIP}; transfer-syntax={syntax}"))
            assert list(found) == ["DICOM/S0000001/I0000001", "DICOMDIR"]
            sent = pydicom.dcmread(io.BytesIO(found["DICOM/S0000001/I0000001"]))
            record = pydicom.dcmread(io.BytesIO(found["DICOMDIR"])).DirectoryRecordSequence[-1]
            assert record.ReferencedTransferSyntaxUIDInFile == syntax
            assert record.ReferencedSOPInstanceUIDInFile == sent.SOPInstanceUID
            assert (sent.SOPInstanceUID == url.rpartition("/")[2]) is same

    def test_other_values(self, study: Study) -> None:
        assert "DICOMDIR" not in entries(get(study.url + "?dicomdir=no", ZIP))
        assert get(study.url + "?dicomdir=maybe", ZIP).status_code == 400
        assert get(study.url + "?dicomdir=yes&anonymize=yes", ZIP).status_code == 400
        assert get(study.url + "?dicomdir=yes", ZIP, "HEAD").status_code == 200
        plain, listed = (get(f"{study.url}{query}", ZIP, "HEAD").headers["etag"] for query in ("", "?dicomdir=yes"))
        assert plain != listed

    @pytest.mark.shared_data
    def test_every_kind_of_object(self, base_url: str, shared_data: Path, tmp_path: Path) -> None:
        """One Study of all modalities there are: each record has the type and keys of its kind."""
        study_uid, patient = uid(), "P-1"
        stored, kinds = 0, set()
        for path in sorted((shared_data / "modalities").rglob("*.dcm")):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    data = pydicom.dcmread(path)
                    data.StudyInstanceUID, data.PatientID, data.SOPInstanceUID = study_uid, patient, uid()
                    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
                    data.SeriesInstanceUID = uid()
                    out = io.BytesIO()
                    data.save_as(out)
                except Exception:  # what pydicom can not write again is no matter here
                    continue
            if len(out.getvalue()) > 2_000_000:
                continue
            headers = {"Content-Type": "application/dicom"}
            answer = httpx.post(f"{base_url}/studies", content=out.getvalue(), headers=headers, trust_env=False)
            if answer.is_success:
                stored += 1
                kinds.add(record_type(data.SOPClassUID, pixels="PixelData" in data))
        assert stored > 20
        found = entries(get(f"{base_url}/studies/{study_uid}?dicomdir=yes", f"{ZIP}; transfer-syntax=*"))
        directory = pydicom.dcmread(io.BytesIO(found["DICOMDIR"]))
        records = directory.DirectoryRecordSequence
        assert {record.DirectoryRecordType for record in records} == kinds | {"PATIENT", "STUDY", "SERIES"}
        leaves = [record for record in records if "ReferencedFileID" in record]
        assert len(leaves) == stored
        for record in leaves:
            sent = pydicom.dcmread(io.BytesIO(found["/".join(record.ReferencedFileID)]), stop_before_pixels=True)
            assert record.ReferencedSOPInstanceUIDInFile == sent.SOPInstanceUID
            assert record.ReferencedTransferSyntaxUIDInFile == sent.file_meta.TransferSyntaxUID
        if shutil.which("dcmdump"):
            (tmp_path / "DICOMDIR").write_bytes(found["DICOMDIR"])
            dump = subprocess.run(["dcmdump", str(tmp_path / "DICOMDIR")], capture_output=True, text=True, check=False)
            assert dump.returncode == 0
            assert "E:" not in dump.stderr
