"""Deciding about keys: from the key pane and by command, always asked, told what came of it."""

from __future__ import annotations

import pytest

from presence_core.identity.keyfile import HomeError
from presence_core.model import Peer, Trust
from presence_tui.screens.confirm import ConfirmScreen
from presence_tui.viewmodel.trust import safety_rows
from presence_tui.widgets.header_line import HeaderLine
from tests import canned
from tests.canned import HOSTILE, peer_key
from tests.ui.hosts import screen_text
from tests.ui.test_dashboard import Dashboard, dashboard

WARNED, BLOCKED = 13, 14


def asked(one: Dashboard) -> bool:
    screen = one.app.screen
    return isinstance(screen, ConfirmScreen) and screen.painted


def dialog(one: Dashboard) -> str:
    return screen_text(one.app.screen.query_one("#confirm"))


def notes(one: Dashboard) -> list[str]:
    return [note.message for note in one.app._notifications]


def peer_of(one: Dashboard, number: int) -> Peer:
    found = one.source.graph.peer(peer_key(number))
    assert found is not None
    return found


async def ask(one: Dashboard, number: int, key: str) -> None:
    one.table.select(peer_key(number))
    await one.press("3", key)
    await one.until(lambda: asked(one))
    await one.pilot.pause()


@pytest.mark.parametrize(
    ("number", "key", "trust"),
    [
        (1, "v", Trust.VERIFIED),
        (1, "b", Trust.BLOCKED),
        (BLOCKED, "u", Trust.UNKNOWN),
        (BLOCKED, "v", Trust.VERIFIED),
    ],
)
@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_a_decision_is_asked_and_carried_out(
    number: int, key: str, trust: Trust, size: tuple[int, int]
) -> None:
    async with dashboard(canned.statuses(), size) as one:
        await ask(one, number, key)
        assert peer_of(one, number).device_name in screen_text(one.app.screen.query_one("Reader"))
        assert one.source.decided == []
        await one.press("enter")  # a slip of the hand answers nothing
        assert asked(one)
        await one.press("y")
        await one.until(lambda: one.source.decided == [(peer_key(number), str(trust))])
        await one.until(lambda: bool(notes(one)))
        assert peer_of(one, number).device_name in notes(one)[0]
        await one.until(lambda: f"trust       {trust}" in screen_text(one.screen.query_one("#key")))


@pytest.mark.parametrize("key", ["n", "escape", "q"])
async def test_no_leaves_everything_as_it_is(key: str) -> None:
    async with dashboard(canned.statuses()) as one:
        await ask(one, 1, "b")
        await one.press(key)
        await one.until(lambda: not asked(one))
        await one.pilot.app.workers.wait_for_complete()
        assert one.source.decided == []
        assert notes(one) == []
        assert one.app.is_running


async def test_who_verifies_sees_the_safety_number_and_the_warning() -> None:
    async with dashboard(canned.statuses(), (80, 24)) as one:
        await ask(one, WARNED, "v")
        shown = screen_text(one.app.screen.query_one("Reader"))
        rows = safety_rows(peer_key(0), peer_key(WARNED))
        assert all(row in shown for row in rows)
        assert "! key warning" in shown


async def test_an_answer_can_be_clicked() -> None:
    async with dashboard(canned.statuses()) as one:
        await ask(one, 1, "v")
        await one.pilot.click("AnswerBar", offset=(6, 0))
        await one.until(lambda: len(one.source.decided) == 1)
        await ask(one, 2, "v")
        words = screen_text(one.app.screen.query_one("AnswerBar"))
        await one.pilot.click("AnswerBar", offset=(words.index("not now"), 0))
        await one.until(lambda: not asked(one))
        assert len(one.source.decided) == 1


@pytest.mark.parametrize(
    "error", [HomeError("the trust file cannot be\nwritten: make room"), RuntimeError(HOSTILE)]
)
async def test_what_fails_is_told_in_one_line(error: Exception) -> None:
    async with dashboard(canned.statuses()) as one:
        one.source.refusal = error
        await ask(one, 1, "v")
        await one.press("y")
        await one.until(lambda: bool(notes(one)))
        (note,) = one.app._notifications
        assert note.severity == "error"
        assert not note.markup
        assert "\n" not in note.message
        assert "\x1b" not in note.message
        assert peer_of(one, 1).trust is Trust.UNKNOWN
        assert one.app.is_running


