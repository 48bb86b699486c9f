"""Issuers of identity: their keys, and what they sign about themselves (protocol §8.2, §8.3).

A key set says with which keys an issuer signs tokens; a revocation list, what it takes back. Both
travel as bytes: in files, over HTTP, and from peer to peer, so that a mesh without any server
learns of new keys and of revocations too. What they mean to whoever has them, and which of two is
the newer one, is decided in :mod:`presence_core.identity.verify`.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from presence_core.codec import base64url, cbor, cose
from presence_core.codec.base64url import Base64Error
from presence_core.codec.cbor import CborError
from presence_core.codec.cose import CoseError
from presence_core.codec.text import safe_text
from presence_core.identity.keys import KeyFormatError, SigningKey, check_peer_key
from presence_core.identity.mesh import PROTO
from presence_core.value_object import value_object

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_OBJECT = 65_000
"""Bytes of a signed object: what fits one message (protocol §2.2)."""

MAX_OBJECT_TEXT = 131_072
"""Characters of its text form, comments and line breaks among them."""

MAX_KEYS = 16
MAX_TOKEN_IDS = 2_000
MAX_PEER_KEYS = 1_000
MAX_NAME_BYTES = 256
"""Bytes of UTF-8 in the name of an issuer."""

MAX_TOKEN_ID_BYTES = 64
KEY_ID_BYTES = 8
MAX_NUMBER = (1 << 63) - 1
"""Of a signed object: what every data base can hold."""

MAX_TIME = 253_370_764_800
"""Unix seconds: the beginning of the year 9999, which every time zone can still show."""

OBJECT_TYPE = PROTO.decode() + "-issuer+cbor"
_EXTERNAL_AAD = PROTO + b"/issuer/1"

_LINE = 76

_ALG, _KID, _TYP = cose.ALG, 4, 16
_KIND, _ISSUER, _NUMBER, _ISSUED, _KEYS, _TOKEN_IDS, _PEER_KEYS = range(1, 8)
_KEY_SET, _REVOCATIONS = 1, 2
_KTY, _KEY_KID, _KEY_ALG, _CRV, _X = 1, 2, 3, -1, -2
OKP, CURVE_ED25519 = 1, 6
"""Key type and curve of an Ed25519 key in a COSE_Key (RFC 9053 §7.2)."""


class IssuerObjectError(ValueError):
    """Not a signed object of an issuer, or one that cannot be made or trusted: why, in one line."""


def key_id(public: bytes) -> bytes:
    """Return the id by which tokens and signed objects name a key: 8 bytes of its SHA-256."""
    return hashlib.sha256(public).digest()[:KEY_ID_BYTES]


@lru_cache(maxsize=256)
def _loaded(public: bytes) -> Ed25519PublicKey:
    """Issuers have few keys, each of which verifies thousands of tokens."""
    return Ed25519PublicKey.from_public_bytes(public)


@value_object
class PublicKey:
    """A public key of an issuer. Raises IssuerObjectError if it cannot be one."""

    kid: bytes
    public: bytes

    def __post_init__(self) -> None:
        try:
            check_peer_key(self.public)
        except KeyFormatError as error:
            raise IssuerObjectError(str(error).replace("peer key", "key of an issuer")) from None
        if self.kid != key_id(self.public):
            raise IssuerObjectError("the id of a key is not the beginning of its SHA-256")

    @classmethod
    def of(cls, public: bytes) -> Self:
        """Return a key with its id."""
        return cls(key_id(public), public)

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Whether the holder of this key has signed the data."""
        try:
            _loaded(self.public).verify(signature, data)
        except InvalidSignature:
            return False
        return True


class IssuerKey(SigningKey):
    """A private key of an issuer."""

    __slots__ = ("kid",)

    def __init__(self, private: Ed25519PrivateKey) -> None:
        super().__init__(private)
        self.kid = key_id(self.public)

    @property
    def public_key(self) -> PublicKey:
        """The public half, as it stands in a key set."""
        return PublicKey(self.kid, self.public)

    def __repr__(self) -> str:
        return f"<IssuerKey {self.kid.hex()}>"


@value_object
class KeySet:
    """The keys of an issuer. ``number`` orders its key sets, never a clock.

    ``raw`` is what was signed and is passed on, ``signer`` the id of the key that signed it, which
    need not be one of these; ``issued_at`` (Unix seconds) is for people only.
    """

    is_key_set: ClassVar[bool] = True
    issuer: str
    number: int
    keys: tuple[PublicKey, ...]
    raw: bytes
    signer: bytes
    issued_at: int | None = None

    def key(self, kid: bytes) -> PublicKey | None:
        """Return the key with this id, or None."""
        return next((key for key in self.keys if key.kid == kid), None)


