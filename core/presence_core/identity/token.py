"""Identity tokens: what an issuer says of a peer key, signed (protocol §8.1).

A token is a CWT (RFC 8392) that is bound to one peer key by its confirmation claim (RFC 8747), so
that a copy is of no use to anybody else. Reading one says nothing about whether to believe it;
that is :mod:`presence_core.identity.verify`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from presence_core.codec import base64url, cbor, cose
from presence_core.codec.base64url import Base64Error
from presence_core.codec.cbor import CborError
from presence_core.codec.cose import CoseError
from presence_core.codec.metadata import (
    MAX_METADATA_DEPTH,
    MetadataError,
    check_metadata,
    decode_metadata,
)
from presence_core.identity.issuer import (
    CURVE_ED25519,
    KEY_ID_BYTES,
    MAX_NAME_BYTES,
    MAX_TIME,
    MAX_TOKEN_ID_BYTES,
    OKP,
    IssuerKey,
    PublicKey,
)
from presence_core.identity.keys import KeyFormatError, check_peer_key
from presence_core.identity.mesh import PROTO
from presence_core.identity.verdict import MAX_TOKEN
from presence_core.model import EMPTY, IdentityStatus, JsonObject
from presence_core.value_object import value_object

LEEWAY = 300.0
"""Seconds by which clocks may differ: a token is believed so much earlier and longer."""

TOKEN_TYPE = PROTO.decode() + "-id+cwt"

_ALG, _KID, _TYP = cose.ALG, 4, 16
_ISS, _SUB, _AUD, _EXP, _NBF, _IAT, _CTI, _CNF = range(1, 9)
_METADATA = -65_537
"""In the range for private use of RFC 8392 §9.1."""
_COSE_KEY = 1
_KTY, _CRV, _X, _D = 1, -1, -2, -4

_MAX_DEPTH = MAX_METADATA_DEPTH + 1
"""Metadata is inside the map of claims."""

_ALGORITHMS = {-8: "EdDSA", -7: "ES256", -35: "ES384", -36: "ES512", -37: "PS256", 5: "HMAC 256"}


class TokenError(ValueError):
    """Bytes that are not a token: which status that is, and why in one line."""

    def __init__(self, status: IdentityStatus, reason: str) -> None:
        self.status = status
        super().__init__(reason)


@value_object(eq=False)
class Token:
    """What a token claims. Times in Unix seconds; ``metadata`` as the issuer vouches for it.

    ``signature`` and ``signed`` are what :meth:`is_signed_by` compares.
    """

    kid: bytes
    issuer: str
    subject: str
    not_before: int
    expires_at: int
    issued_at: int | None
    token_id: bytes
    peer_key: bytes
    metadata: JsonObject
    signature: bytes
    signed: bytes

    def is_signed_by(self, key: PublicKey) -> bool:
        """Whether this key of an issuer has signed the token."""
        return self.kid == key.kid and key.verify(self.signature, self.signed)


def issue_token(
    key: IssuerKey,
    *,
    issuer: str,
    subject: str,
    peer_key: bytes,
    token_id: bytes,
    not_before: int,
    expires_at: int,
    issued_at: int | None = None,
    metadata: JsonObject = EMPTY,
) -> bytes:
    """Make a token for a peer key. Raises ValueError for what nobody would accept.

    Times in whole Unix seconds. The name of the issuer and the subject have 1 to 256 bytes of
    UTF-8, the token id 1 to 64 bytes; all of it together at most ``MAX_TOKEN``.
    """
    claims: dict[int, Any] = {
        _ISS: issuer,
        _SUB: subject,
        _EXP: expires_at,
        _NBF: not_before,
        _CTI: token_id,
        _CNF: {_COSE_KEY: {_KTY: OKP, _CRV: CURVE_ED25519, _X: peer_key}},
        _METADATA: metadata,
    }
    if issued_at is not None:
        claims[_IAT] = issued_at
    payload = cbor.encode(claims, max_depth=_MAX_DEPTH)
    protected = {_ALG: cose.ED25519, _KID: key.kid, _TYP: TOKEN_TYPE}
    raw = cose.sign1(payload, protected=protected, external_aad=b"", sign=key.sign)
    parse_token(raw)
    return raw


def parse_token(raw: bytes) -> Token:
    """Read a token. Raises TokenError; the signature is not checked here."""
    try:
        return _read_usual(raw)
    except ValueError:
        return _parse_any(raw)


def _parse_any(raw: bytes) -> Token:
    """Read a token of whatever form, or say what is wrong with it."""
    if len(raw) > MAX_TOKEN:
        raise TokenError(
            IdentityStatus.OVERSIZE, f"it takes {len(raw):,} bytes; the limit is {MAX_TOKEN:,}"
        )
    try:
        message = cose.parse_sign1(raw, max_size=MAX_TOKEN)
        claims = cbor.decode(
            message.payload, max_size=MAX_TOKEN, max_depth=_MAX_DEPTH, max_items=MAX_TOKEN
        )
        if not isinstance(claims, dict):
            raise _malformed("its claims are not a map")
        kid, algorithm = _header(message.protected_bytes)
        token = Token(
            kid=kid,
            issuer=_text(claims.get(_ISS), "the issuer"),
            subject=_text(claims.get(_SUB), "the subject"),
            not_before=_time(claims.get(_NBF), "the time from which it is valid"),
            expires_at=_time(claims.get(_EXP), "the time until which it is valid"),
            issued_at=None if _IAT not in claims else _time(claims[_IAT], "the time of issue"),
            token_id=_bytes(claims.get(_CTI), 1, MAX_TOKEN_ID_BYTES, "its id"),
            peer_key=_confirmed(claims.get(_CNF)),
            metadata=check_metadata(claims.get(_METADATA, EMPTY)),
            signature=message.signature,
            signed=message.to_be_signed(b""),
        )
    except (CoseError, CborError, KeyFormatError, MetadataError) as error:
        raise _malformed(str(error)) from None
    if token.not_before >= token.expires_at:
        raise _malformed("it ends before it begins")
    if _AUD in claims:  # RFC 8392 §3.1.3: who is not in it must refuse it, and nobody here can be
        raise _malformed("it is meant for a special audience")
    if algorithm != cose.ED25519:
        name = f"{_ALGORITHMS[algorithm]}, " if algorithm in _ALGORITHMS else ""
        raise TokenError(
            IdentityStatus.UNSUPPORTED_ALG,
            f"it is signed with another algorithm ({name}{algorithm}) than Ed25519",
        )
    return token


@lru_cache(maxsize=256)
def _header(encoded: bytes) -> tuple[bytes, int]:
    """Return key id and algorithm: a header of exactly those and the type.

    What may be in a header besides would change what the token means (RFC 9052 §3.1, crit).
    """
    protected = cose.parse_header(encoded)
    if protected.keys() != {_ALG, _KID, _TYP}:
        raise _malformed("its header has not algorithm, key id and type, and nothing else")
    if protected[_TYP] != TOKEN_TYPE:
        raise _malformed(f"its type is not {TOKEN_TYPE}")
    algorithm = protected[_ALG]
    if type(algorithm) is not int:
        raise _malformed("its algorithm is not a number")
    return _bytes(protected[_KID], KEY_ID_BYTES, KEY_ID_BYTES, "the id of its key"), algorithm


def _confirmed(value: Any) -> bytes:
    """Return the peer key of a confirmation claim (RFC 8747 §3.2)."""
    key = value.get(_COSE_KEY) if isinstance(value, dict) else None
    if not isinstance(key, dict):
        raise _malformed("it is bound to no key")
    if not (_is(key.get(_KTY), OKP) and _is(key.get(_CRV), CURVE_ED25519)) or _D in key:
        raise _malformed("it is bound to another kind of key than a peer key")
    return check_peer_key(_bytes(key.get(_X), 32, 32, "the key that it is bound to"))


def _is(value: Any, number: int) -> bool:
    """Tell a number from a float and from true, which Python takes for the same."""
    return type(value) is int and value == number


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value.encode()) <= MAX_NAME_BYTES:
        raise _malformed(f"{what} is not a text of 1 to {MAX_NAME_BYTES} bytes")
    return value


def _time(value: Any, what: str) -> int:
    """Times are whole seconds here; RFC 8392 §2 would have let them be floats too."""
    if type(value) is not int or not 0 <= value <= MAX_TIME:
        raise _malformed(f"{what} is not a whole number of seconds before the year 9999")
    return value


def _bytes(value: Any, least: int, most: int, what: str) -> bytes:
    if not isinstance(value, bytes) or not least <= len(value) <= most:
        size = f"{least}" if least == most else f"{least} to {most}"
        raise _malformed(f"{what} is not {size} bytes")
    return value


def _malformed(reason: str) -> TokenError:
    return TokenError(IdentityStatus.MALFORMED, reason)


# -- the usual form, at once
#
# Whoever trusts a new issuer, or joins a big mesh, has ten thousand tokens to look at, and reading
# each claim by claim takes a fifth of the time that its signature does. Nearly all have one form:
# no claims but ours, short texts, times of this century. Such a token is taken apart by one
# pattern, which matches only what _parse_any accepts, and with the same outcome (a test holds the
# two beside each other). Whatever is not that, valid or not, is left to _parse_any.

_LONGEST_USUAL = 64
"""Bytes of a text or an id, so that the pattern is compiled in a millisecond or two."""


def _string(major: int) -> bytes:
    """Return a pattern for text or bytes of 1 to 64 bytes, with its head."""
    short = [(b"%c" % (major << 5 | n), n) for n in range(1, 24)]
    long = [(b"%c%c" % (major << 5 | 24, n), n) for n in range(24, _LONGEST_USUAL + 1)]
    return b"|".join(re.escape(head) + b".{%d}" % n for head, n in short + long)


@lru_cache(maxsize=1)
def _usual_begin() -> re.Pattern[bytes]:
    """Compile what all comes before the metadata, when the first token is read."""
    no_kid = bytes(KEY_ID_BYTES)
    header = cbor.encode({_ALG: cose.ED25519, _KID: no_kid, _TYP: TOKEN_TYPE})
    before_kid, after_kid = map(re.escape, header.split(no_kid))
    in_header = re.escape(cbor.encode_bytes(header).removesuffix(header))
    text, time = _string(3), rb"\x1a(?!\0{2})(.{4})"
    return re.compile(
        rb"\x84%b(%b(.{8})%b)\xa0(\x58[\x18-\xff]|\x59[\x01-\xff].)([\xa6-\xa8])"
        rb"\x01(%b)\x02(%b)\x04%b\x05%b(?:\x06%b)?\x07(%b)"
        rb"\x08\xa1\x01\xa3\x01\x01\x20\x06\x21\x58\x20(.{32})(\x3a\x00\x01\x00\x00)?"
        % (in_header, before_kid, after_kid, text, text, time, time, time, _string(2)),
        re.DOTALL,
    )


class _UnusualError(ValueError):
    """A token that is not of the usual form."""


def _read_usual(raw: bytes) -> Token:
    """Raises ValueError for what is not of the usual form, right or wrong."""
    begin = _usual_begin().match(raw)
    end = len(raw) - len(cose.SIGNATURE_HEAD) - cose.SIGNATURE_BYTES
    if begin is None or len(raw) > MAX_TOKEN or not raw.startswith(cose.SIGNATURE_HEAD, end):
        raise _UnusualError
    header, kid, head, entries, iss, sub, exp, nbf, iat, cti, peer_key, more = begin.groups()
    at = begin.end()
    if (
        int.from_bytes(head[1:], "big") != end - begin.start(4)
        or entries[0] != 0xA6 + (iat is not None) + (more is not None)
        or (more is None and at != end)
        or nbf >= exp
    ):
        raise _UnusualError
    return Token(
        kid=kid,
        issuer=_content(iss).decode(),
        subject=_content(sub).decode(),
        not_before=int.from_bytes(nbf, "big"),
        expires_at=int.from_bytes(exp, "big"),
        issued_at=None if iat is None else int.from_bytes(iat, "big"),
        token_id=_content(cti),
        peer_key=check_peer_key(peer_key),
        metadata=EMPTY if more is None else decode_metadata(raw[at:end]),
        signature=raw[-cose.SIGNATURE_BYTES :],
        signed=cose.sig_structure_head(header, b"") + raw[begin.start(3) : end],
    )


def _content(string: bytes) -> bytes:
    """Return a string without its head."""
    return string[1 if string[0] & 31 < 24 else 2 :]


# -- the text form


def token_text(raw: bytes) -> str:
    """Return a token for its file: base64url on one line."""
    return base64url.encode(raw) + "\n"


def read_token(data: str | bytes) -> bytes | None:
    """Return the token that a file holds, None for an empty file.

    Raises TokenError if it is no base64url, or holds more than a token has. What it says is not
    looked at.
    """
    try:
        text = (data if isinstance(data, str) else data.decode("ascii")).strip()
        raw = base64url.decode(text)
    except (UnicodeDecodeError, Base64Error) as error:
        said = str(error) if isinstance(error, Base64Error) else "is not ASCII"
        raise _malformed(f"the text {said}") from None
    if len(raw) > MAX_TOKEN:
        raise TokenError(
            IdentityStatus.OVERSIZE, f"it takes {len(raw):,} bytes; the limit is {MAX_TOKEN:,}"
        )
    return raw or None
