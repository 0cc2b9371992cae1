"""Transfer Syntaxes — PS3.6 Annex A (Table A-1), with what PS3.5 Annex A and PS3.18 Table 8.7.3-5 say of each.

All of them are here, retired ones and those we can not decode too, so that *unknown* and *known but unsupported*
differ. One row each; flags are letters:

    N native (not encapsulated)   B big endian      I implicit VR      Z the data set is deflated
    V video: one stream holds all frames            L lossless         D default Transfer Syntax of its media type
    R referenced: the pixels are elsewhere          X retired
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

IMPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"
ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1.98"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
RLE_LOSSLESS: Final = "1.2.840.10008.1.2.5"
DEFLATED_IMAGE_FRAME: Final = "1.2.840.10008.1.2.8.1"

OCTET_STREAM: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """One row of the table."""

    uid: str
    name: str
    media_type: str
    """Of bare bulk data (PS3.18 Tables 8.7.3-4 and 8.7.3-5); ``application/octet-stream`` where there is no other."""
    encapsulated: bool
    """Top-level Pixel Data comes as Items (PS3.5 Annex A.4)."""
    lossless: bool
    """The syntax can not lose anything. False also where it may or may not, such as JPEG 2000."""
    big_endian: bool
    implicit_vr: bool
    deflated: bool
    """The whole data set behind the File Meta Information is deflated (PS3.5 Annex A.5)."""
    video: bool
    referenced: bool
    """Pixel Data is replaced by a URL (JPIP) or comes over another network (SMPTE ST 2110)."""
    default: bool
    """Meant when its media type is named without ``transfer-syntax`` (PS3.18 Table 8.7.3-5)."""
    retired: bool
    known: bool = True
    """False for a row made up for a UID that is not in the table."""


# uid below 1.2.840.10008.1.2 ("" is itself) | flags | media type | name
_TABLE = """
|NIL||Implicit VR Little Endian
.1|NLD||Explicit VR Little Endian
.1.98|L||Encapsulated Uncompressed Explicit VR Little Endian
.1.99|NLZ||Deflated Explicit VR Little Endian
.2|NLBX||Explicit VR Big Endian
.4.50||image/jpeg|JPEG Baseline (Process 1)
.4.51||image/jpeg|JPEG Extended (Process 2 & 4)
.4.52|X|image/jpeg|JPEG Extended (Process 3 & 5)
.4.53|X|image/jpeg|JPEG Spectral Selection, Non-Hierarchical (Process 6 & 8)
.4.54|X|image/jpeg|JPEG Spectral Selection, Non-Hierarchical (Process 7 & 9)
.4.55|X|image/jpeg|JPEG Full Progression, Non-Hierarchical (Process 10 & 12)
.4.56|X|image/jpeg|JPEG Full Progression, Non-Hierarchical (Process 11 & 13)
.4.57|L|image/jpeg|JPEG Lossless, Non-Hierarchical (Process 14)
.4.58|LX|image/jpeg|JPEG Lossless, Non-Hierarchical (Process 15)
.4.59|X|image/jpeg|JPEG Extended, Hierarchical (Process 16 & 18)
.4.60|X|image/jpeg|JPEG Extended, Hierarchical (Process 17 & 19)
.4.61|X|image/jpeg|JPEG Spectral Selection, Hierarchical (Process 20 & 22)
.4.62|X|image/jpeg|JPEG Spectral Selection, Hierarchical (Process 21 & 23)
.4.63|X|image/jpeg|JPEG Full Progression, Hierarchical (Process 24 & 26)
.4.64|X|image/jpeg|JPEG Full Progression, Hierarchical (Process 25 & 27)
.4.65|LX|image/jpeg|JPEG Lossless, Hierarchical (Process 28)
.4.66|LX|image/jpeg|JPEG Lossless, Hierarchical (Process 29)
.4.70|LD|image/jpeg|JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])
.4.80|LD|image/jls|JPEG-LS Lossless Image Compression
.4.81||image/jls|JPEG-LS Lossy (Near-Lossless) Image Compression
.4.90|LD|image/jp2|JPEG 2000 Image Compression (Lossless Only)
.4.91||image/jp2|JPEG 2000 Image Compression
.4.92|LD|image/jpx|JPEG 2000 Part 2 Multi-component Image Compression (Lossless Only)
.4.93||image/jpx|JPEG 2000 Part 2 Multi-component Image Compression
.4.94|NR||JPIP Referenced
.4.95|NRZ||JPIP Referenced Deflate
.4.100|V|video/mpeg|MPEG2 Main Profile / Main Level
.4.100.1|V|video/mpeg|Fragmentable MPEG2 Main Profile / Main Level
.4.101|VD|video/mpeg|MPEG2 Main Profile / High Level
.4.101.1|V|video/mpeg|Fragmentable MPEG2 Main Profile / High Level
.4.102|VD|video/mp4|MPEG-4 AVC/H.264 High Profile / Level 4.1
.4.102.1|V|video/mp4|Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1
.4.103|V|video/mp4|MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1
.4.103.1|V|video/mp4|Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1
.4.104|V|video/mp4|MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video
.4.104.1|V|video/mp4|Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video
.4.105|V|video/mp4|MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video
.4.105.1|V|video/mp4|Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video
.4.106|V|video/mp4|MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2
.4.106.1|V|video/mp4|Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2
.4.107|VD|video/H265|HEVC/H.265 Main Profile / Level 5.1
.4.108|V|video/H265|HEVC/H.265 Main 10 Profile / Level 5.1
.4.110|LD|image/jxl|JPEG XL Lossless
.4.111||image/jxl|JPEG XL JPEG Recompression
.4.112||image/jxl|JPEG XL
.4.201|LD|image/jphc|High-Throughput JPEG 2000 Image Compression (Lossless Only)
.4.202|L|image/jphc|High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only)
.4.203||image/jphc|High-Throughput JPEG 2000 Image Compression
.4.204|NR||JPIP HTJ2K Referenced
.4.205|NRZ||JPIP HTJ2K Referenced Deflate
.5|LD|image/dicom-rle|RLE Lossless
.6.1|X||RFC 2557 MIME encapsulation
.6.2|X||XML Encoding
.7.1|NLR||SMPTE ST 2110-20 Uncompressed Progressive Active Video
.7.2|NLR||SMPTE ST 2110-20 Uncompressed Interlaced Active Video
.7.3|NLR||SMPTE ST 2110-30 PCM Digital Audio
.8.1|L||Deflated Image Frame Compression
"""


def _row(uid: str, flags: str, media_type: str, name: str, *, known: bool = True) -> TransferSyntax:
    return TransferSyntax(
        uid=uid,
        name=name,
        media_type=media_type or OCTET_STREAM,
        encapsulated="N" not in flags,
        lossless="L" in flags,
        big_endian="B" in flags,
        implicit_vr="I" in flags,
        deflated="Z" in flags,
        video="V" in flags,
        referenced="R" in flags,
        default="D" in flags,
        retired="X" in flags,
        known=known,
    )


def _rows() -> list[TransferSyntax]:
    rows = []
    for line in _TABLE.strip().splitlines():
        suffix, flags, media_type, name = line.split("|")
        rows.append(_row(IMPLICIT_VR_LITTLE_ENDIAN + suffix, flags, media_type, name))
    rows.append(_row("1.2.840.10008.1.20", "NILX", "", "Papyrus 3 Implicit VR Little Endian"))
    return rows


TRANSFER_SYNTAXES: Final[tuple[TransferSyntax, ...]] = tuple(_rows())
"""The table, in the order of the standard."""

_BY_UID: Final = {row.uid: row for row in TRANSFER_SYNTAXES}


def find(uid: str) -> TransferSyntax | None:
    """Return the row of a Transfer Syntax UID; None when it is not in the table."""
    return _BY_UID.get(uid)


def get(uid: str) -> TransferSyntax:
    """Return the row of a Transfer Syntax UID; for one that is not in the table a row that says so.

    Every private syntax that was ever met is Explicit VR Little Endian with compressed pixels (PS3.5 §10.2).
    """
    return _BY_UID.get(uid) or _row(uid, "", "", "", known=False)
