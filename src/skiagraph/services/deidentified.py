"""De-identified Instances — PS3.18 §9.4.1.2.1, PS3.15 Annex E, Basic Application Level Confidentiality Profile.

Whether an Instance can be de-identified is seen from its metadata; what becomes of its elements is decided while they
are sent (`encoding`). Nothing of it is logged or kept.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import Final

from skiagraph.errors import CannotUnderstand, NoAcceptableRepresentation
from skiagraph.index.base import StoredInstance
from skiagraph.services import representation
from skiagraph.services.archive import Archive
from skiagraph.standard import deidentification, identifying_content
from skiagraph.standard.deidentification import Deidentifier, Pseudonyms
from skiagraph.standard.explicit_le import Edits, Gap, Plan, convert
from skiagraph.standard.header import Source
from skiagraph.standard.part10 import BytesSource
from skiagraph.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from skiagraph.values import Attributes, ResourcePath


class CanNotBeDeidentified(NoAcceptableRepresentation):
    """The Instance can not be given without what identifies the patient."""


@dataclass(frozen=True, slots=True)
class Deidentified:
    """An Instance that is to be sent without what identifies the patient."""

    deidentifier: Deidentifier
    path: ResourcePath
    """Its new UIDs."""
    caution: str | None
    """What a receiver has to know."""

    def convert(self, source: Source, instance: StoredInstance, edits: Edits) -> Plan:
        """Plan the data set without what identifies, in Explicit VR Little Endian; blocks.

        Parameters
        ----------
        edits
            What becomes of it besides; its elements are de-identified too.

        Raises
        ------
        CannotUnderstand
            The bytes are not such a data set, or not the one that they were when it was stored.
        """
        elements = {tag: self._alone(element) for tag, element in edits.elements.items()} | deidentification.ADDED
        edits = replace(edits, elements=elements, judge=self.deidentifier.judging)
        plan = convert(source, instance.dataset_offset, instance.transfer_syntax_uid, edits)
        if self.deidentifier.missed(elements):
            raise CannotUnderstand("its elements are not found as its metadata has them.")
        return plan

    def _alone(self, element: bytes) -> bytes:
        """One encoded element, or none."""
        judging = replace(self.deidentifier).judging
        plan = convert(BytesSource(element), 0, EXPLICIT_VR_LITTLE_ENDIAN, Edits(judge=judging))
        pieces = (
            piece if isinstance(piece, bytes) else element[piece.offset : piece.offset + piece.length]
            for piece in plan.pieces
            if not isinstance(piece, Gap)
        )
        return b"".join(pieces)

    def named(self, instance: StoredInstance) -> StoredInstance:
        """The index entry under its new UIDs, and without the time when it was stored."""
        return replace(instance, path=self.path, stored_at=0.0)


class Outcome(enum.Enum):
    """What becomes of an Instance that is to be de-identified."""

    FINE = "fine"
    CAUTION = "caution"
    """It is de-identified, and one has to know that its pixels were not cleaned."""
    REFUSED = "refused"


_REFUSED: Final = "can not be de-identified"


async def deidentify(archive: Archive, instance: StoredInstance) -> Deidentified:
    """Look at the metadata of an Instance.

    Raises
    ------
    CanNotBeDeidentified
        With the reason.
    """
    return examine(archive, instance, await representation.attributes(archive, instance))


def examine(archive: Archive, instance: StoredInstance, attributes: Attributes) -> Deidentified:
    """The same with metadata at hand."""
    obstacle = identifying_content.obstacle(attributes, instance.sop_class_uid, instance.transfer_syntax_uid)
    if obstacle is not None:
        raise CanNotBeDeidentified(f"{instance.path} {_REFUSED}: {obstacle}")
    return Deidentified(
        Deidentifier(Pseudonyms(archive.secret()), instance.sop_class_uid, attributes),
        renamed(archive, instance.path),
        identifying_content.caution(attributes),
    )


def outcome(instance: StoredInstance, attributes: Attributes) -> Outcome:
    """What `examine` would find."""
    if identifying_content.obstacle(attributes, instance.sop_class_uid, instance.transfer_syntax_uid) is not None:
        return Outcome.REFUSED
    return Outcome.FINE if identifying_content.caution(attributes) is None else Outcome.CAUTION


def detail(path: ResourcePath) -> str:
    """What tells it from other representations, for its entity tag; of the path under its new UIDs."""
    return f"deidentified {deidentification.VERSION} {path}"


def renamed(archive: Archive, path: ResourcePath) -> ResourcePath:
    """The path under its new UIDs."""
    pseudonyms = Pseudonyms(archive.secret())
    return replace(
        path,
        study_instance_uid=pseudonyms.uid(path.study_instance_uid),
        series_instance_uid=pseudonyms.uid(path.series_instance_uid or "") or None,
        sop_instance_uid=pseudonyms.uid(path.sop_instance_uid or "") or None,
    )
