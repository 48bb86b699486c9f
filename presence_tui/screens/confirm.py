"""A question over the main screen, with what either answer means."""

from __future__ import annotations

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
    """Asks before something is done that a slip of the hand must not do: enter answers nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes", id="confirm.yes"),
        Binding("n,escape,q", "answer(False)", "No", id="confirm.no"),
    ]

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """Lay out the question above its answers."""
        with Vertical(id="confirm") as box:
            box.border_title = self._question.title
            yield Reader(self._question.page)
            yield AnswerBar(self._question)

    def on_mount(self) -> None:
        """Let the arrow keys scroll at once."""
        self.query_one(Reader).focus()

    def action_answer(self, yes: bool) -> None:  # noqa: FBT001  actions take no keywords
        """Close with an answer."""
        self.dismiss(yes)

    @on(AnswerBar.Answered)
    def _clicked(self, event: AnswerBar.Answered) -> None:
        event.stop()
        self.dismiss(event.yes)
