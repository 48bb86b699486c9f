"""The picture of a mesh: inside its cells, names never over each other, readable without colour."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from presence_tui.viewmodel.graph_canvas import Canvas, Ink, Piece, Stroke
from presence_tui.viewmodel.graph_drawing import STROKES, Drawing, draw, room_for
from presence_tui.viewmodel.graph_layout import lay_out
from presence_tui.viewmodel.mesh_graph import Link, MeshGraph, Node, Standing, mesh_graph
from tests import canned
from tests.viewmodel.meshes import key, mesh, meshes


def text_of(drawing: Drawing) -> list[str]:
    return ["".join(piece.text for piece in row) for row in drawing.rows]


def drawn(graph: MeshGraph, width: int = 120, height: int = 36, **more: object) -> Drawing:
    return draw(graph, lay_out(graph), width, height, **more)  # type: ignore[arg-type]


def cells_of_labels(drawing: Drawing) -> list[tuple[int, int]]:
    return [
        (label.x + offset, label.y)
        for label in drawing.labels.values()
        for offset in range(label.width)
    ]


def two(kind: str, *, confirmed: bool = True, **more: object) -> MeshGraph:
    """Return this device and a neighbour, linked in one way."""
    nodes = (
        Node(key(0), "here", Standing.OWN, 0),
        Node(key(1), "there", Standing.ONLINE, 1),
    )
    graph = MeshGraph(nodes, (Link(key(0), key(1), kind, confirmed),))
    return replace(graph, **more)  # type: ignore[arg-type]


@given(meshes(), st.integers(0, 220), st.integers(0, 70), st.booleans())
@settings(deadline=None)
def test_a_picture_fills_its_cells_and_not_one_more(
    graph: MeshGraph, width: int, height: int, plain: bool
) -> None:
    drawing = drawn(graph, width, height, ascii_only=plain, focus=graph.nodes[-1].key)
    if not drawing.rows:
        assert width < 12 or height < 5
        return
    rows = text_of(drawing)
    assert len(rows) == height
    assert {cell_len(row) for row in rows} == {width}
    assert all(0 <= x < width and 0 <= y < height for x, y in drawing.nodes.values())
    if plain:
        assert all(row.isascii() for row in rows)


@given(meshes(), st.integers(12, 200), st.integers(5, 60))
@settings(deadline=None)
def test_no_label_covers_another_label_or_a_node(graph: MeshGraph, width: int, height: int) -> None:
    drawing = drawn(graph, width, height)
    cells = cells_of_labels(drawing)
    assert len(cells) == len(set(cells))
    assert not set(cells) & set(drawing.nodes.values())
    assert all(0 <= x < width and 0 <= y < height for x, y in cells)


@pytest.mark.parametrize("seed", range(60))
def test_forty_peers_at_120_by_36_all_have_names_and_none_overlap(seed: int) -> None:
    graph = mesh(40, seed, gone=seed % 7, more=seed % 30)
    drawing = drawn(graph, 120, 36)
    assert set(drawing.labels) == {node.key for node in graph.nodes}
    assert len(set(drawing.nodes.values())) == len(graph.nodes)
    for one, other in combinations(drawing.labels.values(), 2):
        apart = one.x + one.width < other.x or other.x + other.width < one.x
        assert one.y != other.y or apart, "names in one row have a blank between them"


@pytest.mark.parametrize("seed", range(10))
def test_names_stay_apart_while_the_mesh_changes(seed: int) -> None:
    """Layouts that come from the one before are as readable as new ones."""
    layout = None
    for count in (38, 40, 39, 41, 37, 40):
        graph = mesh(count, seed, more=10)
        layout = lay_out(graph, layout)
        drawing = draw(graph, layout, 120, 36)
        assert len(drawing.labels) == len(graph.nodes)
        cells = cells_of_labels(drawing)
        assert len(cells) == len(set(cells))


def test_what_is_written_at_a_label_is_the_name() -> None:
    graph = mesh_graph(canned.team())
    drawing = drawn(graph, 120, 36)
    rows = text_of(drawing)
    for node in graph.nodes:
        label = drawing.labels[node.key]
        assert rows[label.y][label.x : label.x + label.width] == node.name


def test_a_long_name_is_cut_and_a_count_is_not() -> None:
    graph = two("LAN")
    long = replace(graph.nodes[1], name="north-" * 20, behind=1_234, verified=True)
    drawing = drawn(replace(graph, nodes=(graph.nodes[0], long)), 60, 20)
    label = drawing.labels[key(1)]
    assert text_of(drawing)[label.y][label.x : label.x + label.width].endswith("…✓ +1,234")


def test_a_type_of_links_is_told_by_the_line_alone() -> None:
    """Without colour each stroke leaves another row of characters; so does a doubtful link."""
    pictures = {}
    for plain in (False, True):
        for kind in (*STROKES, "Unknown-77"):
            for confirmed in (True, False):
                rows = text_of(drawn(two(kind, confirmed=confirmed), 60, 20, ascii_only=plain))[:-1]
                pictures[plain, kind if confirmed else "one-sided", kind] = tuple(rows)
        confirmed_ones = [p for (of, said, _), p in pictures.items() if of is plain]
        assert len(set(confirmed_ones)) >= len(STROKES) + 2


def test_a_type_has_an_ink_of_its_own() -> None:
    inks = [ink for _, ink in STROKES.values()]
    assert len(set(inks)) == len(STROKES)
    for kind, (_, ink) in STROKES.items():
        assert ink in {piece.ink for row in drawn(two(kind)).rows for piece in row}


def test_the_legend_names_what_is_drawn_and_nothing_else() -> None:
    graph = two("Bluetooth")
    assert text_of(drawn(graph))[-1].split()[-1] == "Bluetooth"
    doubtful = replace(graph, links=(*graph.links, Link(key(0), key(1), "LAN", False, 1)))
    assert "one-sided" in text_of(drawn(doubtful))[-1]
    assert "LAN" not in text_of(drawn(doubtful))[-1]
    more = replace(graph, more_gone=3, more_links=12)
    assert "+3 lost or left · +12 links" in text_of(drawn(more))[-1]


def test_a_name_of_a_type_that_a_peer_made_up_is_not_written() -> None:
    rows = "".join(text_of(drawn(two(canned.HOSTILE))))
    assert "owned" not in rows
    assert "other" in rows


def test_the_way_is_strong_and_the_focus_chosen() -> None:
    graph = mesh_graph(canned.team(), focus=canned.peer_key(11))
    drawing = drawn(graph, focus=canned.peer_key(11))
    strong = {p.text for row in drawing.rows for p in row if p.strong and p.ink is not Ink.LAN}
    assert strong >= {"field-laptop"}
    chosen = "".join(p.text for row in drawing.rows for p in row if p.chosen)
    assert "ambulance-7" in chosen
    assert "triage-tent" not in chosen
    assert any(p.strong and p.ink is Ink.LAN for row in drawing.rows for p in row)
    aside = drawn(mesh_graph(canned.team()))
    assert not [p for row in aside.rows for p in row if p.strong or p.chosen]


def test_a_way_is_thicker_than_other_lines() -> None:
    """Readable without colour: the way to a peer has more dots than the same line without."""

    def dots(graph: MeshGraph) -> int:
        rows = "".join(text_of(drawn(graph, 60, 20))[:-1])
        return sum((ord(c) - 0x2800).bit_count() for c in rows if 0x2800 <= ord(c) < 0x2900)

    assert dots(two("LAN", way=(key(0), key(1)))) > 1.5 * dots(two("LAN"))


def test_every_standing_has_a_sign_of_its_own() -> None:
    for plain in (False, True):
        signs = set()
        for standing in (Standing.ONLINE, Standing.LAST_KNOWN, Standing.LOST, Standing.LEFT):
            graph = two("LAN")
            nodes = graph.nodes[0], replace(graph.nodes[1], standing=standing)
            drawing = drawn(replace(graph, nodes=nodes), ascii_only=plain)
            x, y = drawing.nodes[key(1)]
            signs.add(text_of(drawing)[y][x])
            x, y = drawing.nodes[key(0)]
            signs.add(text_of(drawing)[y][x])
        assert len(signs) == 5


def test_rings_have_names() -> None:
    text = "\n".join(text_of(drawn(mesh_graph(canned.team()))))
    for name in ("1 hop", "2 hops", "3 hops", "out of reach"):
        assert name in text


def test_a_click_finds_the_node_by_its_sign_and_by_its_name() -> None:
    drawing = drawn(mesh(40, 3))
    for node, (x, y) in drawing.nodes.items():
        assert drawing.at(x, y) == node
    for node, label in drawing.labels.items():
        assert drawing.at(label.x, label.y) == node
        assert drawing.at(label.x + label.width - 1, label.y) == node
    assert Drawing().at(3, 3) is None


@pytest.mark.parametrize("seed", range(5))
def test_the_arrow_keys_lead_to_everybody(seed: int) -> None:
    drawing = drawn(mesh(40, seed))
    reached, waiting = {key(0)}, [key(0)]
    for one in waiting:
        for direction in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            found = drawing.toward(one, *direction)
            if found is not None and found not in reached:
                reached.add(found)
                waiting.append(found)
    assert reached == set(drawing.nodes)


def test_an_arrow_leads_in_its_direction() -> None:
    drawing = drawn(mesh(40, 3))
    for node, (x, y) in drawing.nodes.items():
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            found = drawing.toward(node, dx, dy)
            if found is not None:
                to_x, to_y = drawing.nodes[found]
                assert (to_x - x) * dx + (to_y - y) * dy > 0


def test_small_screens_have_fewer_nodes() -> None:
    assert room_for(78, 19) < room_for(120, 31) == room_for(200, 60) == 60
    assert room_for(20, 8) == 12


def test_of_lines_in_one_cell_the_more_important_gives_the_colour() -> None:
    canvas = Canvas(4, 1)
    canvas.line((0, 1), (7, 1), Stroke(), Ink.SERVER, 3)
    canvas.line((0, 2), (7, 2), Stroke(), Ink.LAN, 5)
    canvas.line((0, 3), (7, 3), Stroke(), Ink.BLUETOOTH, 4)
    assert canvas.rows(9) == ((Piece("⣶" * 4, Ink.LAN),),)
    assert canvas.rows(5) == ((Piece("⣶" * 4, Ink.LAN, strong=True),),)


def test_lines_that_leave_the_canvas_are_cut() -> None:
    canvas = Canvas(3, 2)
    canvas.line((-20, 2), (40, 2), Stroke(rails=(-9, 0, 9)), Ink.LAN, 1)
    assert canvas.rows(9) == ((Piece("⠤⠤⠤", Ink.LAN),), (Piece("   ", Ink.BLANK),))


def test_marks_and_wide_characters_keep_their_cells() -> None:
    canvas = Canvas(8, 1)
    canvas.text(1, 0, Piece("橋Z\u0335é", Ink.NEAR))
    (row,) = canvas.rows(9)
    assert "".join(piece.text for piece in row) == " 橋Z\u0335é   "
