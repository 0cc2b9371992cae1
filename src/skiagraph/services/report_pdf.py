"""An SR document as PDF: the words of its page, set on A4 — PS3.18 Table 8.7.4-1, category Text.

What is written comes from `wire.report_phrases`, as for the page and the plain text. It is handed to Typst as data,
which no text can get out of: the template below is all of the program. Text is set in the fonts of `pixels.fonts`;
lines are broken, shaped and ordered by the rules of Unicode. The PDF is tagged, has bookmarks, and no dates of its
own: the same report gives the same bytes.

Typesetting costs memory for each character, so there are bounds; what is beyond them is said to be so.
"""

from __future__ import annotations

import ctypes
import re
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import orjson

from skiagraph.errors import NoAcceptableRepresentation
from skiagraph.pixels import fonts
from skiagraph.standard import report_values, structured_report
from skiagraph.standard.report_table import Table
from skiagraph.standard.structured_report import CONTAINER, Item, Reference, Report
from skiagraph.values import Attributes, is_uid
from skiagraph.wire import report_links, report_phrases, report_text

if TYPE_CHECKING:
    import typst

CONTENT_TYPE: Final = "application/pdf"

MOST_BLOCKS: Final = 3000
"""Items, sentences and rows of tables that are printed."""

MOST_CHARACTERS: Final = 200_000

_REMEMBERED = 11
"""Documents for which Typst keeps what it made: hundreds of megabytes, unless empty documents push them out."""

_LITTLE = 2**14  # characters handed over, of which the memory is not worth the time of pushing it out
_LONGEST_PARAGRAPH = 2000
_LONGEST_WORD = 48
_PIECE = 24  # of a longer one, behind which a line may end
_MOST_MARKS = 4  # combining marks on a character; each more costs much and says nothing
_OVERHEAD = 60  # characters that a paragraph counts for, however short it is
_DEEPEST = 12  # levels that are indented
_MOST_COLUMNS = 16
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_BIDI_CONTROLS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c]")
# Scripts that are written without blanks have places of their own to break lines
_WORD = re.compile(rf"[^\s\u200b\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u2e80-\uffdc]{{{_LONGEST_WORD},}}")
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(-[A-Za-z0-9]{1,8}){0,4}", re.ASCII)
_BREAK = "\u200b"  # where a line may end

