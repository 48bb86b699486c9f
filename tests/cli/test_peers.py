"""The table, the CSV and the page of one peer, of canned graphs; filters and look-up."""

from __future__ import annotations

import csv
import io
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len

from presence_core.model import (
    PeerPresence,
    PresenceGraph,
    PresenceState,
    Trust,
    View,
    ViewState,
)
from presence_tui import cli
from presence_tui.commands.peers import find
from presence_tui.output import EXIT_DONE, EXIT_NO, EXIT_USAGE
from tests.schema import graphs
from tests.schema.golden import check_golden

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    Ask = Callable[..., tuple[int, str, str]]

NOBODY, FAR = ["(no name)"], ["far-medic", "far-scout"]
UNMEASURED = ["far-scout", "outpost", "far-medic"]
HOSTILE_CHARACTERS = set("\x1b\x07\u202e\u200b\x9b\x00\r\t")


class Canned:
    """Shows one graph, as an engine would that sees nothing else."""

    def __init__(self, graph: PresenceGraph) -> None:
        self.graph = graph

    async def changes(self, *, interval: float) -> AsyncIterator[Any]:
        del interval
        yield self

    def observe(
        self, callback: Callable[[PresenceGraph], None], *, interval: float
    ) -> AbstractContextManager[None]:
        del interval
        callback(self.graph)
        return nullcontext()

    def fetch_peer_metadata(self, peer_key: str) -> None:
        """Get nothing: there is nobody who could send it."""


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Ask:
    """Ask the command line about a canned graph."""

    def run(graph: PresenceGraph, *argv: str) -> tuple[int, str, str]:
        @asynccontextmanager
        async def engine(_args: object, *, identities_first: bool) -> AsyncIterator[Canned]:
            yield Canned(graph)

        monkeypatch.setattr("presence_tui.session.engine", engine)
        monkeypatch.setattr("presence_tui.commands.peers.now", lambda: graphs.NOW)
        code = cli.run(["--home", str(tmp_path), *argv, "--wait", "0"])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def names(out: str) -> list[str]:
    return [line.split("  ")[0] for line in out.splitlines()[1:]]


def test_golden_table(ask: Ask) -> None:
    code, out, err = ask(graphs.many(), "peers")
    assert code == EXIT_DONE
    assert err == "presence-tui: the view is stale: no neighbour has confirmed it for 20 s\n"
    check_golden("peers.txt", out.replace("…", "..."))


def test_golden_csv(ask: Ask) -> None:
    code, out, err = ask(graphs.many(), "peers", "--csv")
    assert (code, err) == (EXIT_DONE, "")
    check_golden("peers.csv", out)
    rows = {row["deviceName"]: row for row in csv.DictReader(io.StringIO(out))}
    assert len(rows) == 9
    neighbours = {rows[name]["peerKey"] for name in ("relay", "bridge")}
    assert set(rows["outpost"]["via"].split()) == neighbours
    assert (rows["relay"]["hops"], rows["relay"]["via"]) == ("1", "")
    assert (rows["boat-1"]["hops"], rows["boat-1"]["via"]) == ("", "")


def test_trust_is_told_and_a_key_warning_with_it(ask: Ask) -> None:
    graph = graphs.many()
    warned = replace(graph.remote_peers[0], trust=Trust.SEEN, key_warning="met before")
    graph = replace(graph, remote_peers=(warned, *graph.remote_peers[1:]))
    _, out, _ = ask(graph, "peers")
    assert "TRUST" in out.splitlines()[0]
    assert "seen (warning)" in out
    _, out, _ = ask(graph, "peers", "--csv")
    rows = {row["peerKey"]: row for row in csv.DictReader(io.StringIO(out))}
    assert {row["trust"] for row in rows.values()} >= {"seen", "unknown"}
    assert list(rows[warned.peer_key])[-1] == "trust"  # scripts count columns


def test_golden_page(ask: Ask) -> None:
    code, out, err = ask(graphs.one(), "show", "triage-tent")
    assert (code, err) == (EXIT_DONE, "")
    check_golden("show.txt", out.replace("é", "(e acute)"))


@pytest.mark.parametrize("name", ["far-scout", "outpost", "boat-1", "field-laptop"])
def test_golden_pages_of_a_mesh(ask: Ask, name: str) -> None:
    """The way to a peer with the names of neighbours, and its links, confirmed or one-sided."""
    code, out, _ = ask(graphs.many(), "show", name)
    assert code == EXIT_DONE
    check_golden(f"show-{name}.txt", out.replace("…", "..."))


def test_nobody_is_online_in_a_stale_view(ask: Ask) -> None:
    for argv in (["peers"], *(["show", name] for name in ("relay", "outpost", "far-medic"))):
        _, out, _ = ask(graphs.many(), *argv)
        assert "online" not in out
        assert "last known" in out


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], [*NOBODY, "boat-1", "boat-2", "bridge", "driver", *FAR, "outpost", "relay"]),
        (["--state", "online"], ["bridge", *FAR, "outpost", "relay"]),
        (["--state", "left"], ["driver"]),
        (["--state", "lost"], [*NOBODY, "boat-1", "boat-2"]),
        (["--direct"], ["bridge", "relay"]),
        (["--identity", "expired"], ["driver"]),
        (["--identity", "missing", "--state", "online"], ["bridge", *FAR, "outpost", "relay"]),
        (["--filter-name", "R-SC"], ["far-scout"]),
        (["--filter-name", "nobody"], []),
        (["--filter", "name:scout hops:>1"], ["far-scout"]),
        (["--state", "online", "--sort", "rtt"], ["relay", "bridge", *UNMEASURED]),
        (["--direct", "--sort", "seen"], ["bridge", "relay"]),
    ],
)
def test_filters_and_order(ask: Ask, filters: list[str], expected: list[str]) -> None:
    code, out, _ = ask(graphs.many(), "peers", *filters)
    assert (code, names(out)) == (EXIT_DONE, expected)


