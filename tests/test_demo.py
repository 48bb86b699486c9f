from __future__ import annotations

from pathlib import Path

import pytest

from presence_core.model import IdentityStatus, MetadataState, ViewState
from presence_tui.demo import DemoMesh
from tests.support import until


@pytest.mark.parametrize("n", [2, 8])
async def test_everybody_in_the_demo_sees_everybody(tmp_path: Path, n: int) -> None:
    async with DemoMesh(n, churn=False, home=tmp_path) as demo:
        graph = await until(
            demo.presence,
            lambda g: g.counts.online == n - 1 and g.view.state is ViewState.CURRENT,
        )
        assert len({peer.device_name for peer in graph.remote_peers}) == n - 1
        await until(
            demo.presence,
            lambda g: all(p.peer_metadata_state is MetadataState.PRESENT for p in g.remote_peers),
        )


@pytest.mark.parametrize("first", [True, False])
async def test_the_demo_shows_each_lot_of_an_identity(tmp_path: Path, first: bool) -> None:
    verified = {"command-post", "triage-tent", "field-hospital"}
    expected = dict.fromkeys(verified, IdentityStatus.VERIFIED) | {
        "water-truck-1": IdentityStatus.EXPIRED,
        "supply-depot": IdentityStatus.MISSING,
        "drone-survey": IdentityStatus.UNKNOWN_ISSUER,
        "bridge-watch": IdentityStatus.REVOKED,
        "radio-relay": IdentityStatus.KEY_MISMATCH,
    }
    async with DemoMesh(8, churn=False, identities_first=first, home=tmp_path) as demo:
        graph = await until(
            demo.presence,
            lambda g: (
                {p.device_name: p.identity.status for p in (g.local_peer, *g.remote_peers)}
                == expected
            ),
        )
    for peer in graph.remote_peers:
        assert bool(peer.identity_service_metadata) is (peer.device_name in verified)


async def test_a_demo_cleans_up_after_itself() -> None:
    async with DemoMesh(2, churn=False) as demo:
        home = demo._home
        assert home.exists()
    assert not home.exists()