_TEMPLATE: Final = b"""
#let data = json(bytes(sys.inputs.data))
#let ink = rgb("#1d2328")
#let soft = rgb("#59646d")
#let line-colour = rgb("#dfe4e8")
#let tint = rgb("#f4f6f8")
#let link-colour = rgb("#0b5cad")
#set document(title: data.title.s, date: none)
#set page(paper: "a4", margin: (x: 20mm, top: 17mm, bottom: 20mm), footer: {
  set text(8pt, fill: soft)
  grid(columns: (1fr, auto), data.footer, context counter(page).display("1 / 1", both: true))
})
#set text(font: data.fonts.at(0), size: 10pt, fill: ink, lang: data.lang, hyphenate: false)
#set par(leading: 0.6em, spacing: 0.6em)
#show heading: set block(above: 0em, below: 0em)
#show heading.where(level: 1): set text(16pt)
#show heading.where(level: 2): set text(12.5pt)
#show heading.where(level: 3): set text(11pt)
#show heading: it => if it.level > 3 { text(10pt, it) } else { it }
#let words(t) = text(font: data.fonts.at(t.f), dir: if t.r { rtl } else { ltr }, t.s)
#let paragraphs(ts) = for t in ts {
  set text(dir: if t.r { rtl } else { ltr })
  par(words(t))
}
#let note(t) = text(8pt, fill: soft, words(t))
#let anchored(name, body) = if name == none { body } else { [#body#label(name)] }
#let linked(url, body) = if url == none { body } else if url.starts-with("#") {
  link(label(url.slice(1)), text(fill: link-colour, body))
} else { link(url, text(fill: link-colour, body)) }
#let named(b) = {
  if b.relation != "" { text(8pt, fill: soft, style: "italic", b.relation + " ") }
  if b.label != none { words(b.label) }
}
#let item(b) = grid(
  columns: (calc.max(54 - b.depth * 3, 24) * 1mm, 1fr), column-gutter: 4mm,
  align(start, {
    set text(fill: soft, dir: if b.label != none and b.label.r { rtl } else { ltr })
    par(named(b))
  }),
  {
    linked(b.url, paragraphs(b.value))
    if b.uid != none { par(note(b.uid)) }
    if b.observed != none { par(note(b.observed)) }
  },
)
#let rows(b) = {
  set text(if b.columns > 8 { 6.5pt } else if b.columns > 5 { 8pt } else { 9pt })
  table(
    columns: (1fr,) * b.columns, inset: (x: 1.6mm, y: 1.2mm), stroke: 0.4pt + line-colour,
    ..if b.head == none { () } else {
      (table.header(..b.head.map(t => table.cell(fill: tint, strong(words(t))))),)
    },
    ..b.cells.map(c => if c.head { table.cell(fill: tint, strong(words(c.t))) } else { linked(c.url, words(c.t)) }),
  )
}
#block(below: 1.1em, heading(level: 1, {
  set text(dir: if data.title.r { rtl } else { ltr })
  words(data.title)
}))
#for flag in data.flags {
  box(stroke: 0.5pt + if flag.good { rgb("#1a6b3c") } else { rgb("#8a5a00") }, radius: 3mm, inset: (x: 2.2mm, y: 0.9mm),
    text(8.5pt, fill: if flag.good { rgb("#1a6b3c") } else { rgb("#8a5a00") }, words(flag.t)))
  h(2mm)
}
#if data.facts.len() > 0 {
  block(fill: tint, radius: 1.5mm, inset: 3.5mm, width: 100%, above: 1em, below: 1.2em, grid(
    columns: (1fr, 1fr, 1fr), column-gutter: 4mm, row-gutter: 3mm,
    ..data.facts.map(f => { par(text(8pt, fill: soft, f.label)); paragraphs((f.value,)) }),
  ))
}
#for b in data.blocks {
  let body = if b.kind == "heading" {
    heading(level: b.level, { set text(dir: if b.label.r { rtl } else { ltr }); named(b)
      if b.observed != none { h(2mm); note(b.observed) } })
  } else if b.kind == "table" { rows(b) } else if b.kind == "prose" { paragraphs(b.value) } else { item(b) }
  let left = b.depth * 3mm
  anchored(b.anchor, if b.kind == "heading" {
    block(above: 1.5em, below: 0.9em, sticky: true, inset: (left: left), body)
  } else {
    block(above: 0.75em, below: 0.75em, width: 100%, inset: (left: left), body)
  })
}
"""


class Unprintable(NoAcceptableRepresentation):
    """The report can not be set as PDF; text/html and text/plain show it."""


def to_pdf(attributes: Attributes, report: Report, base_url: str) -> bytes:
    """Write an SR document as PDF.

    Parameters
    ----------
    base_url
        Base URI as the client sees it, without trailing slash; links begin with it.

    Raises
    ------
    Unprintable
        The typesetter gave up.
    """
    import typst

    data = orjson.dumps(_content(attributes, report, base_url)).decode()
    try:
        made = _compiled(_TEMPLATE, {"data": data})
    except typst.TypstError as error:
        raise Unprintable from error
    except BaseException as error:
        # A panic of the Rust below is none of Python's exceptions
        if type(error).__name__ != "PanicException":
            raise
        raise Unprintable from None
    if len(data) > _LITTLE:
        for _ in range(_REMEMBERED):
            _compiled(b"", {})
        with suppress(OSError, AttributeError):  # glibc keeps what is freed in threads otherwise
            ctypes.CDLL(None).malloc_trim(0)
    return made


def _compiled(source: bytes, data: dict[str, str]) -> bytes:
    import typst

    return typst.compile(
        source, format="pdf", font_paths=_fonts(), ignore_system_fonts=True, sys_inputs=data, timestamp=0
    )