async def test_hints_are_those_of_what_can_be_decided() -> None:
    async with dashboard(canned.statuses()) as one:
        one.table.select(peer_key(1))
        await one.press("3")
        assert "v Verify" in one.hints
        assert "b Block" in one.hints
        assert "u Forget" not in one.hints
        await one.change(1, trust=Trust.BLOCKED)
        await one.until(lambda: "u Forget" in one.hints)
        assert "b Block" not in one.hints
        await one.press("b")  # a hand that knows the key gets no question
        assert not asked(one)


async def test_commands_are_about_the_selected_peer_though_its_pane_is_not_shown() -> None:
    async with dashboard(canned.statuses(), (80, 24)) as one:
        commands = {c.title: c.callback for c in one.app.get_system_commands(one.screen)}
        one.table.select(peer_key(3))
        commands["Block peer"]()
        await one.until(lambda: asked(one))
        await one.press("y")
        await one.until(lambda: one.source.decided == [(peer_key(3), "blocked")])
        await one.until(lambda: not asked(one))
        commands["Block peer"]()
        await one.until(lambda: any("already" in note for note in notes(one)))
        assert not asked(one)


async def test_without_a_peer_there_is_nothing_to_decide() -> None:
    async with dashboard(canned.filling()) as one:
        one.screen.action_pane("key")
        await one.pilot.pause()
        assert "Verify" not in one.hints
        commands = {c.title: c.callback for c in one.app.get_system_commands(one.screen)}
        commands["Verify peer"]()
        await one.until(lambda: any("select another peer" in note for note in notes(one)))


async def test_copying_by_command_copies_the_selected_peer_though_its_pane_is_not_shown() -> None:
    async with dashboard(canned.statuses(), (80, 24)) as one:
        copied: list[str] = []
        one.app.copy_to_clipboard = copied.append  # type: ignore[method-assign,assignment]
        one.table.select(peer_key(4))
        commands = {c.title: c.callback for c in one.app.get_system_commands(one.screen)}
        commands["Copy peer key"]()
        assert copied == [peer_key(4)]


# -- what the table and the header say


async def test_warnings_are_marked_and_counted_and_the_blocked_are_greyed() -> None:
    async with dashboard(canned.statuses()) as one:
        header = screen_text(one.screen.query_one(HeaderLine)).replace("\xa0", " ")
        assert "3 verified" in header  # of four verified tokens one is of a blocked peer
        assert "! 1 warning" in header
        table = screen_text(one.table)
        assert "! 13 warned" in table
        line = one.line_of("14 blocked")
        assert "✗ blocked" in table.splitlines()[line]
        assert all(
            segment.style is not None and segment.style.dim
            for segment in one.table.render_line(line)
            if segment.text.strip()
        )
        for pane in ("2", "3", "6"):
            one.table.select(peer_key(WARNED))
            await one.press(pane)
            shown = screen_text(one.screen.query_one(f"#{one.screen._active}"))
            assert "! key warning:" in shown
            one.table.select(peer_key(BLOCKED))
            await one.pilot.pause()
            shown = screen_text(one.screen.query_one(f"#{one.screen._active}"))
            assert "✗ blocked" in shown


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("identity:expired", ["11 expired"]),
        ("trust:blocked", ["14 blocked"]),
        ("trust:verified", ["15 in grace"]),
        ("warning", ["13 warned"]),
        ("identity:verified !trust:blocked !warning", ["12 verified", "15 in grace"]),
    ],
)
async def test_peers_are_found_by_identity_trust_and_warning(search: str, names: list[str]) -> None:
    async with dashboard(canned.statuses()) as one:
        await one.press("slash")
        one.screen.query_one("SearchLine").value = search  # type: ignore[attr-defined]
        await one.until(lambda: one.names == names)
