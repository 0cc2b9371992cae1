"""Fonts for every script that patients' names are written in: Noto, from the wheels manimgx-fonts and -cjk.

A text is set in runs of one font each. Where the wheels are not installed, Pillow's own font draws Latin letters and
boxes for all else; `missing` says so.
"""

from __future__ import annotations

import importlib.util
import re
from bisect import bisect_right
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

_NOTO, _CJK = "manimgx_fonts", "manimgx_fonts_cjk"
_WEIGHT = 400


class Face(NamedTuple):
    """A file in one of the packages, and which face of it."""

    package: str
    file: str
    number: int = 0


def _noto(script: str) -> Face:
    return Face(_NOTO, f"NotoSans{script}[wght].ttf")


LATIN: Final = _noto("")
JAPANESE, KOREAN, CHINESE = (Face(_CJK, "NotoSansCJK-VF.otf.ttc", number) for number in (0, 1, 2))

# Blocks of Unicode by their first code point, up to the next one
_BLOCKS: Final[list[tuple[int, Face]]] = [
    (0x0000, LATIN),
    (0x0530, _noto("Armenian")),
    (0x0590, _noto("Hebrew")),
    (0x0600, _noto("Arabic")),
    (0x0700, LATIN),
    (0x0750, _noto("Arabic")),
    (0x0780, LATIN),
    (0x08A0, _noto("Arabic")),
    (0x0900, _noto("Devanagari")),
    (0x0980, _noto("Bengali")),
    (0x0A00, _noto("Gurmukhi")),
    (0x0A80, _noto("Gujarati")),
    (0x0B00, _noto("Oriya")),
    (0x0B80, _noto("Tamil")),
    (0x0C00, _noto("Telugu")),
    (0x0C80, _noto("Kannada")),
    (0x0D00, _noto("Malayalam")),
    (0x0D80, _noto("Sinhala")),
    (0x0E00, _noto("Thai")),
    (0x0E80, _noto("Lao")),
    (0x0F00, LATIN),
    (0x1000, _noto("Myanmar")),
    (0x10A0, _noto("Georgian")),
    (0x1100, KOREAN),
    (0x1200, _noto("Ethiopic")),
    (0x13A0, LATIN),
    (0x1780, _noto("Khmer")),
    (0x1800, LATIN),
    (0x1C90, _noto("Georgian")),
    (0x1CC0, LATIN),
    (0x2D00, _noto("Georgian")),
    (0x2D30, LATIN),
    (0x2D80, _noto("Ethiopic")),
    (0x2DE0, LATIN),
    (0x2E80, JAPANESE),
    (0x3130, KOREAN),
    (0x3190, JAPANESE),
    (0xA000, LATIN),
    (0xA960, KOREAN),
    (0xA980, LATIN),
    (0xAC00, KOREAN),
    (0xD800, LATIN),
    (0xF900, JAPANESE),
    (0xFB00, LATIN),
    (0xFB1D, _noto("Hebrew")),
    (0xFB50, _noto("Arabic")),
    (0xFE00, LATIN),
    (0xFE30, JAPANESE),
    (0xFE50, LATIN),
    (0xFE70, _noto("Arabic")),
    (0xFF00, JAPANESE),
    (0xFFF0, LATIN),
    (0x20000, JAPANESE),
    (0x32000, LATIN),
]
_LEFTWARD: Final = frozenset({_noto("Hebrew"), _noto("Arabic")})
_STARTS: Final = [start for start, _ in _BLOCKS]


def face_of(character: str) -> Face:
    """The face that has a character's script."""
    return _BLOCKS[bisect_right(_STARTS, ord(character)) - 1][1]


def runs(text: str) -> list[tuple[str, Face]]:
    """Split a text where the font has to change, in the order in which the runs stand from left to right.

    Chinese characters have other shapes in Japan: without kana in the text the Chinese ones are taken, in a Korean
    text the Korean ones.
    """
    han = ideographs(text)
    faces = [han if face is JAPANESE else face for face in map(face_of, text)]
    found: list[tuple[str, Face]] = []
    for character, face in zip(text, faces, strict=True):
        if found and (face is found[-1][1] or character == " "):
            found[-1] = (found[-1][0] + character, found[-1][1])
        else:
            found.append((character, face))
    return _from_left_to_right(found)


def _from_left_to_right(logical: list[tuple[str, Face]]) -> list[tuple[str, Face]]:
    """Turn round what is written from right to left across several runs, such as names with a comma between them."""
    found: list[tuple[str, Face]] = []
    pending: list[tuple[str, Face]] = []
    for run, face in logical:
        if face in _LEFTWARD or (pending and not any(map(str.isalnum, run))):
            pending.append((run, face))
        else:
            found += _reversed(pending)
            pending = []
            found.append((run, face))
    return found + _reversed(pending)


def _reversed(pending: list[tuple[str, Face]]) -> list[tuple[str, Face]]:
    """Reverse up to the last run that is written from right to left; signs behind it stay behind."""
    last = max((number for number, (_, face) in enumerate(pending) if face in _LEFTWARD), default=-1) + 1
    return pending[last - 1 :: -1] + pending[last:] if last else pending


def ideographs(text: str) -> Face:
    """The face for Chinese characters in a text: by what else is in it."""
    if any(0x3040 <= ord(character) < 0x3100 or 0xFF66 <= ord(character) < 0xFFA0 for character in text):
        return JAPANESE
    return KOREAN if any(face_of(character) is KOREAN for character in text) else CHINESE


@lru_cache(maxsize=128)
def font(face: Face, size: int) -> FreeTypeFont | ImageFont:
    """The font of a face in a size (pixels of the em square)."""
    from PIL import ImageFont

    folder = _folder(face.package)
    if folder is None:
        return ImageFont.load_default(size)
    found = ImageFont.truetype(str(folder / face.file), size, face.number)
    # The variable fonts begin with their lightest weight
    axes: list[dict[str, Any]] = found.get_variation_axes()  # type: ignore[assignment]
    found.set_variation_by_axes([_WEIGHT if axis["name"] == b"Weight" else axis["default"] for axis in axes])
    return found


def family(face: Face) -> str:
    """Name of the font family of a face, as programs know it that find fonts by name."""
    if face.package == _CJK:
        return f"Noto Sans CJK {('JP', 'KR', 'SC')[face.number]}"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", face.file.partition("[")[0])


def families() -> list[str]:
    """Names of the families of all scripts, Latin first, without those of Chinese characters; then signs."""
    faces = dict.fromkeys(face for _, face in _BLOCKS if face.package == _NOTO)
    return [*map(family, faces), "Noto Sans Symbols", "Noto Emoji"]


def folders() -> list[Path]:
    """Where the fonts are, as far as they are installed."""
    return [folder for folder in (_folder(_NOTO), _folder(_CJK)) if folder is not None]


@lru_cache(maxsize=2)
def _folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def missing() -> str | None:
    """None when all scripts can be drawn, else the sentence to show: what to install for what."""
    absent = [package.replace("_", "-") for package in (_NOTO, _CJK) if _folder(package) is None]
    if not absent:
        return None
    return f"Text in some scripts can not be drawn: {' and '.join(absent)} is not installed."
