"""``f4`` in the dashboard: the text in an editor of one's own, in a real terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_dashboard import ENTER, LEAVE, OPEN, dashboard, end_of

if TYPE_CHECKING:
    from pathlib import Path

EDITOR = """
import pathlib, sys
print("EDITOR HAS THE TERMINAL", flush=True)
file = pathlib.Path(sys.argv[-1])
assert file.stat().st_mode & 0o077 == 0
pathlib.Path({note!r}).write_text(str(file))
{work}
"""


def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: str) -> Path:
    """Let an editor of our own be ``$EDITOR``; return the file that names what it edits."""
    script, note = tmp_path / "editor.py", tmp_path / "edited"
    script.write_text(EDITOR.format(note=str(note), work=work))
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"'{sys.executable}' '{script}'")
    return note


def test_the_edited_text_comes_back_and_can_be_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = 'file.write_text(\'{"berth": "from-outside"}\\n\')'
    note = editor(tmp_path, monkeypatch, work)
    with dashboard(tmp_path / "home") as terminal:
        terminal.until_seen(OPEN)
        terminal.press("4")
        terminal.until_seen("others see")
        terminal.press("f4")
        terminal.until_written(b"EDITOR HAS THE TERMINAL")
        before, _, _ = terminal.written.partition(b"EDITOR HAS THE TERMINAL")
        assert before.rfind(LEAVE) > before.rfind(ENTER), "the terminal was given up first"
        terminal.until_seen("from-outside")
        terminal.press("ctrl+z")
        terminal.until_seen("published")
        terminal.press("ctrl+q")
        code, after = end_of(terminal)
    assert code == 0
    assert "Traceback" not in after
    edited = note.read_text()
    assert edited.endswith(".json")
    assert not (tmp_path / edited).exists()


def test_an_editor_that_fails_changes_nothing_and_keeps_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = editor(tmp_path, monkeypatch, "file.write_text('lost?'); sys.exit(3)")
    with dashboard(tmp_path / "home") as terminal:
        terminal.until_seen(OPEN)
        terminal.press("4")
        terminal.until_seen("others see")
        terminal.press("f4")
        terminal.until_seen("the editor failed")
        terminal.press("ctrl+q")
        assert end_of(terminal)[0] == 0
    kept = tmp_path / note.read_text()
    assert kept.read_text() == "lost?"
    kept.unlink()


@pytest.mark.parametrize(
    ("value", "said"), [("", "no editor is set"), ("/nowhere/editor", "cannot run the")]
)
def test_without_an_editor_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", value)
    with dashboard(tmp_path / "home") as terminal:
        terminal.until_seen(OPEN)
        terminal.press("4")
        terminal.until_seen("others see")
        terminal.press("f4")
        terminal.until_seen(said)
        terminal.press("ctrl+q")
        assert end_of(terminal)[0] == 0
