"""The other end of test_cwt.py, in an environment of its own: nothing of ours is in here.

Reads one JSON object a line from stdin and answers each with one. Bytes are in hexadecimal.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import cbor2
from cwt import COSE, CWT, COSEKey, CWTError


def key_of(private: str, algorithm: int) -> Any:
    """Make a private key from that of the request, with the public half that it says."""
    secret, public, kid = (bytes.fromhex(part) for part in private.split(":"))
    return COSEKey.new({1: 1, 2: kid, 3: algorithm, -1: 6, -2: public, -4: secret, 4: [1]})


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked."""
    if request["do"] in ("claims", "payload"):
        key = COSEKey.new({**cbor2.loads(bytes.fromhex(request["key"])), 4: [2]})
        signed = b"\xd2" + bytes.fromhex(request["signed"])  # it insists on the tag
        if request["do"] == "claims":
            return {"found": cbor2.dumps(CWT.new().decode(signed, key)).hex()}
        payload = COSE.new().decode(signed, key, external_aad=bytes.fromhex(request["aad"]))
        return {"found": payload.hex()}
    key = key_of(request["key"], request["algorithm"])
    payload = bytes.fromhex(request["payload"])
    if request["do"] == "issue":
        return {"found": CWT.new().encode_and_sign(cbor2.loads(payload), key).hex()}
    header = cbor2.loads(bytes.fromhex(request["header"]))
    aad = bytes.fromhex(request["aad"])
    signed = COSE.new().encode(payload, key, protected=header, external_aad=aad)
    return {"found": signed[1:].hex()}


for line in sys.stdin:
    try:
        print(json.dumps(answer(json.loads(line))), flush=True)
    except (CWTError, ValueError) as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
