"""One module per DICOMweb service: request, behavior, response."""
