"""How records get from table to table: told, offered, asked for (protocol §6.6, §6.7, §6.9, §6.10).

Pure; time is passed in. What comes is verified before anything else, then weighed against what its
sender may say, and only then taken; what was taken is passed on.
"""

from __future__ import annotations

import hashlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from presence_core.gossip.messages import (
    BATCH_BYTES,
    MARK_BYTES,
    PREFIX_BYTES,
    Have,
    Records,
    Summary,
    Want,
)
from presence_core.gossip.pulls import Pulls
from presence_core.gossip.quota import (
    NEW_BURST,
    NEW_RATE,
    TAKEN_BURST,
    TAKEN_RATE,
    UNASKED_BURST,
    UNASKED_RATE,
    Offence,
    Rates,
    Strikes,
)
from presence_core.gossip.record import Record, RecordError, parse_records
from presence_core.gossip.spread import Spread
from presence_core.gossip.sync import Sync, haves
from presence_core.gossip.table import MAX_PEERS, Accepted, Entry, Table
from presence_core.handshake.events import MessageType
from presence_core.value_object import entity, value_object

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Mapping

    from presence_core.identity.mesh import MeshKey

LARGE_MESH = 500
"""Peers above which records are offered and asked for, not sent unasked."""

HASTE_SECONDS = 5.0
"""A version that follows another within this time is offered: there are more where it comes from,
and each sent unasked comes to everybody two or three times."""

RACE_SECONDS = 10.0
"""How long after a newer version, or after a link has come up, a neighbour may not know better than
to pass an older one on."""

MAX_ANSWERED = 128
"""Records that are sent in answer to one Want; an honest neighbour asks for half as many."""

Checked = Record | RecordError
"""A verified record, or what is wrong with the bytes."""

_NOTHING: Mapping[bytes, Checked] = MappingProxyType({})
_TAKEN = (Accepted.NEW, Accepted.NEWER, Accepted.EQUIVOCATION)


@value_object
class Message:
    """A message to a neighbour."""

    link: int
    type: MessageType
    body: bytes


@value_object
class TooMuch:
    """A neighbour has sent so much that does not hold that its link is to be closed."""

    link: int
    why: str


class RecordTaker(Protocol):
    """Who is told of records."""

    def record_taken(self, record: Record, link: int, now: float) -> None:
        """A record is news, verified, and the newest of its peer now."""

    def record_held(self, record: Record, link: int, now: float) -> None:
        """A neighbour has shown that it has the record that we have too."""

    def own_record_heard(self, record: Record, now: float) -> None:
        """A record of our own key has come that we did not publish just now."""


@entity
class _Line:
    """A link, as far as records go."""

    key: bytes
    slow: bool
    since: float
    offered: int = 0
    """Records that were offered over it and not asked for since."""
    over: bool = False
    """It is to be closed for what came over it; nothing more of it counts."""


