"""Who writes where: data to stdout, words to stderr, and nothing else anywhere."""

from __future__ import annotations

import contextlib
import io
import os
import sys

EXIT_DONE = 0
EXIT_NO = 1
"""The question was answered with no: not found, not met in time."""
EXIT_USAGE = 2
EXIT_CANNOT = 3
EXIT_INTERRUPTED = 130
"""As shells say it; only where Ctrl-C is not the ordinary way to end."""


class CommandError(Exception):
    """Ends a command with one line on stderr and an exit code."""

    def __init__(self, message: str, code: int = EXIT_CANNOT) -> None:
        super().__init__(message)
        self.code = code


def prepare() -> None:
    """Make stdout and stderr safe to write to, whatever the program was started with."""
    if sys.stdout is None:  # closed by whoever started us
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a locale without a letter is no reason to fail


def data(line: str) -> None:
    """Write data to stdout, with the end of the line, at once.

    Raises BrokenPipeError when nobody reads, CommandError when it cannot be written.
    """
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_stdout()
        raise CommandError(cannot_write(error)) from None


def table(rows: list[tuple[str, ...]]) -> str:
    """Return rows as columns; the first one names them. Texts are safe to show already."""
    from rich.cells import cell_len

    widths = [max(cell_len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = row if number else tuple(cell.upper() for cell in row)
        padded = (c + " " * (w - cell_len(c)) for c, w in zip(cells, widths, strict=True))
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def say(message: str) -> None:
    """Write one line for a person to stderr."""
    from presence_core.codec.text import safe_text  # a message may quote what a peer chose

    with contextlib.suppress(OSError, ValueError, AttributeError):  # stderr closed, or None
        sys.stderr.write(f"presence-tui: {safe_text(message, limit=2_000)}\n")
        sys.stderr.flush()


def confirm(question: str) -> bool:
    """Ask a person at the terminal yes or no.

    Raises CommandError when there is nobody to ask: a script says ``--yes``.
    """
    from presence_core.codec.text import safe_text

    if not sys.stdin.isatty():
        raise CommandError("nobody is there to be asked; if you are sure, say --yes", EXIT_USAGE)
    sys.stderr.write(f"{safe_text(question)} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def discard_stdout() -> None:
    """Let nothing more be written to a stdout that cannot be written to, not even at exit."""
    with contextlib.suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def cannot_write(error: OSError) -> str:
    """Say that stdout cannot be written to, and why."""
    return f"cannot write to standard output: {error.strerror or error}"
