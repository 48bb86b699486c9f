"""X25519 and ChaCha20-Poly1305 of ``cryptography``, without what it loads besides.

Its public functions for X25519 (RFC 7748) first ask whether the OpenSSL beneath has that, and to
ask they load the library's whole backend: RSA, elliptic curves, a table of OpenSSL's constants.
With its public ChaCha20-Poly1305 (RFC 8439) come all the other ciphers. That is half a megabyte in
every engine, which uses nothing of it. So what is beneath the public names is taken here, and only
here. It is not public: where it is not as expected, the public names take its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    generate = X25519PrivateKey.generate
    public_key = X25519PublicKey.from_public_bytes
else:
    try:
        from cryptography.hazmat.bindings._rust import openssl

        ChaCha20Poly1305 = openssl.aead.ChaCha20Poly1305
        generate = openssl.x25519.generate_key
        public_key = openssl.x25519.from_public_bytes
    except (ImportError, AttributeError):
        from cryptography.hazmat.primitives.asymmetric import x25519
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        generate = x25519.X25519PrivateKey.generate
        public_key = x25519.X25519PublicKey.from_public_bytes

__all__ = ["ChaCha20Poly1305", "generate", "public_key"]
