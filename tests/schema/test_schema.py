from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from presence_core import model
from presence_core.changes import changes_between
from presence_core.model import Change, ChangeKind, PresenceGraph
from presence_core.schema import (
    GraphWriter,
    change_from_json,
    change_to_json,
    dumps,
    graph_from_json,
    graph_to_json,
    json_schema,
    peers_to_json,
    time_to_json,
)
from tests.schema import graphs
from tests.schema.golden import check_golden

SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)


def all_changes() -> list[Change]:
    """Return changes of every kind."""
    empty, one, many = graphs.empty(), graphs.one(), graphs.many()
    online = one.remote_peers[0]
    fresh = replace(
        online,
        trust=model.Trust.BLOCKED,
        key_warning="this name was met before under another key",
        identity=replace(online.identity, status=model.IdentityStatus.REVOKED),
    )
    there = replace(one, remote_peers=(fresh,))
    gone = replace(many, remote_peers=many.remote_peers[1:])
    left, lost = (
        replace(
            one,
            connections={},
            remote_peers=(replace(online, presence=replace(online.presence, state=state)),),
        )
        for state in (model.PresenceState.LEFT, model.PresenceState.LOST)
    )
    pairs = [(empty, one), (one, there), (one, left), (one, lost), (lost, one), (many, gone)]
    return [change for before, after in pairs for change in changes_between(before, after)]


@pytest.mark.parametrize("name", sorted(graphs.CANNED))
def test_goldens_of_graphs(name: str) -> None:
    value = graph_to_json(graphs.CANNED[name]())
    check_golden(f"{name}.json", dumps(value, compact=False) + "\n")
    check_golden(f"{name}.ndjson", dumps(value) + "\n")
    VALIDATOR.validate(value)


def test_golden_of_changes() -> None:
    changes = all_changes()
    assert {change.kind for change in changes} == set(ChangeKind)
    lines = [change_to_json(change) for change in changes]
    check_golden("changes.ndjson", "".join(dumps(line) + "\n" for line in lines))
    for line in lines:
        VALIDATOR.validate(line)


def test_golden_of_peers() -> None:
    graph = graphs.many()
    value = peers_to_json(graph, graph.remote_peers)
    check_golden("peers.json", dumps(value, compact=False) + "\n")
    VALIDATOR.validate(value)


def test_the_schema_is_valid_and_says_what_everything_means() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for path in _objects(SCHEMA["$defs"]):
        properties = _at(SCHEMA["$defs"], path).get("properties", {})
        if "if" in path or "then" in path or "properties" in path[-1:]:
            continue
        for name, what in properties.items():
            assert what.keys() & {"description", "$ref", "const"}, (*path, name)
    assert all("description" in part for part in SCHEMA["$defs"].values())


def test_the_schema_knows_every_value_of_the_model() -> None:
    text = json.dumps(SCHEMA)
    for enum in (
        model.PresenceState,
        model.IdentityStatus,
        model.Trust,
        model.MetadataState,
        model.ViewState,
        model.ConditionState,
        model.ChangeKind,
    ):
        for member in enum:
            assert f'"{member}"' in text


def test_no_field_of_the_model_is_forgotten() -> None:
    value = graph_to_json(graphs.many())
    expired = next(p for p in value["remotePeers"] if "expiredIdentityServiceMetadata" in p)
    one_sided = next(c for c in value["connections"].values() if not c["confirmed"])
    for kind, written in (
        (model.Peer, expired),
        (model.Connection, one_sided),
        (model.Identity, expired["identity"]),
        (model.PeerPresence, expired["presence"]),
        (model.Condition, value["conditions"][0]),
        (model.View, value["view"]),
        (model.Mesh, value["mesh"]),
        (model.Counts, value["counts"]),
    ):
        assert {_camel(field.name) for field in fields(kind)} == set(written)
    names = {_camel(field.name) for field in fields(PresenceGraph)}
    assert names | {"schema", "counts"} == set(value)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _objects(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        yield path
        for name, item in value.items():
            yield from _objects(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _objects(item, (*path, index))


_SOMETIMES = {"expiredIdentityServiceMetadata", "saidBy"}
_FREE = {"peerMetadata", "identityServiceMetadata", "expiredIdentityServiceMetadata"}


def test_every_field_is_required_and_more_are_welcome() -> None:
    """Of all objects in a graph but the free ones: nothing may be missing, anything be added."""
    whole = graph_to_json(graphs.many())
    for path in _objects(whole):
        if _FREE & set(path) or path == ("connections",):
            continue
        names = list(_at(whole, path))
        for name in names:
            if name in _SOMETIMES:
                continue
            cut = copy.deepcopy(whole)
            del _at(cut, path)[name]
            assert not VALIDATOR.is_valid(cut), (*path, name)
        more = copy.deepcopy(whole)
        _at(more, path)["laterVersion"] = {"any": "thing"}
        VALIDATOR.validate(more)


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("generatedAt",), "2026-11-23T21:41:00Z"),
        (("generatedAt",), "2026-11-23T21:41:00.123+00:00"),
        (("sequence",), -1),
        (("view", "state"), "fine"),
        (("localPeer", "peerKey"), "pk1short"),
        (("remotePeers", 0, "presence", "state"), "gone"),
        (("remotePeers", 0, "presence", "hops"), 1.5),
        (("remotePeers", 0, "identity", "status"), "believed"),
        (("remotePeers", 0, "trust"), None),
        (("remotePeers", 0, "peerMetadata"), []),
        (("conditions", 0, "state"), "bad"),
    ],
)
def test_wrong_values_are_refused(path: tuple[Any, ...], wrong: object) -> None:
    value = graph_to_json(graphs.many())
    _at(value, path[:-1])[path[-1]] = wrong
    assert not VALIDATOR.is_valid(value)


