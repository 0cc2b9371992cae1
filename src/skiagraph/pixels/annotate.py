"""Annotation burned into pictures: PS3.18 §8.3.5.1.1. The patient at the top left, the technique at the bottom left.

Text is white with a dark edge, so that it can be read on everything; lines that are too long are broken, never cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels import elements, fonts
from skiagraph.pixels.appearance import macro
from skiagraph.standard.rendering import Annotation
from skiagraph.values import Attributes

SMALLEST, LARGEST = 13, 40
"""Sizes of the text in pixels; between them they are 1/28 of the picture's shorter side."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LONGEST_LINE = 300
_NOTICE = 48


def lines(attributes: Attributes, annotation: Annotation, frame: int, frames: int) -> list[str]:
    """What is written for one keyword of ``annotation``.

    Parameters
    ----------
    frame, frames
        Number of the frame, from 1, and how many there are.
    """
    made = _patient(attributes) if annotation is Annotation.PATIENT else _technique(attributes, frame, frames)
    cleaned = (_CONTROL.sub(" ", line).strip()[:_LONGEST_LINE] for line in made)
    return [line for line in cleaned if line]


def annotate(
    picture: NDArray[np.uint8],
    top: Sequence[str],
    bottom: Sequence[str],
    *,
    size: int | None = None,
    dark: bool = False,
) -> NDArray[np.uint8]:
    """Write lines along the left edge, from the top and up from the bottom; return the picture with them.

    Parameters
    ----------
    size
        Of the text in pixels; None: by the size of the picture.
    dark
        Black with a white edge, for what is on white paper.
    """
    if not top and not bottom:
        return picture
    from PIL import Image, ImageDraw

    rows, columns = picture.shape[:2]
    size = size or min(max(min(rows, columns) // 28, SMALLEST), LARGEST)
    image = Image.fromarray(np.ascontiguousarray(picture))
    draw = ImageDraw.Draw(image)
    white, black = (255, 0) if picture.ndim == 2 else ((255, 255, 255), (0, 0, 0))
    ink, edge = (black, white) if dark else (white, black)
    margin, step = size // 2, size * 4 // 3

    def length(run: str, face: fonts.Face) -> float:
        return draw.textlength(run, font=fonts.font(face, size))

    top_lines = _broken(top, columns - 2 * margin, length)
    bottom_lines = _broken(bottom, columns - 2 * margin, length)
    # Where there is no room for both, the patient comes first
    first = max(rows - margin - len(bottom_lines) * step, margin + len(top_lines) * step)
    placed = [(margin + number * step, runs) for number, runs in enumerate(top_lines)]
    placed += [(first + number * step, runs) for number, runs in enumerate(bottom_lines)]
    for y, runs in placed:
        x = float(margin)
        for run, face in runs:
            draw.text(
                (x, y + size),
                run,
                fill=ink,
                font=fonts.font(face, size),
                anchor="ls",
                stroke_width=max(1, size // 12),
                stroke_fill=edge,
            )
            x += length(run, face)
    return np.asarray(image)


def notice(width: int, height: int, text: str) -> NDArray[np.uint8]:
    """A dark gray picture, in pixels, that says something instead of showing it."""
    return annotate(np.full((height, width), _NOTICE, np.uint8), [text], [])


def _broken(
    texts: Sequence[str], width: float, length: Callable[[str, fonts.Face], float]
) -> list[list[tuple[str, fonts.Face]]]:
    """Lines as runs of one font, broken at blanks, or anywhere where there are none."""
    found = []
    for text in texts:
        rest = text
        while rest:
            taken = len(rest)
            while taken > 1 and sum(length(*run) for run in fonts.runs(rest[:taken])) > width:
                blank = rest.rfind(" ", 1, taken)
                taken = blank if blank > 0 else taken - 1
            found.append(fonts.runs(rest[:taken].strip()))
            rest = rest[taken:].strip()
    return found


def _patient(attributes: Attributes) -> list[str]:
    sex = elements.text(attributes, "00100040")
    age = elements.text(attributes, "00101010").lstrip("0")
    identifier = elements.text(attributes, "00100020")
    birth = _date(elements.text(attributes, "00100030"))
    return [
        person_name(attributes, "00100010"),
        f"ID {identifier}" if identifier else "",
        "  ".join(part for part in (f"* {birth}" if birth else "", sex, age) if part),
    ]


def _technique(attributes: Attributes, frame: int, frames: int) -> list[str]:
    when = _date(elements.text(attributes, "00080020"))
    clock = elements.text(attributes, "00080030")
    if when and re.match(r"[0-9]{4}", clock):
        when += f" {clock[:2]}:{clock[2:4]}"
    series, image = elements.integer(attributes, "00200011"), elements.integer(attributes, "00200013")
    described = elements.text(attributes, "0008103E")
    view = [elements.text(attributes, tag) for tag in ("00200060", "00200062", "00185101", "00185100")]
    counted = [
        f"Series {series}" if series is not None else "",
        f"Image {image}" if image is not None else "",
        f"Frame {frame} of {frames}" if frames > 1 else "",
    ]
    return [
        " ".join(part for part in (elements.text(attributes, "00080060"), when) if part),
        described,
        "  ".join(part for part in counted if part),
        " ".join(dict.fromkeys(part for part in view if part)),
        _position(attributes, frame),
    ]


def _position(attributes: Attributes, frame: int) -> str:
    """Image Position (Patient) in mm, and Slice Thickness."""
    place = elements.numbers(macro(attributes, frame, "00209113") or attributes, "00200032")
    thickness = elements.number(macro(attributes, frame, "00289110") or attributes, "00180050")
    text = "Position " + " ".join(f"{value:.1f}" for value in place) + " mm" if len(place) == 3 else ""
    return text + (f"  Thickness {thickness:g} mm" if thickness else "")


def person_name(attributes: Attributes, tag: str) -> str:
    """All groups of a name, as people write it: ``Yamada, Tarou · 山田 太郎 · やまだ たろう``."""
    values = (attributes.get(tag) or {}).get("Value") or []
    if not values or not isinstance(values[0], dict):
        return ""
    groups = []
    for key in ("Alphabetic", "Ideographic", "Phonetic"):
        group = values[0].get(key)
        if isinstance(group, str) and group.strip("^ "):
            family, given, middle, prefix, suffix = (*group.split("^"), *[""] * 5)[:5]
            rest = " ".join(part for part in (prefix, given, middle, suffix) if part)
            separator = ", " if key == "Alphabetic" else " "
            groups.append(separator.join(part for part in (family, rest) if part))
    return " · ".join(dict.fromkeys(groups))


def _date(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if re.fullmatch(r"[0-9]{8}", text) else text
