"""Measurements of skiagraph beside other servers, on the same data, in one run: ``python -m benchmarks``."""