@pytest.mark.parametrize("kind", sorted(ChangeKind))
def test_before_and_after_have_the_form_of_their_kind(kind: ChangeKind) -> None:
    line = change_to_json(next(c for c in all_changes() if c.kind is kind))
    for side in ("before", "after"):
        wrong = dict(line) | {side: 7}
        assert not VALIDATOR.is_valid(wrong)


def test_peer_texts_are_ascii_on_one_line_and_come_back_whole() -> None:
    text = dumps(graph_to_json(graphs.hostile()))
    assert text.isascii()
    assert text.isprintable()
    name = json.loads(text)["remotePeers"][0]["deviceName"]
    assert name == graphs.HOSTILE
    assert "\x7f" not in text


def test_numbers_that_json_has_not_are_never_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        dumps({"a": float("nan")})


def test_times_are_utc_to_the_millisecond() -> None:
    moment = datetime.fromisoformat("2026-01-01T00:30:00.999999+01:00")
    assert time_to_json(moment) == "2025-12-31T23:30:00.999Z"
    assert time_to_json(None) is None


@pytest.mark.parametrize("name", sorted(graphs.CANNED))
def test_graphs_come_back_from_json(name: str) -> None:
    value = json.loads(dumps(graph_to_json(graphs.CANNED[name]())))
    value["laterVersion"] = 1
    again = graph_from_json(value)
    del value["laterVersion"]
    assert graph_to_json(again) == value
    for peer in again.remote_peers:  # a link is one object, however many list it
        for link in peer.connections:
            assert again.connections[link.id] is link


def test_changes_come_back_from_json() -> None:
    for change in all_changes():
        assert change_from_json(json.loads(dumps(change_to_json(change)))) == change


@pytest.mark.parametrize(
    ("path", "wrong", "words"),
    [
        (("schema",), "presence-graph/2", "presence-graph/2"),
        (("sequence",), True, "int"),
        (("remotePeers", 0, "deviceName"), 7, "str"),
        (("remotePeers", 0, "presence", "state"), "gone", "gone"),
        (("generatedAt",), "yesterday", "yesterday"),
        (("generatedAt",), "2026-11-23T21:41:00", "time zone"),
        (("view",), [], "list"),
        (("connections",), [], "dict"),
    ],
)
def test_what_is_no_graph_is_refused_in_one_line(
    path: tuple[Any, ...], wrong: object, words: str
) -> None:
    value = json.loads(dumps(graph_to_json(graphs.one())))
    _at(value, path[:-1])[path[-1]] = wrong
    with pytest.raises(ValueError, match=words) as error:
        graph_from_json(value)
    assert "\n" not in str(error.value)


def test_a_graph_with_something_missing_is_refused() -> None:
    value = graph_to_json(graphs.one())
    for name in value:
        cut = {k: v for k, v in value.items() if k != name}
        if name == "counts":
            graph_from_json(cut)  # follows from the rest
        else:
            with pytest.raises(ValueError, match="missing|not a presence-graph"):
                graph_from_json(cut)


def test_a_writer_writes_the_same_text_and_only_what_is_new() -> None:
    writer = GraphWriter()
    many = graphs.many()
    renamed = replace(many.remote_peers[0], device_name="renamed")
    sequence = [
        graphs.empty(),
        many,
        replace(many, sequence=43, remote_peers=(renamed, *many.remote_peers[1:])),
        replace(many, sequence=44, remote_peers=many.remote_peers[2:], connections={}),
        graphs.hostile(),
    ]
    for graph in sequence:
        assert writer.line(graph) == dumps(graph_to_json(graph))
    kept = writer._peers
    assert set(kept) == {sequence[-1].local_peer, *sequence[-1].remote_peers}


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(
    names=st.lists(st.text(max_size=16), max_size=4),
    metadata=st.dictionaries(st.text(max_size=8), JSON_VALUES, max_size=4),
)
def test_whatever_peers_say_is_valid_ascii_and_comes_back(
    names: list[str], metadata: dict[str, Any]
) -> None:
    peers = (
        graphs.peer(number, name, graphs.connection(1, number), peer_metadata=metadata, os=name)
        for number, name in enumerate(names, 2)
    )
    graph = graphs.graph(*peers)
    value = graph_to_json(graph)
    VALIDATOR.validate(value)
    text = dumps(value)
    assert text.isascii()
    assert text.isprintable()
    assert GraphWriter().line(graph) == text
    assert dumps(graph_to_json(graph_from_json(json.loads(text)))) == text
