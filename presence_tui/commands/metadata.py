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

from presence_core.codec.metadata import WARN_METADATA_BYTES, metadata_size
from presence_core.engine.home import MetadataFile
from presence_core.identity.keyfile import HomeError
from presence_tui import output
from presence_tui.output import EXIT_CANNOT, EXIT_DONE, EXIT_USAGE, CommandError
from presence_tui.settings import check_metadata, home_of, read_metadata

if TYPE_CHECKING:
    import argparse


def metadata_get(args: argparse.Namespace) -> int:
    """Print the metadata as JSON."""
    from presence_core.schema import dumps

    output.data(dumps(_load(MetadataFile(home_of(args))), compact=args.compact))
    return EXIT_DONE


def metadata_set(args: argparse.Namespace) -> int:
    """Replace the metadata by the argument, a file, or standard input."""
    if args.value == "-":
        try:
            value = check_metadata(sys.stdin.buffer.read().decode("utf-8"))
        except UnicodeDecodeError as error:
            raise CommandError(f"metadata: not valid UTF-8: {error.reason}", EXIT_USAGE) from None
    else:
        value = read_metadata(args.value)
    _save(MetadataFile(home_of(args)), value)
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
    os.close(descriptor)
    draft.write_text(before, encoding="utf-8")
    _edit(editor, draft)
    try:
        after = draft.read_text(encoding="utf-8")
        if after == before:
            output.say("nothing was changed")
        else:
            _save(file, check_metadata(after))
    except UnicodeDecodeError as error:
        raise _kept(f"metadata: not valid UTF-8: {error.reason}", draft, EXIT_USAGE) from None
    except OSError as error:
        raise CommandError(f"cannot read {draft}: {error.strerror}") from None
    except CommandError as error:
        raise _kept(str(error), draft, error.code) from None
    draft.unlink()
    return EXIT_DONE


def _edit(editor: str, draft: Path) -> None:
    try:
        done = subprocess.run([*shlex.split(editor), str(draft)], check=False)  # noqa: S603
    except (OSError, ValueError) as error:
        draft.unlink()
        why = getattr(error, "strerror", None) or error
        raise CommandError(f"cannot run the editor {editor!r}: {why}") from None
    if done.returncode != 0:
        raise _kept("the editor failed", draft, EXIT_CANNOT)


def _kept(message: str, draft: Path, code: int) -> CommandError:
    return CommandError(f"{message}; the text is kept in {draft}", code)


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
    size = metadata_size(value)
    if size > WARN_METADATA_BYTES:
        output.say(
            f"note: {size:,} bytes; beyond {WARN_METADATA_BYTES:,} metadata is slow over Bluetooth"
        )
