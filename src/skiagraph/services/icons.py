"""Icons for what has no picture, or none that may be shown: PS3.18 §10.4.1.1.4 lets a thumbnail be a fixed icon.

Calm line drawings, made here; the same Instance always gets the same bytes.
"""

from __future__ import annotations

import enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from skiagraph.index.base import StoredInstance
from skiagraph.pixels import fonts, picture
from skiagraph.standard.rendering import Viewport

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

DEFAULT_SIZE = 256
"""Pixels of the side of an icon when the request names none; icons are square."""

LARGEST_SIZE = 1024

_BACKGROUND, _LINE, _FILL, _ACCENT = (233, 237, 241), (84, 104, 124), (250, 251, 252), (58, 124, 165)
_UNIT = 512  # what the drawings are made in, to be reduced with smooth edges


class Icon(enum.Enum):
    """What an icon stands for."""

    IMAGE = "image"
    """An image that can not be decoded, or that shows who the patient is."""
    VIDEO = "video"
    DOCUMENT = "document"
    MODEL = "model"
    REPORT = "report"
    KEY_OBJECTS = "key objects"
    PRESENTATION = "presentation"
    WAVEFORM = "waveform"
    PLAN = "plan"
    OTHER = "other"


_PREFIXES: tuple[tuple[str, Icon], ...] = (
    ("1.2.840.10008.5.1.4.1.1.88.59", Icon.KEY_OBJECTS),
    ("1.2.840.10008.5.1.4.1.1.88.", Icon.REPORT),
    ("1.2.840.10008.5.1.4.1.1.104.3", Icon.MODEL),
    ("1.2.840.10008.5.1.4.1.1.104.4", Icon.MODEL),
    ("1.2.840.10008.5.1.4.1.1.104.5", Icon.MODEL),
    ("1.2.840.10008.5.1.4.1.1.104.", Icon.DOCUMENT),
    ("1.2.840.10008.5.1.4.1.1.11.", Icon.PRESENTATION),
    ("1.2.840.10008.5.1.4.1.1.9.", Icon.WAVEFORM),
    ("1.2.840.10008.5.1.4.1.1.481.", Icon.PLAN),
)


def icon_of(instance: StoredInstance) -> Icon:
    """The icon for an Instance, by its SOP Class."""
    if instance.pixel_tag:
        return Icon.VIDEO if instance.video else Icon.IMAGE
    for prefix, icon in _PREFIXES:
        if instance.sop_class_uid.startswith(prefix):
            return icon
    return Icon.OTHER


def side(viewport: Viewport | None) -> int:
    """Pixels of the side of an icon for a viewport."""
    return DEFAULT_SIZE if viewport is None else min(viewport.width, viewport.height, LARGEST_SIZE)


