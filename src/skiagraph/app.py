"""The composition root: the only module that knows concrete classes."""
