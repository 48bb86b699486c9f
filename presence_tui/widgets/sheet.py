"""A scrolling page of text: the body of every pane that only tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from presence_tui.viewmodel.page import Page, Row, Tone, lay_out

if TYPE_CHECKING:
    from rich.style import Style
    from textual import events
    from textual.selection import Selection


class Sheet(ScrollView, can_focus=False):
    """Shows a :data:`Page`, wrapped to its width; only the rows in view are ever drawn.

    Texts are drawn literally. Showing an equal page again costs a comparison and nothing else;
    showing another one keeps the scroll position as far as the new page reaches.
    """

    ALLOW_MAXIMIZE = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"sheet--{tone}" for tone in Tone}
    DEFAULT_CSS = """
    Sheet {
        height: auto;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size: 0 1;
        scrollbar-gutter: stable;
        & .sheet--plain { color: $foreground; }
        & .sheet--dim { color: $text-muted; }
        & .sheet--strong { color: $foreground; text-style: bold; }
        & .sheet--heading { color: $text-primary; text-style: bold; }
        & .sheet--key { color: $text-secondary; }
        & .sheet--good { color: $text-success; text-style: bold; }
        & .sheet--warning { color: $text-warning; text-style: bold; }
        & .sheet--bad { color: $text-error; text-style: bold; }
        & .sheet--qr { color: #ffffff; background: #000000; }
        & .sheet--qr-light { color: #ffffff; background: #000000; text-style: reverse; }
    }
    """

    def __init__(
        self,
        page: Page = (),
        *,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._page = page
        self._rows: list[Row] = []
        self._rows_width = -1
        self._base: Style | None = None

    @property
    def page(self) -> Page:
        """What is shown."""
        return self._page

    def show_page(self, page: Page) -> None:
        """Show a page."""
        if page == self._page:
            return
        height = len(self._rows)
        self._page = page
        self._rows_width = -1
        self._lay_out(self.text_width)
        self.virtual_size = Size(self.text_width, len(self._rows))
        self.refresh(layout=height != len(self._rows) and self.styles.is_auto_height)
        self.clear_selection()

    def clear_selection(self) -> None:
        """Forget a mouse selection: its rows may be others now."""
        if self.is_attached and self.text_selection is not None:
            self.screen.clear_selection()

    @property
    def text_width(self) -> int:
        """Columns that a row may fill."""
        return self.scrollable_content_region.width

    def _lay_out(self, width: int) -> None:
        if width != self._rows_width:
            self._rows = lay_out(self._page, width) if width > 0 else []  # not on a screen yet
            self._rows_width = width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the rows of the page at that width (for ``height: auto``)."""
        width -= self.scrollbar_gutter.width
        return len(lay_out(self._page, width)) if width > 0 else 1

    def on_resize(self, event: events.Resize) -> None:
        """Wrap the page anew for the new width."""
        self._lay_out(self.text_width)
        self.virtual_size = Size(self.text_width, len(self._rows))

    def notify_style_update(self) -> None:
        """Forget the style of other colours."""
        super().notify_style_update()
        self._base = None

    def render_line(self, y: int) -> Strip:
        """Return one row on the screen."""
        number = y + self.scroll_offset.y
        width = self.text_width
        base = self._base = self._base or self.rich_style  # which asks every ancestor
        if number >= len(self._rows):
            return Strip.blank(self.size.width, base)
        segments = [
            Segment(span.text, self.get_component_rich_style(f"sheet--{span.tone}"))
            for span in self._rows[number]
        ]
        strip = Strip(segments).adjust_cell_length(width, base)
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(number)) is not None:
            strip = _highlight(
                strip, *span, self.screen.get_component_rich_style("screen--selection")
            )
        return strip.apply_offsets(0, number)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the text under a mouse selection."""
        rows = ["".join(span.text for span in row) for row in self._rows]
        return selection.extract("\n".join(rows)), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Draw a changed mouse selection."""
        self.refresh()


class Reader(Sheet, can_focus=True):
    """A sheet that takes the keyboard: arrow keys scroll it."""

    @property
    def text_width(self) -> int:
        """Columns that a row may fill: one stays free before the scroll bar."""
        return super().text_width - 1


def _highlight(strip: Strip, start: int, end: int, style: Style) -> Strip:
    """Return the strip with the characters from start to end (-1: all the rest) in a style."""
    before, rest = strip.crop(0, start), strip.crop(start)
    chosen, after = (
        (rest, Strip([])) if end == -1 else (rest.crop(0, end - start), rest.crop(end - start))
    )
    return Strip.join([before, chosen.apply_style(style), after])