@lru_cache(maxsize=64)
def encoded(icon: Icon, label: str, size: int, media_type: str) -> bytes:
    """An icon as a picture file.

    Parameters
    ----------
    label
        Modality, written below the drawing; "" for none.
    size
        Pixels of its side.
    """
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (_UNIT, _UNIT), _BACKGROUND)
    draw = ImageDraw.Draw(image)
    _DRAWINGS[icon](draw)
    text = "".join(character for character in label.upper() if character.isascii() and character.isalnum())[:8]
    if text:
        draw.text((_UNIT // 2, 462), text, fill=_LINE, font=fonts.font(fonts.LATIN, 64), anchor="mm")
    reduced = image.resize((size, size), Image.Resampling.LANCZOS)
    return picture.encode(np.asarray(reduced), media_type)


def _page(draw: ImageDraw) -> None:
    draw.polygon([(146, 70), (300, 70), (366, 136), (366, 400), (146, 400)], fill=_FILL, outline=_LINE, width=10)
    draw.line([(300, 70), (300, 136), (366, 136)], fill=_LINE, width=10, joint="curve")


def _document(draw: ImageDraw) -> None:
    _page(draw)
    draw.rounded_rectangle([186, 210, 326, 330], 10, fill=_ACCENT)
    draw.line([(206, 300), (242, 256), (268, 284), (306, 236)], fill=_FILL, width=12, joint="curve")


def _report(draw: ImageDraw) -> None:
    _page(draw)
    for number, end in enumerate((322, 296, 322, 260)):
        draw.line([(190, 196 + 48 * number), (end, 196 + 48 * number)], fill=_ACCENT, width=12)


def _key_objects(draw: ImageDraw) -> None:
    _page(draw)
    star = [
        (256 + radius * np.sin(angle), 262 - radius * np.cos(angle))
        for angle, radius in ((np.pi * number / 5, 74 if number % 2 == 0 else 30) for number in range(10))
    ]
    draw.polygon([(float(x), float(y)) for x, y in star], fill=_ACCENT)


def _model(draw: ImageDraw) -> None:
    top, bottom = [(256, 84), (392, 152), (256, 220), (120, 152)], [(120, 152), (120, 318), (256, 392), (392, 318)]
    draw.polygon([*bottom, (392, 152), (256, 220)], fill=_FILL, outline=_LINE, width=10)
    draw.polygon(top, fill=_ACCENT, outline=_LINE, width=10)
    draw.line([(256, 220), (256, 392)], fill=_LINE, width=10)


def _frame(draw: ImageDraw) -> None:
    draw.rounded_rectangle([96, 90, 416, 380], 18, fill=_FILL, outline=_LINE, width=10)


def _image(draw: ImageDraw) -> None:
    _frame(draw)
    draw.ellipse([146, 134, 206, 194], fill=_ACCENT)
    draw.polygon([(120, 354), (214, 226), (268, 296), (312, 244), (392, 354)], fill=_LINE)


def _video(draw: ImageDraw) -> None:
    _frame(draw)
    draw.polygon([(214, 164), (214, 306), (334, 235)], fill=_ACCENT)


def _presentation(draw: ImageDraw) -> None:
    _frame(draw)
    draw.pieslice([176, 156, 336, 316], 90, 270, fill=_ACCENT)
    draw.ellipse([176, 156, 336, 316], outline=_LINE, width=10)


def _waveform(draw: ImageDraw) -> None:
    _frame(draw)
    beat = [(0, 0), (28, 0), (40, -20), (52, 0), (64, 12), (76, -96), (90, 56), (102, 0), (122, -26), (138, 0)]
    points = [(118 + dx + 138 * number, 250 + dy) for number in range(2) for dx, dy in beat]
    draw.line(points, fill=_ACCENT, width=10, joint="curve")


def _plan(draw: ImageDraw) -> None:
    draw.ellipse([126, 106, 386, 366], fill=_FILL, outline=_LINE, width=10)
    draw.ellipse([206, 186, 306, 286], fill=_ACCENT)
    for line in (((256, 70), (256, 166)), ((256, 306), (256, 402)), ((90, 236), (186, 236)), ((326, 236), (422, 236))):
        draw.line(line, fill=_LINE, width=10)


def _other(draw: ImageDraw) -> None:
    for row in range(3):
        for column in range(3):
            x, y = 136 + 90 * column, 116 + 90 * row
            fill: Any = _ACCENT if (row, column) in ((0, 0), (1, 1), (2, 0)) else _FILL
            draw.rounded_rectangle([x, y, x + 60, y + 60], 8, fill=fill, outline=_LINE, width=8)


_DRAWINGS = {
    Icon.IMAGE: _image,
    Icon.VIDEO: _video,
    Icon.DOCUMENT: _document,
    Icon.MODEL: _model,
    Icon.REPORT: _report,
    Icon.KEY_OBJECTS: _key_objects,
    Icon.PRESENTATION: _presentation,
    Icon.WAVEFORM: _waveform,
    Icon.PLAN: _plan,
    Icon.OTHER: _other,
}