class Exchange:
    """Keeps a table equal with those of the neighbours."""

    def __init__(
        self,
        table: Table,
        own_key: bytes,
        mesh: MeshKey,
        rng: random.Random,
        taker: RecordTaker,
    ) -> None:
        self.table = table
        self.strikes = Strikes()
        self.pulls = Pulls()
        self.spread = Spread(rng)
        self.sync = Sync(table, self.pulls, rng)
        self._own_key = own_key
        self._mesh = mesh
        self._taker = taker
        self._lines: dict[int, _Line] = {}
        self._versions: Rates[tuple[int, bytes]] = Rates(TAKEN_RATE, TAKEN_BURST)
        self._newcomers: Rates[int] = Rates(NEW_RATE, NEW_BURST)
        self._unasked: Rates[int] = Rates(UNASKED_RATE, UNASKED_BURST)
        self._offered_newcomers: Rates[int] = Rates(NEW_RATE, float(MAX_PEERS))
        self._output: list[Message | TooMuch] = []

    # -- links

    def open(
        self, link: int, key: bytes, hello: Record, root: bytes, now: float, *, leads: bool,
        slow: bool,
    ) -> None:  # fmt: skip
        """Add a neighbour, with the record and the root of its Hello."""
        self._lines[link] = _Line(key, slow, now)
        self.spread.add_link(link)
        self.pulls.add_link(link)
        self._weigh(hello, 0.0, link, now, asked=True)
        self._send(link, self.sync.opened(link, root, now, leads=leads))

    def close(self, link: int) -> None:
        """Remove a neighbour."""
        if self._lines.pop(link, None) is not None:
            self.spread.drop_link(link)
            self.pulls.drop_link(link)
            self.sync.closed(link)

    # -- our own

    def publish(self, record: Record, now: float) -> None:
        """Tell every neighbour of the local peer's new record, at once."""
        self.table.accept(record, 0.0, now, None)
        if record.leaving:  # after it nothing comes: it does not wait for its turn
            for link in self._lines:
                self._tell(link, [record.key], now)
        else:
            self.spread.news(record.key, None, now, urgent=True)

    def farewell(self) -> bytes:
        """Return the message with our own record for one who is not a neighbour of ours yet.

        Whoever has let us in shows us by our Hello; only a signed goodbye makes it show us as left.
        """
        own = self.table.get(self._own_key)
        assert own is not None
        return Records(((0, own.record.raw),)).encode()

    # -- what neighbours say

    def records(self, link: int, body: bytes, now: float) -> None:
        """Take a message of records. Raises MessageError."""
        self.take(link, Records.decode(body), now)

    def unknown(self, records: Records) -> list[bytes]:
        """Return which of these records are not held: their signatures are to be checked."""
        holder = self.table.holder
        return [raw for _, raw in records.items if holder(hashlib.sha256(raw).digest()) is None]

    def take(
        self, link: int, records: Records, now: float, checked: Mapping[bytes, Checked] = _NOTHING
    ) -> None:
        """Take records. ``checked`` has what :func:`parse_records` has made of some of them."""
        unknown: list[tuple[int, bytes]] = []
        for age, raw in records.items:
            held = self.table.holder(hashlib.sha256(raw).digest())
            if held is not None:
                held.heard_again(float(age), now)
                self._held(held.record, link, now)
            else:
                unknown.append((age, raw))
        rest = [raw for _, raw in unknown if raw not in checked]
        parsed = dict(zip(rest, parse_records(rest, self._mesh), strict=True))
        line = self._lines[link]
        for age, raw in unknown:
            if line.over:
                return
            record = parsed[raw] if raw in parsed else checked[raw]
            if isinstance(record, RecordError):
                self.offence(link, Offence.INVALID, str(record), now)
                continue
            # One that is said to be too old to live is not what the others have offered.
            mark = record.hash[:MARK_BYTES] if age <= record.lifetime else b""
            asked = self.pulls.came(link, record.key[:PREFIX_BYTES], mark)
            self._weigh(record, float(age), link, now, asked=asked)

    def _held(self, record: Record, link: int, now: float) -> None:
        """A neighbour sends what we have: most of what comes is that, so nothing is verified."""
        self.pulls.came(link, record.key[:PREFIX_BYTES], record.hash[:MARK_BYTES])
        self.spread.known(link, record.key)
        if record.key != self._own_key:
            self._taker.record_held(record, link, now)

    def _weigh(self, record: Record, age: float, link: int, now: float, *, asked: bool) -> None:
        """Decide on a verified record."""
        known = self.table.get(record.key)
        if known is None:
            if not asked and not self._newcomers.take(link, now):
                self.offence(link, Offence.FLOOD, "more new peers than allowed", now)
                return
        elif not asked and not self._versions.take((link, record.key), now):
            self.offence(link, Offence.FLOOD, "more versions of a peer than allowed", now)
            return
        if record.key == self._own_key:
            if not asked and known is not None and record.order < known.record.order:
                self._replayed(link, record, known, now)
            self._taker.own_record_heard(record, now)
            return
        verdict = self.table.accept(record, age, now, self._lines[link].key)
        entry = self.table.get(record.key)
        if verdict is Accepted.EQUIVOCATION:
            # Its signature proves who says two things at once, whoever passes it on.
            self._blame(record.key, Offence.CONTRADICTED, f"two of {record.name!r}", now)
        if verdict in _TAKEN and entry is not None and entry.record is record:
            hasty = known is not None and now - known.received_at < HASTE_SECONDS
            entry.offered = asked or hasty
            self.spread.news(record.key, link, now)
            self._taker.record_taken(record, link, now)
        elif verdict in (Accepted.OLDER, Accepted.EQUIVOCATION) and known is not None:
            if not asked:
                self._replayed(link, record, known, now)
            self.spread.tell(link, record.key, now)

    def _replayed(self, link: int, record: Record, known: Entry, now: float) -> None:
        """Count a version that was replaced, if the neighbour that sends it must know that.

        A newcomer passes on what it has just learned from somebody who was cut off: of what it says
        in the beginning, nothing shows that it knew better. Of a record below the floor nothing
        ever does: others need not have heard of a peer that is long gone.
        """
        if now - max(known.received_at, self._lines[link].since) > RACE_SECONDS:
            self.offence(link, Offence.REPLAYED, f"an old record of {record.name!r}", now)

    def summary(self, link: int, body: bytes, now: float) -> None:
        """Take a Summary. Raises MessageError."""
        self._send(link, self.sync.summary(link, Summary.decode(body), now))

    def have(self, link: int, body: bytes, now: float) -> None:
        """Take what a neighbour offers, and note what of it we lack. Raises MessageError."""
        for prefix, mark in Have.decode(body).offers:
            entry = self.table.find(prefix)
            if entry is not None and entry.record.hash[:MARK_BYTES] == mark:
                self.spread.known(link, entry.record.key)
            elif self._is_wanted(link, prefix, mark, entry, now):
                self.pulls.offered(link, prefix, mark)
        self.sync.offered(link)

    def _is_wanted(
        self, link: int, prefix: bytes, mark: bytes, entry: Entry | None, now: float
    ) -> bool:
        """Whether a version that a neighbour offers is to be asked for.

        Offers have quotas too, or the way around those of records would be to offer them first.
        Nobody is blamed for offering more: who has many neighbours has much to offer.
        """
        if entry is None:
            return self.pulls.waits(link, prefix) or self._offered_newcomers.take(link, now)
        key = entry.record.key
        if entry.replaced == mark:  # nothing else is passed over, least of all under our own key:
            return False  # it may be what a run said that had a later clock
        return self.pulls.waits(link, prefix) or self._versions.take((link, key), now)

    def want(self, link: int, body: bytes, now: float) -> None:
        """Send what a neighbour asks for, of what it was offered. Raises MessageError.

        Nobody asks for more than that, so nobody can draw more than it would have been told; an
        honest neighbour asks once for each offer.
        """
        prefixes = Want.decode(body).prefixes
        line = self._lines[link]
        allowed = min(MAX_ANSWERED, line.offered)
        line.offered = max(0, line.offered - len(prefixes))
        if len(prefixes) > allowed:
            self.offence(link, Offence.FLOOD, "asks for more than it was offered", now)
        entries = (self.table.find(prefix) for prefix in prefixes[:allowed])
        found = [entry for entry in entries if entry is not None]
        for entry in found:
            self.spread.known(link, entry.record.key)
        self._send_records(link, found, now)

    def over(self, link: int) -> bool:
        """Whether a link is to be closed for what came over it: what follows is not looked at."""
        line = self._lines.get(link)
        return line is None or line.over

    def offence(self, link: int, offence: Offence, detail: str, now: float) -> bool:
        """Count what a neighbour should not have sent; True when its link is closed for it."""
        line = self._lines.get(link)
        if line is not None and not line.over:
            self._blame(line.key, offence, detail, now)
        return line is not None and line.over

    def _blame(self, key: bytes, offence: Offence, detail: str, now: float) -> None:
        """Count what a peer has done; on repetition its links are closed, each of them once."""
        if self.strikes.strike(key, offence, detail, now):
            for link, line in self._lines.items():
                if line.key == key and not line.over:
                    line.over = True
                    self._output.append(TooMuch(link, f"it keeps sending {offence}: {detail}"))

    # -- time

    def tick(self, now: float) -> None:
        """Tell, ask and compare what is due."""
        for link, keys in self.spread.due(now):
            self._tell(link, keys, now)
        for link, prefixes in self.pulls.due(now):
            self._output.append(Message(link, MessageType.WANT, Want(tuple(prefixes)).encode()))
        for link, summary in self.sync.tick(now):
            self._send(link, [summary])

    def next_time(self) -> float:
        """When :meth:`tick` has something to do; infinity for never."""
        return min(self.spread.next_time(), self.pulls.next_time(), self.sync.next_time())

    def take_output(self) -> list[Message | TooMuch]:
        """Return what is to be done since the last call, in order."""
        output, self._output = self._output, []
        return output

    def _tell(self, link: int, keys: list[bytes], now: float) -> None:
        """Send records; in a large mesh, on a slow link, and when it is much, offer them.

        The own record is always sent.
        """
        offering = self._lines[link].slow or len(self.table) > LARGE_MESH
        sent: list[Entry] = []
        offers: list[tuple[bytes, bytes]] = []
        entries = self.table.entries()
        for key in keys:
            entry = entries.get(key)
            if entry is None:
                continue
            if key == self._own_key or not (
                offering or entry.offered or not self._unasked.take(link, now)
            ):
                sent.append(entry)
            else:
                offers.append((key[:PREFIX_BYTES], entry.record.hash[:MARK_BYTES]))
        self._send(link, haves(offers))
        self._send_records(link, sent, now)

    def _send_records(self, link: int, entries: Iterable[Entry], now: float) -> None:
        batch: list[tuple[int, bytes]] = []
        size = 0
        for entry in entries:
            raw = entry.record.raw
            if batch and size + len(raw) > BATCH_BYTES:
                self._send(link, [Records(tuple(batch))])
                batch, size = [], 0
            own = entry.record.key == self._own_key
            age = 0 if own else int(entry.age(now))
            batch.append((age, raw))
            size += len(raw)
        if batch:
            self._send(link, [Records(tuple(batch))])

    def _send(self, link: int, messages: Iterable[Summary | Have | Records]) -> None:
        for message in messages:
            if isinstance(message, Have):
                line = self._lines[link]
                line.offered = min(line.offered + len(message.offers), MAX_PEERS)
            self._output.append(Message(link, _TYPES[type(message)], message.encode()))


_TYPES: dict[type, MessageType] = {
    Summary: MessageType.SUMMARY,
    Have: MessageType.HAVE,
    Records: MessageType.RECORDS,
}
