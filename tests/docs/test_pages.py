"""The documentation is whole: generated parts are up to date, links lead somewhere, nothing is left out."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from skiagraph import errors
from skiagraph.app import TRANSACTIONS
from skiagraph.settings import Settings

from .examples import pages

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*pages(ROOT), ROOT / "CHANGELOG.md", ROOT / "samples" / "PROVENANCE.md"]
_LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "reference").glob("*.md")), ids=lambda path: path.name)
def test_generated_parts_are_up_to_date(generate: ModuleType, path: Path) -> None:
    page = path.read_text("utf-8")
    assert generate.generate(page) == page, "run: .venv/bin/python docs/generate.py"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target, _ in _LINK.findall(path.read_text("utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_every_setting_has_a_heading() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
    assert set(re.findall(r"^### (\w+)$", page, re.MULTILINE)) == set(Settings.model_fields)


def test_every_error_is_listed() -> None:
    page = (ROOT / "docs" / "reference" / "errors.md").read_text("utf-8")
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, errors.InstanceError) and value is not errors.InstanceError:
            assert f"`{name}`" in page


def test_every_transaction_is_listed() -> None:
    page = (ROOT / "docs" / "reference" / "transactions.md").read_text("utf-8")
    for row in TRANSACTIONS:
        assert f"`{row.method} {row.template}`" in page


def test_every_decision_is_in_the_list() -> None:
    folder = ROOT / "docs" / "explanation" / "decisions"
    listed = (folder / "README.md").read_text("utf-8")
    numbers = []
    for path in sorted(folder.glob("0*.md")):
        assert f"({path.name})" in listed
        for heading in ("## Context", "## Decision", "## Consequences"):
            assert heading in path.read_text("utf-8"), f"{path.name} has no {heading}"
        numbers.append(int(path.name[:4]))
    assert numbers == list(range(1, len(numbers) + 1))
