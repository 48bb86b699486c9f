"""What a person should know of the identity of the own device, and what to do. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.model import IdentityStatus
from presence_core.value_object import value_object

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from presence_core.identity.verdict import Verdict

LAST_PART = 0.25
"""Of a token's life: renewal begins after two thirds of it, so that by then it has failed."""

_LOG_IN = "it is renewed when the identity service answers; if not: presence-tui identity login"
_HINTS: Mapping[IdentityStatus, str] = {
    IdentityStatus.UNKNOWN_ISSUER: (
        "others may know that issuer; to check its tokens here too: presence-tui issuer add FILE"
    ),
    IdentityStatus.REVOKED: "ask whoever runs the identity service",
    IdentityStatus.NOT_YET_VALID: "look whether the clock of this device is right",
    IdentityStatus.EXPIRED: _LOG_IN,
}
_RENEWAL = (
    "nothing is lost before the token runs out, and it is tried again by itself; if it goes on: "
    "presence-tui identity login"
)
_ANEW = "get a new one: presence-tui identity login"


@value_object
class Concern:
    """What is wrong, and what to do."""

    message: str
    hint: str


def identity_concerns(
    own: Verdict, *, logged_in: bool, not_renewed: str | None = None, wall: float
) -> list[Concern]:
    """Judge the verdict on the own token, the worst first.

    ``logged_in``: there is a login, so that a token is expected. ``not_renewed``: why it is not
    renewed, if it should be. ``wall`` in Unix seconds.
    """
    concerns = _of_the_token(own, logged_in=logged_in, wall=wall)
    if not_renewed is not None:
        concerns.append(Concern(f"the identity token is not renewed: {not_renewed}", _RENEWAL))
    return concerns


def _of_the_token(own: Verdict, *, logged_in: bool, wall: float) -> list[Concern]:
    identity = own.identity
    match identity.status:
        case IdentityStatus.PENDING:
            return []
        case IdentityStatus.MISSING:
            missing = "this device has logged in and publishes no identity token"
            return [Concern(missing, _LOG_IN)] if logged_in else []
        case IdentityStatus.VERIFIED:
            return _running_out(identity.not_before, identity.expires_at, wall)
    message = f"others do not see this device as verified: {identity.reason}"
    if identity.status is IdentityStatus.UNKNOWN_ISSUER:
        message = f"this device cannot check its own token: {identity.reason}"
    return [Concern(message, _HINTS.get(identity.status, _ANEW))]


def _running_out(begin: datetime | None, end: datetime | None, wall: float) -> list[Concern]:
    if begin is None or end is None:
        return []
    left = end.timestamp() - wall
    if left > LAST_PART * (end - begin).total_seconds():
        return []
    verb = "runs" if left > 0 else "ran"
    when = f"{end:%Y-%m-%d %H:%M:%S} UTC"
    return [Concern(f"the identity token of this device {verb} out at {when}", _LOG_IN)]
