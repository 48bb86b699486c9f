"""Keys that come faster than they are handled: each finds the screen as the one before left it."""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

from textual.events import Key, Paste

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.app import App
    from textual.dom import DOMNode
    from textual.events import Event
    from textual.widget import Widget

LOST_SECONDS = 2.0
"""A key that does not move on for so long never will: no keyboard may hang on it."""

_ROUNDS = 2
"""Behind a key itself, and behind what it has set off: what a pane tells, a change of focus."""


class TypeAhead:
    """Lets one key at a time into an app; those that come meanwhile wait, in order.

    Textual gives a key to whatever has the keyboard when the key comes. What the one before it does
    comes about later: a key climbs from pane to app, through a queue each, and a change of focus is
    one more message. So the end of a key is when somebody who goes the same way behind it has come
    through. A text takes letters in the order of its own queue: those are not waited for.

    ``handle`` gives a key to the app as it would be without this. ``typed_at``: when the key that
    was handled last was typed, by the clock of messages.
    """

    typed_at = 0.0

    def __init__(self, app: App[int], handle: Callable[[Event], Awaitable[None]]) -> None:
        self._app = app
        self._handle = handle
        self._waiting: deque[Event] = deque()
        self._under_way = False
        self._moved_at = 0.0

    async def take(self, event: Event) -> None:
        """Handle a key (or a paste) now, or as soon as those before it have done all they do."""
        self._waiting.append(event)
        if not self._under_way or monotonic() - self._moved_at > LOST_SECONDS:
            await self._next()

    async def _next(self) -> None:
        self._under_way = False
        while self._waiting and not self._under_way:
            event = self._waiting.popleft()
            self.typed_at = event.time
            first = self._first
            self._under_way = not _is_text(event, self._app.focused)
            await self._handle(event)
            if self._under_way:
                self._follow(first, _ROUNDS)

    @property
    def _first(self) -> DOMNode:
        """Where a key begins to climb."""
        return self._app.focused or self._app.screen

    def _follow(self, node: DOMNode, rounds: int) -> None:
        """Queue up behind the key at a node; where that is closing, at the next one above."""
        self._moved_at = monotonic()
        while not node.call_later(self._through, node, rounds):
            if node is self._app:
                return  # it ends, and takes no more keys
            node = node.parent or self._app

    async def _through(self, node: DOMNode, rounds: int) -> None:
        """Go on up: the key is through here."""
        if node is not self._app:
            self._follow(node.parent or self._app, rounds)
        elif rounds > 1:
            self._follow(self._first, rounds - 1)
        else:
            await self._next()


def typed(event: Event) -> bool:
    """Whether an event comes from the keyboard and has not been given to anybody yet."""
    return isinstance(event, Key | Paste) and not event.is_forwarded


def _is_text(event: Event, focused: Widget | None) -> bool:
    return (
        isinstance(event, Key)
        and focused is not None
        and focused.check_consume_key(event.key, event.character)
    )