@value_object
class RevocationList:
    """What an issuer takes back: tokens by their id, and all tokens of a peer by its key.

    Each list is the whole of it: what a newer one does not name is not revoked any more.
    """

    is_key_set: ClassVar[bool] = False
    issuer: str
    number: int
    token_ids: frozenset[bytes]
    peer_keys: frozenset[bytes]
    raw: bytes
    signer: bytes
    issued_at: int | None = None


SignedObject: TypeAlias = KeySet | RevocationList


def sign_key_set(
    key: IssuerKey,
    *,
    issuer: str,
    number: int,
    keys: Iterable[PublicKey],
    issued_at: int | None = None,
) -> KeySet:
    """Sign a key set with one of its own keys, or with one of the set before it.

    Who has neither set takes only what one of its own keys has signed, from a person; who has the
    set before takes what one of *its* keys has signed. Raises IssuerObjectError for what
    :func:`parse_object` would refuse.
    """
    listed = [
        {_KTY: OKP, _KEY_KID: one.kid, _KEY_ALG: cose.ED25519, _CRV: CURVE_ED25519, _X: one.public}
        for one in keys
    ]
    payload = {_KIND: _KEY_SET, _ISSUER: issuer, _NUMBER: number, _KEYS: listed}
    signed = _sign(key, payload, issued_at)
    assert isinstance(signed, KeySet)
    return signed


def sign_revocations(
    key: IssuerKey,
    *,
    issuer: str,
    number: int,
    token_ids: Iterable[bytes] = (),
    peer_keys: Iterable[bytes] = (),
    issued_at: int | None = None,
) -> RevocationList:
    """Sign a revocation list with a key that those who are to take it trust now.

    Raises IssuerObjectError for what :func:`parse_object` would refuse. A full list of peers and
    one of ids of 16 bytes do not fit together: tokens that have run out need not be named.
    """
    payload = {
        _KIND: _REVOCATIONS,
        _ISSUER: issuer,
        _NUMBER: number,
        _TOKEN_IDS: sorted(set(token_ids)),
        _PEER_KEYS: sorted(set(peer_keys)),
    }
    signed = _sign(key, payload, issued_at)
    assert isinstance(signed, RevocationList)
    return signed


def _sign(key: IssuerKey, payload: dict[int, Any], issued_at: int | None) -> SignedObject:
    if issued_at is not None:
        payload[_ISSUED] = issued_at
    try:
        encoded = cbor.encode(payload)
    except CborError as error:
        raise IssuerObjectError(f"cannot be signed: {error}") from None
    return parse_object(
        cose.sign1(
            encoded, protected=_protected(key.kid), external_aad=_EXTERNAL_AAD, sign=key.sign
        )
    )


def _protected(kid: Any) -> dict[int, Any]:
    return {_ALG: cose.ED25519, _KID: kid, _TYP: OBJECT_TYPE}


def parse_object(raw: bytes) -> SignedObject:
    """Read a signed object. Raises IssuerObjectError; the signature is not checked here."""
    try:
        message = cose.parse_sign1(raw, max_size=MAX_OBJECT)
        signer = message.protected.get(_KID)
        if message.protected_bytes != cbor.encode(_protected(signer)):
            raise IssuerObjectError("not signed with Ed25519 as an issuer signs its objects")
        payload = cbor.decode(message.payload, max_size=MAX_OBJECT, max_depth=4, max_items=4_096)
    except (CoseError, CborError) as error:
        raise IssuerObjectError(f"malformed: {error}") from None
    if not isinstance(payload, dict):
        raise IssuerObjectError("the payload is not a map")
    signer = _bytes(signer, KEY_ID_BYTES, KEY_ID_BYTES, "the id of the key that signed it")
    issuer = check_text(payload.get(_ISSUER), MAX_NAME_BYTES, "the name of the issuer")
    number = _uint(payload.get(_NUMBER), MAX_NUMBER, "the number")
    issued_at = payload.get(_ISSUED)
    if issued_at is not None:
        issued_at = _uint(issued_at, MAX_TIME, "the time of issue")
    kind = _uint(payload.get(_KIND), MAX_NUMBER, "the kind")
    if kind == _KEY_SET:
        return KeySet(issuer, number, _keys(payload.get(_KEYS)), raw, signer, issued_at)
    if kind == _REVOCATIONS:
        token_ids = _unique(payload.get(_TOKEN_IDS), MAX_TOKEN_IDS, "token ids")
        peer_keys = _unique(payload.get(_PEER_KEYS), MAX_PEER_KEYS, "peer keys")
        for token_id in token_ids:
            _bytes(token_id, 1, MAX_TOKEN_ID_BYTES, "a token id")
        for peer_key in peer_keys:
            _bytes(peer_key, 32, 32, "a peer key")
        return RevocationList(issuer, number, token_ids, peer_keys, raw, signer, issued_at)
    raise IssuerObjectError("neither a key set nor a revocation list")


def is_signed_by(signed: SignedObject, key: PublicKey) -> bool:
    """Whether a signed object was signed with this key."""
    message = cose.parse_sign1(signed.raw, max_size=MAX_OBJECT)
    return signed.signer == key.kid and key.verify(
        message.signature, message.to_be_signed(_EXTERNAL_AAD)
    )


