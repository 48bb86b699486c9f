"""The presence engine: who is on the mesh, over which links, and what just changed.

The public names; they are loaded when they are first used, so that a program which only wants the
schema or the version does not pay for cryptography.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from presence_core._version import __version__

if TYPE_CHECKING:
    from presence_core.codec.metadata import MetadataError
    from presence_core.config import PresenceConfig
    from presence_core.engine.observers import Observer
    from presence_core.errors import EngineError
    from presence_core.identity.issuer import IssuerObjectError
    from presence_core.identity.keyfile import HomeError
    from presence_core.identity.mesh import MeshKey
    from presence_core.identity.token import TokenError
    from presence_core.model import (
        Allow,
        Change,
        ChangeKind,
        Condition,
        ConditionState,
        Connection,
        ConnectionRequest,
        Counts,
        Deny,
        GraphChange,
        Identity,
        IdentityStatus,
        Issuer,
        Mesh,
        MetadataState,
        Peer,
        PeerPresence,
        PresenceGraph,
        PresenceState,
        Trust,
        View,
        ViewState,
    )
    from presence_core.presence import Presence

_HOMES = {
    "codec.metadata": ("MetadataError",),
    "config": ("PresenceConfig",),
    "engine.observers": ("Observer",),
    "errors": ("EngineError",),
    "identity.keyfile": ("HomeError",),
    "identity.issuer": ("IssuerObjectError",),
    "identity.mesh": ("MeshKey",),
    "identity.token": ("TokenError",),
    "model": (
        "Allow",
        "Change",
        "ChangeKind",
        "Condition",
        "ConditionState",
        "Connection",
        "ConnectionRequest",
        "Counts",
        "Deny",
        "GraphChange",
        "Identity",
        "IdentityStatus",
        "Issuer",
        "Mesh",
        "MetadataState",
        "Peer",
        "PeerPresence",
        "PresenceGraph",
        "PresenceState",
        "Trust",
        "View",
        "ViewState",
    ),
    "presence": ("Presence",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Allow",
    "Change",
    "ChangeKind",
    "Condition",
    "ConditionState",
    "Connection",
    "ConnectionRequest",
    "Counts",
    "Deny",
    "EngineError",
    "GraphChange",
    "HomeError",
    "Identity",
    "IdentityStatus",
    "Issuer",
    "IssuerObjectError",
    "Mesh",
    "MeshKey",
    "MetadataError",
    "MetadataState",
    "Observer",
    "Peer",
    "PeerPresence",
    "Presence",
    "PresenceConfig",
    "PresenceGraph",
    "PresenceState",
    "TokenError",
    "Trust",
    "View",
    "ViewState",
    "__version__",
]


def __getattr__(name: str) -> Any:
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"presence_core.{module}"), name)


def __dir__() -> list[str]:
    return __all__
