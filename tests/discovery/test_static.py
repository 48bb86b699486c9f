from __future__ import annotations

import pytest

from presence_core.discovery.static import parse_address, static_hints


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1:5", ("192.0.2.1", 5)),
        (" host.example:65535 ", ("host.example", 65_535)),
        ("[2001:db8::1]:80", ("2001:db8::1", 80)),
        ("[fe80::1%eth0]:80", ("fe80::1%eth0", 80)),
        ("host", ("host", 47_700)),
        ("[::1]", ("::1", 47_700)),
        ("host:", ("host", 47_700)),
    ],
)
def test_addresses_are_read(text: str, expected: tuple[str, int]) -> None:
    assert parse_address(text, 47_700) == expected


@pytest.mark.parametrize(
    "text",
    ["", ":5", "::1", "2001:db8::1:80", "[::1", "[::1]x", "host:x", "host:65536", "host:-1",
     "ho st:5", "host:٥", "x" * 256 + ":5", "[]:5"],
)  # fmt: skip
def test_what_is_no_address_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="is not an address|has no") as caught:
        parse_address(text, 47_700)
    assert "\n" not in str(caught.value)


def test_without_a_default_the_port_must_be_given() -> None:
    with pytest.raises(ValueError, match="no port"):
        parse_address("host")


def test_hints_keep_what_was_written_and_drop_doubles() -> None:
    hints = static_hints(["a:1", "b", "a:1"], 9)
    assert [(h.name, h.addresses) for h in hints] == [("a:1", (("a", 1),)), ("b", (("b", 9),))]
    assert {h.source for h in hints} == {"static"}
    with pytest.raises(ValueError, match="port 0"):
        static_hints(["a:0"])
