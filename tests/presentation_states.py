"""Presentation states for tests: made here, of images that are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset

from dicom_files import uid

GRAYSCALE, COLOR, PSEUDO_COLOR, BLENDING = (f"1.2.840.10008.5.1.4.1.1.11.{number}" for number in (1, 2, 3, 4))


def item(**attributes: Any) -> Dataset:
    """An Item of a Sequence."""
    data = Dataset()
    for keyword, value in attributes.items():
        setattr(data, keyword, value)
    return data


def image_reference(image: Dataset, *frames: int) -> Dataset:
    """An Item of a Referenced Image Sequence."""
    found = item(ReferencedSOPClassUID=image.SOPClassUID, ReferencedSOPInstanceUID=image.SOPInstanceUID)
    if frames:
        found.ReferencedFrameNumber = list(frames) if len(frames) > 1 else frames[0]
    return found


def series_references(*images: Dataset) -> list[Dataset]:
    """Items of a Referenced Series Sequence."""
    by_series: dict[str, list[Dataset]] = {}
    for image in images:
        by_series.setdefault(image.SeriesInstanceUID, []).append(image_reference(image))
    return [
        item(SeriesInstanceUID=series, ReferencedImageSequence=references) for series, references in by_series.items()
    ]


def state(*images: Dataset, kind: str = GRAYSCALE, **changes: Any) -> Dataset:
    """A presentation state of images, in the Study of the first; keyword arguments are attributes to set."""
    data = Dataset()
    data.SOPClassUID = kind
    data.SOPInstanceUID = uid()
    data.StudyInstanceUID = images[0].StudyInstanceUID if images else uid()
    data.SeriesInstanceUID = uid()
    data.Modality = "PR"
    data.PatientName = "Zeta^Zachary"
    data.PatientID = "ID-1"
    data.SeriesNumber, data.InstanceNumber = 90, 1
    data.ContentLabel = "TEST"
    if kind == GRAYSCALE:
        data.PresentationLUTShape = "IDENTITY"
    if kind != BLENDING:
        data.ReferencedSeriesSequence = series_references(*images)
    for keyword, value in changes.items():
        setattr(data, keyword, value)
    return data


def area(
    first: tuple[int, int], last: tuple[int, int], mode: str = "SCALE TO FIT", *images: Dataset, **changes: Any
) -> Dataset:
    """An Item of a Displayed Area Selection Sequence: column and row of two corners, from 1."""
    found = item(
        DisplayedAreaTopLeftHandCorner=list(first),
        DisplayedAreaBottomRightHandCorner=list(last),
        PresentationSizeMode=mode,
        PresentationPixelAspectRatio=[1, 1],
    )
    if images:
        found.ReferencedImageSequence = [image_reference(image) for image in images]
    for keyword, value in changes.items():
        setattr(found, keyword, value)
    return found


def layer(name: str = "L", order: int = 1, **changes: Any) -> Dataset:
    return item(GraphicLayer=name, GraphicLayerOrder=order, **changes)


def graphic(kind: str, points: Sequence[float], units: str = "PIXEL", filled: str = "N", **changes: Any) -> Dataset:
    """An Item of a Graphic Object Sequence."""
    return item(
        GraphicAnnotationUnits=units,
        GraphicDimensions=2,
        NumberOfGraphicPoints=len(points) // 2,
        GraphicData=list(points),
        GraphicType=kind,
        GraphicFilled=filled,
        **changes,
    )


def text(value: str, box: Sequence[float] = (), units: str = "PIXEL", **changes: Any) -> Dataset:
    """An Item of a Text Object Sequence."""
    found = item(UnformattedTextValue=value, **changes)
    if box:
        found.BoundingBoxAnnotationUnits = units
        found.BoundingBoxTopLeftHandCorner, found.BoundingBoxBottomRightHandCorner = list(box[:2]), list(box[2:])
        found.BoundingBoxTextHorizontalJustification = found.get("BoundingBoxTextHorizontalJustification", "LEFT")
    return found


def annotation(*objects: Dataset, layer: str = "L", images: Sequence[Dataset] = ()) -> Dataset:
    """An Item of a Graphic Annotation Sequence."""
    found = item(GraphicLayer=layer)
    texts = [one for one in objects if "UnformattedTextValue" in one]
    graphics = [one for one in objects if "GraphicType" in one]
    compounds = [one for one in objects if "CompoundGraphicType" in one]
    if texts:
        found.TextObjectSequence = texts
    if graphics:
        found.GraphicObjectSequence = graphics
    if compounds:
        found.CompoundGraphicSequence = compounds
    if images:
        found.ReferencedImageSequence = [image_reference(image) for image in images]
    return found
