"""Addresses that somebody has written down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.discovery.hint import DialHint

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_HOST = 255


def parse_address(text: str, default_port: int | None = None) -> tuple[str, int]:
    """Read ``HOST:PORT``, ``[IPV6]:PORT``, or without a port if there is a default for it.

    Raises ValueError, in one line, with the text and what is expected.
    """
    stripped = text.strip()
    if stripped.startswith("["):
        host, bracket, rest = stripped[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} is not an address: write [IPV6]:PORT")
        port_text = rest[1:]
    elif stripped.count(":") > 1:
        raise ValueError(f"{text!r} is not an address: write IPv6 in brackets, [IPV6]:PORT")
    else:
        host, _, port_text = stripped.partition(":")
    if not host or len(host) > MAX_HOST or any(char.isspace() for char in host):
        raise ValueError(f"{text!r} is not an address: write HOST:PORT")
    if not port_text:
        if default_port is None:
            raise ValueError(f"{text!r} has no port: write HOST:PORT")
        return host, default_port
    if not (port_text.isascii() and port_text.isdecimal()) or int(port_text) > 65_535:
        raise ValueError(f"{text!r} has no valid port: it is a number up to 65535")
    return host, int(port_text)


def static_hints(texts: Iterable[str], default_port: int | None = None) -> tuple[DialHint, ...]:
    """Turn configured addresses into hints. Raises ValueError."""
    hints = []
    for text in dict.fromkeys(texts):
        host, port = parse_address(text, default_port)
        if port == 0:
            raise ValueError(f"{text!r} cannot be dialled: port 0 is nobody's")
        hints.append(DialHint("static", text, ((host, port),)))
    return tuple(hints)
