"""The Bluetooth advert: known to members, and to nobody else for long."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_core.discovery.ble_advert import (
    MAX_ADVERT,
    QUARTER_SECONDS,
    advert_uuid,
    advertising_data,
    is_of,
    quarter_of,
    quarters_around,
    read_advert,
)
from presence_core.identity.mesh import MeshKey

MESH = MeshKey(b"m" * 32, "field")
OTHER = MeshKey(b"o" * 32, "other")
KEY = b"k" * 32
NOW = 1_790_000_000.0


def test_an_advert_fits_into_31_bytes_and_has_neither_key_nor_mesh_in_it() -> None:
    uuid = advert_uuid(MESH, KEY, quarter_of(NOW))
    data = advertising_data(uuid)
    assert len(data) <= MAX_ADVERT
    assert data[:3] == bytes.fromhex("020106")
    assert data[3:5] == bytes.fromhex("1107")
    assert UUID(bytes=data[5:21][::-1]) == uuid
    for secret in (KEY, MESH.secret, MESH.mesh_id, MESH.name.encode()):
        assert secret[:4] not in data
        assert secret[:4] not in uuid.bytes


def test_members_know_the_mesh_and_the_peer() -> None:
    advert = read_advert(advert_uuid(MESH, KEY, quarter_of(NOW)))
    assert advert is not None
    assert advert.version == 1
    assert is_of(advert, MESH, NOW)
    assert not is_of(advert, OTHER, NOW)
    assert advert.peer_tag == MESH.nearby_peer_tag(KEY, quarter_of(NOW))
    assert advert.peer_tag != MESH.nearby_peer_tag(b"x" * 32, quarter_of(NOW))


@pytest.mark.parametrize(
    ("off", "known"), [(0, True), (-1, True), (1, True), (2, False), (-2, False)]
)
def test_clocks_may_differ_by_a_quarter_of_an_hour(off: int, known: bool) -> None:
    advert = read_advert(advert_uuid(MESH, KEY, quarter_of(NOW)))
    assert advert is not None
    assert is_of(advert, MESH, NOW + off * QUARTER_SECONDS) is known


def test_nothing_of_an_advert_is_the_same_a_quarter_later_but_what_says_its_kind() -> None:
    now, later = (advert_uuid(MESH, KEY, quarter_of(NOW) + n).bytes for n in (0, 1))
    assert now[:3] == later[:3]
    assert now[3:8] != later[3:8]
    assert now[8:] != later[8:]


def test_time_before_1970_is_no_trouble() -> None:
    assert quarters_around(-5.0) == (0, 1)


@given(st.uuids())
def test_foreign_uuids_are_no_adverts_of_this_mesh(uuid: UUID) -> None:
    advert = read_advert(uuid)
    assert advert is None or not is_of(advert, MESH, NOW)
    assert advert is None or uuid.bytes[:2] == b"pm"


def test_an_advert_of_a_later_version_is_known_for_one() -> None:
    data = bytearray(advert_uuid(MESH, KEY, 1).bytes)
    data[2] = 0x20
    advert = read_advert(UUID(bytes=bytes(data)))
    assert advert is not None
    assert advert.version == 2
    data[2] = 0x0F
    assert read_advert(UUID(bytes=bytes(data))) is None
