"""``metadata get|set|edit`` beside a home that no engine has opened."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from presence_core.codec.metadata import MAX_METADATA_BYTES, metadata_size
from presence_tui.output import EXIT_CANNOT, EXIT_USAGE
from tests.cli.command import Answer, environment, refused, run


def of_size(size: int) -> str:
    around = metadata_size({"a": "x" * size}) - size
    text = json.dumps({"a": "x" * (size - around)})
    assert metadata_size(json.loads(text)) == size
    return text


def get(home: Path) -> Answer:
    return run("metadata", "get", "--home", home, "--compact")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    assert run("metadata", "set", '{"keep": true}', "--home", home).code == 0
    return home


def test_without_any_it_is_an_empty_object(tmp_path: Path) -> None:
    assert get(tmp_path / "home").out == "{}\n"
    assert not (tmp_path / "home").exists()


def test_set_replaces_the_whole(home: Path, tmp_path: Path) -> None:
    (tmp_path / "about.json").write_text('{"b": [1, 2.5, null, "\\u00e9"]}')
    for argument, stdin, expected in (
        ('{"a": 1}', "", {"a": 1}),
        (f"@{tmp_path}/about.json", "", {"b": [1, 2.5, None, "é"]}),
        ("-", '{"c": {}}', {"c": {}}),
        ("{}", "", {}),
    ):
        answer = run("metadata", "set", argument, "--home", home, stdin=stdin)
        assert (answer.code, answer.out, answer.err) == (0, "", "")
        assert get(home).json == expected
    assert (home / "metadata.json").stat().st_mode & 0o077 == 0


def test_it_is_printed_as_ascii(home: Path) -> None:
    run("metadata", "set", '{"a": "\\u001b[31m\\u202e"}', "--home", home)
    assert get(home).out == '{"a":"\\u001b[31m\\u202e"}\n'


def test_the_greatest_size_is_taken_with_a_note(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "large.json"
    file.write_text(of_size(MAX_METADATA_BYTES))
    answer = run("metadata", "set", f"@{file}", "--home", home)
    assert answer.code == 0
    assert answer.err.startswith("presence-tui: note: 131,072 bytes")
    assert get(home).json == json.loads(file.read_text())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            of_size(MAX_METADATA_BYTES + 1), "131,073 bytes; the limit is 131,072", id="large"
        ),
        ('{"d":' * 17 + "1" + "}" * 17, "limit of 16 levels (at /d/d/d"),
        ('{"a": {"n": NaN}}', "NaN is not a finite number (at /a/n)"),
        ('{"n": 1e999}', "not a finite number (at /n)"),
        ("[1]", "must be a JSON object, not a list"),
        ("null", "must be a JSON object, not null"),
        ('{"a": 1, "a": 2}', "a key comes twice in one object (at /a)"),
        ('{"a": 18446744073709551616}', "does not fit 64 bits (at /a)"),
        ('{"a": "\\ud800"}', "surrogate"),
        ('{"a": ', "line 1, column"),
        ("", "line 1, column 1"),
        ("@/etc/passwd", "not valid JSON"),  # from stdin it is a text, not the name of a file
        pytest.param(b'{"a": "\xff"}', "not valid UTF-8", id="latin-1"),
    ],
)
def test_what_is_refused_names_limit_and_place(home: Path, text: str | bytes, words: str) -> None:
    answer = run("metadata", "set", "-", "--home", home, stdin=text)
    said = refused(answer, EXIT_USAGE)
    assert words in said
    assert get(home).json == {"keep": True}


def test_a_file_that_is_not_there_is_named(home: Path, tmp_path: Path) -> None:
    said = refused(run("metadata", "set", f"@{tmp_path}/no", "--home", home), EXIT_USAGE)
    assert f"cannot read {tmp_path}/no: No such file or directory" in said


def test_a_damaged_file_is_not_taken_for_empty(home: Path) -> None:
    (home / "metadata.json").write_text("{broken")
    said = refused(run("metadata", "get", "--home", home), EXIT_CANNOT)
    assert "metadata.json" in said
    assert "correct it or remove it" in said


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = refused(run("metadata", "set", "{}", "--home", tmp_path / "file"), EXIT_CANNOT)
    assert str(tmp_path / "file") in said


# -- edit


def edit(home: Path, script: str, tmp_path: Path) -> Answer:
    """Edit with an editor that is a shell script; ``$1`` is the file."""
    editor = tmp_path / "editor with space.sh"
    editor.write_text(f"#!/bin/sh\n{script}\n")
    editor.chmod(0o700)
    temporary = tmp_path / "drafts"
    temporary.mkdir(exist_ok=True)
    env = environment(EDITOR=f"'{editor}'", TMPDIR=str(temporary))
    return run("metadata", "edit", "--home", home, env=env)


def drafts(tmp_path: Path) -> list[str]:
    return [path.read_text("latin-1") for path in (tmp_path / "drafts").iterdir()]


def test_edit_saves_what_was_written(home: Path, tmp_path: Path) -> None:
    script = 'grep -q \'"keep": true\' "$1" && echo \'{"edited": 1}\' > "$1"'
    answer = edit(home, script, tmp_path)
    assert (answer.code, answer.out, answer.err) == (0, "", "")
    assert get(home).json == {"edited": 1}
    assert drafts(tmp_path) == []


def test_edit_without_a_change_says_so(home: Path, tmp_path: Path) -> None:
    answer = edit(home, "true", tmp_path)
    assert (answer.code, answer.err) == (0, "presence-tui: nothing was changed\n")
    assert drafts(tmp_path) == []


@pytest.mark.parametrize(
    ("script", "code", "kept"),
    [
        ('echo \'{"n": NaN}\' > "$1"', EXIT_USAGE, '{"n": NaN}\n'),
        ("echo '@x' > \"$1\"", EXIT_USAGE, "@x\n"),
        ("printf '\\377' > \"$1\"", EXIT_USAGE, "\xff"),
        ('echo text > "$1"; exit 1', EXIT_CANNOT, "text\n"),
    ],
)
def test_edit_loses_no_text(home: Path, tmp_path: Path, script: str, code: int, kept: str) -> None:
    said = refused(edit(home, script, tmp_path), code)
    (draft,) = (tmp_path / "drafts").iterdir()
    assert said.endswith(f"; the text is kept in {draft}\n")
    assert drafts(tmp_path) == [kept]
    assert get(home).json == {"keep": True}


@pytest.mark.parametrize("editor", ["", "/does/not/exist", "'unbalanced"])
def test_an_editor_that_cannot_run_is_named(home: Path, tmp_path: Path, editor: str) -> None:
    env = environment(EDITOR=editor, TMPDIR=str(tmp_path))
    env.pop("VISUAL", None)
    before = set(tmp_path.iterdir())
    said = refused(run("metadata", "edit", "--home", home, env=env), EXIT_CANNOT)
    assert "editor" in said
    assert set(tmp_path.iterdir()) == before
