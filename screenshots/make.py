"""Make the pictures of the README: SVG always, PNG when resvg-py and the fonts are there.

``make screenshots``. The scenes are the canned graphs of the tests, so that a picture changes only
when the screen does; a test sees to it that the SVGs are current.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from presence_core.model import PresenceGraph
from presence_tui.app import PresenceApp
from presence_tui.look import Look
from tests import canned
from tests.canned_story import story

FONTS = tuple(
    Path("/usr/share/fonts") / name
    for name in (
        "truetype/firacode/FiraCode-Regular.ttf",
        "truetype/firacode/FiraCode-Bold.ttf",
        "truetype/dejavu/DejaVuSansMono.ttf",
        "truetype/dejavu/DejaVuSans.ttf",
        "truetype/ancient-scripts/Symbola_hint.ttf",
        "opentype/noto/NotoSansCJK-Regular.ttc",
    )
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture: its name, what is on the screen, its size, and the keys pressed before.

    A scene of several graphs is shown one after the other, each at its time.
    """

    name: str
    scene: Callable[[], PresenceGraph | Sequence[PresenceGraph]]
    size: tuple[int, int]
    keys: tuple[str, ...] = ()


PICTURES = (
    Picture("main-120x36", canned.team, (120, 36)),
    Picture("main-80x24", canned.team, (80, 24)),
    Picture("main-200x60", canned.team, (200, 60)),
    Picture("graph-120x36", canned.many, (120, 36), ("7", "z")),
    Picture("links-120x36", canned.team, (120, 36), ("down", "down", "6")),
    Picture("identity-120x36", canned.statuses, (120, 36), ("end", "up", "up", "2")),
    Picture("verify-80x24", canned.statuses, (80, 24), ("end", "up", "up", "3", "v")),
    Picture("key-120x36", canned.team, (120, 36), ("down", "3")),
    Picture("timeline-120x36", story, (120, 36), ("8",)),
    Picture("editor-120x36", canned.team, (120, 36), ("4",)),
    Picture("form-80x24", canned.team, (80, 24), ("4", "f2", "m", "delete", "f3")),
    Picture("conditions-80x24", canned.blind, (80, 24), ("5",)),
    Picture("blind-80x24", canned.blind, (80, 24)),
    Picture("light-120x36", canned.team, (120, 36), ("t",)),
)


async def svg_of(picture: Picture) -> str:
    """Return the screen as SVG, with ids that do not depend on the run."""
    scene = picture.scene()
    graphs = [scene] if isinstance(scene, PresenceGraph) else scene
    source = canned.CannedSource(graphs[0])
    times = [graph.generated_at for graph in graphs[:-1]]
    app = PresenceApp(
        source,
        now=lambda: times[0] if times else canned.NOW,
        look=Look(toasts=False),  # when they come depends on this machine
    )
    async with app.run_test(size=picture.size) as pilot:
        for graph in graphs[1:]:
            await pilot.pause()
            del times[0]
            source.publish(graph)
        for area in app.screen.query("TextArea, Input"):
            area.cursor_blink = False  # type: ignore[attr-defined]
        await pilot.pause()
        if picture.keys:
            await pilot.press(*picture.keys)
        await pilot.pause()
        await pilot.pause()
        svg = app.export_screenshot(title="presence-tui")
    return re.sub(r"terminal-\d+", "terminal", svg)


def png_of(svg: str) -> bytes | None:
    """Return a picture of the SVG; None without resvg-py or its fonts."""
    fonts = [str(font) for font in FONTS if font.exists()]
    try:
        import resvg_py
    except ImportError:
        return None
    if len(fonts) < 3:
        return None
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, font_files=fonts, skip_system_fonts=True))


def main() -> None:
    """Make all pictures."""
    for picture in PICTURES:
        svg = asyncio.run(svg_of(picture))
        (HERE / f"{picture.name}.svg").write_text(svg, encoding="utf-8")
        png = png_of(svg)
        if png is not None:
            (HERE / f"{picture.name}.png").write_bytes(png)
        print(f"{picture.name}: svg{' png' if png else ' (no png: resvg-py or fonts are missing)'}")


if __name__ == "__main__":
    main()