def test_a_filter_that_can_never_fit_is_wrong_usage(ask: Ask) -> None:
    code, out, err = ask(graphs.many(), "peers", "--filter", "state:here")
    assert code == EXIT_USAGE
    assert out == ""
    assert "--filter: state:here is none of online, left, lost" in err


def test_the_nearest_come_first_and_those_out_of_reach_last(ask: Ask) -> None:
    _, out, _ = ask(graphs.many(), "peers", "--sort", "hops")
    assert sorted(names(out)[:2]) == ["bridge", "relay"]
    assert names(out)[4] == "far-medic"
    assert set(names(out)[5:]) == {"(no name)", "boat-1", "boat-2", "driver"}


def test_those_who_are_here_come_before_the_lost_and_those_who_left(ask: Ask) -> None:
    _, out, _ = ask(graphs.many(), "peers", "--sort", "state")
    assert set(names(out)[:5]) == {"bridge", *FAR, "outpost", "relay"}
    assert names(out)[-1] == "driver"
    _, out, _ = ask(graphs.many(), "peers", "--sort", "seen")
    assert names(out)[2:5] == ["far-scout", "outpost", "far-medic"]


def test_the_order_by_key_is_that_of_the_graph(ask: Ask) -> None:
    _, out, _ = ask(graphs.many(), "peers", "--sort", "key")
    assert names(out) == [peer.device_name or "(no name)" for peer in graphs.many().remote_peers]


@pytest.mark.parametrize("argv", [["peers"], ["peers", "--csv"], ["show", graphs.HOSTILE]])
def test_what_peers_say_cannot_reach_the_terminal(ask: Ask, argv: list[str]) -> None:
    code, out, err = ask(graphs.hostile(), *argv)
    assert code == EXIT_DONE
    assert not HOSTILE_CHARACTERS & set(out + err)
    assert "owned" in out


def test_hostile_candidates_cannot_either(ask: Ask) -> None:
    twins = graphs.graph(graphs.peer(2, graphs.HOSTILE), graphs.peer(3, graphs.HOSTILE))
    code, out, err = ask(twins, "show", graphs.HOSTILE)
    assert (code, out) == (EXIT_NO, "")
    assert not HOSTILE_CHARACTERS & set(err)
    assert "fits 2 peers" in err
    for peer in twins.remote_peers:
        assert peer.peer_key[:16] in err


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@sum"])
def test_a_spreadsheet_runs_no_name(ask: Ask, name: str) -> None:
    _, out, _ = ask(graphs.graph(graphs.peer(2, name)), "peers", "--csv")
    assert f",'{name}," in out


def test_in_a_blind_view_nobody_is_said_to_be_lost(ask: Ask) -> None:
    graph = graphs.graph(
        graphs.peer(2, "bob", presence=PeerPresence(PresenceState.LOST)),
        view=View(ViewState.BLIND, graphs.NOW, "no link to any peer"),
    )
    _, out, err = ask(graph, "peers")
    assert "last known" in out
    assert "lost" not in out
    assert "no link to any peer" in err
    assert "last known" in ask(graph, "show", "bob")[1]


def test_columns_stand_in_line_whatever_the_letters(ask: Ask) -> None:
    wide = graphs.graph(graphs.peer(2, "日本語"), graphs.peer(3, "plain"), graphs.peer(4, "Zoë"))
    _, out, _ = ask(wide, "peers")
    assert len({cell_len(line[: line.index("pk1")]) for line in out.splitlines()[1:]}) == 1


def test_nobody_is_an_empty_table(ask: Ask) -> None:
    code, out, err = ask(graphs.empty(), "peers")
    assert code == EXIT_DONE
    assert out.count("\n") == 1
    assert "none has been found yet" in err


def test_who_is_not_there_is_said_with_the_reason(ask: Ask) -> None:
    code, out, err = ask(graphs.empty(), "show", "nobody")
    assert (code, out) == (EXIT_NO, "")
    assert "no peer 'nobody' is known" in err
    assert "none has been found yet" in err


def test_peers_are_found_by_all_their_names() -> None:
    graph = graphs.many()
    for peer in (graph.local_peer, *graph.remote_peers):
        for text in (
            peer.peer_key,
            peer.peer_key.upper(),
            peer.peer_key[:12],
            peer.peer_key[:12] + "…",  # as the table shows it
            peer.short_id,
        ):
            assert find(graph, text) == [peer], text
    assert find(graph, "relay") == [p for p in graph.remote_peers if p.device_name == "relay"]
    assert find(graph, "RELAY") == []
    assert find(graph, "") == [p for p in graph.remote_peers if not p.device_name]
    assert find(graph, "pk1") == []
    assert find(graph, "no such") == []
