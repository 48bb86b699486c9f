"""The metadata of the local peer: kept in the home, followed there, and published."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from presence_core.codec.metadata import encode_metadata
from presence_core.engine.home import MetadataFile
from presence_core.identity.keyfile import HomeError
from presence_core.model import ConditionState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from presence_core.engine.conditions import Conditions


class OwnMetadata:
    """One value in one place: the home's metadata file, whoever writes it.

    ``publish`` gets its CBOR form, None for none.
    """

    def __init__(
        self, home: Path, conditions: Conditions, publish: Callable[[bytes | None], None]
    ) -> None:
        self.value: Mapping[str, Any] = {}
        self._file = MetadataFile(home)
        self._conditions = conditions
        self._publish = publish
        self._lock = asyncio.Lock()

    def open(self, given: Mapping[str, Any] | None) -> None:
        """Keep what is given, or else read the file (not for the event loop).

        Raises MetadataError, HomeError.
        """
        if given is None:
            self.value = self._file.load() or {}
            return
        encode_metadata(given)
        self.value = dict(given)
        self._file.save(self.value)

    def encoded(self) -> bytes | None:
        """Return the CBOR form; None when there is nothing to publish."""
        return encode_metadata(self.value) if self.value else None

    async def set(self, value: Mapping[str, Any]) -> None:
        """Check, keep and publish another value.

        Raises MetadataError (and the old value stays), HomeError when it cannot be kept.
        """
        encode_metadata(value)
        async with self._lock:
            await asyncio.to_thread(self._file.save, dict(value))
            self._take(dict(value))

    def changed(self) -> bool:
        """Whether somebody else has written into the file (not for the event loop)."""
        return self._file.changed()

    def due(self, now: float) -> bool:  # noqa: ARG002  what is set is written at once
        """Return False: nothing waits to be written."""
        return False

    async def follow(self, now: float) -> None:  # noqa: ARG002
        """Publish what somebody else has written into the file."""
        async with self._lock:
            if not await asyncio.to_thread(self._file.changed):
                return
            try:
                value = await asyncio.to_thread(self._file.load) or {}
            except HomeError as error:
                self._conditions.set(
                    "home",
                    ConditionState.WARNING,
                    str(error),
                    "the metadata published before stays until then",
                )
                return
            self._conditions.clear("home")
            self._take(value)

    def _take(self, value: Mapping[str, Any]) -> None:
        self.value = value
        self._publish(self.encoded())
