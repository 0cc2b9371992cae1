"""Frames from one Transfer Syntax to another, and what changes in the data set — PS3.5 §8.2, PS3.3 C.7.6.1.1.5.

- Lossless syntaxes are made so that decoding gives the very cells that are stored: bits that are not stored included.
- Lossy syntaxes are made only where a user agent names one (`is_lossy_conversion`). The result is another image,
  DERIVED and with a SOP Instance UID of its own, always the same one for the same source and syntax: it is never to be
  taken for the original, nor stored over it (PS3.3 C.7.6.1.1.2).
- JPEG Baseline and its JPEG XL recompression go into each other byte by byte; native bytes stay native bytes, planes
  and subsampling included, wherever they are merely packed differently.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any, Final

from skiagraph.pixels import decode as decoding
from skiagraph.pixels import encode as encoding
from skiagraph.pixels.codecs import deflated, jpeg, jpeg_2000, jpeg_ls, jpeg_xl, native
from skiagraph.pixels.image import BadPixels, ImageParams
from skiagraph.standard import transfer_syntaxes
from skiagraph.standard.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    DEFLATED_IMAGE_FRAME,
    ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    RLE_LOSSLESS,
)
from skiagraph.values import Attributes

LOSSLESS_TARGETS: Final = (
    EXPLICIT_VR_LITTLE_ENDIAN,
    jpeg_2000.HT_LOSSLESS,
    jpeg_2000.HT_LOSSLESS_RPCL,
    jpeg_ls.LOSSLESS,
    jpeg_2000.LOSSLESS,
    jpeg.LOSSLESS_SV1,
    jpeg.LOSSLESS,
    jpeg_xl.LOSSLESS,
    RLE_LOSSLESS,
    DEFLATED_IMAGE_FRAME,
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN,
)
"""Best first: the default of PS3.18, then what is quick and small."""

LOSSY_TARGETS: Final = (
    jpeg.BASELINE,
    jpeg.EXTENDED,
    jpeg_ls.NEAR_LOSSLESS,
    jpeg_2000.LOSSY,
    jpeg_2000.HT,
    jpeg_xl.LOSSY,
)

METHODS: Final = {
    jpeg.BASELINE: "ISO_10918_1",
    jpeg.EXTENDED: "ISO_10918_1",
    jpeg_ls.NEAR_LOSSLESS: "ISO_14495_1",
    jpeg_2000.LOSSY: "ISO_15444_1",
    jpeg_2000.HT: "ISO_15444_15",
    jpeg_xl.LOSSY: "ISO_18181_1",
}
"""Lossy Image Compression Method (0028,2114) by Transfer Syntax, PS3.3 C.7.6.1.1.5.1."""

_ALWAYS_LOSSY: Final = frozenset({jpeg.BASELINE, jpeg.EXTENDED, jpeg_xl.RECOMPRESSION})
_NATIVE: Final = native.DECODES | {DEFLATED_IMAGE_FRAME}
"""Syntaxes whose frames are native bytes, maybe deflated."""
_REWRAPPED: Final = {jpeg.BASELINE: jpeg_xl.RECOMPRESSION, jpeg_xl.RECOMPRESSION: jpeg.BASELINE}
_NAMESPACE: Final = uuid.UUID("7f1c3bd0-5b0e-4c6c-9a53-0d3f5e2b8a41")


def decoded(transfer_syntax_uid: str, image: ImageParams) -> ImageParams:
    """Say what frames of such an image are like once decoded, from the data set alone.

    A stream may still tell otherwise (colour, precision): `decode` has the last word.
    """
    photometric = native.full(image.photometric_interpretation)
    if photometric in ("YBR_RCT", "YBR_ICT", "XYB"):
        photometric = "RGB"
    if transfer_syntax_uid in _ALWAYS_LOSSY and image.samples_per_pixel == 3:
        photometric = "RGB"
    return replace(image, photometric_interpretation=photometric, planar_configuration=0)


def reachable(stored_uid: str) -> tuple[str, ...]:
    """Transfer Syntaxes that frames in the given one can be converted to, were it not for the type of their pixels.

    Best first, lossy ones last, the stored one left out; empty where frames can not be decoded.
    """
    if not decoding.can_decode(stored_uid):
        return ()
    rewrapped = (_REWRAPPED[stored_uid],) if stored_uid in _REWRAPPED else ()
    return tuple(uid for uid in dict.fromkeys((*LOSSLESS_TARGETS, *rewrapped, *LOSSY_TARGETS)) if uid != stored_uid)


def targets(stored_uid: str, image: ImageParams) -> tuple[str, ...]:
    """Transfer Syntaxes that frames of this image can be converted to, in the order of `reachable`."""
    expected = decoded(stored_uid, image)
    return tuple(
        uid
        for uid in reachable(stored_uid)
        if uid == _REWRAPPED.get(stored_uid)
        or (_stays_native(stored_uid, uid) and not (image.is_float and transfer_syntaxes.get(uid).encapsulated))
        or encoding.unfit(uid, expected) is None
    )


def is_lossy_conversion(stored_uid: str, target_uid: str) -> bool:
    """Whether the conversion makes another image, to be done only when it is asked for by name."""
    return target_uid != stored_uid and target_uid in LOSSY_TARGETS and _REWRAPPED.get(stored_uid) != target_uid


def transcode_frame(
    frame: bytes,
    stored_uid: str,
    target_uid: str,
    image: ImageParams,
    *,
    limit: int = decoding.MAX_FRAME_BYTES,
) -> tuple[bytes, ImageParams]:
    """Convert one frame.

    Parameters
    ----------
    frame
        As `decode` takes it.
    image
        As the data set says.

    Returns
    -------
    bytes
        The frame for one Item, without padding; native: from its first bit on.
    ImageParams
        The Image Pixel attributes that belong to it; see `changes`.

    Raises
    ------
    BadPixels
        The frame can not be decoded, or the target can not hold it.
    """
    if target_uid == stored_uid:
        return frame, image
    if image.decoded_bytes > limit:
        raise BadPixels(f"A frame of {native.describe(image)} is beyond the limit of {limit} bytes.")
    if _REWRAPPED.get(stored_uid) == target_uid:
        return _rewrapped(frame, target_uid), image
    if _stays_native(stored_uid, target_uid):
        plain = deflated.inflate(frame, image) if stored_uid == DEFLATED_IMAGE_FRAME else frame
        plain = plain[: native.length(image, len(plain))]
        return (deflated.deflate(plain) if target_uid == DEFLATED_IMAGE_FRAME else plain), image
    whole = target_uid not in LOSSY_TARGETS
    unpack = decoding.cells if whole else decoding.decode
    pixels, described = unpack(frame, stored_uid, image, limit=limit)
    return encoding.encode(pixels, target_uid, described)


def _stays_native(stored_uid: str, target_uid: str) -> bool:
    return stored_uid in _NATIVE and target_uid in _NATIVE


def _rewrapped(frame: bytes, target_uid: str) -> bytes:
    if target_uid == jpeg_xl.RECOMPRESSION:
        # The byte that pads a frame to even length is none of the JPEG
        end = frame.rfind(b"\xff\xd9")
        return jpeg_xl.from_jpeg(frame[: end + 2] if end >= 0 else frame)
    original = jpeg_xl.to_jpeg(frame)
    if original is None:
        raise BadPixels("The JPEG XL stream is no recompressed JPEG: the JPEG can not be restored.")
    return original


def pixel_vr(target_uid: str, image: ImageParams) -> str:
    """VR of the pixel data in a Transfer Syntax (PS3.5 Annex A.2, A.4)."""
    if image.is_float:
        return "OF" if image.bits_allocated == 32 else "OD"
    return "OB" if transfer_syntaxes.get(target_uid).encapsulated or image.bits_allocated <= 8 else "OW"


# What changes in the data set


def changes(
    attributes: Attributes,
    stored_uid: str,
    target_uid: str,
    image: ImageParams,
    *,
    ratio: float | None = None,
) -> Attributes:
    """Return the attributes that a data set gets with its new encoding, in the DICOM JSON Model.

    Parameters
    ----------
    attributes
        The data set as stored.
    image
        What `transcode_frame` returned for its frames.
    ratio
        Native bytes to encoded bytes, for lossy conversions.
    """
    found = ImageParams.from_attributes(attributes)
    new: Attributes = {}
    if not image.is_float:
        if "00280004" not in attributes or image.photometric_interpretation != found.photometric_interpretation:
            new["00280004"] = _element("CS", image.photometric_interpretation)
        if image.samples_per_pixel > 1 and _value(attributes, "00280006") != image.planar_configuration:
            new["00280006"] = _element("US", image.planar_configuration)
        for tag, number, old in (
            ("00280100", image.bits_allocated, found.bits_allocated),
            ("00280101", image.bits_stored, found.bits_stored),
            ("00280102", image.high_bit, found.high_bit),
        ):
            if number != old:
                new[tag] = _element("US", number)
    if stored_uid in _ALWAYS_LOSSY and _value(attributes, "00282110") != "01":
        new["00282110"] = _element("CS", "01")
    if is_lossy_conversion(stored_uid, target_uid):
        new |= _derived(attributes, target_uid, ratio)
    return new


def derived_uid(sop_instance_uid: str, target_uid: str) -> str:
    """SOP Instance UID of the lossy derivation of an Instance: the same each time (PS3.5 Annex B.2)."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, f'{sop_instance_uid} {target_uid}').int}"


