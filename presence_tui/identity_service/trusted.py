"""The issuers that a home trusts, for commands and for renewal: the engine has its own eyes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from presence_core.engine.credential_files import read_issuer_file
from presence_core.identity.issuer import IssuerObjectError, KeySet
from presence_core.identity.issuers import Issuers
from presence_core.identity.keyfile import HomeError
from presence_core.identity.verdict import Taken

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from presence_core.engine.credential_files import IssuerFolder
    from presence_core.identity.issuer import SignedObject

GENUINE = (Taken.NEWS, Taken.KNOWN, Taken.OLDER)


def trusted_issuers(folder: IssuerFolder, given: Iterable[Path] = ()) -> Issuers:
    """Read whom the folder trusts, and the ``given`` files with key sets. Blocking.

    What cannot be read or used is left out; the engine reports it.
    """
    issuers = Issuers()
    for path in given:
        with contextlib.suppress(HomeError, IssuerObjectError):
            signed = read_issuer_file(path).signed
            if isinstance(signed, KeySet):
                issuers.trust(signed)
    files = [file for file in folder.load().files if file.root is None]
    for file in sorted(files, key=lambda file: not isinstance(file.signed, KeySet)):
        with contextlib.suppress(IssuerObjectError):
            if file.kept:
                issuers.restore(file.signed)
            elif isinstance(file.signed, KeySet):
                issuers.trust(file.signed)
            else:
                issuers.take(file.signed.raw)
    return issuers


def learn(folder: IssuerFolder, signed: SignedObject) -> tuple[Taken, str]:
    """Keep what a service says of a trusted issuer, if it is genuine and news. Blocking.

    Returns what became of it, and why it was not taken. Raises HomeError.
    """
    taken, why = trusted_issuers(folder).take(signed.raw)
    if taken is Taken.NEWS:
        folder.keep(signed, None)
    return taken, why
