"""An SR document as a page: head, then the content tree as nested sections — PS3.18 Table 8.7.4-1, category Text.

The page is whole in itself: no scripts, no images, nothing from elsewhere, and one style sheet, whose digest is in the
Content-Security-Policy, so that nothing else can act as style either. Everything from the data set is escaped.
Text that is not of the page's own language says so: by the language that the report names (TID 1204), and by the
direction that its letters have. References to the evidence are links to the rendered form of what they reference.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from typing import Final

from skiagraph.standard import report_values, structured_report
from skiagraph.standard.report_table import Table, Target
from skiagraph.standard.structured_report import CONTAINER, Item, Reference, Report
from skiagraph.values import Attributes
from skiagraph.wire import report_links, report_phrases

CONTENT_TYPE: Final = "text/html; charset=utf-8"

STYLE: Final = """
:root{color-scheme:light dark;--ink:#1d2328;--soft:#59646d;--line:#dfe4e8;--page:#fff;--tint:#f4f6f8;--link:#0b5cad;
--good:#1a6b3c;--wait:#8a5a00}
@media (prefers-color-scheme:dark){:root{--ink:#e4e8eb;--soft:#9aa5ae;--line:#343b41;--page:#15191c;--tint:#1e2429;
--link:#7ab8f5;--good:#7fd3a0;--wait:#e8bd6a}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2.5rem 1.5rem 4rem;max-width:54rem;background:var(--page);color:var(--ink);
font:1rem/1.55 system-ui,"Segoe UI",Roboto,"Noto Sans","Helvetica Neue",Arial,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.7rem;line-height:1.25;font-weight:650;margin:0 0 .6rem}
h2,h3,h4,h5,h6{line-height:1.3;font-weight:650;margin:1.6rem 0 .4rem}
h2{font-size:1.25rem;padding-bottom:.25rem;border-bottom:1px solid var(--line)}
h3{font-size:1.08rem}h4,h5,h6{font-size:1rem}
a{color:var(--link)}
.flags{display:flex;flex-wrap:wrap;gap:.5rem;margin:0 0 1.2rem;padding:0;list-style:none}
.flags li{font-size:.85rem;padding:.1rem .7rem;border:1px solid currentColor;border-radius:1rem;color:var(--wait)}
.flags li.good{color:var(--good)}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr));gap:.7rem 1.6rem;margin:0 0 1rem;
padding:1rem 1.2rem;background:var(--tint);border-radius:.5rem}
.facts dt{font-size:.8rem;color:var(--soft)}
.facts dd{margin:0}
.item{margin:.35rem 0;display:grid;grid-template-columns:minmax(7rem,15rem) minmax(0,1fr);gap:0 1rem}
.item>dt{color:var(--soft)}
.item>dd{margin:0;white-space:pre-line}
.item>.below{grid-column:1/-1;margin:0;white-space:normal;padding-inline-start:1rem;
border-inline-start:2px solid var(--line)}
.below .item{grid-template-columns:minmax(6rem,14rem) minmax(0,1fr)}
.context{font-size:.9rem}
.relation,.note{font-size:.82rem;color:var(--soft);font-style:italic}
.item>.wide{overflow-x:auto;border:0;padding:0;margin:.3rem 0 .6rem}
table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .7rem;border:1px solid var(--line);text-align:start;vertical-align:top}
th{font-weight:600;background:var(--tint)}
.prose{margin:.5rem 0;max-width:44rem;white-space:pre-line}
.inner{color:var(--soft)}
section section{padding-inline-start:.9rem}
section section section section section{padding-inline-start:.3rem}
:target{background:var(--tint);outline:2px solid var(--link);outline-offset:.2rem}
footer{margin-top:3rem;padding-top:.7rem;border-top:1px solid var(--line);font-size:.8rem;color:var(--soft)}
@media (max-width:34rem){body{padding:1.2rem .9rem 3rem}.item,.below .item{display:block}}
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--line:#bbb;--page:#fff;--tint:#fff;--link:#000;
--good:#000;--wait:#000}body{max-width:none;padding:0;font-size:10.5pt}.facts{border:1px solid var(--line)}
h1,h2,h3,h4,h5,h6{break-after:avoid}.item>dt,.facts div{break-inside:avoid}a{text-decoration:none}}
"""

CONTENT_SECURITY_POLICY: Final = (
    "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'"
)
"""What a page made here may do: have its own style sheet, and nothing else."""

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}", re.ASCII)
_RIGHT_TO_LEFT = frozenset({"ar", "arc", "ckb", "dv", "fa", "he", "iw", "nqo", "ps", "sd", "syr", "ug", "ur", "yi"})
_CLOSED = "</dd></dl>"


def to_html(attributes: Attributes, report: Report, base_url: str) -> bytes:
    """Write an SR document as a page in UTF-8.

    Parameters
    ----------
    base_url
        Base URI as the client sees it, without trailing slash; links begin with it.
    """
    title = report_phrases.title(report)
    parts: list[str] = []
    page = _Page(report, base_url, parts)
    parts.append(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{escape(title)}</title><style>{STYLE}</style></head>\n'
        f'<body><header><h1{_language(report.content)}>{_isolated(title)}</h1>\n<ul class="flags">'
    )
    parts += (
        f'<li class="good">{escape(flag)}</li>' if flag in ("Complete", "Verified") else f"<li>{escape(flag)}</li>"
        for flag in report_phrases.flags(report)
    )
    parts.append('</ul>\n<dl class="facts">')
    parts += (
        f"<div><dt>{escape(label)}</dt><dd>{_isolated(value)}</dd></div>"
        for label, value in report_phrases.facts(attributes, report)
    )
    parts.append(f"</dl></header>\n<main{page.anchor(report.content)}{_language(report.content) or _UNKNOWN}>\n")
    page.write()
    uid = report_values.text(attributes, "00080018")
    parts.append(f"</main>\n<footer>Instance {escape(uid)}</footer></body></html>\n")
    return "".join(parts).encode()


def escape(text: str) -> str:
    """Text as it may stand in an element or a quoted attribute."""
    return html.escape(_CONTROLS.sub("\ufffd", text))


_UNKNOWN = ' lang="" dir="auto"'  # the labels are the report's own: not in the language of the page


def _isolated(text: str) -> str:
    """Text whose direction is its own, and does not stir what stands beside it."""
    return f"<bdi>{escape(text)}</bdi>" if text else ""


def _text_direction(item: Item, *, rtl: bool) -> str:
    """Sentences in a language from right to left may begin with a Latin word; elsewhere their letters tell."""
    return "" if rtl or item.value_type != "TEXT" else ' dir="auto"'


def _is_rtl(item: Item, *, inherited: bool) -> bool:
    language = _language(item)
    return language.endswith('"rtl"') if language else inherited


def _language(item: Item) -> str:
    """Attributes for the language of an item, where it names one."""
    language = item.language
    if not _LANGUAGE.fullmatch(language):
        return ""
    direction = "rtl" if language.partition("-")[0].lower() in _RIGHT_TO_LEFT else "ltr"
    return f' lang="{language}" dir="{direction}"'


class _Page:
    """The content of a document on its way into a page."""

    def __init__(self, report: Report, base_url: str, parts: list[str]) -> None:
        self._report = report
        self._base_url = base_url
        self._parts = parts
        self._anchors = report_links.anchors(report)

    def write(self) -> None:
        """Write the tree: what is still to come is a list, so that depth costs nothing."""
        content = self._report.content
        rtl = _is_rtl(content, inherited=False)
        waiting: list[str | tuple[report_phrases.Run, int, bool]] = []
        waiting += ((run, 1, rtl) for run in reversed(report_phrases.runs(content)))
        while waiting:
            found = waiting.pop()
            if isinstance(found, str):
                self._parts.append(found)
                continue
            run, depth, rtl = found
            if isinstance(run, tuple):
                self._sentence(run, rtl=rtl)
                continue
            rtl = _is_rtl(run, inherited=rtl)
            close = self._section(run, depth) if run.value_type == CONTAINER else self._item(run, rtl=rtl)
            if depth < report_phrases.DEEPEST:
                waiting.append(close)
            else:  # nested no further
                self._parts.append(close)
            waiting += ((child, depth + 1, rtl) for child in reversed(report_phrases.runs(run)))

    def _section(self, item: Item, depth: int) -> str:
        heading = f"h{min(depth + 1, 6)}"
        self._parts.append(
            f"<section{self.anchor(item)}{_language(item)}><{heading}{_title(item)}>"
            f"{self._relation(item)}{_isolated(report_phrases.label(item))}{_observed(item)}</{heading}>\n"
        )
        return "</section>\n"

    def _item(self, item: Item, *, rtl: bool) -> str:
        context = item.relationship in report_phrases.CONTEXTS
        self._parts.append(
            f'<dl class="item{" context" if context else ""}"{self.anchor(item)}{_language(item)}>'
            f"<dt{_title(item)}>{self._relation(item)}{self._label(item)}</dt>"
            f"<dd{_text_direction(item, rtl=rtl)}>{self._value(item)}{_observed(item)}</dd>"
        )
        if isinstance(item.value, Table):
            self._table(item.value)
        if not item.children:
            return "</dl>\n"
        self._parts.append('<dd class="below">')
        return _CLOSED + "\n"

    def _table(self, table: Table) -> None:
        rows, columns = report_phrases.shown_rows(table), report_phrases.shown_columns(table)
        if not rows or not columns:
            return
        named = report_phrases.has_row_headings(table)
        self._parts.append('<dd class="below wide"><table>')
        if report_phrases.has_column_headings(table):
            self._parts.append("<thead><tr>" + "<td></td>" * named)
            for column in columns:
                name = report_phrases.heading(table.column_headings.get(column))
                self._parts.append(f'<th scope="col">{_isolated(name)}</th>')
            self._parts.append("</tr></thead>")
        self._parts.append("<tbody>")
        for row in rows:
            self._parts.append("<tr>")
            if named:
                name = report_phrases.heading(table.row_headings.get(row))
                self._parts.append(f'<th scope="row">{_isolated(name)}</th>')
            self._parts += (f"<td>{self._cell(table, row, column)}</td>" for column in columns)
            self._parts.append("</tr>\n")
        self._parts.append("</tbody></table></dd>")

    def _cell(self, table: Table, row: int, column: int) -> str:
        text = _isolated(report_phrases.cell(table, row, column, self._report))
        found = table.cells.get((row, column))
        target = structured_report.find(self._report.content, found.identifier) if isinstance(found, Target) else None
        return text if target is None else f'<a href="#{self._anchors[id(target)]}">{text}</a>'

    def _sentence(self, items: tuple[Item, ...], *, rtl: bool) -> None:
        self._parts.append('<p class="prose">' if rtl else '<p class="prose" dir="auto">')
        depth = 0
        first = True
        for found in report_phrases.prose(items):
            if found == "(":
                depth += 1
                self._parts.append(' <span class="inner">(')
                first = True
            elif found == ")":
                depth -= 1
                self._parts.append(")</span>")
            else:
                separator = "" if first else "; " if depth else " "
                name = f"{self._relation(found)}{self._label(found, ': ')}" if depth else ""
                hint = escape(report_phrases.label(found))
                self._parts.append(
                    f'{separator}{name}<span title="{hint}"{self.anchor(found)}>{self._value(found)}</span>'
                )
                first = False
        self._parts.append("</p>\n")

    def _label(self, item: Item, behind: str = "") -> str:
        return "" if item.target else _isolated(report_phrases.label(item)) + behind

    def _value(self, item: Item) -> str:
        if item.target:
            target = structured_report.find(self._report.content, item.target)
            if target is None:
                return "see an item that is not there"
            return f'see <a href="#{self._anchors[id(target)]}">{_isolated(report_phrases.label(target))}</a>'
        text = report_phrases.value(item)
        text = escape(text) if item.value_type == "TEXT" else _isolated(text)
        if not isinstance(item.value, Reference):
            return text
        uid = escape(item.value.sop_instance_uid)
        url = report_links.url(item, self._report, self._base_url)
        if url:
            return f'<a href="{escape(url)}" title="{uid}">{text}</a>'
        return f'{text} <span class="note">{uid}</span>'

    def anchor(self, item: Item) -> str:
        """The id of an item that others refer to, as an attribute; "" for all others."""
        anchor = self._anchors.get(id(item))
        return "" if anchor is None else f' id="{anchor}"'

    def _relation(self, item: Item) -> str:
        relation = report_phrases.relation(item)
        return f'<span class="relation" lang="en">{escape(relation)}</span> ' if relation else ""


def _title(item: Item) -> str:
    """The codes of an item as a hint."""
    details = report_phrases.details(item)
    return f' title="{escape(details)}"' if details else ""


def _observed(item: Item) -> str:
    if not item.observed:
        return ""
    return f' <span class="note">{escape(report_phrases.date_time(item.observed))}</span>'
