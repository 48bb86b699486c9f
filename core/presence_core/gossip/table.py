"""The newest record of every peer (protocol §6.1–4). Pure; time is passed in."""

from __future__ import annotations

from collections import defaultdict
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from presence_core.gossip.messages import DIGEST_BYTES, MARK_BYTES, PREFIX_BYTES
from presence_core.value_object import entity, value_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from presence_core.gossip.record import Record

MAX_PEERS = 20_000
MAX_BYTES = 64 * 1024 * 1024
"""Of all records together."""
MAX_FLOORS = 40_000
FLOOR_SECONDS = 7 * 86_400.0
BUCKETS = 256


class Accepted(StrEnum):
    """What became of a record that was offered to the table."""

    NEW = "new"
    NEWER = "newer"
    SAME = "same"
    OLDER = "older"
    REPLAY = "replay"
    """Below the floor of a peer that was dropped."""
    EXPIRED = "expired"
    EQUIVOCATION = "equivocation"
    """Same epoch and sequence, other content: the greater hash is kept, the peer flagged. What has
    lost once is OLDER when it comes again: no news, and no sign of life."""
    FULL = "full"


@entity
class Entry:
    """A record in the table, and how it came. Times are monotonic seconds."""

    record: Record
    received_at: float
    age_at_receipt: float
    source: bytes | None
    """The neighbour that sent it; None for our own."""
    equivocating: bool = False
    offered: bool = False
    """It is passed on by an offer: it had to be asked for, so most others have had it for long, or
    it followed another version at once."""
    replaced: bytes = b""
    """Mark of the version before: who offers it again is behind us, and not ahead."""

    def expires_at(self) -> float:
        """When age and time here exceed the lifetime."""
        return self.received_at + self.record.lifetime - self.age_at_receipt

    def age(self, now: float) -> float:
        """Return how old the record is by now, as far as anybody says."""
        return self.age_at_receipt + now - self.received_at

    def heard_again(self, age: float, now: float) -> None:
        """Take the word of another relay on the age: the least that any of them says counts.

        Whoever says too much would otherwise hide a peer; whoever says too little can still not
        hold a record beyond its lifetime since it first came here.
        """
        then = max(0.0, age - (now - self.received_at))
        self.age_at_receipt = min(self.age_at_receipt, then)


@value_object
class _Floor:
    """What is left of a peer that was dropped: up to which version its records are replays.

    Its last record is none while it may still live: it was dropped for a lie about its age, or for
    want of room.
    """

    version: tuple[int, int]
    hash: bytes
    received_at: float
    until: float