@cache
def _fonts() -> typst.Fonts:
    """The fonts that there are, found once."""
    import typst

    return typst.Fonts(include_system_fonts=False, font_paths=fonts.folders())


def _content(attributes: Attributes, report: Report, base_url: str) -> dict[str, Any]:
    """All that the template sets."""
    sheet = _Sheet(report, base_url)
    sheet.fill()
    language = _LANGUAGE.fullmatch(report.content.language)
    return {
        "title": _text(report_phrases.title(report)),
        "lang": language[1].lower() if language else "en",
        "fonts": [_families(face) for face in _CJK],
        "flags": [
            {"t": _text(flag), "good": flag in ("Complete", "Verified")} for flag in report_phrases.flags(report)
        ],
        "facts": [{"label": label, "value": _text(value)} for label, value in report_phrases.facts(attributes, report)],
        "blocks": sheet.blocks,
        "footer": f"Instance {_plain(report_values.text(attributes, '00080018'))}",
    }


# Text ----------------------------------------------------------------------------------------------------------------

_CJK = (fonts.CHINESE, fonts.JAPANESE, fonts.KOREAN)


def _families(ideographs: fonts.Face) -> list[str]:
    """Names of the font families in the order in which they are tried."""
    return ["Noto Sans", fonts.family(ideographs), *fonts.families()]


def _text(text: str) -> dict[str, Any]:
    """A text as the template takes it: with the font of its ideographs, and its direction."""
    cleaned = _plain(text)
    return {"s": cleaned, "f": _CJK.index(fonts.ideographs(cleaned)), "r": _is_rtl(cleaned)}


def _texts(text: str) -> list[dict[str, Any]]:
    """The paragraphs of a text."""
    found = []
    for line in re.split(r"[\r\n]+", text[:MOST_CHARACTERS].strip()):
        found += [_text(line[at : at + _LONGEST_PARAGRAPH]) for at in range(0, len(line), _LONGEST_PARAGRAPH)]
        if len(found) * _OVERHEAD > MOST_CHARACTERS:
            break
    return found


def _plain(text: str) -> str:
    """A text without what could harm the setting: controls, towers of marks, words that are longer than a line."""
    text = _BIDI_CONTROLS.sub("", _CONTROLS.sub("\ufffd", text[:_LONGEST_PARAGRAPH]))
    if not text.isascii():
        text = _without_towers(text)
    return _WORD.sub(lambda word: _BREAK.join(_pieces(word[0])), text)


def _uid(uid: str) -> dict[str, Any] | None:
    """A UID, which fits into a line and is not to be broken; None without."""
    return {"s": uid, "f": 0, "r": False} if is_uid(uid) else _text(uid) if uid else None


