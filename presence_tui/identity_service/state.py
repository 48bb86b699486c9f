"""What an identity service knows: its issuer's keys, the tokens it has issued, what it revoked.

All of it is in the data base; what is kept here beside it is read anew when another process, such
as ``identity rotate``, has changed it. Methods that change something belong into a transaction.
Times are Unix seconds.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from presence_core.identity.issuer import (
    IssuerKey,
    KeySet,
    RevocationList,
    parse_object,
    sign_key_set,
    sign_revocations,
)
from presence_core.identity.issuers import Issuers
from presence_core.identity.keyfile import HomeError
from presence_core.identity.token import LEEWAY, issue_token
from presence_tui.identity_service.database import connect, transaction

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from sqlite3 import Connection

TOKEN_ID_BYTES = 16
MAX_RETIRED = 14
"""Old keys in a key set, beside the one that signs and the one that is next."""

UNKNOWN_TOKEN_SECONDS = 400 * 86_400
"""For how long a revoked token stays in the list that is not in the data base, or not any more."""

_KEYS, _REVOCATIONS = "keys", "revocations"


@dataclass(frozen=True, slots=True)
class Login:
    """Who logged in, when and how, and until when that counts.

    Each token that is renewed stands for the same login as the one before it.
    """

    id: bytes
    subject: str
    provider: str
    at: int
    ends: int


@dataclass(frozen=True, slots=True)
class Issued:
    """A token, and what was noted down of it."""

    token: bytes
    token_id: bytes
    login: Login
    expires_at: int


class State:
    """The state of one service. It belongs to one thread at a time."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._seen: int | None = None
        self._key: IssuerKey | None = None
        self._issuers = Issuers()
        (self.issuer,) = connection.execute("SELECT name FROM issuer").fetchone()

    @classmethod
    def open(cls, folder: Path) -> State:
        """Open the state of a service that was started before. Raises HomeError."""
        connection = connect(folder, create=False)
        if connection.execute("SELECT count(*) FROM issuer").fetchone() == (0,):
            connection.close()
            raise HomeError(f"the identity service in {folder} was never started")
        return cls(connection)

    @classmethod
    def open_or_create(cls, folder: Path, issuer: str | None, default: str, now: int) -> State:
        """Open the state of a service; the first time, make its keys and name its issuer.

        ``issuer`` is the name asked for, None for whatever it is called. Raises HomeError when it
        is called otherwise: tokens that are out there name it.
        """
        connection = connect(folder, create=True)
        try:
            with transaction(connection):
                known = connection.execute("SELECT name FROM issuer").fetchone()
                if known is None:
                    return cls._create(connection, issuer or default, now)
        except BaseException:
            connection.close()
            raise
        state = cls(connection)
        if issuer not in (None, state.issuer):
            state.close()
            raise HomeError(
                f"the issuer in {folder} is called {state.issuer!r}; leave out --issuer-name, "
                "or use another --data"
            )
        return state

    @classmethod
    def _create(cls, connection: Connection, issuer: str, now: int) -> State:
        connection.execute("INSERT INTO issuer VALUES (?, 1)", (issuer,))
        _add_key(connection)
        _add_key(connection)
        state = cls(connection)
        state._sign_keys(now)
        state._sign_revocations(now)
        return state

    def doubt(self) -> None:
        """Read again what is kept beside the data base: a change may have been taken back."""
        self._seen = None

    def close(self) -> None:
        """Close the data base."""
        self.connection.close()

    # -- keys

    def key_set(self) -> KeySet:
        """Return the newest signed key set."""
        found = parse_object(self._object(_KEYS)[1])
        assert isinstance(found, KeySet)
        return found

    def rotate(self, now: int) -> KeySet:
        """Let the next key sign from now on, make a new next one, and sign the new key set.

        The old key stays in the set for as long as one of its tokens lives. Raises HomeError when
        the set is full of old keys.
        """
        rows = self._active_keys()
        self.connection.execute("UPDATE keys SET retired = ? WHERE position = ?", (now, rows[0][0]))
        _add_key(self.connection)
        self._drop_old_keys(now, keep=rows[0][0])
        (retired,) = self.connection.execute(
            "SELECT count(*) FROM keys WHERE retired > 0"
        ).fetchone()
        if retired > MAX_RETIRED:
            raise HomeError(
                f"{MAX_RETIRED} old keys still have tokens that are valid; rotate again when "
                "some of them have run out"
            )
        self._seen = None
        signed = self._sign_keys(now)
        self._sign_revocations(now)
        return signed

    def _drop_old_keys(self, now: int, *, keep: int) -> None:
        """Drop retired keys without living tokens; the last one stays, it signs the new set."""
        self.connection.execute(
            "DELETE FROM keys WHERE retired > 0 AND position <> ? AND NOT EXISTS "
            "(SELECT 1 FROM tokens WHERE tokens.kid = keys.kid AND expires >= ?)",
            (keep, now - LEEWAY),
        )

    def _active_keys(self) -> list[tuple[int, bytes]]:
        """Return the key that signs tokens, and the one that is next."""
        rows: list[tuple[int, bytes]] = self.connection.execute(
            "SELECT position, private FROM keys WHERE retired = 0 ORDER BY position"
        ).fetchall()
        return rows

    def _signer(self) -> IssuerKey:
        """Return the oldest key of the set: whoever has missed some key sets knows that one."""
        (private,) = self.connection.execute(
            "SELECT private FROM keys ORDER BY position LIMIT 1"
        ).fetchone()
        return IssuerKey.from_private_bytes(private)

    def _sign_keys(self, now: int) -> KeySet:
        number = self._next_number(_KEYS, now)
        rows = self.connection.execute("SELECT private FROM keys ORDER BY position")
        keys = [IssuerKey.from_private_bytes(private).public_key for (private,) in rows]
        signed = sign_key_set(
            self._signer(), issuer=self.issuer, number=number, keys=keys, issued_at=now
        )
        self._keep(_KEYS, number, signed.raw)
        return signed

    def _next_number(self, kind: str, now: int) -> int:
        """Return the number of the next signed object: greater than any before it.

        The time, unless that was used: so it also is greater than those that were signed after
        the back-up from which this data base was restored.
        """
        row = self.connection.execute(
            "SELECT number FROM objects WHERE kind = ?", (kind,)
        ).fetchone()
        return max(now, row[0] + 1) if row else now

    def _object(self, kind: str) -> tuple[int, bytes]:
        row: tuple[int, bytes] = self.connection.execute(
            "SELECT number, raw FROM objects WHERE kind = ?", (kind,)
        ).fetchone()
        return row

    def _keep(self, kind: str, number: int, raw: bytes) -> None:
        self.connection.execute(
            "INSERT OR REPLACE INTO objects VALUES (?, ?, ?)", (kind, number, raw)
        )

    def _refresh(self) -> None:
        """Take over what another process has changed."""
        (version,) = self.connection.execute("PRAGMA data_version").fetchone()
        if version == self._seen:
            return
        self._key = IssuerKey.from_private_bytes(self._active_keys()[0][1])
        self._issuers = Issuers()
        self._issuers.trust(self.key_set())
        self._issuers.take(self.revocations().raw)
        self._seen = version

    @property
    def issuers(self) -> Issuers:
        """Who is believed here: this issuer alone, with its newest keys and revocations."""
        self._refresh()
        return self._issuers

    # -- tokens

    def issue(
        self,
        *,
        login: Login,
        token_id: bytes,
        peer_key: bytes,
        metadata: Mapping[str, Any],
        now: int,
        expires_at: int,
    ) -> Issued:
        """Sign a token and note it down.

        Raises ValueError when it would be too large, sqlite3.IntegrityError for a used id.
        """
        self._refresh()
        assert self._key is not None
        token = issue_token(
            self._key,
            issuer=self.issuer,
            subject=login.subject,
            peer_key=peer_key,
            token_id=token_id,
            not_before=now,
            expires_at=expires_at,
            issued_at=now,
            metadata=metadata,
        )
        row = (token_id, login.id, self._key.kid, peer_key, login.subject, login.provider)
        self.connection.execute(
            "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, login.at, login.ends, expires_at),
        )
        return Issued(token, token_id, login, expires_at)

    def login_of(self, token_id: bytes) -> Login | None:
        """Return the login that a token stands for, None if it was not issued here."""
        row = self.connection.execute(
            "SELECT login, subject, provider, logged_in, login_ends FROM tokens WHERE id = ?",
            (token_id,),
        ).fetchone()
        return Login(*row) if row else None

    def forget_expired(self, before: int) -> None:
        """Forget tokens that ran out before a time; their ids were random and do not come back."""
        self.connection.execute("DELETE FROM tokens WHERE expires < ?", (before,))

    # -- revocations

    def revocations(self) -> RevocationList:
        """Return the newest signed revocation list."""
        found = parse_object(self._object(_REVOCATIONS)[1])
        assert isinstance(found, RevocationList)
        return found

    def is_revoked(self, peer_key: bytes) -> bool:
        """Whether a peer gets no tokens any more."""
        row = self.connection.execute(
            "SELECT 1 FROM revoked_peers WHERE peer_key = ?", (peer_key,)
        ).fetchone()
        return row is not None

    def revoke_peer(self, peer_key: bytes, now: int) -> RevocationList:
        """Take back every token of a peer key, those to come too. Raises IssuerObjectError."""
        self.connection.execute("INSERT OR IGNORE INTO revoked_peers VALUES (?)", (peer_key,))
        return self._sign_revocations(now)

    def revoke_token(self, token_id: bytes, now: int) -> RevocationList:
        """Take back a token, and those of the same login. Raises IssuerObjectError."""
        login = self.login_of(token_id)
        rows = [(token_id, now + UNKNOWN_TOKEN_SECONDS)]
        if login is not None:
            rows = self.connection.execute(
                "SELECT id, expires FROM tokens WHERE login = ? AND (expires >= ? OR id = ?)",
                (login.id, now - LEEWAY, token_id),
            ).fetchall()
        self.connection.executemany("INSERT OR IGNORE INTO revoked_tokens VALUES (?, ?)", rows)
        return self._sign_revocations(now)

    def _sign_revocations(self, now: int) -> RevocationList:
        """Sign the list anew, without tokens that have long run out anyway."""
        number = self._next_number(_REVOCATIONS, now)
        self.connection.execute("DELETE FROM revoked_tokens WHERE until < ?", (now - 86_400,))
        tokens = self.connection.execute("SELECT id FROM revoked_tokens").fetchall()
        peers = self.connection.execute("SELECT peer_key FROM revoked_peers").fetchall()
        signed = sign_revocations(
            self._signer(),
            issuer=self.issuer,
            number=number,
            token_ids=[token_id for (token_id,) in tokens],
            peer_keys=[peer_key for (peer_key,) in peers],
            issued_at=now,
        )
        self._keep(_REVOCATIONS, number, signed.raw)
        self._seen = None
        return signed


def _add_key(connection: Connection) -> None:
    key = IssuerKey.generate()
    connection.execute(
        "INSERT INTO keys (private, kid) VALUES (?, ?)", (key.private_bytes(), key.kid)
    )


def new_token_id() -> bytes:
    """Return an id that no token ever had: by chance, so that no back-up can bring one back."""
    return secrets.token_bytes(TOKEN_ID_BYTES)
