"""Records are verified once in a simulation, not once by each of a thousand peers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from unittest import mock

from presence_core.engine import peering
from presence_core.gossip import exchange
from presence_core.gossip.record import Record, RecordError, parse_record
from presence_core.identity.mesh import MeshKey


class SharedParsing:
    """Stands where peers verify and read records: ``parse_record`` and ``parse_records``.

    That is sound because they are pure functions of the bytes and the mesh: no clock, no state,
    and what they return is frozen. If they were wrong, they would be wrong in the same way at each
    peer. ``verified`` counts what the peers would have had to verify, so that the time it takes
    them can be simulated.
    """

    def __init__(self) -> None:
        self.verified = 0
        self._known: dict[bytes, dict[bytes, Record | RecordError]] = {}

    def record(self, raw: bytes, mesh: MeshKey) -> Record:
        """Do what ``parse_record`` does."""
        found = self._look_up(raw, mesh)
        if isinstance(found, RecordError):
            raise found
        return found

    def records(self, raws: Sequence[bytes], mesh: MeshKey) -> list[Record | RecordError]:
        """Do what ``parse_records`` does."""
        return [self._look_up(raw, mesh) for raw in raws]

    def _look_up(self, raw: bytes, mesh: MeshKey) -> Record | RecordError:
        self.verified += 1
        known = self._known.setdefault(mesh.mesh_id, {})
        found = known.get(raw)
        if found is None:
            try:
                found = parse_record(raw, mesh)
            except RecordError as error:
                found = RecordError(str(error))
            known[raw] = found
        return found


@contextmanager
def shared_parsing() -> Iterator[SharedParsing]:
    """Let all peers in here share what has been verified."""
    shared = SharedParsing()
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(exchange, "parse_records", shared.records))
        stack.enter_context(mock.patch.object(peering, "parse_record", shared.record))
        yield shared
