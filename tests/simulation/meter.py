"""What a peer has sent: the figures of the result table, and of the bounds."""

from __future__ import annotations

from collections import Counter


class Meter:
    """Counts bytes on the wire and messages that one peer sent, by type."""

    def __init__(self) -> None:
        self.bytes = 0
        self.messages = 0
        self.by_kind: Counter[int] = Counter()
        self.bytes_by_kind: Counter[int] = Counter()

    def sent(self, kind: int, size: int) -> None:
        """Count a message, or a step of the handshake (less than 0)."""
        self.bytes += size
        if kind >= 0:
            self.messages += 1
        self.by_kind[kind] += 1
        self.bytes_by_kind[kind] += size

    def reset(self) -> None:
        """Begin to count anew."""
        self.__init__()  # type: ignore[misc]
