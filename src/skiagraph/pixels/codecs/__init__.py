"""Codecs: one module per family of code streams.

Each has ``CAN``, what it can do by Transfer Syntax, and plain functions of the same shape:

``decode(frame, transfer_syntax_uid, image) -> (cells, image)``
    The cells of one frame, shape ``(rows, columns)`` or ``(rows, columns, samples)``, and what they are like: colour
    space, bits, planar configuration 0. Raises `BadPixels`.

``encode(cells, transfer_syntax_uid, image) -> (frame, image)``
    The frame, and the Image Pixel attributes that belong to it. The image describes cells as `decode` returns them and
    `decode.unfit` found that the syntax can hold them. Raises `BadPixels`.

Modules import their library inside the functions: importing the table costs nothing.
"""
