"""The mesh graph for other programs: Graphviz (DOT), Mermaid and GraphML.

What peers chose goes through ``safe_text`` first, so there are no control characters and no line
ends in it; what else could end a string or begin something is escaped as each format has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from presence_core.codec.text import safe_text
from presence_tui.viewmodel.mesh_graph import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from presence_tui.viewmodel.mesh_graph import Link, MeshGraph, Node

COLOURS = {
    "LAN": "#00679e",
    "Bluetooth": "#6a3fa0",
    "WebSocket": "#8a5a00",
    "Server": "#00705a",
}
OTHER_COLOUR = "#5b6670"
STANDING_COLOURS = {
    Standing.OWN: "#8a5a00",
    Standing.ONLINE: "#00705a",
    Standing.LAST_KNOWN: "#8a5200",
    Standing.LOST: "#b3261e",
    Standing.LEFT: "#5b6670",
}


def link_words(link: Link) -> str:
    """Return the type of a link, and that only one end says so if that is the case."""
    kind = safe_text(link.type, limit=32) or "?"
    return kind if link.confirmed else f"{kind}, one-sided"


def node_words(node: Node) -> str:
    """Return the name of a node, what is not ordinary about it, and how many are behind it."""
    parts = [node.name]
    if node.standing is Standing.OWN:
        parts.append("(this device)")
    elif node.standing is not Standing.ONLINE:
        parts.append(f"({node.standing.value.replace('-', ' ')})")
    if node.behind:
        parts.append(f"+{node.behind}")
    return " ".join(parts)


def colour_of(link: Link) -> str:
    """Return the colour of a link on white."""
    return COLOURS.get(link.type, OTHER_COLOUR)


# -- DOT (Graphviz, https://graphviz.org/doc/info/lang.html)

_DOT_STYLES = {"Bluetooth": "dotted", "Server": "bold"}
_DOT_SHAPES = {Standing.OWN: "diamond"}


def to_dot(mesh: MeshGraph) -> str:
    """Return an undirected graph in DOT; the ids of nodes are peer keys."""
    return "\n".join(
        [
            "graph presence {",
            "  graph [overlap=false, splines=true];",
            '  node [shape=ellipse, fontname="sans-serif"];',
            '  edge [fontname="sans-serif", fontsize=10];',
            *(f"  {_dot(node.key)} [{_dot_node(node)}];" for node in mesh.nodes),
            *(
                f"  {_dot(link.one)} -- {_dot(link.other)} [{_dot_link(mesh, link)}];"
                for link in mesh.links
            ),
            "}",
        ]
    )


def _dot_node(node: Node) -> str:
    return _dot_list(
        {
            "label": node_words(node),
            "shape": _DOT_SHAPES.get(node.standing, "ellipse"),
            "style": "solid" if node.ring is not None else "dashed",
            "color": STANDING_COLOURS[node.standing],
        }
    )


def _dot_link(mesh: MeshGraph, link: Link) -> str:
    colour = colour_of(link)
    style = _DOT_STYLES.get(link.type, "solid") if link.confirmed else "dashed"
    return _dot_list(
        {
            "label": link_words(link),
            "style": style,
            "color": f"{colour}:white:{colour}" if link.type == "WebSocket" else colour,
            "penwidth": "4" if mesh.on_way(link) else "1",
        }
    )


def _dot_list(attributes: Mapping[str, str]) -> str:
    """Return attributes; of their values Graphviz reads ``&`` as the beginning of an entity."""
    return ", ".join(
        f"{name}={_dot(value.replace('&', '&amp;'))}" for name, value in attributes.items()
    )


def _dot(text: str) -> str:
    """Return a quoted id; a backslash would begin an escape of labels."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


# -- Mermaid (https://mermaid.js.org/syntax/flowchart.html)

_MERMAID_DASHES = {"Bluetooth": "2 4", "Server": "12 3 2 3"}


