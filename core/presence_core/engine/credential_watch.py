"""Whether there is anything in a home on which identity rests; it is followed from then on.

Many homes have no token, trust no issuer, and have logged in nowhere: what reads, checks and keeps
such files is loaded when there is one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from presence_core.engine.home import ISSUERS_FOLDER, LOGIN_FILE, TOKEN_FILE
from presence_core.identity.issuers import Issuers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from presence_core.engine.conditions import Conditions
    from presence_core.engine.credentials import Credentials
    from presence_core.identity.verdict import Verdict
    from presence_core.model import Issuer


class CredentialWatch:
    """The :class:`Credentials` of an engine, from when there are any; the arguments are theirs."""

    def __init__(
        self,
        home: Path,
        given: tuple[Path, ...],
        conditions: Conditions,
        *,
        publish: Callable[[bytes | None], None],
        tell: Callable[[str], None],
    ) -> None:
        self.issuers = Issuers()
        self._home = home
        self._given = given
        self._conditions = conditions
        self._publish = publish
        self._tell = tell
        self._held: Credentials | None = None

    def _hold(self) -> Credentials:
        if self._held is None:
            self._held = _load()(
                self._home,
                self._given,
                self._conditions,
                publish=self._publish,
                tell=self._tell,
                issuers=self.issuers,
            )
        return self._held

    async def _credentials(self) -> Credentials:
        if self._held is None:
            await asyncio.to_thread(_load)
        return self._hold()

    @property
    def token(self) -> bytes | None:
        """The own token, None for none."""
        return None if self._held is None else self._held.token

    def _appeared(self) -> bool:
        names = TOKEN_FILE, ISSUERS_FOLDER, LOGIN_FILE
        return any((self._home / name).exists() for name in names)

    def open(self) -> None:
        """See :meth:`Credentials.open` (not for the event loop)."""
        if self._given or self._appeared():
            self._hold().open()

    # -- what programs ask

    def trusted(self) -> tuple[Issuer, ...]:
        """See :meth:`Credentials.trusted`."""
        return () if self._held is None else self._held.trusted()

    async def set_token(self, raw: bytes | None) -> None:
        """See :meth:`Credentials.set_token`."""
        await (await self._credentials()).set_token(raw)

    async def trust(self, raw: bytes) -> None:
        """See :meth:`Credentials.trust`."""
        await (await self._credentials()).trust(raw)

    async def distrust(self, name: str) -> bool:
        """See :meth:`Credentials.distrust`."""
        return await (await self._credentials()).distrust(name)

    # -- what time brings

    def learned(self, names: Collection[str]) -> None:
        """See :meth:`Credentials.learned`."""
        if names:
            self._hold().learned(names)

    def changed(self) -> bool:
        """Whether somebody else has changed the files (not for the event loop)."""
        return self._appeared() if self._held is None else self._held.changed()

    def due(self, now: float) -> bool:
        """See :meth:`Credentials.due`."""
        return self._held is not None and self._held.due(now)

    async def follow(self, now: float) -> None:
        """See :meth:`Credentials.follow`."""
        await (await self._credentials()).follow(now)

    def report(self, own: Verdict, wall: float) -> None:
        """See :meth:`Credentials.report`."""
        if self._held is not None:
            self._held.report(own, wall)

    async def close(self) -> None:
        """See :meth:`Credentials.close`."""
        if self._held is not None:
            await self._held.close()


def _load() -> type[Credentials]:
    from presence_core.engine.credentials import Credentials

    return Credentials
