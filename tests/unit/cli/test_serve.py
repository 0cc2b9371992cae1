"""What `serve` tells before and while it serves."""

from __future__ import annotations

import pytest

from skiagraph.cli.serve import local_url, welcome
from skiagraph.settings import Settings


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:9000/dicom-web"),
        ("0.0.0.0", "http://127.0.0.1:9000/dicom-web"),
        ("::", "http://[::1]:9000/dicom-web"),
        ("::1", "http://[::1]:9000/dicom-web"),
        ("pacs.local", "http://pacs.local:9000/dicom-web"),
    ],
)
def test_the_url_for_programs_on_this_machine(host: str, url: str) -> None:
    assert local_url(Settings(host=host, port=9000)) == url


def test_the_welcome_says_where_and_what_to_try() -> None:
    text = welcome(Settings(public_url="https://pacs.example.org/dicom-web"))
    assert "http://127.0.0.1:8080/dicom-web" in text
    assert "https://pacs.example.org/dicom-web" in text
    assert text.count("curl ") >= 4
    assert "--url" not in text


def test_commands_name_the_server_when_it_is_not_the_default_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: "/usr/bin/skiagraph")
    assert "skiagraph search --url http://127.0.0.1:9000/dicom-web" in welcome(Settings(port=9000))


def test_a_command_that_is_not_on_the_path_is_named_by_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    monkeypatch.setattr("sys.argv", [".venv/bin/skiagraph"])
    assert "  .venv/bin/skiagraph search\n" in welcome(Settings())
