"""skiagraph: a DICOMweb origin server."""
