"""The examples of the documentation: found, and compared with what really comes out.

A ``console`` block holds commands behind ``$ `` and what they print. In the printed lines ``…`` stands for anything,
a line of ``…`` alone for any lines. Commands without printed lines only have to succeed. ``python`` blocks are run.
Blocks of every other kind are only shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    """One thing to run."""

    kind: str
    """console or python."""
    source: str
    expected: str
    line: int


def steps(page: str) -> Iterator[Step]:
    for match in _FENCE.finditer(page):
        line = page.count("\n", 0, match.start()) + 1
        if match[1] == "python":
            yield Step("python", match[2], "", line)
        elif match[1] == "console":
            yield from _commands(match[2], line)


def _commands(block: str, line: int) -> Iterator[Step]:
    command, output, start = "", "", line
    for number, text in enumerate(block.splitlines(), line + 1):
        if text.startswith("$ "):
            if command:
                yield Step("console", command, output, start)
            command, output, start = text[2:], "", number
        else:
            assert command, f"line {number}: output before the first command"
            output += text + "\n"
    yield Step("console", command, output, start)


def agrees(expected: str, printed: str) -> bool:
    """Whether the printed text is what a page says; blanks in a row count as one, and trailing ones not at all."""

    def pattern(line: str) -> str:
        if line.strip() == "…":
            return r"(?:.*\n)*?"
        return r"[^\n]*".join(re.escape(part) for part in _squeeze(line).split("…")) + r"\n"

    wanted = "".join(map(pattern, expected.splitlines()))
    text = "".join(_squeeze(line) + "\n" for line in printed.splitlines())
    return re.fullmatch(wanted, text) is not None


def _squeeze(line: str) -> str:
    return re.sub(r" *… *", "…", re.sub(r"[ \t]+", " ", line)).strip()


def pages(root: Path) -> list[Path]:
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
