"""What discovery reports: somebody may be there."""

from __future__ import annotations

from presence_core.value_object import value_object


@value_object
class DialHint:
    """A hint of whom to dial. It may waste a dial, nothing more: the handshake proves who answers.

    ``name`` is the mDNS instance, or the static address as it was written. ``addresses`` are
    (host, port), best first; an IPv6 link-local host carries its scope. ``free_slots`` is how many
    more links the peer says it would take.
    """

    source: str
    name: str
    addresses: tuple[tuple[str, int], ...]
    free_slots: int | None = None
