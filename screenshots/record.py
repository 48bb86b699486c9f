"""Record the real demo as one animated SVG: ``make recording``, into screenshots/demo.svg.

The demo runs in a pseudo-terminal, pyte is its screen, and the script below is typed. Every line
of the screen that differs from what it was is drawn once and shown, by CSS keyframes, for as long
as it stood: so an hour of nothing would cost nothing. No script, no font but what is there.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "core"), str(HERE.parent)]

from tests.terminal import Terminal

SIZE = (100, 26)
CELL = (8.4, 18.0)
FRAME_SECONDS = 0.1
BACKGROUND, FOREGROUND = "10151a", "e4e8ec"

SCRIPT: tuple[tuple[float, tuple[str, ...]], ...] = (
    (2.5, ()),
    (0.3, ("down",)),
    (0.3, ("down",)),
    (1.5, ("down",)),
    (0.8, ("/",)),
    (0.2, ("r",)),
    (0.2, ("a",)),
    (1.0, ("d",)),
    (0.8, ("enter",)),
    (3.0, ("2",)),
    (2.5, ("6",)),
    (4.0, ("7",)),
    (0.8, ("esc",)),
    (0.5, ("esc",)),
    (3.5, ("8",)),
    (1.0, ("4",)),
    (0.3, ("right",)),
    (1.0, ('"status": "moving",',)),
    (2.0, ("ctrl+s",)),
    (2.0, ("1",)),
)
"""Seconds to stay, after these keys."""


@dataclass(frozen=True)
class Style:
    """How a run of cells looks."""

    fore: str
    back: str
    bold: bool


Run = tuple[int, str, Style]
"""The column where it starts, its text, and its style."""


@dataclass
class Recording:
    """The lines of a screen, and when each stood there."""

    spans: list[list[tuple[float, tuple[Run, ...]]]] = field(
        default_factory=lambda: [[] for _ in range(SIZE[1])]
    )

    def frame(self, at: float, terminal: Terminal) -> None:
        """Take what is on the screen."""
        for number, spans in enumerate(self.spans):
            line = _line(terminal, number)
            if not spans or spans[-1][1] != line:
                if spans and at - spans[-1][0] < FRAME_SECONDS / 2:
                    spans[-1] = (spans[-1][0], line)
                else:
                    spans.append((at, line))


def _colour(name: str, usual: str) -> str:
    return name if len(name) == 6 and all(c in "0123456789abcdef" for c in name) else usual


def _line(terminal: Terminal, number: int) -> tuple[Run, ...]:
    runs: list[Run] = []
    row = terminal.screen.buffer[number]
    for column in range(SIZE[0]):
        cell = row[column]
        fore, back = _colour(cell.fg, FOREGROUND), _colour(cell.bg, BACKGROUND)
        style = Style(back, fore, cell.bold) if cell.reverse else Style(fore, back, cell.bold)
        if runs and runs[-1][2] == style:
            runs[-1] = (runs[-1][0], runs[-1][1] + cell.data, style)
        else:
            runs.append((column, cell.data or " ", style))
    return tuple(runs)


def record() -> tuple[Recording, float]:
    """Run the demo and the script; return what was seen, and how many seconds it took."""
    recording = Recording()
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "HOME": home, "PYTHONPATH": os.pathsep.join(sys.path[:2])}
        with Terminal([sys.executable, "-m", "presence_tui", "--demo"], SIZE, environment) as demo:
            demo.until_seen("radio-relay")
            demo.until_seen("mismatch")  # everybody has logged in
            began = time.monotonic()
            due = 0.0
            recording.frame(0.0, demo)
            for stay, keys in SCRIPT:
                demo.press(*keys)
                due += stay
                while (left := due - (time.monotonic() - began)) > 0:
                    if not demo.take(min(left, FRAME_SECONDS)):
                        continue
                    while demo.take(0.04):  # what is half painted is not a frame
                        pass
                    recording.frame(time.monotonic() - began, demo)
            return recording, due


def svg_of(recording: Recording, seconds: float) -> str:
    """Return the animated SVG."""
    classes: dict[Style, str] = {}
    frames: dict[str, str] = {}
    shapes: list[str] = []
    for number, spans in enumerate(recording.spans):
        ends = [at for at, _ in spans[1:]] + [seconds]
        for (start, line), end in zip(spans, ends, strict=True):
            marks = _drawn(number, line, classes)
            if marks:
                name = _keyframes(start / seconds, end / seconds, frames)
                shapes.append(f'<g class="{name}">{marks}</g>' if name else f"<g>{marks}</g>")
    width, height = SIZE[0] * CELL[0], SIZE[1] * CELL[1]
    styles = [
        f".{name}{{fill:#{style.fore}{';font-weight:700' if style.bold else ''}}}"
        for style, name in classes.items()
    ]
    animations = [
        f".{name}{{animation:{name} {seconds:.2f}s step-end infinite}}@keyframes {name}{{{steps}}}"
        for steps, name in frames.items()
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 -12 {width + 24:.0f} '
        f'{height + 24:.0f}" font-family="Fira Code,DejaVu Sans Mono,Menlo,monospace" '
        f'font-size="14" xml:space="preserve"><title>presence-tui --demo</title>'
        f"<style>{''.join(styles)}{''.join(animations)}</style>"
        f'<rect x="-12" y="-12" width="100%" height="100%" rx="8" fill="#{BACKGROUND}"/>'
        f"{''.join(shapes)}</svg>\n"
    )


def _drawn(number: int, line: tuple[Run, ...], classes: dict[Style, str]) -> str:
    """Return the shapes of a line: backgrounds first, then texts, each in its own columns."""
    y = number * CELL[1]
    under, over = [], []
    for column, text, style in line:
        x, width = column * CELL[0], len(text) * CELL[0]
        if style.back != BACKGROUND:
            under.append(
                f'<rect x="{x:.1f}" y="{y:g}" width="{width + 0.2:.1f}" height="{CELL[1] + 0.2:g}" '
                f'fill="#{style.back}"/>'
            )
        if text.strip():
            bare = text.lstrip(" ")
            x += (len(text) - len(bare)) * CELL[0]
            bare = bare.rstrip(" ")
            name = classes.setdefault(style, f"s{len(classes)}")
            over.append(
                f'<text x="{x:.1f}" y="{y + 13.5:g}" class="{name}" '
                f'textLength="{len(bare) * CELL[0]:.1f}">{escape(bare)}</text>'
            )
    return "".join(under) + "".join(over)


def _keyframes(start: float, end: float, frames: dict[str, str]) -> str:
    """Return the name of the animation that shows something in a part of the time."""
    if start <= 0.0005 and end >= 0.9995:
        return ""
    steps = "" if start <= 0.0005 else "0%{visibility:hidden}"
    steps += f"{start * 100:.2f}%{{visibility:visible}}"
    steps += "" if end >= 0.9995 else f"{end * 100:.2f}%{{visibility:hidden}}"
    steps += f"to{{visibility:{'visible' if end >= 0.9995 else 'hidden'}}}"
    return frames.setdefault(steps, f"k{len(frames)}")


def still_of(recording: Recording, at: float) -> str:
    """Return one moment as an SVG that does not move, to look at."""
    still = Recording()
    for number, spans in enumerate(recording.spans):
        line = [line for start, line in spans if start <= at][-1:]
        still.spans[number] = [(0.0, line[0])] if line else []
    return svg_of(still, 1.0)


def main() -> None:
    """Record, and write the SVG; with a folder, stills of it as PNG too."""
    recording, seconds = record()
    path = HERE / "demo.svg"
    path.write_text(svg_of(recording, seconds), encoding="utf-8")
    print(f"{path.name}: {seconds:.0f} s, {path.stat().st_size / 1000:.0f} kB")
    if len(sys.argv) > 1:
        from make import png_of  # type: ignore[import-not-found]

        for number in range(6):
            png = png_of(still_of(recording, seconds * (number + 0.7) / 6))
            if png is not None:
                (Path(sys.argv[1]) / f"still-{number}.png").write_bytes(png)


if __name__ == "__main__":
    main()
