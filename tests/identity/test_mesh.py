from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from presence_core.identity.keys import KeyFormatError
from presence_core.identity.mesh import MeshKey

HOUR = 3_600


def test_the_key_derivation_is_that_of_rfc_5869() -> None:
    # RFC 5869, appendix A.3 (SHA-256, no salt, no info), through the primitive that is used.
    derived = HKDF(algorithm=SHA256(), length=42, salt=None, info=b"").derive(b"\x0b" * 22)
    assert derived.hex() == (
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    )


def test_a_mesh_key_reads_back_from_its_text() -> None:
    mesh = MeshKey.generate("field")
    assert MeshKey.parse(f" {mesh.text()}\n", "other") == mesh
    assert mesh.text().startswith("mk1")


@pytest.mark.parametrize("text", ["", "mk1qqqq", "secret"])
def test_a_bad_mesh_key_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(KeyFormatError, match="mesh key") as caught:
        MeshKey.parse(text + "zzz", "field")
    assert text + "zzz" not in str(caught.value)


def test_an_open_mesh_follows_from_its_name() -> None:
    assert MeshKey.from_name("field") == MeshKey.from_name("field")
    assert MeshKey.from_name("field") != MeshKey.from_name("Field")
    assert MeshKey.from_name("field").open
    assert not MeshKey.generate("field").open


def test_what_is_derived_differs_by_purpose_and_by_mesh() -> None:
    one, other = MeshKey.generate("a"), MeshKey.generate("a")
    assert len(one.mesh_id) == 16
    assert len(one.psk) == 32
    assert len({one.secret, one.psk, other.psk, one.mesh_id, other.mesh_id}) == 5
    assert one.prologue == b"presence-mesh/1" + one.mesh_id


@pytest.mark.parametrize(
    ("hours", "known"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_an_advert_is_recognised_within_an_hour_of_wrong_clocks(hours: int, known: bool) -> None:
    mesh = MeshKey.generate("field")
    now = 490_000 * HOUR + 17.0
    tag = mesh.advert_tag(490_000 + hours)
    assert len(tag) == 8
    assert mesh.matches_advert(tag, now) is known
    assert not MeshKey.generate("field").matches_advert(tag, now)


def test_a_clock_before_1970_is_no_reason_to_fail() -> None:
    mesh = MeshKey.generate("field")
    assert mesh.matches_advert(mesh.advert_tag(0), -5.0)
