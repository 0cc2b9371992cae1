"""The web framework lives here, and only here."""
