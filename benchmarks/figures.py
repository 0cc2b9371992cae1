"""From timings to what the report says: medians, spread, ratios, and whether an aim is met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of the values lie (linear between neighbours); ``values`` is not empty."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


@dataclass(frozen=True)
class Figure:
    """One measure of one server: all values of all rounds, round by round."""

    rounds: tuple[tuple[float, ...], ...]
    unit: str = "ms"
    note: str = ""
    processor: float | None = None
    """Milliseconds of processor time that the server took for each."""

    @property
    def values(self) -> list[float]:
        return [value for one in self.rounds for value in one]

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def low(self) -> float:
        """The tenth percentile."""
        return quantile(self.values, 0.1)

    @property
    def high(self) -> float:
        """The ninetieth percentile."""
        return quantile(self.values, 0.9)


@dataclass(frozen=True)
class Ratio:
    """How many times better the first is; and the least and greatest of the single rounds."""

    value: float
    least: float
    greatest: float


def ratio(ours: Figure, theirs: Figure, *, more_is_better: bool = False) -> Ratio:
    """How many times better ``ours`` is: of medians, and round by round."""

    def of(own: float, other: float) -> float:
        return own / other if more_is_better else other / own

    pairs = [
        of(median(own), median(other)) for own, other in zip(ours.rounds, theirs.rounds, strict=False) if own and other
    ]
    return Ratio(of(ours.median, theirs.median), min(pairs), max(pairs))


@dataclass(frozen=True)
class Aim:
    """What a ratio should reach: at least (or, for a cost, at most) ``bound``."""

    bound: float
    at_most: bool = False
    against: str = "Orthanc"

    def met(self, value: float) -> bool:
        return value <= self.bound if self.at_most else value >= self.bound

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.bound:g}×"
