"""What a JPEG XL image says of itself: ISO/IEC 18181-1 (code stream), 18181-2 (boxes); PS3.5 §8.2.15.

Size, samples, bits and colour come from the first few dozen bytes, and whether a JPEG can be made again from the
boxes. Whether nothing was lost is not said; it follows from how the first frame is coded.
"""

from __future__ import annotations

from typing import Final

from skiagraph.errors import CannotUnderstand
from skiagraph.standard.codestreams import CodeStream
from skiagraph.standard.header import Source

LOSSLESS: Final = "1.2.840.10008.1.2.4.110"
RECOMPRESSION: Final = "1.2.840.10008.1.2.4.111"
ANY: Final = "1.2.840.10008.1.2.4.112"

MAGIC: Final = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
"""Of the code stream, and of its container."""

_HEADER: Final = 4096
"""Bytes in which all that is read stands, colour profile excepted."""
_MOST_BOXES: Final = 1000
_GREY: Final = 1
_RATIOS: Final = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


def recognize(source: Source) -> CodeStream:
    """Read the header of an image. The stream is all of the source: PS3.5 takes it with its boxes or without.

    Raises
    ------
    CannotUnderstand
        It is no JPEG XL, truncated, or one that DICOM has no room for: with transparency, or floating point samples.
    """
    head, jpeg = _code_stream(source)
    try:
        return _image(_Bits(head), source.size, jpeg=jpeg)
    except IndexError:
        raise CannotUnderstand("The JPEG XL stream is truncated: it ends within its header.") from None


def _code_stream(source: Source) -> tuple[bytes, bool]:
    """Return how the code stream begins, behind its signature, and whether there is what makes a JPEG of it again."""
    head = source.read_at(0, _HEADER)
    if head.startswith(MAGIC[0]):
        return head[2:], False
    if not head.startswith(MAGIC[1]):
        raise CannotUnderstand("The pixel data are not JPEG XL: they have neither its code stream nor its container.")
    at, jpeg, found = 0, False, b""
    for _ in range(_MOST_BOXES):
        box = source.read_at(at, 16)
        if len(box) < 8:
            break
        length, kind, begin = int.from_bytes(box[:4], "big"), box[4:8], 8
        if length == 1:
            length, begin = int.from_bytes(box[8:16], "big"), 16
        if length and length < begin:
            break
        jpeg = jpeg or kind == b"jbrd"
        if kind in (b"jxlc", b"jxlp") and len(found) < _HEADER:
            begin += 4 if kind == b"jxlp" else 0  # its number among the parts
            end = source.size if length == 0 else at + length
            found += source.read_at(at + begin, max(0, min(_HEADER, end - at - begin)))
        if length == 0:
            break
        at += length
    if found.startswith(MAGIC[0]):
        return found[2:], jpeg
    raise CannotUnderstand("The JPEG XL file has no code stream (jxlc, jxlp).")


class _Bits:
    """Bits of a code stream, the least significant of each byte first. Raises IndexError behind its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def read(self, bits: int) -> int:
        value = 0
        for number in range(bits):
            value |= (self._data[self._at >> 3] >> (self._at & 7) & 1) << number
            self._at += 1
        return value

    def flag(self) -> bool:
        return self.read(1) == 1

    def one_of(self, *choices: int | tuple[int, int]) -> int:
        """U32: two bits choose among four numbers, or widths with what is added (18181-1 §9.2.2)."""
        choice = choices[self.read(2)]
        return choice if isinstance(choice, int) else choice[1] + self.read(choice[0])

    def align(self) -> None:
        self._at = (self._at + 7) & ~7


def _size(bits: _Bits) -> tuple[int, int]:
    """SizeHeader: rows and columns."""
    widths = ((9, 1), (13, 1), (18, 1), (30, 1))
    small = bits.flag()
    rows = 8 * (1 + bits.read(5)) if small else bits.one_of(*widths)
    ratio = bits.read(3)
    if ratio:
        above, below = _RATIOS[ratio - 1]
        return rows, rows * above // below
    return rows, 8 * (1 + bits.read(5)) if small else bits.one_of(*widths)


def _image(bits: _Bits, length: int, *, jpeg: bool) -> CodeStream:
    rows, columns = _size(bits)
    precision, samples, xyb, whole = 8, 3, True, True
    if not bits.flag():  # not all as usual
        extra = bits.flag()
        if extra:
            _skip_extra(bits)
        if bits.flag():
            raise CannotUnderstand("The JPEG XL image has floating point samples; whole numbers can be stored.")
        precision = bits.one_of(8, 10, 12, (6, 1))
        bits.read(1)  # modular_16bit_buffers
        if bits.one_of(0, 1, (4, 2), (12, 1)):
            raise CannotUnderstand("The JPEG XL image has transparency or other extra channels; DICOM has none.")
        xyb = bits.flag()
        samples, profile = _colour(bits)
        whole = not (profile or extra)
    if not (0 < rows < 65536 and 0 < columns < 65536):
        raise CannotUnderstand(f"The compressed image has {rows} rows and {columns} columns; DICOM has 1 to 65535.")
    if not 1 <= precision <= 32:
        raise CannotUnderstand(f"The compressed image has {precision} bits per sample; 1 to 32 can be stored.")
    if jpeg:
        uid, photometric = RECOMPRESSION, "YBR_FULL_422"
    else:
        uid = LOSSLESS if not xyb and whole and _modular(bits) else ANY
        photometric = "XYB" if xyb else "RGB"
    if samples == 1:
        photometric = "MONOCHROME2"
    return CodeStream(
        uid, rows, columns, samples, precision, False, photometric, 0, length, loss_known=jpeg or xyb or whole
    )


def _skip_extra(bits: _Bits) -> None:
    """Orientation, intrinsic size, preview and animation, in that order."""
    bits.read(3)
    if bits.flag():
        _size(bits)
    if bits.flag():
        raise CannotUnderstand("The JPEG XL image has a preview in its code stream; send it without.")
    if bits.flag():
        raise CannotUnderstand("The JPEG XL image is animated; each frame of an Instance is a part.")


def _colour(bits: _Bits) -> tuple[int, bool]:
    """ColourEncoding: samples per pixel, and whether there is more of it than is read."""
    if bits.flag():
        return 3, False
    profile = bits.flag()
    space = bits.one_of(0, 1, (4, 2), (6, 18))
    samples = 1 if space == _GREY else 3
    if profile:
        return samples, True
    enumerated = (0, 1, (4, 2), (6, 18))
    point = ((19, 0), (19, 1 << 19), (20, 1 << 20), (21, 1 << 21))
    white = bits.one_of(*enumerated)
    chromaticities = 2 if white == 2 else 0
    for _ in range(chromaticities):
        bits.one_of(*point)
    if space != _GREY and bits.one_of(*enumerated) == 2:
        for _ in range(6):
            bits.one_of(*point)
    if bits.flag():
        bits.read(24)  # gamma
    else:
        bits.one_of(*enumerated)
    bits.one_of(*enumerated)  # rendering intent
    return samples, False


def _modular(bits: _Bits) -> bool:
    """Whether the first frame is coded as numbers, not as frequencies: then nothing was lost but by intent."""
    if bits.read(2):  # extensions of the metadata
        return False
    if not bits.flag():  # default_m
        return False
    bits.align()
    if bits.flag():  # a frame header with all as usual: VarDCT
        return False
    bits.read(2)  # frame type
    return bits.flag()
