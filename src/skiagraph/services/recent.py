"""Answers made lately, for the next one who asks: bounded by bytes, named by their entity tag.

The entity tag holds the version that the index gives at each request, so an answer can not be stale,
whichever process changed the content.
"""

from __future__ import annotations

from collections import OrderedDict


class Recent:
    """Least recently used answers of one process; for the event loop alone.

    Parameters
    ----------
    limit
        Bytes in all; an answer of more than an eighth of it is not kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self._answers: OrderedDict[str, bytes] = OrderedDict()

    @property
    def largest(self) -> int:
        """Bytes of the largest answer that is kept."""
        return self._limit // 8

    def get(self, entity_tag: str) -> bytes | None:
        answer = self._answers.get(entity_tag)
        if answer is not None:
            self._answers.move_to_end(entity_tag)
        return answer

    def put(self, entity_tag: str, answer: bytes) -> None:
        """Keep an answer, and let go of those that nobody asked for in the longest time."""
        if len(answer) > self.largest or entity_tag in self._answers:
            return
        self._answers[entity_tag] = answer
        self._bytes += len(answer)
        while self._bytes > self._limit:
            _, oldest = self._answers.popitem(last=False)
            self._bytes -= len(oldest)
