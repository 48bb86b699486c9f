"""A program in a pseudo-terminal of any size, and what it shows there."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from typing import TYPE_CHECKING, Self

import pyte

from tests.support import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

KEYS = {
    "enter": "\r",
    "esc": "\x1b",
    "tab": "\t",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "space": " ",
    "f4": "\x1bOS",
}
"""What a terminal sends for keys that are no letters; ``ctrl+x`` follows from the letter."""


def key_bytes(key: str) -> bytes:
    """Return what a terminal sends for a key: a name, ``ctrl+x``, or characters."""
    if key.startswith("ctrl+") and len(key) == 6:
        return bytes([ord(key[-1]) & 0x1F])
    return KEYS.get(key, key).encode()


class Terminal:
    """Runs a program on a screen of ``size`` columns and lines. A context manager, which ends it.

    ``chunks``: everything it has written, each piece with the second in which it came.
    """

    def __init__(
        self, argv: Sequence[str], size: tuple[int, int], environment: Mapping[str, str]
    ) -> None:
        self.size = size
        self.chunks: list[tuple[float, bytes]] = []
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self._mode = termios.tcgetattr(terminal)
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            argv,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            env={"TERM": "xterm-256color", "COLORTERM": "truecolor", **environment},
        )
        os.close(terminal)

    @property
    def screen(self) -> pyte.Screen:
        """The screen, with its colours."""
        return self._screen

    @property
    def lines(self) -> list[str]:
        """What is on the screen."""
        return list(self._screen.display)

    @property
    def text(self) -> str:
        """What is on the screen, as one text."""
        return "\n".join(self._screen.display)

    @property
    def written(self) -> bytes:
        """Everything it has written."""
        return b"".join(data for _, data in self.chunks)

    @property
    def restored(self) -> bool:
        """Whether the terminal behaves as it did before the program began."""
        return termios.tcgetattr(self._controller) == self._mode

    def take(self, seconds: float) -> bool:
        """Take what the program writes next, if it does so in this time."""
        if not select.select([self._controller], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._controller, 1 << 20)
        except OSError:  # how a pseudo-terminal says that nobody is at the other end
            return False
        self.chunks.append((time.monotonic(), data))
        self._stream.feed(data)
        return True

    def until(self, condition: Callable[[], object], patience: float = PATIENCE) -> float:
        """Wait until the screen fulfils a condition; return when it came true."""
        end = time.monotonic() + patience
        while not condition():
            if not self.take(0.2) and (self.process.poll() is not None or time.monotonic() > end):
                raise AssertionError(f"it never came true:\n{self.text}")
        return self.chunks[-1][0] if self.chunks else self.began

    def until_seen(self, text: str) -> float:
        """Wait until a text is on the screen."""
        return self.until(lambda: text in self.text)

    def until_written(self, data: bytes) -> float:
        """Wait until something has been written, on the screen or not."""
        return self.until(lambda: data in self.written)

    def settle(self, seconds: float = 0.3, most: int = 50) -> None:
        """Take what comes until nothing has come for as long as a person looks before a key."""
        for _ in range(most):
            if not self.take(seconds):
                return

    def press(self, *keys: str) -> None:
        """Press keys: names as in :data:`KEYS`, ``ctrl+x``, or characters."""
        for key in keys:
            os.write(self._controller, key_bytes(key))

    def click(self, column: int, line: int) -> None:
        """Click on a cell, counted from 0."""
        where = f"{column + 1};{line + 1}"
        os.write(self._controller, f"\x1b[<0;{where}M\x1b[<0;{where}m".encode())

    def finish(self, patience: float = PATIENCE) -> int:
        """Take what comes until the program has ended; return its exit code."""
        end = time.monotonic() + patience
        while self.take(0.2) or self.process.poll() is None:
            if time.monotonic() > end:
                raise AssertionError(f"it does not end:\n{self.text}")
        return self.process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        os.close(self._controller)
