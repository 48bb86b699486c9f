"""Identity: the issuers that are believed here, the own token, and its renewal."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from presence_core.engine.conditions import Conditions
from presence_core.engine.credentials import Credentials
from presence_core.identity.keyfile import HomeError, read_identity
from presence_core.identity.verdict import MISSING
from presence_tui.doctor.finding import Finding, of_error, off, ok, warning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from presence_core.identity.verdict import Verdict
    from presence_tui.doctor.examination import Case

NAME = "identity"


def look(case: Case) -> Sequence[Finding]:
    """Judge what an engine would, with its own words."""
    credentials = Credentials(
        case.home,
        case.config.issuers,
        Conditions(lambda: datetime.now(UTC), lambda: None),
        publish=lambda _: None,
        tell=lambda _: None,
    )
    wall = time.time()
    try:
        credentials.open()
        own = _own(case, credentials, wall)
    except HomeError as error:
        return [of_error(NAME, error)]
    concerns = credentials.concerns(own, wall)
    found = [warning(NAME, concern.message, concern.hint) for concern in concerns]
    names = [issuer.name for issuer in credentials.trusted()]
    if not found:
        found.append(_words(own))
    found.append(_issuers(names, required=case.config.require_identity))
    return found


def _own(case: Case, credentials: Credentials, wall: float) -> Verdict:
    if credentials.token is None:
        return MISSING
    return credentials.issuers.check(credentials.token, read_identity(case.home), wall)


def _words(own: Verdict) -> Finding:
    """Say how it stands with the own token when nothing is wrong with it."""
    identity = own.identity
    if identity.expires_at is None:
        hint = "if your team has an identity service: presence-tui identity login --service URL"
        return off(NAME, "this device has no identity token, and has not logged in", hint)
    until = f"{identity.expires_at:%Y-%m-%d %H:%M} UTC"
    said = f"{identity.status}: {identity.subject}, says {identity.issuer}, until {until}"
    return ok(NAME, said)


def _issuers(names: Sequence[str], *, required: bool) -> Finding:
    name = "issuers"
    if names:
        return ok(name, f"believed here: {', '.join(names)}")
    if required:
        said = "an identity is required of neighbours, and no issuer is believed: nobody can link"
        return warning(name, said, "presence-tui issuer add FILE, or leave out --require-identity")
    return off(name, "no issuer is believed here: nobody is shown as verified")
