"""What identity rests on in a home: the own token and the trusted issuers, followed and kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from presence_core.engine.credential_files import (
    IssuerFile,
    IssuerFolder,
    TokenFile,
    read_issuer_file,
    renewal_failure,
    root_of,
)
from presence_core.engine.home import LOGIN_FILE
from presence_core.engine.identity_concerns import Concern, identity_concerns
from presence_core.identity.issuer import IssuerObjectError, KeySet, parse_object
from presence_core.identity.issuers import Issuers
from presence_core.identity.keyfile import HomeError
from presence_core.identity.token import parse_token
from presence_core.identity.verdict import Taken
from presence_core.model import ConditionState, Issuer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from presence_core.engine.conditions import Conditions
    from presence_core.engine.credential_files import Folder
    from presence_core.identity.issuer import RevocationList
    from presence_core.identity.verdict import Verdict

_MOST_SAID = 3
"""Concerns that are said in full."""

_NEWS_OR_KNOWN = (Taken.NEWS, Taken.KNOWN)
_HARMLESS = (Taken.NEWS, Taken.KNOWN, Taken.OLDER, Taken.UNKNOWN_ISSUER)


class Credentials:
    """Holds the token file and the folder of issuers, and reports what is wrong with them.

    ``publish`` gets another token, None for none; ``tell`` the name of an issuer of which the
    neighbours are to hear. An issuer is trusted by a file of the folder that a person has put
    there, or for this run by one of ``given``. What the mesh says of it goes to the folder too, so
    that after a restart nobody can pass off older keys, or undo a revocation.
    """

    def __init__(
        self,
        home: Path,
        given: tuple[Path, ...],
        conditions: Conditions,
        *,
        publish: Callable[[bytes | None], None],
        tell: Callable[[str], None],
        issuers: Issuers | None = None,
    ) -> None:
        self.issuers = issuers or Issuers()
        self.token: bytes | None = None
        self._given = given
        self._token_file = TokenFile(home)
        self._folder = IssuerFolder(home)
        self._home = home
        self._login_file = home / LOGIN_FILE
        self._login = False
        self._not_renewed: str | None = None
        self._conditions = conditions
        self._publish = publish
        self._tell = tell
        self._lock = asyncio.Lock()
        self._roots: dict[str, str] = {}
        """By which given file an issuer is trusted, by name."""
        self._by_person: dict[Path, KeySet] = {}
        """What the files of the folder say by which a person trusts somebody."""
        self._unkept: set[str] = set()
        """Issuers of which there is news that is not in the folder yet."""
        self._token_fault: str | None = None
        self._keep_fault: str | None = None
        self._faults: Collection[str] = ()

    # -- files to memory

    def open(self) -> None:
        """Read all files (not for the event loop).

        Raises HomeError for a given file that is of no use; others are reported.
        """
        for path in self._given:
            file = read_issuer_file(path)
            if not isinstance(file.signed, KeySet):
                raise HomeError(f"{path} is a revocation list, not the key set of an issuer")
            try:
                self.issuers.trust(file.signed)
            except IssuerObjectError as error:
                raise HomeError(f"{path}: {error}") from error
            self._roots[file.signed.issuer] = root_of(file.signed)
        self._adopt(self._folder.load())
        self._load_token()
        self._login, self._not_renewed = self._look_at_login()

    def _look_at_login(self) -> tuple[bool, str | None]:
        """Return whether this device has logged in, and why its token is not renewed."""
        login = self._login_file.exists()
        return login, renewal_failure(self._home) if login else None

    def _load_token(self) -> None:
        try:
            self.token, self._token_fault = self._token_file.load(), None
        except HomeError as error:
            self._token_fault = str(error)

    def _adopt(self, folder: Folder) -> None:
        """Trust whom the folder trusts and nobody else, and take what it keeps of them."""
        faults = dict(folder.faults)
        before, self._by_person = self._by_person, {}
        for path in before.keys() & faults.keys():
            self._by_person[path] = before[path]
        for file in folder.files:
            if file.trusts and isinstance(file.signed, KeySet):
                self._by_person[file.path] = file.signed
                if file.signed != before.get(file.path):
                    self._take(file, faults)
                if file.path in faults:  # it is as if the file had stayed as it was
                    del self._by_person[file.path]
                    if file.path in before:
                        self._by_person[file.path] = before[file.path]
        for key_set in before.values():
            if not self._is_trusted(key_set.issuer):
                self.issuers.distrust(key_set.issuer)
        for file in sorted(folder.files, key=lambda file: not isinstance(file.signed, KeySet)):
            if not file.trusts:
                self._take(file, faults)
        self._faults = tuple(faults[path] for path in sorted(faults))

    def _is_trusted(self, name: str) -> bool:
        return name in self._roots or self._has_file(name)

    def _has_file(self, name: str) -> bool:
        return any(key_set.issuer == name for key_set in self._by_person.values())

    def _take(self, file: IssuerFile, faults: dict[Path, str]) -> None:
        """Take an object of the folder, on the word of whoever put it there."""
        name = file.signed.issuer
        root = None if self._has_file(name) else self._roots.get(name)
        try:
            if self._is_trusted(name) and file.kept and file.root == root:
                self.issuers.restore(file.signed)
                return
            taken, why = self.issuers.weigh(file.signed)
            if taken in _NEWS_OR_KNOWN:
                self._unkept.add(name)
            elif file.trusts and isinstance(file.signed, KeySet):
                taken = self._vouch(file.signed)
            if taken is Taken.OLDER:
                self._unkept.add(name)
            elif taken not in _HARMLESS:
                faults[file.path] = f"{file.path}: {why}"
        except IssuerObjectError as error:
            faults[file.path] = f"{file.path}: {error}"

    def _vouch(self, key_set: KeySet) -> Taken:
        """Trust an issuer because a person does. Raises IssuerObjectError.

        It may be another one of the same name: then nothing of the one before is in force.
        """
        Issuers().trust(key_set)
        held = self.issuers.key_set(key_set.issuer)
        if held is not None and self._is_other(held, key_set):
            self.issuers.distrust(key_set.issuer)
        return self.issuers.trust(key_set)

    def _is_other(self, held: KeySet, key_set: KeySet) -> bool:
        """Whether an issuer has only its name in common with the one that is here.

        As far as one can see: who missed how keys were handed on cannot tell.
        """
        return (
            not {*held.keys} & {*key_set.keys}
            and held.key(key_set.signer) is None
            and key_set.key(held.signer) is None
            and self._roots.get(held.issuer) != root_of(key_set)
        )

    # -- what programs ask

    def trusted(self) -> tuple[Issuer, ...]:
        """Return the trusted issuers, by name."""
        found = []
        for name in self.issuers.names():
            keys, revocations = self.issuers.key_set(name), self.issuers.revocations(name)
            assert keys is not None
            found.append(
                Issuer(
                    name,
                    keys.number,
                    tuple(key.kid.hex() for key in keys.keys),
                    None if revocations is None else revocations.number,
                )
            )
        return tuple(found)

    async def set_token(self, raw: bytes | None) -> None:
        """Keep and publish another token, None for none.

        Raises TokenError when it is none (and the old one stays), HomeError when it cannot be kept.
        """
        if raw is not None:
            parse_token(raw)
        async with self._lock:
            await asyncio.to_thread(self._token_file.save, raw)
            self.token, self._token_fault = raw, None
            self._publish(raw)

    async def trust(self, raw: bytes) -> None:
        """Trust an issuer by its key set. Raises IssuerObjectError, HomeError.

        Of another one of the same name, with other keys, nothing is left.
        """
        key_set = parse_object(raw)
        if not isinstance(key_set, KeySet):
            raise IssuerObjectError("this is a revocation list, not the key set of an issuer")
        name = key_set.issuer
        async with self._lock:
            known = self.issuers.key_set(name)
            self._vouch(key_set)
            newest = self.issuers.key_set(name)
            assert newest is not None
            try:
                if known is not None and self._is_other(known, key_set):
                    await asyncio.to_thread(self._folder.remove, name)
                await asyncio.to_thread(self._folder.add, newest)
            except HomeError:
                if known is None:
                    self.issuers.distrust(name)
                raise
            self._adopt(await asyncio.to_thread(self._folder.load))
            self._unkept.add(name)
            self._tell(name)

    async def distrust(self, name: str) -> bool:
        """Trust an issuer no longer; return whether it was trusted. Raises HomeError."""
        async with self._lock:
            await asyncio.to_thread(self._folder.remove, name)
            self._roots.pop(name, None)
            self._by_person = {p: k for p, k in self._by_person.items() if k.issuer != name}
            return self.issuers.distrust(name)

    # -- what time brings

    def learned(self, names: Collection[str]) -> None:
        """Keep soon what the mesh has said of these issuers."""
        self._unkept.update(names)

    def changed(self) -> bool:
        """Whether somebody else has changed the files (not for the event loop)."""
        token, folder, login = self._look()
        return token or folder or login != (self._login, self._not_renewed)

    def due(self, now: float) -> bool:  # noqa: ARG002
        """Whether what was learned is to be written."""
        return bool(self._unkept)

    async def follow(self, now: float) -> None:  # noqa: ARG002
        """Take over what others have written, and write what was learned."""
        async with self._lock:
            await self._keep()
            before = {name: self._objects(name) for name in self.issuers.names()}
            token_changed, folder_changed, login = await asyncio.to_thread(self._look)
            self._login, self._not_renewed = login
            if token_changed:
                await asyncio.to_thread(self._load_token)
                if self._token_fault is None:
                    self._publish(self.token)
            if folder_changed:
                self._adopt(await asyncio.to_thread(self._folder.load))
            for name in self.issuers.names():
                if self._objects(name) != before.get(name):
                    self._tell(name)

    def _look(self) -> tuple[bool, bool, tuple[bool, str | None]]:
        return self._token_file.changed(), self._folder.changed(), self._look_at_login()

    def _objects(self, name: str) -> tuple[KeySet | None, RevocationList | None]:
        return self.issuers.key_set(name), self.issuers.revocations(name)

    async def _keep(self) -> None:
        for name in tuple(self._unkept):
            self._unkept.discard(name)  # before it is written: there may be more news meanwhile
            signed = [each for each in self._objects(name) if each is not None]
            root = self._roots.get(name)
            try:
                for each in signed:
                    await asyncio.to_thread(self._folder.keep, each, root)
            except HomeError as error:
                self._unkept.add(name)
                self._keep_fault = str(error)
                return
        self._keep_fault = None

    def concerns(self, own: Verdict, wall: float) -> list[Concern]:
        """Return what is wrong with the identity of this device, and with the files it rests on."""
        concerns = identity_concerns(
            own, logged_in=self._login, not_renewed=self._not_renewed, wall=wall
        )
        if self._token_fault is not None:
            concerns.append(
                Concern(self._token_fault, "the token published before stays until then")
            )
        if self._keep_fault is not None:
            concerns.append(
                Concern(self._keep_fault, "until then, a restart forgets what was said")
            )
        concerns += [
            Concern(fault, "who is trusted already stays trusted until then")
            for fault in self._faults
        ]
        return concerns

    def report(self, own: Verdict, wall: float) -> None:
        """Say the :meth:`concerns`, in one condition."""
        concerns = self.concerns(own, wall)
        if not concerns:
            self._conditions.clear("identity")
            return
        said = [concern.message for concern in concerns[:_MOST_SAID]]
        if len(concerns) > _MOST_SAID:
            said.append(f"and {len(concerns) - _MOST_SAID} more")
        message = "; ".join(said)
        self._conditions.set("identity", ConditionState.WARNING, message, concerns[0].hint)

    async def close(self) -> None:
        """Write what was learned last."""
        async with self._lock:
            await self._keep()
