"""The timeline: what has changed in the mesh, newest first, while this screen was open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from presence_tui.viewmodel.names import Names
from presence_tui.viewmodel.online import OnlineHistory
from presence_tui.viewmodel.page import Span, Tone
from presence_tui.viewmodel.timeline import Event, Only, Timeline
from presence_tui.viewmodel.timeline_folds import Entries, Entry
from presence_tui.viewmodel.timeline_lines import TOP_LINES, empty_words, entry_line, top_lines
from presence_tui.viewmodel.words import UNSURE

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from textual import events

    from presence_core.differing import Differing
    from presence_core.model import Peer, PresenceGraph
    from presence_tui.viewmodel.page import Row

_TIMES_SECONDS = 5.0


class TimelineView(ScrollView, can_focus=True):
    """What happened, newest first. The cursor is on an entry, and stays on it when others come.

    What many did in a minute is one entry, which can be opened. Feed every graph to :meth:`take`,
    shown or not. ``clock``: now, with a time zone.
    """

    @dataclass
    class Jumped(Message):
        """The person wants to go to the peer of an event."""

        peer_key: str

    ALLOW_MAXIMIZE = False
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "jump", "Open", key_display="enter", id="timeline.jump"),
        Binding("space", "pause", "Pause", key_display="space", id="timeline.pause"),
        Binding("f", "topic", "Topic", id="timeline.topic"),
        Binding("o", "only", "Only this peer", id="timeline.only"),
        Binding("right,l", "open(True)", "Open the line", show=False, id="timeline.open"),
        Binding("left,h", "open(False)", "Close the line", show=False, id="timeline.close"),
        Binding("up,k", "move(-1)", "Newer", show=False, id="timeline.up"),
        Binding("down,j", "move(1)", "Older", show=False, id="timeline.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="timeline.page-up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="timeline.page-down"),
        Binding("home,g", "newest", "Newest", show=False, id="timeline.newest"),
        Binding("end,G", "oldest", "Oldest", show=False, id="timeline.oldest"),
    ]
    HELP = """
## Timeline

