"""``metadata get|set|edit``: what this device publishes about itself, beside any engine.

The home's metadata file is the truth; an engine that runs on this home follows it.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from presence_core.engine.home import MetadataFile
from presence_core.identity.keyfile import HomeError
from presence_tui import output
from presence_tui.output import EXIT_DONE, EXIT_USAGE, CommandError
from presence_tui.settings import home_of, read_metadata

if TYPE_CHECKING:
    import argparse


def metadata_get(args: argparse.Namespace) -> int:
    """Print the metadata as JSON."""
    from presence_core.schema import dumps

    output.data(dumps(_load(MetadataFile(home_of(args))), compact=args.compact))
    return EXIT_DONE


def metadata_set(args: argparse.Namespace) -> int:
    """Replace the metadata by the argument, a file, or standard input."""
    text = sys.stdin.read() if args.value == "-" else args.value
    _save(MetadataFile(home_of(args)), read_metadata(text))
    return EXIT_DONE


def metadata_edit(args: argparse.Namespace) -> int:
    """Open the metadata in an editor; a text that is not accepted is kept."""
    file = MetadataFile(home_of(args))
    before = json.dumps(_load(file), ensure_ascii=False, indent=2) + "\n"
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor:
        raise CommandError("no editor is set; set EDITOR, or use: metadata set @FILE")
    descriptor, name = tempfile.mkstemp(prefix="metadata-", suffix=".json")
    draft = Path(name)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(before)
    try:
        done = subprocess.run([*shlex.split(editor), name], check=False)  # noqa: S603  it is theirs
    except OSError as error:
        draft.unlink()
        raise CommandError(f"cannot run the editor {editor!r}: {error.strerror}") from None
    if done.returncode != 0:
        raise CommandError(f"the editor failed; the text is kept in {draft}")
    after = draft.read_text(encoding="utf-8")
    if after == before:
        draft.unlink()
        output.say("nothing was changed")
        return EXIT_DONE
    try:
        _save(file, read_metadata(after))
    except CommandError as error:
        raise CommandError(f"{error}; the text is kept in {draft}", EXIT_USAGE) from None
    draft.unlink()
    return EXIT_DONE


def _load(file: MetadataFile) -> dict[str, Any]:
    try:
        return file.load() or {}
    except HomeError as error:
        raise CommandError(str(error)) from None


def _save(file: MetadataFile, value: dict[str, Any]) -> None:
    try:
        file.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.save(value)
    except OSError as error:
        raise CommandError(f"cannot write {file.path}: {error.strerror}") from None
    except HomeError as error:
        raise CommandError(str(error)) from None
