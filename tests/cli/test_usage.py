"""What the command line takes, where it says what, and with which exit code."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from presence_core._version import __version__
from presence_core.schema import json_schema
from presence_tui import cli
from presence_tui.output import EXIT_CANNOT, EXIT_DONE, EXIT_USAGE, CommandError
from tests.cli.command import COMMAND, NOWHERE, environment, refused, run

VALIDATOR = Draft202012Validator(json_schema())


@pytest.mark.parametrize("argv", [["--version"], ["version"]])
def test_the_version_is_data(argv: list[str]) -> None:
    answer = run(*argv)
    assert (answer.code, answer.out, answer.err) == (0, f"presence-tui {__version__}\n", "")


def test_the_schema_is_data() -> None:
    answer = run("schema")
    assert answer.code == 0
    assert answer.json == json_schema()
    assert answer.out.isascii()


@pytest.mark.parametrize(
    "argv",
    [[], ["peers"], ["show"], ["metadata"], ["metadata", "set"], ["key", "show"], ["mesh", "join"]],
)
def test_help_is_data(argv: list[str]) -> None:
    answer = run(*argv, "--help")
    assert answer.code == 0
    assert answer.out.startswith("usage: presence-tui")
    assert answer.err == ""


@pytest.mark.parametrize(
    "argv",
    [
        ["bogus"],
        ["--bogus"],
        ["--js"],  # no abbreviations: a later option would break them
        ["--json", "--watch", "peers"],
        ["--watch"],
        ["--json", "--full"],
        ["--json", "--wait", "-1"],
        ["--json", "--wait", "nan"],
        ["--json", "--wait", "soon"],
        ["--json", "--until-peers", "-1"],
        ["--json", "--until-peers", "many"],
        ["--demo", "1"],
        ["--demo", "1000"],
        ["show"],
        ["metadata"],
        ["key"],
        ["mesh"],
        ["peers", "--state", "gone"],
        ["peers", "--sort", "luck"],
        ["peers", "--identity", "believed"],
        ["peers", "--json", "--csv"],
        ["--json", "peers", "--csv"],
        ["metadata", "set"],
        ["mesh", "join", "mk1secret"],
    ],
)
def test_usage_errors_are_one_line_and_2(argv: list[str]) -> None:
    assert "--help" in refused(run(*argv), EXIT_USAGE)


def test_without_a_terminal_there_is_no_dashboard(tmp_path: Path) -> None:
    assert "--json" in refused(run("--home", tmp_path), EXIT_USAGE)
    assert list(tmp_path.iterdir()) == []


def test_json_is_printed_even_when_nothing_is_there(tmp_path: Path) -> None:
    answer = run("--home", tmp_path, "--json", *NOWHERE)
    assert (answer.code, answer.err) == (EXIT_DONE, "")
    VALIDATOR.validate(answer.json)
    assert answer.json["remotePeers"] == []
    assert answer.json["view"]["state"] == "blind"
    assert answer.out.count("\n") > 10
    compact = run("--home", tmp_path, "--json", "--compact", *NOWHERE)
    assert compact.out.count("\n") == 1
    assert compact.json["localPeer"]["peerKey"] == answer.json["localPeer"]["peerKey"]


def test_a_condition_that_is_not_met_is_no(tmp_path: Path) -> None:
    for option in (["--until-peers", "1"], ["--until-current"]):
        answer = run("--home", tmp_path, "--json", "--wait", "0", *option, *NOWHERE)
        assert answer.code == 1
        VALIDATOR.validate(answer.json)
        assert answer.err.startswith("presence-tui: not met in time: ")
        assert answer.err.count("\n") == 1
    answer = run("--home", tmp_path, "--json", "--until-peers", "0", *NOWHERE)
    assert answer.code == 0


@pytest.mark.parametrize(
    "argv",
    [
        ["--home", "HOME", "key", "show"],
        ["key", "--home", "HOME", "show"],
        ["key", "show", "--home", "HOME"],
        ["--home", "elsewhere", "key", "show", "--home", "HOME"],
    ],
)
def test_options_count_wherever_they_stand(tmp_path: Path, argv: list[str]) -> None:
    home = tmp_path / "home"
    expected = run("key", "show", env=environment(PRESENCE_HOME=str(home))).out
    answer = run(*(str(home) if word == "HOME" else word for word in argv))
    assert (answer.code, answer.out) == (0, expected)
    assert not Path("elsewhere").exists()


def test_options_before_a_command_are_its_own(tmp_path: Path) -> None:
    options = ["--home", str(tmp_path), "--json", "--compact", "--name", "before", *NOWHERE]
    answer = run(*options, "show", "before")
    assert answer.code == 0
    assert answer.json["peers"][0]["deviceName"] == "before"
    assert answer.out.count("\n") == 1
    answer = run(*options, "show", "behind", "--name", "behind")
    assert answer.json["peers"][0]["deviceName"] == "behind"


def test_nothing_reaches_a_closed_or_full_stdout(tmp_path: Path) -> None:
    script = f'"$@" --home {tmp_path}/h --json --transport none'
    for redirect, code in ((">&-", 0), ("2>&- >/dev/null", 0), (">/dev/full", EXIT_CANNOT)):
        done = subprocess.run(
            ["sh", "-c", f"{script} {redirect}", "sh", *COMMAND],
            capture_output=True,
            env=environment(),
            check=False,
        )
        assert done.returncode == code, redirect
        assert done.stdout == b""
        if code:
            assert done.stderr.decode().count("\n") == 1
            assert "No space left" in done.stderr.decode()


@pytest.mark.parametrize("argv", [["--help"], ["schema"], ["--json", *NOWHERE]])
def test_a_reader_that_goes_is_no_error(tmp_path: Path, argv: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*COMMAND, "--home", str(tmp_path), *argv],
        stdout=write,
        stderr=subprocess.PIPE,
        env=environment(),
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_locale_without_a_letter_is_no_error(tmp_path: Path) -> None:
    env = environment(PYTHONIOENCODING="ascii")
    answer = run("--home", tmp_path, "--name", "Zoë", "show", "Zoë", *NOWHERE, env=env)
    assert (answer.code, answer.err) == (0, "")
    assert "Zo?" in answer.out


def test_a_bug_is_one_line_and_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_args: object) -> int:
        raise RuntimeError("a bug\nwith \x1b[31mtwo lines")

    monkeypatch.setattr("presence_tui.commands.about.version", broken)
    for owner, hook in ((threading, "excepthook"), (sys, "unraisablehook")):
        monkeypatch.setattr(owner, hook, getattr(owner, hook))
    monkeypatch.setattr(logging, "raiseExceptions", False)
    before = list(logging.getLogger().handlers)
    try:
        code = cli.run(["--home", str(tmp_path / "home"), "version"])
    finally:
        logging.captureWarnings(capture=False)
        for handler in set(logging.getLogger().handlers) - set(before):
            logging.getLogger().removeHandler(handler)
            handler.close()
    said = capsys.readouterr()
    log = tmp_path / "home" / "presence-tui.log"
    assert code == EXIT_CANNOT
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "\x1b" not in said.err
    assert str(log) in said.err
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


def test_command_errors_keep_their_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuses(_args: object) -> int:
        raise CommandError("not today", 1)

    monkeypatch.setattr("presence_tui.commands.about.version", refuses)
    assert cli.run(["version"]) == 1
    assert capsys.readouterr().err == "presence-tui: not today\n"


def test_ctrl_c_at_a_prompt_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_args: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("presence_tui.commands.about.version", interrupted)
    assert cli.run(["version"]) == 130


def test_every_answer_in_json_has_a_schema(tmp_path: Path) -> None:
    home = ("--home", str(tmp_path))
    assert run(*home, "mesh", "new", "field").code == 0
    for argv in (
        ["--json", *NOWHERE],
        ["peers", "--json", *NOWHERE],
        ["show", "me", "--json", "--name", "me", *NOWHERE],
        ["key", "show", "--json"],
        ["mesh", "show", "--json"],
        ["mesh", "show", "--json", "--secret"],
    ):
        answer = run(*home, *argv)
        assert answer.code == 0, answer
        VALIDATOR.validate(json.loads(answer.out))
