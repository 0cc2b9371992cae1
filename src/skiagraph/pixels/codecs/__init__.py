"""Codecs: one module per family of code streams.

Each has ``DECODES`` and ``ENCODES``, sets of Transfer Syntax UIDs, and plain functions of the same shape:

``decode(frame, transfer_syntax_uid, image) -> (cells, image)``
    The cells of one frame, shape ``(rows, columns)`` or ``(rows, columns, samples)``, and what they are like: colour
    space, bits, colour by pixel. Raises `BadPixels`. Nothing is allocated before the stream and the image agree.

``encode(cells, transfer_syntax_uid, image) -> (frame, image)``
    The frame, and the Image Pixel attributes that belong to it. The image describes cells as `decode` returns them, and
    `encode.unfit` found that the syntax can hold them. Raises `BadPixels`.

Modules import their library inside the functions: importing the table costs nothing.
"""
