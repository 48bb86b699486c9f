"""X25519 keys (RFC 7748), without what ``cryptography`` loads besides to make one.

Its public functions first ask whether the OpenSSL beneath has X25519, and to ask they load all of
the library's backend: RSA, elliptic curves, a table of OpenSSL's constants. That is 0.4 MB in every
engine, which uses nothing of it. So the two functions that the public ones call are called here.
They are not public: where they are not as expected, the public ones take their place.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

__all__ = ["X25519PrivateKey", "X25519PublicKey", "generate", "public_key"]

try:
    from cryptography.hazmat.bindings._rust import openssl

    generate = openssl.x25519.generate_key
    public_key = openssl.x25519.from_public_bytes
except (ImportError, AttributeError):
    generate = X25519PrivateKey.generate
    public_key = X25519PublicKey.from_public_bytes
