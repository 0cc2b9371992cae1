"""The tables and encodings of the standard, as data and pure functions."""
