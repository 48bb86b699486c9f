"""Presence: the facade that programs use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

from presence_core.codec.metadata import parse_metadata_json
from presence_core.config import PresenceConfig
from presence_core.engine.engine import Engine
from presence_core.identity.keys import parse_peer_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from types import TracebackType

    from presence_core.engine.admission import ConnectionRequestHandler
    from presence_core.engine.observers import GraphCallback, Observer
    from presence_core.model import GraphChange, Issuer, JsonObject, PresenceGraph, Trust
    from presence_core.transports.ble.radio import Radio

OBSERVER_SECONDS = 0.1
"""How graphs are coalesced for observers unless they say otherwise."""


class Presence:
    """A peer of a mesh, and its view of it.

    ::

        async with Presence(PresenceConfig(mesh="field")) as presence:
            observer = presence.observe(print)
            await presence.set_peer_metadata({"location": "inside"})

    Everything happens in the event loop that entered it, and is to be called from there.
    ``radio`` is a Bluetooth adapter that the program brings, instead of the system's.
    """

    def __init__(self, config: PresenceConfig | None = None, *, radio: Radio | None = None) -> None:
        self._config = config or PresenceConfig()
        self._radio = radio
        self._engine: Engine | None = None
        self._handler: ConnectionRequestHandler | None = None

    async def start(self) -> None:
        """Join the mesh.

        Raises HomeError (a file of the home cannot be used, or another engine runs with this
        key), EngineError (the address to listen on is taken), MetadataError or ValueError (the
        configuration): each in one line that says what to do.
        """
        if self._engine is not None:
            raise RuntimeError("this Presence has been started already; make a new one")
        self._engine = Engine(self._config, self._handler, self._radio)
        await self._engine.start()

    async def stop(self) -> None:
        """Leave the mesh: others see this peer as ``left`` at once. Safe to call twice."""
        if self._engine is not None:
            await self._engine.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def _running(self) -> Engine:
        if self._engine is None or not self._engine.started:
            raise RuntimeError("this Presence is not running: use 'async with Presence(...)'")
        return self._engine

    @property
    def graph(self) -> PresenceGraph:
        """The newest presence graph."""
        return self._running().newest_graph()

    def observe(self, callback: GraphCallback, *, interval: float = OBSERVER_SECONDS) -> Observer:
        """Call back with whole graphs: at once, then on every change, until stopped.

        Changes within ``interval`` seconds are one call. Calls come in order, never two at a time;
        a slow callback (an ``async`` one may take its time; a plain one must return quickly) gets
        the newest graph, not a queue; one that raises is logged and harms nobody. The observer
        lives until ``stop()``, whether or not the caller keeps it.
        """
        return self._running().watch.observe(callback, interval)

    def changes(self, *, interval: float = OBSERVER_SECONDS) -> AsyncIterator[GraphChange]:
        """Iterate over graphs with what changed since the one before; ends with the engine."""
        return self._running().watch.changes(interval)

    # -- the local peer

    @property
    def peer_metadata(self) -> JsonObject:
        """The metadata that the local peer publishes."""
        return self._running().metadata.value

    @property
    def peer_metadata_json(self) -> str:
        """The metadata that the local peer publishes, as JSON text."""
        return json.dumps(self.peer_metadata, ensure_ascii=False, indent=2)

    async def set_peer_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Replace the whole metadata of the local peer; neighbours see it at once.

        Raises MetadataError when it is no JSON object, over 131,072 bytes in its CBOR form, deeper
        than 16 levels, or holds what JSON cannot; HomeError when it cannot be kept. Then the old
        value stays.
        """
        await self._running().metadata.set(metadata)

    async def set_peer_metadata_json(self, text: str) -> None:
        """Replace the whole metadata by a JSON text. Raises as :meth:`set_peer_metadata`."""
        await self._running().metadata.set(parse_metadata_json(text))

    def fetch_peer_metadata(self, peer_key: str) -> None:
        """Fetch the metadata of a remote peer also if it is large and only Bluetooth leads there.

        Otherwise what is over 4,096 bytes stays ``pending`` until a faster link comes up. Newer
        versions are fetched too from then on. Raises KeyFormatError when it is no peer key.
        """
        self._running().fetch_metadata(parse_peer_key(peer_key))

    @property
    def identity_service_metadata(self) -> JsonObject:
        """What an identity service has said of the local peer; empty unless verified."""
        return self.graph.local_peer.identity_service_metadata

    async def set_identity_token(self, raw: bytes | None) -> None:
        """Publish another identity token, None for none; it is kept in the home.

        Raises TokenError when it is none, and HomeError when it cannot be kept; then the old one
        stays. What it is worth, and to whom, is in the graph: ``local_peer.identity``.
        """
        await self._running().credentials.set_token(raw)

    # -- whom to believe about identity

    @property
    def issuers(self) -> tuple[Issuer, ...]:
        """The issuers that are trusted, by name."""
        return self._running().credentials.trusted()

    async def trust_issuer(self, key_set: bytes) -> None:
        """Believe an issuer, by its signed key set; it is kept in the home.

        Whoever calls this vouches for it: the signature only shows that the set is whole. Raises
        IssuerObjectError when it cannot be trusted, HomeError when it cannot be kept.
        """
        await self._running().credentials.trust(key_set)

    async def distrust_issuer(self, name: str) -> bool:
        """Believe an issuer no longer; return whether it was trusted. Raises HomeError."""
        return await self._running().credentials.distrust(name)

    # -- how far keys are trusted

    async def set_trust(self, peer_key: str, trust: Trust) -> None:
        """Note what a person has decided about a key.

        ``VERIFIED``: they have compared it with its owner. ``BLOCKED``: they want no link with it;
        those that exist are closed at once, and none is dialled or let in.
        Whether or not the peer is here; kept in the home. Raises KeyFormatError for a text that is
        no peer key, ValueError for another state or for the local peer's own key, HomeError when
        it cannot be kept: then nothing has changed.
        """
        engine, key = self._running(), parse_peer_key(peer_key)
        await engine.trust.decide(key, trust, engine.name_of(key))

    async def forget(self, peer_key: str) -> None:
        """Forget a key, whatever was decided about it; if it is here it is met anew.

        Raises KeyFormatError, HomeError.
        """
        await self._running().trust.forget(parse_peer_key(peer_key))

    # -- who is let in

    @property
    def connection_request_handler(self) -> ConnectionRequestHandler | None:
        """Asked for every new link, whoever dialled; None lets every member of the mesh in.

        With ``require_identity``, None lets in those whose identity is verified.
        An ``async`` function from ConnectionRequest to Allow() or Deny(reason). No answer in 10
        seconds, or an exception, is a no. Links that exist stay.
        """
        return self._handler

    @connection_request_handler.setter
    def connection_request_handler(self, handler: ConnectionRequestHandler | None) -> None:
        self._handler = handler
        if self._engine is not None:
            self._engine.set_handler(handler)