What has changed since this screen was opened, newest first. What many did in a minute is one line
(▸), which `enter` opens and closes. `f` shows one topic, `o` one peer, `space` holds what comes
back until you press it again, `enter` goes to the peer.
"""
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"timeline--{tone}" for tone in Tone),
        "timeline--cursor",
        "timeline--cursor-blurred",
    }
    DEFAULT_CSS = """
    TimelineView {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size: 0 1;
        scrollbar-gutter: stable;
        & .timeline--plain { color: $foreground; }
        & .timeline--dim { color: $text-muted; }
        & .timeline--strong { color: $foreground; text-style: bold; }
        & .timeline--heading { color: $text-primary; text-style: bold; }
        & .timeline--key { color: $text-secondary; }
        & .timeline--good { color: $text-success; }
        & .timeline--warning { color: $text-warning; text-style: bold; }
        & .timeline--bad { color: $text-error; text-style: bold; }
        & .timeline--cursor { background: $primary 40%; text-style: bold; }
        & .timeline--cursor-blurred { background: $primary 18%; }
    }
    """

    def __init__(self, *, clock: Callable[[], datetime], id: str | None = None) -> None:
        super().__init__(id=id)
        self._clock = clock
        self._since = clock()
        self._timeline = Timeline()
        self._history = OnlineHistory()
        self._online: int | None = None
        self._graph: PresenceGraph | None = None
        self._selected: Peer | None = None
        self._entries = Entries(self._timeline)
        self._lines: list[Entry] = []  # as they are laid out
        self._chosen: Entry | None = None  # None: always the newest
        self._at = 0  # the line of it
        self._styles: dict[str, Style] = {}
        self._base: Style | None = None

    # -- what it is told

    def take(
        self, graph: PresenceGraph, online: int, found: Differing | None = None
    ) -> list[Event]:
        """Take a newer graph, in which so many peers are online; return what has happened.

        ``found``: in what its peers differ from those of the graph before, if that is known.
        """
        self._graph = graph
        self._online = None if graph.view.state in UNSURE else online
        self._history.take(self._online, self._clock())
        return self._timeline.take(graph, found)

    def show(self, graph: PresenceGraph, selected: Peer | None) -> None:
        """Draw what was taken; ``selected``: whom ``o`` is about when no event is."""
        self._selected = selected
        self._lay_out()

    # -- what it knows

    @property
    def timeline(self) -> Timeline:
        """What has happened."""
        return self._timeline

    @property
    def entries(self) -> list[Entry]:
        """The lines that are shown."""
        return self._lines

    @property
    def chosen(self) -> Entry | None:
        """The entry under the cursor."""
        return self._lines[self._at] if self._lines else None

    @property
    def _room(self) -> int:
        return max(1, self.size.height - TOP_LINES)

    # -- where things are

    def _lay_out(self) -> None:
        """Take the lines as they are now; that under the cursor stays where it is on the screen."""
        before, self._lines = self._at, self._entries.lines
        self._at = self._entries.place(self._chosen) if self._chosen is not None else 0
        self.virtual_size = Size(self.size.width, len(self._lines) + TOP_LINES)
        if self._chosen is not None and self._at != before:
            y = max(0, self._at - (before - self.scroll_offset.y))
            self.scroll_to(y=y, animate=False, force=True)
        self.refresh()

    def on_mount(self) -> None:
        """Let relative times move on."""
        self.set_interval(_TIMES_SECONDS, self._tick)

    def _tick(self) -> None:
        self._history.take(self._online, self._clock())
        self.refresh()

    def on_resize(self) -> None:
        """Take the new size."""
        self._lay_out()

    def action_move(self, lines: int) -> None:
        """Move the cursor to an older (1) or a newer (-1) entry."""
        if self._lines:
            self._choose(max(0, min(len(self._lines) - 1, self._at + lines)))

    def action_page(self, pages: int) -> None:
        """Move the cursor by a screenful."""
        self.action_move(pages * max(1, self._room - 1))

    def action_newest(self) -> None:
        """Go to the newest event, and stay with the newest."""
        self._choose(0)

    def action_oldest(self) -> None:
        """Go to the oldest event."""
        self.action_move(len(self._lines))

    def _choose(self, at: int) -> None:
        self._at = at
        self._chosen = self._lines[at] if 0 < at < len(self._lines) else None
        top = self.scroll_offset.y
        if at < top:
            self.scroll_to(y=at, animate=False, force=True)
        elif at >= top + self._room:
            self.scroll_to(y=at - self._room + 1, animate=False, force=True)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the entry that was clicked; a double click does what enter does."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y < TOP_LINES:
            return
        at = self.scroll_offset.y + offset.y - TOP_LINES
        if at < len(self._lines):
            self._choose(at)
            if event.chain == 2:
                self.action_jump()

    # -- commands

    def action_pause(self) -> None:
        """Hold back what comes, or show what has come meanwhile."""
        if self._timeline.paused:
            self._timeline.resume()
        else:
            self._timeline.pause()
        self._lay_out()

    def action_topic(self) -> None:
        """Show the next topic only, or all."""
        self.show_only(self._timeline.only.next_topic())

    def action_only(self) -> None:
        """Show what is about the peer of this entry only (or the selected one), or everybody."""
        only = self._timeline.only
        chosen = self.chosen
        peer_key = chosen.about if chosen is not None else None
        if only.peer_key is not None:
            peer_key = None
        elif peer_key is None and self._selected is not None:
            peer_key = self._selected.peer_key
        self.show_only(Only(only.topic, peer_key))

    def show_only(self, only: Only) -> None:
        """Show these events only, from the newest on."""
        self._timeline.show_only(only)
        self._chosen = None
        self._at = 0
        self.scroll_home(animate=False)
        self._lay_out()

    def action_jump(self) -> None:
        """Go to the peer of the event under the cursor; open or close what stands for several."""
        chosen = self.chosen
        if chosen is None:
            return
        if chosen.folds:
            self.action_open(not chosen.opened)
        elif chosen.about is not None:
            self.post_message(self.Jumped(chosen.about))

    def action_open(self, wanted: bool) -> None:  # noqa: FBT001  it comes from a binding
        """Show the events of the entry under the cursor, a line each, or hide them again."""
        chosen = self.chosen
        if chosen is None or (chosen.opened or chosen.part) is wanted:
            return
        if chosen.folds or chosen.part:
            self._entries.toggle(chosen)
            self._lines = self._entries.lines
            self.virtual_size = Size(self.size.width, len(self._lines) + TOP_LINES)
            self._choose(self._entries.place(chosen))

    # -- drawing

    def notify_style_update(self) -> None:
        """Forget the styles of other colours."""
        super().notify_style_update()
        self._base = None
        self._styles.clear()

    def render_line(self, y: int) -> Strip:
        """Return one line on the screen."""
        width = self.scrollable_content_region.width - 1
        now = self._clock()
        if y < TOP_LINES:
            top = top_lines(
                self._timeline, self._history, online=self._online, about=self._about(), width=width
            )
            return self._strip(top[y], "")
        at = self.scroll_offset.y + y - TOP_LINES
        if at < len(self._lines):
            under = "" if at != self._at else "cursor" if self.has_focus else "cursor-blurred"
            return self._strip(entry_line(self._lines[at], now, width), under)
        words = () if self._lines else empty_words(self._timeline, self._since, now)
        words = words[at : at + 1]
        return self._strip(tuple(Span(f" {text}", Tone.DIM) for text in words), "")

    def _about(self) -> str | None:
        key = self._timeline.only.peer_key
        return Names(self._graph).name(key) if key is not None and self._graph is not None else None

    def _strip(self, row: Row, under: str) -> Strip:
        mark = "▌" if under else " "
        segments = [Segment(mark, self._style("heading"))]
        segments += [Segment(span.text, self._style(str(span.tone))) for span in row]
        base = self._base = self._base or self.rich_style  # which asks every ancestor
        style = base + self._style(under) if under else base
        return Strip(segments).adjust_cell_length(self.size.width).apply_style(style)

    def _style(self, name: str) -> Style:
        style = self._styles.get(name)
        if style is None:
            full = self.get_component_rich_style(f"timeline--{name}")
            style = (
                Style(bgcolor=full.bgcolor, bold=full.bold)
                if name.startswith("cursor")
                else Style(color=full.color, bold=full.bold, dim=full.dim, reverse=full.reverse)
            )
            self._styles[name] = style
        return style
