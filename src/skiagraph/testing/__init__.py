"""Shipped with skiagraph: suites that a back-end must pass, and builders of data sets."""
