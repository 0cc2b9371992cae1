"""What a Study or Series says, folded from what its Instances say.

Instances of a Study often disagree, or know different parts. Each attribute is taken from the Instance that was
stored first (least blob key) among those that have a value for it. That makes the result independent of the order
in which Instances reach the index: one that is rebuilt from the blobs says the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from skiagraph.standard import dicom_json
from skiagraph.values import Attributes


@dataclass(slots=True)
class Folded:
    """Attributes of a Study or Series, and which Instance each of them comes from."""

    attributes: Attributes
    source: str
    """Blob key of the Instance that most attributes come from: the first of all."""
    sources: dict[str, str]
    """Tag → blob key of the attributes that come from others."""

    @classmethod
    def first(cls, attributes: Attributes, key: str) -> Folded:
        return cls(dict(attributes), key, {})

    @classmethod
    def load(cls, attributes: bytes, source: str, sources: str | None) -> Folded:
        return cls(orjson.loads(attributes), source, orjson.loads(sources) if sources else {})

    def dump(self) -> tuple[bytes, str, str | None]:
        """Return attributes (tags ascending), source and sources as they are stored."""
        attributes = dicom_json.encode({tag: self.attributes[tag] for tag in sorted(self.attributes)})
        sources = orjson.dumps(self.sources, option=orjson.OPT_SORT_KEYS).decode() if self.sources else None
        return attributes, self.source, sources

    def add(self, attributes: Attributes, key: str) -> bool:
        """Fold one more Instance in; return whether anything changed.

        Commutative: of two elements the one with a value wins, then the one with the lesser key.
        """
        changed = False
        if key < self.source:
            for tag in self.attributes:
                self.sources.setdefault(tag, self.source)
            self.source = key
            changed = True
        for tag, element in attributes.items():
            have = self.attributes.get(tag)
            if have is not None:
                have_key = self.sources.get(tag, self.source)
                if (is_empty(have), have_key) <= (is_empty(element), key):
                    continue
            self.attributes[tag] = element
            if key == self.source:
                self.sources.pop(tag, None)
            else:
                self.sources[tag] = key
            changed = True
        return changed


def is_empty(element: dict[str, Any]) -> bool:
    """Whether an element has no value."""
    values = element.get("Value")
    if values is None:
        return "InlineBinary" not in element
    return not any(value is not None and value != "" and value != {} for value in values)
