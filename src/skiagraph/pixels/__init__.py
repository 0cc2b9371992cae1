"""Pixels as values: what frames decode to, how they are encoded and rendered. Pure; no I/O."""
