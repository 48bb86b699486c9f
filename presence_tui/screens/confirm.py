"""A question over the main screen, with what either answer means."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen

from presence_tui.widgets.bars import Bar, Part
from presence_tui.widgets.sheet import Reader

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from presence_tui.viewmodel.trust import Question


class AnswerBar(Bar):
    """The two answers, each with its key; both can be clicked."""

    @dataclass
    class Answered(Message):
        """An answer was clicked."""

        yes: bool

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question

    def on_resize(self) -> None:
        """Lay the answers out."""
        answers = (("y", self._question.yes, "yes"), ("n", self._question.no, "no"))
        parts = [
            part
            for key, words, meaning in answers
            for part in (Part(f" {key} ", "key", meaning), Part(f"{words}  ", "label", meaning))
        ]
        self.set_parts(parts)

    def chosen(self, meaning: str) -> None:
        """Tell which answer was clicked."""
        self.post_message(self.Answered(meaning == "yes"))


class ConfirmScreen(ModalScreen[bool]):
    """Asks before something is done that a slip of the hand must not do: enter answers nothing.

    A yes that was typed before the question was on the screen is no answer to it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes", id="confirm.yes"),
        Binding("n,escape,q", "answer(False)", "No", id="confirm.no"),
    ]

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question
        self._shown_at: float | None = None

    @property
    def painted(self) -> bool:
        """Whether a person can have read the question."""
        return self._shown_at is not None

    def compose(self) -> ComposeResult:
        """Lay out the question above its answers."""
        with Vertical(id="confirm") as box:
            box.border_title = self._question.title
            yield Reader(self._question.page)
            yield AnswerBar(self._question)

    def on_mount(self) -> None:
        """Let the arrow keys scroll at once."""
        self.query_one(Reader).focus()
        self.call_after_refresh(self._shown)

    def _shown(self) -> None:
        self._shown_at = Message().time

    def action_answer(self, yes: bool) -> None:  # noqa: FBT001  actions take no keywords
        """Close with an answer."""
        typed_at = getattr(self.app, "typed_at", math.inf)
        if not yes or (self._shown_at is not None and typed_at >= self._shown_at):
            self.dismiss(yes)

    @on(AnswerBar.Answered)
    def _clicked(self, event: AnswerBar.Answered) -> None:
        event.stop()
        self.dismiss(event.yes)
