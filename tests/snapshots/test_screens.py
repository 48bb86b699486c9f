"""Every screen at three sizes, as pictures (SVG). Look at them before accepting a change:
``pytest tests/snapshots --snapshot-update``, then the report, then the pictures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from presence_core.model import IdentityStatus, PresenceGraph
from presence_tui.app import PresenceApp
from presence_tui.control.read_only import ReadOnlySource
from presence_tui.look import Look
from presence_tui.screens.main import MainScreen
from presence_tui.themes import NAMES
from presence_tui.viewmodel.columns import Chosen
from presence_tui.viewmodel.layout import Layout
from presence_tui.widgets.peer_table import PeerTable
from presence_tui.widgets.timeline import TimelineView
from tests import canned
from tests.canned_story import story

SIZES = {"80x24": (80, 24), "120x36": (120, 36), "200x60": (200, 60)}
SCENES: dict[str, Callable[[], PresenceGraph]] = {
    "empty": canned.filling,
    "one": canned.one,
    "team": canned.team,
    "many": canned.many,
    "stale": canned.stale,
    "blind": canned.blind,
    "hostile": canned.hostile,
}


def app_of(graph: PresenceGraph) -> PresenceApp:
    return PresenceApp(canned.CannedSource(graph), now=lambda: canned.NOW)


async def settle(pilot: Pilot[Any]) -> None:
    """Let the app draw all it has, with a cursor that does not blink."""
    for area in pilot.app.screen.query("TextArea, Input"):
        area.cursor_blink = False  # type: ignore[attr-defined]
    await pilot.pause()
    await pilot.pause()


def pressing(*keys: str) -> Callable[[Pilot[Any]], Any]:
    async def run(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        await pilot.press(*keys)
        await settle(pilot)

    return run


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scene", SCENES)
def test_scene(snap_compare: Any, scene: str, size: str) -> None:
    assert snap_compare(app_of(SCENES[scene]()), terminal_size=SIZES[size], run_before=settle)


def app_of_story() -> tuple[PresenceApp, Callable[[Pilot[Any]], Awaitable[None]]]:
    """Return a dashboard, and what lets it see the story, graph after graph."""
    graphs = story()
    source = canned.CannedSource(graphs[0])

    async def tell(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        for graph in graphs[1:]:
            source.publish(graph)
            await settle(pilot)

    look = Look(toasts=False)
    return PresenceApp(source, now=lambda: source.graph.generated_at, look=look), tell


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("keys", [("8",), ("8", "f", "f", "down"), ("8", "space", "o")])
def test_timeline(snap_compare: Any, keys: tuple[str, ...], size: str) -> None:
    app, tell = app_of_story()

    async def run(pilot: Pilot[Any]) -> None:
        await tell(pilot)
        await pressing(*keys)(pilot)

    assert snap_compare(app, terminal_size=SIZES[size], run_before=run)


@pytest.mark.parametrize("size", SIZES)
def test_columns(snap_compare: Any, size: str) -> None:
    run = pressing("c", "down", "space", "down", "s", "a", "g", "right")
    assert snap_compare(app_of(canned.team()), terminal_size=SIZES[size], run_before=run)


@pytest.mark.parametrize("size", SIZES)
def test_groups_pins_and_metadata(snap_compare: Any, size: str) -> None:
    chosen = tuple(Chosen(key) for key in ("name", "meta:role", "meta:team", "presence", "hops"))
    layout = Layout(
        chosen,
        sort=(("meta:role", False), ("name", True)),
        group="meta:team",
        pinned=frozenset({canned.peer_key(7)}),
    )

    async def run(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, MainScreen)
        screen.show_layout(layout)
        await settle(pilot)

    assert snap_compare(app_of(canned.team()), terminal_size=SIZES[size], run_before=run)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pane", ["2", "3", "4", "5", "6"])
def test_pane(snap_compare: Any, pane: str, size: str) -> None:
    app = app_of(canned.blind())
    assert snap_compare(app, terminal_size=SIZES[size], run_before=pressing("down", pane))


def selecting(number: int, *keys: str) -> Callable[[Pilot[Any]], Any]:
    async def run(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        pilot.app.screen.query_one(PeerTable).select(canned.peer_key(number))
        await pilot.press(*keys)
        await settle(pilot)

    return run


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("status", [*IdentityStatus, "warned", "blocked", "grace"])
def test_identity(snap_compare: Any, status: str, size: str) -> None:
    number = [*IdentityStatus, "warned", "blocked", "grace"].index(status) + 1
    app = app_of(canned.statuses())
    assert snap_compare(app, terminal_size=SIZES[size], run_before=selecting(number, "2"))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("number", "key"), [(13, "v"), (1, "b"), (14, "u")])
def test_decision(snap_compare: Any, number: int, key: str, size: str) -> None:
    app = app_of(canned.statuses())
    assert snap_compare(app, terminal_size=SIZES[size], run_before=selecting(number, "3", key))


@pytest.mark.parametrize("size", SIZES)
def test_links_of_a_peer_that_was_lost_with_others(snap_compare: Any, size: str) -> None:
    run = pressing("down", "down", "6")
    assert snap_compare(app_of(canned.team()), terminal_size=SIZES[size], run_before=run)


@pytest.mark.parametrize("size", SIZES)
def test_links_of_a_neighbour(snap_compare: Any, size: str) -> None:
    run = pressing("end", "6")
    assert snap_compare(app_of(canned.team()), terminal_size=SIZES[size], run_before=run)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("peers", [12, 40, 300])
def test_graph(snap_compare: Any, peers: int, size: str) -> None:
    app = app_of(canned.many(peers))
    assert snap_compare(app, terminal_size=SIZES[size], run_before=pressing("7"))


@pytest.mark.parametrize("scene", ["team", "blind", "hostile", "filling"])
def test_graph_over_the_whole_screen(snap_compare: Any, scene: str) -> None:
    app = app_of(getattr(canned, scene)())
    assert snap_compare(app, terminal_size=(120, 36), run_before=pressing("7", "z"))


def test_graph_without_colour(snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = app_of(canned.many())
    assert snap_compare(app, terminal_size=(120, 36), run_before=pressing("7", "z"))


def test_graph_of_neighbours(snap_compare: Any) -> None:
    app = app_of(canned.many())
    assert snap_compare(app, terminal_size=(120, 36), run_before=pressing("7", "z", "d"))


@pytest.mark.parametrize("size", SIZES)
def test_editor_with_an_error(snap_compare: Any, size: str) -> None:
    async def run(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        await pilot.press("4", "ctrl+end", *', "x": NaN')
        editor = pilot.app.screen.query_one("MetadataEditor")
        while editor.checking:  # type: ignore[attr-defined]
            await pilot.pause(0.01)
        await pilot.press("ctrl+s")
        await settle(pilot)

    assert snap_compare(app_of(canned.one()), terminal_size=SIZES[size], run_before=run)


@pytest.mark.parametrize("size", SIZES)
def test_metadata_as_a_form(snap_compare: Any, size: str) -> None:
    app = app_of(canned.team())
    keys = ("4", "f2", "m", "delete", "f3", "a", "r")
    assert snap_compare(app, terminal_size=SIZES[size], run_before=pressing(*keys))


@pytest.mark.parametrize("size", SIZES)
def test_help(snap_compare: Any, size: str) -> None:
    app = app_of(canned.team())
    assert snap_compare(app, terminal_size=SIZES[size], run_before=pressing("question_mark"))


def test_search(snap_compare: Any) -> None:
    run = pressing("slash", *"role:medic")
    assert snap_compare(app_of(canned.many()), terminal_size=(80, 24), run_before=run)


def test_search_by_distance(snap_compare: Any) -> None:
    run = pressing("slash", *"hops:>1")
    assert snap_compare(app_of(canned.team()), terminal_size=(80, 24), run_before=run)


def test_light(snap_compare: Any) -> None:
    run = pressing("t")
    assert snap_compare(app_of(canned.team()), terminal_size=(120, 36), run_before=run)


def test_monochrome(snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = app_of(canned.many())
    assert snap_compare(app, terminal_size=(120, 36), run_before=settle)


def app_that_looks(look: Look) -> PresenceApp:
    return PresenceApp(canned.CannedSource(canned.statuses()), now=lambda: canned.NOW, look=look)


@pytest.mark.parametrize("theme", NAMES)
def test_theme(snap_compare: Any, theme: str) -> None:
    app = app_that_looks(Look(theme))
    assert snap_compare(app, terminal_size=(120, 36), run_before=selecting(13, "2"))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("keys", [(), ("3", "v"), ("7",)])
def test_ascii(snap_compare: Any, keys: tuple[str, ...], size: str) -> None:
    app = app_that_looks(Look("monochrome", ascii_only=True))
    assert snap_compare(app, terminal_size=SIZES[size], run_before=selecting(13, *keys))


@pytest.mark.parametrize("size", SIZES)
def test_timeline_with_a_line_opened(snap_compare: Any, size: str) -> None:
    app, tell = app_of_story()

    async def run(pilot: Pilot[Any]) -> None:
        await tell(pilot)
        await pressing("8", "f", *["down"] * 3)(pilot)
        timeline = pilot.app.screen.query_one(TimelineView)
        while timeline.chosen is not None and not timeline.chosen.folds:
            await pilot.press("up")
        await pressing("right", "down")(pilot)

    assert snap_compare(app, terminal_size=SIZES[size], run_before=run)


MARKING = ("space", "down", "down", "space", "end", "p", "space")


@pytest.mark.parametrize("size", SIZES)
def test_marks(snap_compare: Any, size: str) -> None:
    app = app_of(canned.team())
    assert snap_compare(app, terminal_size=SIZES[size], run_before=pressing(*MARKING))


@pytest.mark.parametrize("theme", NAMES)
def test_marks_in_each_theme(snap_compare: Any, theme: str) -> None:
    app = app_that_looks(Look(theme, ascii_only=theme == "monochrome"))
    assert snap_compare(app, terminal_size=(80, 24), run_before=pressing(*MARKING))


def test_marked_peers_to_block(snap_compare: Any) -> None:
    run = pressing("slash", *"team=medical", "enter", "a", "b")
    assert snap_compare(app_of(canned.team()), terminal_size=(80, 24), run_before=run)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pane", ["3", "4", "question_mark"])
def test_only_shows(snap_compare: Any, pane: str, size: str) -> None:
    source = ReadOnlySource(canned.CannedSource(canned.team()))
    app = PresenceApp(source, now=lambda: canned.NOW)
    assert snap_compare(app, terminal_size=SIZES[size], run_before=pressing("down", pane))
