"""``login.json`` in the home: how the token is renewed. Never a credential itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from presence_core.engine.home import LOGIN_FILE
from presence_core.identity.keyfile import HomeError, atomic_write
from presence_tui.identity_service.wire import WireError, json_object, text_field

_WHAT = "the file"


@dataclass(frozen=True, slots=True)
class HowToLogin:
    """Where this device logged in, and how it does so again.

    ``credential_file`` is read when a token cannot be renewed without a credential, None when a
    person must log in then. ``insecure``: the person has agreed to go without TLS.
    """

    service: str
    provider: str
    issuer: str
    ca_file: Path | None = None
    credential_file: Path | None = None
    insecure: bool = False


def load_login(home: Path) -> HowToLogin | None:
    """Read how this home logs in, None if it does not. Raises HomeError for a damaged file."""
    path = home / LOGIN_FILE
    try:
        value = json_object(path.read_bytes(), _WHAT)
        return HowToLogin(
            text_field(value, "service", _WHAT),
            text_field(value, "provider", _WHAT),
            text_field(value, "issuer", _WHAT),
            _path(value, "caFile"),
            _path(value, "credentialFile"),
            value.get("insecure") is True,
        )
    except FileNotFoundError:
        return None
    except WireError as error:
        raise HomeError(f"{path} is damaged: {error}; log in again") from None
    except OSError as error:
        raise HomeError(f"cannot read {path}: {error.strerror}") from None


def save_login(home: Path, login: HowToLogin) -> None:
    """Write how this home logs in. Raises HomeError."""
    path = home / LOGIN_FILE
    value = {
        "service": login.service,
        "provider": login.provider,
        "issuer": login.issuer,
        "caFile": str(login.ca_file) if login.ca_file is not None else None,
        "credentialFile": str(login.credential_file) if login.credential_file is not None else None,
        "insecure": login.insecure,
    }
    try:
        atomic_write(path, json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n")
    except OSError as error:
        raise HomeError(f"cannot write {path}: {error.strerror}") from None


def remove_login(home: Path) -> bool:
    """Forget how this home logs in; return whether it did. Raises HomeError."""
    path = home / LOGIN_FILE
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise HomeError(f"cannot remove {path}: {error.strerror}") from None
    return True


def _path(value: dict[str, Any], name: str) -> Path | None:
    return None if value.get(name) is None else Path(text_field(value, name, _WHAT))
