"""A text in the editor of the person's choice, while the app waits and its engine goes on."""

from __future__ import annotations

import asyncio
import os
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

if TYPE_CHECKING:
    from textual.app import App


class ExternalEditorError(Exception):
    """The text could not be edited elsewhere; the message is one line for the person."""


async def edit_elsewhere(app: App[object], text: str) -> str:
    """Return the text after ``$VISUAL`` or ``$EDITOR`` has had it; the app gives up its terminal.

    The event loop goes on, so that neighbours do not take this device for lost. Raises
    ExternalEditorError; when there is a text by then, it stays in its file, and the error says
    where.
    """
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor:
        raise ExternalEditorError("no editor is set: set EDITOR")
    try:
        command = shlex.split(editor)
        draft = await asyncio.to_thread(_write, text)
    except (OSError, ValueError) as error:
        raise ExternalEditorError(f"cannot begin to edit: {_why(error)}") from None
    try:
        with app.suspend(), app.batch_update():  # nothing is painted into the editor's screen
            failure = await _run([*command, str(draft)])
    except SuspendNotSupported:
        await asyncio.to_thread(draft.unlink)
        raise ExternalEditorError("this terminal cannot be lent to an editor") from None
    if isinstance(failure, OSError):
        await asyncio.to_thread(draft.unlink)
        raise ExternalEditorError(f"cannot run the editor {editor!r}: {_why(failure)}")
    if failure:
        raise ExternalEditorError(f"the editor failed; its text is kept in {draft}")
    try:
        return await asyncio.to_thread(_take, draft)
    except (OSError, UnicodeDecodeError) as error:
        raise ExternalEditorError(f"{_why(error)}; the text is kept in {draft}") from None


async def _run(command: list[str]) -> int | OSError:
    """Run a command; return its exit code, or why it did not begin.

    Nothing is raised: the app would not get its terminal back then.
    """
    try:
        process = await asyncio.create_subprocess_exec(*command)
    except OSError as error:
        return error
    return await process.wait()


def _write(text: str) -> Path:
    descriptor, name = tempfile.mkstemp(prefix="metadata-", suffix=".json")  # mode 0600
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return Path(name)


def _take(draft: Path) -> str:
    text = draft.read_text(encoding="utf-8")
    draft.unlink()
    return text


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