class Table:
    """Records by peer key. Order is by epoch, sequence and hash: never by a clock.

    ``keep`` says of whom the record is to be kept when there is no room for all: it gives way to
    nobody. Of the others the one that came last gives way, so that a flood of invented peers
    pushes itself out and not those that were here before.
    """

    def __init__(self, own_key: bytes, keep: Callable[[bytes], bool] = lambda _: False) -> None:
        self._own_key = own_key
        self._keep = keep
        self._entries: dict[bytes, Entry] = {}
        self._view = MappingProxyType(self._entries)
        self._evicted: list[bytes] = []
        self._floors: dict[bytes, _Floor] = {}
        self._root = 0
        self._bytes = 0
        self._by_prefix: dict[bytes, bytes] = {}
        self._by_hash: dict[bytes, bytes] = {}
        self._digests = [0] * BUCKETS
        self._members: defaultdict[int, dict[bytes, None]] = defaultdict(dict)
        """The keys of each bucket."""
        self._next_expiry = float("inf")

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> Entry | None:
        """Return the entry of a peer, if there is one."""
        return self._entries.get(key)

    def name_of(self, key: bytes) -> str | None:
        """Return what a peer calls itself, None for one that is not here."""
        entry = self._entries.get(key)
        return None if entry is None else entry.record.name

    def entries(self) -> Mapping[bytes, Entry]:
        """Return a live, read-only view of all entries."""
        return self._view

    def holder(self, record_hash: bytes) -> Entry | None:
        """Return the entry with the record that has this hash."""
        key = self._by_hash.get(record_hash)
        return None if key is None else self._entries.get(key)

    def find(self, prefix: bytes) -> Entry | None:
        """Return the entry of the peer whose key begins so."""
        key = self._by_prefix.get(prefix)
        return None if key is None else self._entries.get(key)

    def accept(self, record: Record, age: float, now: float, source: bytes | None) -> Accepted:
        """Take a *verified* record in, if it is news.

        ``age`` in seconds is what relays say has passed since it was issued. A lie can shorten a
        record's life until somebody else says less, and never lengthen it beyond its lifetime here.
        """
        age = max(0.0, age)
        known = self._entries.get(record.key)
        if known is not None and record.order > known.record.order:
            age = min(age, known.age(now))  # it was issued after that one, whoever says otherwise
        if record.key != self._own_key and age > record.lifetime:
            return Accepted.EXPIRED
        if known is None:
            return self._accept_new(record, age, now, source)
        if record.hash == known.record.hash:
            known.heard_again(age, now)
            return Accepted.SAME
        version, known_version = record.order[:2], known.record.order[:2]
        if version < known_version:
            return Accepted.OLDER
        if version == known_version:
            if known.equivocating and record.hash < known.record.hash:
                return Accepted.OLDER
            known.equivocating = True
            if record.hash > known.record.hash:
                self._put(Entry(record, now, age, source, equivocating=True))
            return Accepted.EQUIVOCATION
        self._put(Entry(record, now, age, source))
        return Accepted.NEWER

    def _accept_new(self, record: Record, age: float, now: float, source: bytes | None) -> Accepted:
        entry = Entry(record, now, age, source)
        floor = self._floors.get(record.key)
        if floor is not None and now < floor.until and record.order[:2] <= floor.version:
            if record.hash != floor.hash:
                return Accepted.REPLAY
            entry = Entry(record, floor.received_at, float("inf"), source)
            entry.heard_again(age, now)
            if now >= entry.expires_at():
                return Accepted.REPLAY
        while len(self._entries) >= MAX_PEERS or self._bytes + len(record.raw) > MAX_BYTES:
            if not self._evict():
                return Accepted.FULL
        self._floors.pop(record.key, None)
        self._put(entry)
        return Accepted.NEW

    def _evict(self) -> bool:
        """Drop the newest comer that is not to be kept; False when all are."""
        for key in reversed(self._entries):
            if key != self._own_key and not self._keep(key):
                self._remove(key)  # without a floor: it may come back as it was when there is room
                self._evicted.append(key)
                return True
        return False

    def _put(self, entry: Entry) -> None:
        key = entry.record.key
        old = self._entries.get(key)
        if old is not None:
            self._unmark(old.record)
            entry.replaced = old.record.hash[:MARK_BYTES]
        else:
            self._by_prefix.setdefault(key[:PREFIX_BYTES], key)
            self._members[key[0]][key] = None
        self._entries[key] = entry
        self._mark(entry.record)
        if key != self._own_key:
            self._next_expiry = min(self._next_expiry, entry.expires_at())

    def _mark(self, record: Record) -> None:
        self._by_hash[record.hash] = record.key
        self._bytes += len(record.raw)
        self._toggle(record)

    def _unmark(self, record: Record) -> None:
        del self._by_hash[record.hash]
        self._bytes -= len(record.raw)
        self._toggle(record)

    def _toggle(self, record: Record) -> None:
        mark = int.from_bytes(record.hash[:DIGEST_BYTES], "big")
        self._root ^= mark
        self._digests[record.key[0]] ^= mark

    def expire(self, now: float) -> list[bytes]:
        """Drop what has outlived its lifetime; return the keys. Our own record never expires.

        Who can be reached is alive, and publishes in time: a record of such a peer that is said to
        be so old lives until its lifetime here is over.
        """
        if now < self._next_expiry:
            return []
        gone: list[bytes] = []
        for key, entry in self._entries.items():
            if key == self._own_key or now < entry.expires_at():
                continue
            if self._keep(key):
                entry.age_at_receipt = 0.0
            if now >= entry.expires_at():
                gone.append(key)
        for key in gone:
            self.forget(key, now)
        self._next_expiry = min(
            (e.expires_at() for k, e in self._entries.items() if k != self._own_key),
            default=float("inf"),
        )
        return gone

    def next_expiry(self) -> float:
        """When :meth:`expire` has something to do at the earliest; infinity for never."""
        return self._next_expiry

    def forget(self, key: bytes, now: float) -> None:
        """Drop a peer, and keep the floor under which its old records are replays."""
        entry = self._remove(key)
        if entry is None:
            return
        if len(self._floors) >= MAX_FLOORS:
            del self._floors[next(iter(self._floors))]
        record = entry.record
        self._floors[key] = _Floor(
            record.order[:2], record.hash, entry.received_at, now + FLOOR_SECONDS
        )

    def _remove(self, key: bytes) -> Entry | None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        self._unmark(entry.record)
        del self._members[key[0]][key]
        if self._by_prefix.get(key[:PREFIX_BYTES]) == key:
            del self._by_prefix[key[:PREFIX_BYTES]]
        return entry

    def take_evicted(self) -> list[bytes]:
        """Return the peers that gave way to others since the last call."""
        evicted, self._evicted = self._evicted, []
        return evicted

    def root(self) -> bytes:
        """Return a digest of the whole content; equal tables have equal roots.

        The exclusive-or of the record hashes, cut to 8 bytes: the same in any order, and kept up at
        the price of one change.
        """
        # This is linear: a member that signs some 64 records of its own can choose which of them
        # to show so that two tables get equal roots. It gains little. What both tables have in
        # common cancels out, so such a choice must be shown to one side only; but records are
        # flooded, and as soon as one of them, or any other record, reaches the other side, the
        # roots differ again. Until then one comparison is skipped, which flooding, and the next
        # comparison with another neighbour, do not depend on. No record is accepted or refused by
        # a root.
        return self._root.to_bytes(DIGEST_BYTES, "big")

    def digest(self, bucket: int) -> bytes:
        """Return the digest of the records whose key begins with this byte; zeros for none."""
        return self._digests[bucket].to_bytes(DIGEST_BYTES, "big")

    def digests(self) -> Iterator[tuple[int, bytes]]:
        """Return the buckets that are not empty, with their digests."""
        return ((n, self.digest(n)) for n, members in sorted(self._members.items()) if members)

    def offers(self, bucket: int) -> Iterator[tuple[bytes, bytes]]:
        """Return prefix and mark of each record in a bucket, as Have names them."""
        for key in self._members.get(bucket, ()):
            yield key[:PREFIX_BYTES], self._entries[key].record.hash[:MARK_BYTES]
