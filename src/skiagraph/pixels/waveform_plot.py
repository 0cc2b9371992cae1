"""Waveforms as pictures: from the samples of a page to a picture file, as a request wants it.

`waveform_plan.plan` says which samples are needed; the service reads them; this draws. PS3.18 has no rendered media
type for waveforms of its own: they get those of single frames, and the parameters of images mean the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels import annotate, picture, rendition, viewport
from skiagraph.pixels.page import Page, Words
from skiagraph.pixels.rendition import Rendition
from skiagraph.pixels.waveform import Waveform
from skiagraph.pixels.waveform_paper import draw_paper
from skiagraph.pixels.waveform_plan import BELOW, LEFT, RIGHT, Plan
from skiagraph.pixels.waveform_rows import draw_rows
from skiagraph.pixels.waveform_samples import Trace
from skiagraph.pixels.waveform_scale import INK, SOFT
from skiagraph.standard.rendering import Annotation
from skiagraph.values import Attributes

_NOTES_LEFT, _NOTES_WIDTH = 112.0, 59.0
_COLUMNS, _LINES = 3, 4
_TEXT = 3.4  # millimetres of burned in annotation


def encoded(plan: Plan, traces: Sequence[Trace], attributes: Attributes, wanted: Rendition) -> bytes:
    """Draw a page and encode it.

    Parameters
    ----------
    traces
        One for each panel, of its span.
    wanted
        Without overlays what somebody wrote into the data, Waveform Annotations, is left out.

    Raises
    ------
    BadRequest
        The viewport does not fit the page.
    """
    columns, rows = plan.size
    fitted = viewport.fit(columns, rows, wanted.viewport)
    page = draw(plan, traces, words=wanted.overlays)
    millimetres = plan.width / columns, plan.height / rows
    box = (
        fitted.left * millimetres[0],
        fitted.upper * millimetres[1],
        fitted.right * millimetres[0],
        fitted.lower * millimetres[1],
    )
    shown = page.render(fitted.width, fitted.height, box)
    if wanted.viewport is not None and wanted.viewport.flip_horizontally:
        shown = shown[:, ::-1]
    if wanted.viewport is not None and wanted.viewport.flip_vertically:
        shown = shown[::-1]
    shown, profile = rendition.coloured(shown, None, wanted)
    shown = _annotated(shown, attributes, wanted, round(_TEXT * fitted.width / (box[2] - box[0])))
    return picture.encode(shown, wanted.media_type, quality=wanted.quality, profile=profile)


def draw(plan: Plan, traces: Sequence[Trace], *, words: bool = True) -> Page:
    """Draw the page; `traces` and `words` as for `encoded`."""
    page = Page(plan.width, plan.height)
    if words:
        _notes(page, plan.waveform)
    for panel, trace in zip(plan.panels, traces, strict=True):
        number = panel.span.group.number
        marks = [mark for mark in plan.waveform.marks if mark.group == number] if words else []
        if panel.style == "rows":
            draw_rows(page, panel, trace, marks if not panel.overview else [], plan.waveform.family)
        else:
            draw_paper(page, panel, trace, marks)
    _problems(page, plan)
    return page


def _notes(page: Page, waveform: Waveform) -> None:
    """What was said of the whole, at the top right: the left is for the patient, where that is asked for."""
    notes = list(waveform.notes)
    if len(notes) > _COLUMNS * _LINES:
        notes = [*notes[: _COLUMNS * _LINES - 1], f"… {len(waveform.notes)} annotations in all"]
    for place, note in enumerate(notes):
        column, line = divmod(place, _LINES)
        x, y = _NOTES_LEFT + column * (_NOTES_WIDTH + 1.0), 5.5 + 3.8 * line
        page.shapes.append(Words(x, y, note, 2.7, INK, most=_NOTES_WIDTH))


def _problems(page: Page, plan: Plan) -> None:
    """Which groups are not there, and why, above the place for the technique."""
    problems = [group for group in plan.waveform.groups if group.problem]
    first = plan.height - BELOW - 4.5 * len(problems) + 2.0
    for place, group in enumerate(problems):
        text = f"Multiplex group {group.number} is not shown: it {group.problem}."
        page.shapes.append(Words(LEFT, first + 4.5 * place, text, 2.6, SOFT, most=RIGHT - LEFT))


def _annotated(shown: NDArray[np.uint8], attributes: Attributes, wanted: Rendition, size: int) -> NDArray[np.uint8]:
    """Burn in what the request wants to read, dark on the white paper."""
    if not wanted.annotation:
        return shown
    top, bottom = (
        annotate.lines(attributes, keyword, 1, 1) if keyword in wanted.annotation else []
        for keyword in (Annotation.PATIENT, Annotation.TECHNIQUE)
    )
    return annotate.annotate(shown, top, bottom, size=max(size, annotate.SMALLEST), dark=True)
