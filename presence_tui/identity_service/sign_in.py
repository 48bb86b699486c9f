"""Logging in as a home does it: at its service, for its issuer, with its key."""

from __future__ import annotations

import asyncio
import os
import stat
from typing import TYPE_CHECKING

from presence_core.codec.text import safe_text
from presence_tui.identity_service.client import ServiceClient, ServiceError, client_tls
from presence_tui.identity_service.wire import MAX_BODY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from presence_core.identity.keys import Identity
    from presence_tui.identity_service.client import Granted
    from presence_tui.identity_service.login_file import HowToLogin


async def connect(how: HowToLogin, clock: Callable[[], float]) -> ServiceClient:
    """Return a client of the service of a home. Raises ServiceError."""
    tls = await asyncio.to_thread(client_tls, how.ca_file)
    return ServiceClient(how.service, tls=tls, insecure=how.insecure, clock=clock)


async def sign_in(
    client: ServiceClient,
    how: HowToLogin,
    identity: Identity,
    *,
    credential: str = "",
    renew: bytes | None = None,
) -> Granted:
    """Get a token with a credential, or in exchange for one that is valid. Raises ServiceError.

    Signed is only for the issuer that this home has logged in to, so that another service cannot
    use our key there.
    """
    challenge = await client.challenge()
    if how.issuer and challenge.issuer != how.issuer:
        raise ServiceError(
            f"{how.service} now answers for the issuer {safe_text(challenge.issuer, limit=64)!r} "
            f"and not for {safe_text(how.issuer, limit=64)!r}; if that is right: "
            "presence-tui identity logout, then log in again"
        )
    if renew is not None:
        return await client.renew(challenge, renew, identity)
    return await client.log_in(challenge, how.provider, credential, identity)


def read_credential(path: Path) -> str:
    """Return the credential in a file, without the end of its line. Blocking.

    Raises ServiceError when it cannot be read, or others can read it.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(MAX_BODY + 1)
        text = data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ServiceError(f"{path} holds no text") from None
    except OSError as error:
        raise ServiceError(f"cannot read the credential in {path}: {error.strerror}") from None
    if os.name == "posix" and stat.S_ISREG(mode) and mode & 0o077:
        said = f"mode {stat.S_IMODE(mode):04o}"
        raise ServiceError(f"{path} can be read by others ({said}): chmod 600 {path}")
    if not text or len(data) > MAX_BODY:
        raise ServiceError(f"{path} holds no credential of 1 to {MAX_BODY:,} bytes")
    return text
