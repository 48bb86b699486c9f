"""Theme, ASCII and keys: flags, environment, config file, and what is wrong with them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from presence_tui.app import PresenceApp
from presence_tui.look import Look, check_keys, look_of
from presence_tui.output import EXIT_CANNOT, EXIT_USAGE, CommandError
from presence_tui.rooms import rooms
from tests import canned


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "PRESENCE_THEME", "PRESENCE_ASCII", "PRESENCE_HOME"):
        monkeypatch.delenv(name, raising=False)


def look(home: Path, config: str = "", **flags: Any) -> Look:
    (home / "config.toml").write_text(config)
    return look_of(argparse.Namespace(home=home, **flags))


def wrong(home: Path, config: str = "", **flags: Any) -> tuple[str, int]:
    with pytest.raises(CommandError) as caught:
        look(home, config, **flags)
    return str(caught.value), caught.value.code


def test_nothing_said_is_dark_with_every_sign(tmp_path: Path) -> None:
    assert look_of(argparse.Namespace(home=tmp_path)) == Look("dark", ascii_only=False, keys={})


def test_flags_win_over_environment_over_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = '[dashboard]\ntheme = "light"\nascii = true\nkeys = {"app.theme" = "f5"}\n'
    assert look(tmp_path, config) == Look("light", ascii_only=True, keys={"app.theme": "f5"})
    monkeypatch.setenv("PRESENCE_THEME", "monochrome")
    monkeypatch.setenv("PRESENCE_ASCII", "0")
    assert look(tmp_path, config).theme == "monochrome"
    assert not look(tmp_path, config).ascii_only
    given = look(tmp_path, config, theme="high-contrast", ascii=True)
    assert (given.theme, given.ascii_only) == ("high-contrast", True)


def test_no_color_asks_for_monochrome_unless_a_theme_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert look(tmp_path).theme == "monochrome"
    assert look(tmp_path, theme="light").theme == "light"


@pytest.mark.parametrize(
    ("encoding", "ascii_only"),
    [("utf-8", False), ("UTF-8", False), ("ascii", True), ("latin-1", True)],
)
def test_a_terminal_without_unicode_gets_ascii(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, ascii_only: bool
) -> None:
    class Terminal:
        def __init__(self) -> None:
            self.encoding = encoding

    monkeypatch.setattr("presence_tui.look.sys.stdout", Terminal())
    assert look(tmp_path).ascii_only is ascii_only


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("dashboard = 1", "dashboard must be a table"),
        ("[dashboard]\ncolour = 1", "unknown key 'colour'; known: ascii, keys, theme, toasts"),
        ('[dashboard]\ntheme = "pink"', "'pink' is none of dark, light, high-contrast, monochrome"),
        ('[dashboard]\nascii = "yes"', "ascii must be true or false"),
        ("[dashboard]\ntoasts = 1", "toasts must be true or false"),
        ("[dashboard]\nkeys = 3", "keys must be a table"),
        ('[dashboard.keys]\n"app.theme" = 3', "app.theme must be a key"),
        ('[dashboard.keys]\n"app.theme" = "two words"', "app.theme must be a key"),
        ("[dashboard", "is not valid TOML"),
    ],
)
def test_what_is_wrong_in_the_file_is_said(tmp_path: Path, config: str, words: str) -> None:
    said, code = wrong(tmp_path, config)
    assert words in said
    assert str(tmp_path / "config.toml") in said
    assert code == EXIT_CANNOT


def test_what_is_wrong_in_the_environment_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRESENCE_ASCII", "maybe")
    assert wrong(tmp_path) == ("PRESENCE_ASCII: 'maybe' is neither 1 nor 0", EXIT_USAGE)
    monkeypatch.setenv("PRESENCE_THEME", "pink")
    said, code = wrong(tmp_path)
    assert said.startswith("PRESENCE_THEME: 'pink' is none of")
    assert code == EXIT_USAGE


# -- keys


def test_the_usual_keys_clash_nowhere() -> None:
    check_keys({}, rooms())
    check_keys({name: key for room in rooms() for name, key in room.items()}, rooms())


async def test_every_binding_of_the_dashboard_can_be_given_another_key() -> None:
    app = PresenceApp(canned.CannedSource(canned.one()), now=lambda: canned.NOW)
    known = {name for room in rooms() for name in room}
    async with app.run_test(size=(200, 60)):
        nodes = [app, app.screen, *app.screen.query("*")]
        kinds = {kind for node in nodes for kind in type(node).__mro__}
        ours = [kind for kind in kinds if kind.__module__.startswith("presence_tui")]
        ids = {b.id for kind in ours for b in vars(kind).get("BINDINGS", ())}
    assert ids <= known


def test_a_key_can_be_given_to_another_binding() -> None:
    check_keys({"table.sort": "o", "timeline.only": "f6", "app.quit": "ctrl+x,f10"}, rooms())
    check_keys({"table.sort": "e", "table.export": "s"}, rooms())  # changed places


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"table.srot": "o"}, "no key binding 'table.srot'; did you mean 'table.sort'?"),
        ({"zzz": "o"}, "no key binding 'zzz'"),
        ({"table.sort": "f"}, "'table.filter' and 'table.sort' cannot both have the key 'f'"),
        ({"peer-key.verify": "c"}, "'peer-key.copy' and 'peer-key.verify' cannot both"),
    ],
)
def test_names_that_there_are_not_and_keys_that_are_taken(keys: dict[str, str], words: str) -> None:
    with pytest.raises(CommandError) as caught:
        check_keys(keys, rooms())
    assert words in str(caught.value)
    assert caught.value.code == EXIT_CANNOT
