"""``graph``: each format is read back by a reader of its own, also when names are hostile."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from presence_core.model import PresenceGraph
from presence_tui import cli
from presence_tui.output import EXIT_DONE, EXIT_NO
from presence_tui.viewmodel.graph_export import TEXT_FORMATS, to_dot, to_graphml, to_mermaid
from presence_tui.viewmodel.graph_svg import MAX_SVG_NODES, to_svg
from presence_tui.viewmodel.mesh_graph import MeshGraph, mesh_graph
from tests import canned

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    Ask = Callable[..., tuple[int, str, str]]

NASTY = (
    '"];evil -- evil2 [label="',
    "\\N \\G \\\\ \\",
    "</text><script>alert(1)</script>",
    "]]><!-- & &amp; &#x41; -->",
    "'; \"} #quot; #34; `code` |x| --> ---",
    "{{[(<%%{init:{}}%%>)]}} end\nsubgraph click n0",
    canned.HOSTILE,
    "救援隊",
    "$(rm -rf ~)",
)

FORMATS = {**TEXT_FORMATS, "svg": to_svg}


def nasty() -> MeshGraph:
    """Return a mesh in which names, types and own name attack the formats."""
    members = [canned.Member(n, name) for n, name in enumerate(NASTY, 1)]
    links = [canned.Link(0, n, name) for n, name in enumerate(NASTY, 1)]
    links += [canned.Link(0, 1, "LAN"), canned.Link(1, 2, "LAN", confirmed=False)]
    source = canned.make_graph(members, links, local_name=NASTY[0])
    return mesh_graph(source, focus=canned.peer_key(3), max_links=None)


def _xml(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314  it is of our own making


def everything(source: PresenceGraph, **more: Any) -> MeshGraph:
    return mesh_graph(source, max_nodes=None, max_links=None, **more)


# -- DOT, by the grammar of quoted ids

_QUOTED = r'"((?:[^"\\]|\\["\\])*)"'
_ATTRIBUTES = rf"\[((?:\w+={_QUOTED}(?:, )?)*)\]"


def read_dot(text: str) -> tuple[dict[str, dict[str, str]], list[tuple[str, str, dict[str, str]]]]:
    """Read DOT strictly: every line is a node or an edge whose strings are all quoted."""

    def plain(quoted: str) -> str:
        return re.sub(r"\\(.)", r"\1", quoted)

    def attributes(listed: str) -> dict[str, str]:
        found = re.findall(rf"(\w+)={_QUOTED}", listed)
        return {name: html.unescape(plain(value)) for name, value in found}

    lines = text.split("\n")
    assert lines[0] == "graph presence {"
    assert lines[-1] == "}"
    nodes, edges = {}, []
    for line in lines[4:-1]:
        node = re.fullmatch(rf"  {_QUOTED} {_ATTRIBUTES};", line)
        edge = re.fullmatch(rf"  {_QUOTED} -- {_QUOTED} {_ATTRIBUTES};", line)
        assert node or edge, line
        if node:
            nodes[plain(node[1])] = attributes(node[2])
        elif edge:
            edges.append((plain(edge[1]), plain(edge[2]), attributes(edge[3])))
    return nodes, edges


@pytest.mark.parametrize("make", [nasty, lambda: everything(canned.many(60))])
def test_dot(make: Callable[[], MeshGraph]) -> None:
    mesh = make()
    nodes, edges = read_dot(to_dot(mesh))
    assert set(nodes) == {node.key for node in mesh.nodes}
    for node in mesh.nodes:
        assert nodes[node.key]["label"].startswith(node.name)
    assert [edge[:2] for edge in edges] == [link.pair for link in mesh.links]
    dashed = [about["style"] == "dashed" for _, _, about in edges]
    assert dashed == [not link.confirmed for link in mesh.links]
    wide = {edge[:2] for edge in edges if edge[2]["penwidth"] == "4"}
    assert wide == {link.pair for link in mesh.links if mesh.on_way(link)}


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed here")
@pytest.mark.parametrize("make", [nasty, lambda: everything(canned.many(60))])
def test_graphviz_reads_it(make: Callable[[], MeshGraph]) -> None:
    mesh = make()
    done = subprocess.run(
        ["dot", "-Tplain"], input=to_dot(mesh).encode(), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    kinds = [line.split(b" ")[0] for line in done.stdout.splitlines()]
    assert kinds.count(b"node") == len(mesh.nodes)
    assert kinds.count(b"edge") == len(mesh.links)


# -- Mermaid, by rules


_MERMAID_TEXT = r"(?:[\w \-.,+]|#\d+;)*"


def read_mermaid(text: str) -> tuple[dict[str, str], list[tuple[str, str, str]]]:
    def plain(shown: str) -> str:
        return re.sub(r"#(\d+);", lambda code: chr(int(code[1])), shown)

    lines = text.split("\n")
    assert lines[0] == "flowchart LR"
    nodes, edges, styles = {}, [], 0
    for line in lines[1:]:
        node = re.fullmatch(rf'  (n\d+)(?:\("|\{{\{{")({_MERMAID_TEXT})"(?:\)|\}}\}}):::\w+', line)
        edge = re.fullmatch(rf'  (n\d+) ---\|"({_MERMAID_TEXT})"\| (n\d+)', line)
        style = re.fullmatch(r"  linkStyle (\d+) stroke:#\w{6},stroke-width:\dpx(,[\w :-]+)?", line)
        known = node or edge or style or re.fullmatch(r"  classDef \w+ [\w:#,-]+", line)
        assert known, line
        if node:
            nodes[node[1]] = plain(node[2])
        elif edge:
            edges.append((edge[1], edge[3], plain(edge[2])))
        elif style:
            assert int(style[1]) == styles
            styles += 1
    assert styles == len(edges)
    return nodes, edges


@pytest.mark.parametrize("make", [nasty, lambda: everything(canned.many(60))])
def test_mermaid(make: Callable[[], MeshGraph]) -> None:
    mesh = make()
    nodes, edges = read_mermaid(to_mermaid(mesh))
    assert len(nodes) == len(mesh.nodes)
    for number, node in enumerate(mesh.nodes):
        assert nodes[f"n{number}"].startswith(node.name)
    at = [node.key for node in mesh.nodes]
    assert [(at[int(a[1:])], at[int(b[1:])]) for a, b, _ in edges] == [
        link.pair for link in mesh.links
    ]
    one_sided = [words.endswith(", one-sided") for *_, words in edges]
    assert one_sided == [not link.confirmed for link in mesh.links]


# -- GraphML and SVG, by an XML parser


@pytest.mark.parametrize("make", [nasty, lambda: everything(canned.many(60))])
def test_graphml(make: Callable[[], MeshGraph]) -> None:
    mesh = make()
    root = _xml(to_graphml(mesh))
    space = "{http://graphml.graphdrawing.org/xmlns}"
    declared = {key.get("id") for key in root.iter(f"{space}key")}
    nodes = list(root.iter(f"{space}node"))
    edges = list(root.iter(f"{space}edge"))

    def facts(element: ET.Element) -> dict[str | None, str | None]:
        return {data.get("key"): data.text for data in element}

    assert [facts(node)["name"] for node in nodes] == [node.name for node in mesh.nodes]
    assert [facts(node)["peerKey"] for node in nodes] == [node.key for node in mesh.nodes]
    assert [facts(node).get("hops") for node in nodes] == [
        None if node.ring is None else str(node.ring) for node in mesh.nodes
    ]
    keys = {node.get("id"): facts(node)["peerKey"] for node in nodes}
    ends = [(keys[e.get("source")], keys[e.get("target")]) for e in edges]
    assert ends == [link.pair for link in mesh.links]
    assert [facts(e)["confirmed"] == "true" for e in edges] == [x.confirmed for x in mesh.links]
    assert {key for e in (*nodes, *edges) for key in facts(e)} <= declared


@pytest.mark.parametrize("make", [nasty, lambda: mesh_graph(canned.many(400), max_nodes=300)])
def test_svg(make: Callable[[], MeshGraph]) -> None:
    mesh = make()
    root = _xml(to_svg(mesh))
    space = "{http://www.w3.org/2000/svg}"
    assert {element.tag for element in root.iter()} <= {
        f"{space}{tag}" for tag in ("svg", "rect", "ellipse", "line", "circle", "text", "title")
    }
    texts = {"".join(text.itertext()) for text in root.iter(f"{space}text")}
    for node in mesh.nodes:
        assert any(text.startswith(node.name[:20]) and node.key in text for text in texts)
    lines = list(root.iter(f"{space}line"))
    assert sum(line.find(f"{space}title") is not None for line in lines) >= len(mesh.links)
    for element in root.iter():
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            if name in ("x", "x1", "x2", "cx"):
                assert 0 <= float(value) <= 1_400
            if name in ("y", "y1", "y2", "cy"):
                assert 0 <= float(value) <= 900


@pytest.mark.parametrize("format_", FORMATS)
def test_no_format_lets_control_characters_through(format_: str) -> None:
    text = FORMATS[format_](nasty())
    assert all(char.isprintable() or char == "\n" for char in text)


@pytest.mark.parametrize("format_", FORMATS)
def test_nobody_but_this_device(format_: str) -> None:
    assert "field-laptop" in FORMATS[format_](mesh_graph(canned.make_graph()))


# -- the command


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Ask:
    class Canned:
        def __init__(self, graph: PresenceGraph) -> None:
            self.graph = graph

        async def changes(self, *, interval: float) -> AsyncIterator[Any]:
            del interval
            yield self

    def run(graph: PresenceGraph, *argv: str) -> tuple[int, str, str]:
        @asynccontextmanager
        async def engine(_args: object, *, identities_first: bool) -> AsyncIterator[Canned]:
            yield Canned(graph)

        monkeypatch.setattr("presence_tui.session.engine", engine)
        code = cli.run(["--home", str(tmp_path), "graph", *argv, "--wait", "0"])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_dot_is_what_it_prints_unless_told_otherwise(ask: Ask) -> None:
    code, out, err = ask(canned.many(100))
    assert (code, err) == (EXIT_DONE, "")
    nodes, _ = read_dot(out.removesuffix("\n"))
    assert len(nodes) == 101
    for format_ in FORMATS:
        code, out, err = ask(canned.team(), "--format", format_)
        assert (code, err) == (EXIT_DONE, "")
        assert "ambulance-7" in out


def test_direct_only(ask: Ask) -> None:
    _, out, _ = ask(canned.team(), "--direct")
    nodes, edges = read_dot(out.removesuffix("\n"))
    assert len(nodes) == 4
    assert len(edges) == 3


def test_the_way_to_a_peer(ask: Ask) -> None:
    code, out, _ = ask(canned.team(), "--to", "ambulance-7")
    assert code == EXIT_DONE
    _, edges = read_dot(out.removesuffix("\n"))
    assert sum(about["penwidth"] == "4" for *_, about in edges) == 3
    code, out, err = ask(canned.team(), "--to", "kitchen")
    assert code == EXIT_DONE
    assert "no way leads to 'kitchen'" in err
    code, out, err = ask(canned.team(), "--to", "nobody")
    assert (code, out) == (EXIT_NO, "")
    assert "no peer 'nobody'" in err


def test_a_picture_of_a_big_mesh_says_how_many_are_not_in_it(ask: Ask) -> None:
    _, out, _ = ask(canned.many(400), "--format", "svg")
    root = _xml(out)
    titles = [t.text for t in root.iter("{http://www.w3.org/2000/svg}title")]
    assert len({t for t in titles if t is not None and t.startswith("pk1")}) == MAX_SVG_NODES
    assert f"+{401 - MAX_SVG_NODES} more in the mesh" in out


def test_a_stale_view_is_said(ask: Ask) -> None:
    code, out, err = ask(canned.stale())
    assert code == EXIT_DONE
    assert "stale" in err
    assert "(last known)" in out


def test_other_formats_are_refused(ask: Ask) -> None:
    with pytest.raises(SystemExit) as end:
        ask(canned.team(), "--format", "png")
    assert end.value.code == 2


def test_what_a_label_says_survives(ask: Ask) -> None:
    """An ampersand is no entity, a backslash no escape."""
    source = canned.one()
    (peer,) = source.remote_peers
    name = r"R&D &lt; \N 100%"
    _, out, _ = ask(replace(source, remote_peers=(replace(peer, device_name=name),)))
    nodes, _ = read_dot(out.removesuffix("\n"))
    assert nodes[peer.peer_key]["label"] == name
