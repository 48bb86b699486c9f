"""Who says whether a credential is good: what a provider is, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

MAX_SUBJECT = 256
"""Bytes of the name of a user, in a token as in a webhook's answer."""


@dataclass(frozen=True, slots=True)
class Approved:
    """A credential is good: whose it is, and what the token is to say about them.

    ``seconds``: for how long the provider vouches, None for as long as the service lets it.
    ``client_info`` goes to the client, and nowhere else.
    """

    subject: str
    metadata: dict[str, Any] = field(default_factory=dict)
    seconds: int | None = None
    client_info: Any = None


class RefusedError(Exception):
    """No: the code and HTTP status of the answer, and one line for the person.

    ``retry_after``: seconds, if the same may be asked again then.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        retry_after: float | None = None,
        client_info: Any = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.client_info = client_info


class Provider(Protocol):
    """A way to log in. ``kind`` is ``password`` or ``token``: what a person is asked for."""

    kind: str

    def user_of(self, credential: str) -> str | None:
        """Return the user name that a credential claims, None if it cannot be told from it."""

    async def authenticate(self, name: str, credential: str) -> Approved:
        """Check a credential for the provider called ``name``. Raises RefusedError."""

    async def renewed(self, subject: str, metadata: dict[str, Any]) -> Approved:
        """Return what a renewed token says of a user who logged in here before.

        ``metadata`` is what the last token said. Raises RefusedError when there is no such user
        now.
        """
