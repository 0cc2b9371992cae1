"""Softcopy Presentation States: PS3.3 C.10 and C.11, the Pixel Transformation Sequence of PS3.4 N.2."""
