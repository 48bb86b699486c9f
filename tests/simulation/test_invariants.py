"""The invariants bite: a mesh of peers with one fault in them violates what it should."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest

from presence_core.engine import own_record
from presence_core.engine.node import Node
from presence_core.engine.view import ViewKeeper
from presence_core.gossip import contradictions, record
from presence_core.gossip.issuer_objects import IssuerGossip
from presence_core.gossip.spread import Spread
from presence_core.gossip.topology import EdgeKey, Topology
from presence_core.identity.issuer import SignedObject
from presence_core.identity.verdict import Taken, Verdict
from presence_core.identity.verify import Verifier
from presence_core.model import ViewState
from tests.simulation.chaos import run_chaos

SEEDS = (92, 1, 43, 40, 41, 42, 44, 45, 46, 18, 21, 84, 86)
"""Of the first three the hostile members forge signatures, deny neighbours, and hold the dead; of
the last four they deny neighbours too."""


@contextmanager
def records_of_others_are_not_passed_on() -> Iterator[None]:
    news = Spread.news

    def only_own(
        self: Spread, key: bytes, source: int | None, now: float, *, urgent: bool = False
    ) -> None:
        if source is None:
            news(self, key, source, now, urgent=urgent)

    with mock.patch.object(Spread, "news", only_own):
        yield


@contextmanager
def own_links_that_ended_still_count() -> Iterator[None]:
    own_links = Topology.own_links

    def keep(self: Topology, links: Mapping[EdgeKey, int]) -> None:
        own_links(self, {**self._own, **links})

    with mock.patch.object(Topology, "own_links", keep):
        yield


@contextmanager
def the_last_word_of_the_dead_counts_for_ever() -> Iterator[None]:
    with mock.patch.object(contradictions, "OVER_SECONDS", float("inf")):
        yield


@contextmanager
def nobody_says_again_what_a_neighbour_denies() -> Iterator[None]:
    with mock.patch.object(own_record, "INSIST_SECONDS", float("inf")):
        yield


@contextmanager
def every_signature_holds() -> Iterator[None]:
    with mock.patch.object(record, "verify", return_value=True):
        yield


@contextmanager
def the_view_is_always_current() -> Iterator[None]:
    with mock.patch.object(ViewKeeper, "_judge", return_value=(ViewState.CURRENT, None)):
        yield


@contextmanager
def nobody_jumps_above_what_an_earlier_run_said() -> Iterator[None]:
    with mock.patch.object(Node, "own_record_heard", return_value=None):
        yield


@contextmanager
def whose_key_a_token_is_for_does_not_matter() -> Iterator[None]:
    judge = Verifier._judge

    def careless(self: Verifier, checked: Any, peer_key: bytes, now: float) -> Verdict:
        return judge(self, checked, checked.token.peer_key, now)

    with mock.patch.object(Verifier, "_judge", careless):
        yield


@contextmanager
def issuers_objects_are_not_handed_on() -> Iterator[None]:
    with mock.patch.object(IssuerGossip, "due", return_value=[]):
        yield


@contextmanager
def older_objects_of_issuers_are_taken() -> Iterator[None]:
    compare = Verifier._compare

    def careless(self: Verifier, signed: SignedObject) -> Taken:
        taken = compare(self, signed)
        return Taken.NEWS if taken is Taken.OLDER else taken

    with mock.patch.object(Verifier, "_compare", careless):
        yield


@pytest.mark.parametrize(
    ("fault", "invariant"),
    [
        (records_of_others_are_not_passed_on, "(1)"),
        (nobody_jumps_above_what_an_earlier_run_said, "(1)"),
        (own_links_that_ended_still_count, "(2)"),
        (the_last_word_of_the_dead_counts_for_ever, "(2)"),
        (nobody_says_again_what_a_neighbour_denies, "(2)"),
        (every_signature_holds, "(3)"),
        (the_view_is_always_current, "(5)"),
        (whose_key_a_token_is_for_does_not_matter, "(6)"),
        (issuers_objects_are_not_handed_on, "(6)"),
        (older_objects_of_issuers_are_taken, "(6)"),
    ],
)
def test_a_fault_is_found(fault: Callable[[], object], invariant: str) -> None:
    for seed in SEEDS:
        with fault():  # type: ignore[attr-defined]
            violations = run_chaos(seed).violations
        if any(text.startswith(invariant) for text in violations):
            return
    pytest.fail(f"no seed violates {invariant}")
