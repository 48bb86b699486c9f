"""What the local pane says about this device, above the metadata editor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.codec.text import safe_text
from presence_tui.viewmodel.page import Page, Span, Tone, fact, line

if TYPE_CHECKING:
    from presence_core.model import Mesh, PresenceGraph

_LABEL = 10


def mesh_words(mesh: Mesh) -> tuple[str, Tone, str]:
    """Return whether a mesh is open or keyed, the tone of that, and what it means."""
    if mesh.open:
        return "open", Tone.WARNING, "anyone who knows its name can join"
    return "keyed", Tone.GOOD, "joining takes its key"


def local_page(graph: PresenceGraph, *, short: bool) -> Page:
    """Return the page about the local peer; ``short``: in two lines, without explanations."""
    local, mesh = graph.local_peer, graph.mesh
    name = Span(safe_text(local.device_name) or "(no name)", Tone.STRONG)
    word, tone, meaning = mesh_words(mesh)
    mesh_name = safe_text(mesh.name)
    if short:
        return (
            line(name, Span(f"  {safe_text(local.short_id)}", Tone.DIM), hang=2),
            fact("mesh", f"{mesh_name}  ", Span(word, tone), width=_LABEL),
        )
    system = " · ".join(safe_text(part) for part in (local.os, local.version) if part)
    return (
        line(name, Span("  this device", Tone.DIM), hang=2),
        fact("short id", safe_text(local.short_id), width=_LABEL),
        fact("runs", system or Span("unknown", Tone.DIM), width=_LABEL),
        fact(
            "mesh", f"{mesh_name}  ", Span(word, tone), Span(f": {meaning}", Tone.DIM), width=_LABEL
        ),
    )