def same_content(one: SignedObject, other: SignedObject) -> bool:
    """Whether two objects say the same, whoever signed them."""
    payloads = [cose.parse_sign1(each.raw, max_size=MAX_OBJECT).payload for each in (one, other)]
    return payloads[0] == payloads[1]


def _keys(value: Any) -> tuple[PublicKey, ...]:
    """Read a COSE_KeySet. Keys of kinds that are not known here are passed over (RFC 9052 §7)."""
    if not isinstance(value, list) or len(value) > MAX_KEYS:
        raise IssuerObjectError(f"the keys are not a list of at most {MAX_KEYS}")
    keys = tuple(key for key in map(_key, value) if key is not None)
    if not keys:
        raise IssuerObjectError("the key set holds no Ed25519 key")
    if len(set(keys)) != len(keys):
        raise IssuerObjectError("a key comes twice")
    return keys


def _key(item: Any) -> PublicKey | None:
    if not isinstance(item, dict):
        raise IssuerObjectError("a key is not a map")
    if (item.get(_KTY), item.get(_CRV), item.get(_KEY_ALG)) != (OKP, CURVE_ED25519, cose.ED25519):
        return None
    kid = _bytes(item.get(_KEY_KID), KEY_ID_BYTES, KEY_ID_BYTES, "the id of a key")
    return PublicKey(kid, _bytes(item.get(_X), 32, 32, "a key"))


def _unique(value: Any, limit: int, what: str) -> frozenset[Any]:
    if not isinstance(value, list) or len(value) > limit:
        raise IssuerObjectError(f"the {what} are not a list of at most {limit:,}")
    if not all(isinstance(item, bytes) for item in value):
        raise IssuerObjectError(f"the {what} are not all bytes")
    unique = frozenset(value)
    if len(unique) != len(value):
        raise IssuerObjectError(f"one of the {what} comes twice")
    return unique


def _bytes(value: Any, least: int, most: int, what: str) -> bytes:
    if not isinstance(value, bytes) or not least <= len(value) <= most:
        size = f"{least}" if least == most else f"{least} to {most}"
        raise IssuerObjectError(f"{what} is not {size} bytes")
    return value


def _uint(value: Any, most: int, what: str) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise IssuerObjectError(f"{what} is not a whole number from 0 to {most}")
    return value


def check_text(value: Any, most: int, what: str) -> str:
    """Return a text of 1 to ``most`` bytes of UTF-8. Raises IssuerObjectError."""
    if not isinstance(value, str) or not 1 <= len(value.encode()) <= most:
        raise IssuerObjectError(f"{what} is not a text of 1 to {most} bytes")
    return value


# -- the text form


def object_text(signed: SignedObject) -> str:
    """Return the form for files and people: comments, then base64url in lines of 76.

    The comments are for eyes; nobody reads facts from them.
    """
    name = safe_text(signed.issuer, limit=64)
    if isinstance(signed, KeySet):
        about = [f"key set {signed.number} of the issuer {name}"]
        about += [f"key {key.kid.hex()}" for key in signed.keys]
    else:
        counts = f"{len(signed.token_ids)} tokens, {len(signed.peer_keys)} peers"
        about = [f"revocation list {signed.number} of the issuer {name}", counts]
    about.append(f"signed with key {signed.signer.hex()}")
    text = base64url.encode(signed.raw)
    lines = [f"# {line}" for line in about]
    lines += [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    return "\n".join(lines) + "\n"


def read_object(data: str | bytes) -> bytes:
    """Return the CBOR of a signed object from its text form, or from the CBOR itself.

    Raises IssuerObjectError if it is neither. What it says is not looked at.
    """
    if isinstance(data, bytes):
        if data[:1] == b"\x84":  # the list of four that a COSE_Sign1 is; no text begins with it
            return _limited(data)
        if len(data) > MAX_OBJECT_TEXT:
            raise IssuerObjectError(f"more than {MAX_OBJECT_TEXT:,} bytes")
        try:
            data = data.decode()
        except UnicodeDecodeError:
            raise IssuerObjectError("neither CBOR nor text") from None
    if len(data) > MAX_OBJECT_TEXT:
        raise IssuerObjectError(f"more than {MAX_OBJECT_TEXT:,} characters")
    lines = [line.strip() for line in data.splitlines()]
    text = "".join(line for line in lines if not line.startswith("#"))
    if not text:
        raise IssuerObjectError("empty")
    try:
        return _limited(base64url.decode(text))
    except Base64Error as error:
        raise IssuerObjectError(f"the text {error}") from None


def _limited(raw: bytes) -> bytes:
    if len(raw) > MAX_OBJECT:
        raise IssuerObjectError(f"{len(raw):,} bytes are more than the {MAX_OBJECT:,} allowed")
    return raw
