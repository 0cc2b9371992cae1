"""Clients of DICOMweb services that programs import, of this server or any other."""