def to_mermaid(mesh: MeshGraph) -> str:
    """Return a Mermaid flowchart, in which this device is the node ``n0``."""
    ids = {node.key: f"n{number}" for number, node in enumerate(mesh.nodes)}
    return "\n".join(
        [
            "flowchart LR",
            *(f"  {ids[node.key]}{_mermaid_node(node)}" for node in mesh.nodes),
            *(
                f'  {ids[link.one]} ---|"{_mermaid(link_words(link))}"| {ids[link.other]}'
                for link in mesh.links
            ),
            *(
                f"  linkStyle {number} {_mermaid_stroke(mesh, link)}"
                for number, link in enumerate(mesh.links)
            ),
            *(
                f"  classDef {_mermaid_class(standing)} stroke:{colour},color:#12181d"
                for standing, colour in STANDING_COLOURS.items()
                if any(node.standing is standing for node in mesh.nodes)
            ),
        ]
    )


def _mermaid_node(node: Node) -> str:
    text = f'"{_mermaid(node_words(node))}"'
    shape = f"{{{{{text}}}}}" if node.standing is Standing.OWN else f"({text})"
    return f"{shape}:::{_mermaid_class(node.standing)}"


def _mermaid_class(standing: Standing) -> str:
    return standing.value.replace("-", "")


def _mermaid_stroke(mesh: MeshGraph, link: Link) -> str:
    width = 6 if mesh.on_way(link) else 4 if link.type == "WebSocket" else 2
    dashes = _MERMAID_DASHES.get(link.type, "") if link.confirmed else "8 8"
    dashed = f",stroke-dasharray:{dashes}" if dashes else ""
    return f"stroke:{colour_of(link)},stroke-width:{width}px{dashed}"


def _mermaid(text: str) -> str:
    """Return text in which only letters, digits, blanks and some marks stand for themselves."""
    return "".join(
        char if char.isalnum() or char in " -.,_+" else f"#{ord(char)};" for char in text
    )


# -- GraphML (http://graphml.graphdrawing.org)

_GRAPHML_KEYS = (
    ("node", "peerKey", "string"),
    ("node", "name", "string"),
    ("node", "standing", "string"),
    ("node", "hops", "int"),
    ("node", "verified", "boolean"),
    ("edge", "type", "string"),
    ("edge", "confirmed", "boolean"),
    ("edge", "onWay", "boolean"),
)


def to_graphml(mesh: MeshGraph) -> str:
    """Return GraphML; hops are left out of who is out of reach."""
    ids = {node.key: f"n{number}" for number, node in enumerate(mesh.nodes)}
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">',
        *(
            f'  <key id="{name}" for="{of}" attr.name="{name}" attr.type="{kind}"/>'
            for of, name, kind in _GRAPHML_KEYS
        ),
        '  <graph id="presence" edgedefault="undirected">',
    ]
    for node in mesh.nodes:
        facts = {
            "peerKey": node.key,
            "name": node.name,
            "standing": node.standing.value,
            "hops": None if node.ring is None else str(node.ring),
            "verified": _truth(node.verified),
        }
        lines += _graphml(f"node id={quoteattr(ids[node.key])}", facts)
    for link in mesh.links:
        ends = f"source={quoteattr(ids[link.one])} target={quoteattr(ids[link.other])}"
        about = {
            "type": safe_text(link.type, limit=64),
            "confirmed": _truth(link.confirmed),
            "onWay": _truth(mesh.on_way(link)),
        }
        lines += _graphml(f"edge {ends}", about)
    return "\n".join([*lines, "  </graph>", "</graphml>"])


def _graphml(opening: str, facts: Mapping[str, str | None]) -> Iterator[str]:
    yield f"    <{opening}>"
    for name, value in facts.items():
        if value is not None:
            yield f'      <data key="{name}">{escape(value)}</data>'
    yield f"    </{opening.partition(' ')[0]}>"


def _truth(value: bool) -> str:  # noqa: FBT001  what it turns into text
    return "true" if value else "false"


TEXT_FORMATS: Mapping[str, Callable[[MeshGraph], str]] = {
    "dot": to_dot,
    "mermaid": to_mermaid,
    "graphml": to_graphml,
}