def _without_towers(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me", "Cf") else 0
        if marks <= _MOST_MARKS:
            kept.append(character)
    return "".join(kept)


def _pieces(word: str) -> Iterable[str]:
    return (word[at : at + _PIECE] for at in range(0, len(word), _PIECE))


def _is_rtl(text: str) -> bool:
    """Whether the first letter that has a direction is written from right to left (UAX #9, P2)."""
    for character in text:
        direction = unicodedata.bidirectional(character)
        if direction in ("L", "R", "AL"):
            return direction != "L"
    return False


# Blocks --------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Sheet:
    """The content of a document on its way to paper."""

    report: Report
    base_url: str
    blocks: list[dict[str, Any]] = field(default_factory=list)
    _anchors: dict[int, str] = field(default_factory=dict)
    _left: int = MOST_CHARACTERS

    def fill(self) -> None:
        """Gather the blocks, as many as there may be."""
        content = self.report.content
        self._anchors = report_links.anchors(self.report)
        waiting: list[tuple[report_phrases.Run, int]] = [(run, 0) for run in reversed(report_phrases.runs(content))]
        while waiting:
            if len(self.blocks) >= MOST_BLOCKS or self._left <= 0:
                self._stop()
                break
            run, depth = waiting.pop()
            if isinstance(run, tuple):
                self._add("prose", depth, run[0], value=_texts(report_text.sentence(run, self.report)))
                continue
            if run.value_type == CONTAINER:
                self._add("heading", depth, run, level=min(depth + 2, 6), label=_text(report_phrases.label(run)))
            else:
                self._item(run, depth)
            if isinstance(run.value, Table):
                self._table(run, run.value, depth)
            waiting += ((child, depth + 1) for child in reversed(report_phrases.runs(run)))
        there = {block["anchor"] for block in self.blocks}
        for block in self.blocks:  # links to what is not printed would be errors
            for part in (block, *block.get("cells", ())):
                if (part.get("url") or "").startswith("#") and part["url"][1:] not in there:
                    part["url"] = None

    def _add(self, kind: str, depth: int, item: Item, **more: Any) -> None:
        anchor = self._anchors.pop(id(item), None)
        block = {
            "kind": kind,
            "depth": min(depth, _DEEPEST),
            "anchor": anchor,
            "relation": report_phrases.relation(item),
            "label": None,
            "url": None,
            "uid": None,
            "observed": _text(report_phrases.date_time(item.observed)) if item.observed else None,
            **more,
        }
        self._left -= sum(len(text["s"]) + _OVERHEAD for text in block.get("value", ())) + _OVERHEAD
        self.blocks.append(block)

    def _item(self, item: Item, depth: int) -> None:
        if item.target:
            target = structured_report.find(self.report.content, item.target)
            name = f"see {report_phrases.label(target)}" if target else "see an item that is not there"
            url = None if target is None else f"#{report_links.anchor(item.target)}"
            self._add("item", depth, item, value=_texts(name), url=url)
            return
        value, url, uid = _texts(report_phrases.value(item)), None, None
        if isinstance(item.value, Reference):
            url = report_links.url(item, self.report, self.base_url) or None
            uid = _uid(item.value.sop_instance_uid)
        self._add("item", depth, item, label=_text(report_phrases.label(item)), value=value, url=url, uid=uid)

    def _table(self, item: Item, table: Table, depth: int) -> None:
        columns = report_phrases.shown_columns(table)[:_MOST_COLUMNS]
        named = report_phrases.has_row_headings(table)
        rows = report_phrases.shown_rows(table)[: max(MOST_BLOCKS - len(self.blocks), 0)]
        if not columns or not rows:
            return
        head = None
        if report_phrases.has_column_headings(table):
            names = [report_phrases.heading(table.column_headings.get(column)) for column in columns]
            head = [_text(name) for name in ([""] if named else []) + names]
        cells: list[dict[str, Any]] = []
        printed = 0
        for row in rows:
            texts = [_text(report_phrases.cell(table, row, column, self.report)) for column in columns]
            self._left -= sum(len(text["s"]) + _OVERHEAD for text in texts)
            if self._left <= 0:
                break
            if named:
                name = report_phrases.heading(table.row_headings.get(row))
                cells.append({"t": _text(name), "head": True, "url": None})
            cells += [
                {"t": text, "head": False, "url": self._cell_url(table, row, column)}
                for text, column in zip(texts, columns, strict=True)
            ]
            printed += 1
        self._add("table", depth, item, columns=len(columns) + named, head=head, cells=cells)
        if printed < len(report_phrases.shown_rows(table)) or len(columns) < len(report_phrases.shown_columns(table)):
            sentence = f"{printed} rows and {len(columns)} columns of the table are printed; text/html has more."
            self._add("prose", depth, item, value=_texts(sentence))

    def _cell_url(self, table: Table, row: int, column: int) -> str | None:
        found = table.cells.get((row, column))
        identifier: Sequence[int] = getattr(found, "identifier", ())
        return f"#{report_links.anchor(identifier)}" if identifier else None

    def _stop(self) -> None:
        sentence = "The report goes on; what follows is not printed. text/html and text/plain show all of it."
        self.blocks.append(
            {"kind": "prose", "depth": 0, "anchor": None, "relation": "", "label": None, "url": None, "uid": None}
            | {"observed": None, "value": _texts(sentence)}
        )