def _derived(attributes: Attributes, target_uid: str, ratio: float | None) -> Attributes:
    row = transfer_syntaxes.get(target_uid)
    sop_instance_uid = str(_value(attributes, "00080018") or "")
    image_type = [str(value) for value in (attributes.get("00080008") or {}).get("Value") or ()]
    source = {
        "00081150": _element("UI", str(_value(attributes, "00080016") or "")),
        "00081155": _element("UI", sop_instance_uid),
        "0040A170": _element("SQ", _code("121320", "DCM", "Uncompressed predecessor")),
    }
    new = {
        "00080008": _element("CS", "DERIVED", *(image_type[1:] or ["SECONDARY"])),
        "00080018": _element("UI", derived_uid(sop_instance_uid, target_uid)),
        "00082111": _element("ST", f"Lossy compression: {row.name}"),
        "00089215": _element("SQ", _code("113040", "DCM", "Lossy Compression")),
        "00282110": _element("CS", "01"),
        "00282112": _element("DS", *_earlier(attributes, "00282112"), float(f"{max(ratio or 1.0, 1.0):.4g}")),
        "00282114": _element("CS", *_earlier(attributes, "00282114"), METHODS[target_uid]),
    }
    sources = _earlier(attributes, "00082112")
    if _is_plain(sources):  # what can not be written again as it was stays as it is
        new["00082112"] = _element("SQ", *sources, source)
    return new


def _is_plain(value: Any) -> bool:
    """Whether it is all ASCII text and numbers, which need neither a character set nor bulk data."""
    if isinstance(value, dict):
        return "BulkDataURI" not in value and all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return not isinstance(value, str) or value.isascii()


def _earlier(attributes: Attributes, tag: str) -> list[Any]:
    return [value for value in (attributes.get(tag) or {}).get("Value") or () if value is not None]


def _code(value: str, scheme: str, meaning: str) -> Attributes:
    return {"00080100": _element("SH", value), "00080102": _element("SH", scheme), "00080104": _element("LO", meaning)}


def _element(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)}


def _value(attributes: Attributes, tag: str) -> Any:
    values = (attributes.get(tag) or {}).get("Value")
    return values[0] if values else None
