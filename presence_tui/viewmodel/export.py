"""Peers as text for other programs: CSV, and JSON in the one form that there is."""

from __future__ import annotations

import csv
import io
from enum import StrEnum
from typing import TYPE_CHECKING

from presence_core.codec.text import safe_text
from presence_core.schema import dumps, peers_to_json, time_to_json
from presence_tui.viewmodel.orders import rtt_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from presence_core.model import Peer, PresenceGraph


class Form(StrEnum):
    """A form of text for other programs."""

    CSV = "csv"
    JSON = "json"


def peers_text(graph: PresenceGraph, peers: Sequence[Peer], form: Form) -> str:
    """Return peers of a graph in a form, in the order given."""
    if form is Form.CSV:
        return peers_csv(peers)
    return dumps(peers_to_json(graph, peers))


def file_name(now: datetime, form: Form) -> str:
    """Return the name of a file that holds what was there at a moment."""
    return f"presence-peers-{now:%Y%m%d-%H%M%S}.{form}"


_TITLES = (
    "peerKey",
    "deviceName",
    "state",
    "direct",
    "hops",
    "identity",
    "rttMs",
    "lastSeen",
    "via",
    "trust",
)
"""What is added stands last: scripts count columns."""


def peers_csv(chosen: Iterable[Peer]) -> str:
    """Return peers as CSV with a line of titles."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_TITLES)
    for peer in chosen:
        where = peer.presence
        writer.writerow(
            [
                peer.peer_key,
                _not_a_formula(safe_text(peer.device_name)),
                where.state,
                str(where.direct).lower(),
                where.hops,
                peer.identity.status,
                rtt_of(peer),
                time_to_json(where.last_seen),
                " ".join(where.via),
                peer.trust,
            ]
        )
    return text.getvalue().removesuffix("\n")


def _not_a_formula(text: str) -> str:
    """Keep a spreadsheet from running what a peer chose as its name."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
