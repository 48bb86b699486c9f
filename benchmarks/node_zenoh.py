"""One Zenoh peer for the benchmarks: a liveliness token, and a value. Started by hosts.py."""

from __future__ import annotations

import sys
import threading
import time

import zenoh


def say(*words: object) -> None:
    print(*words, time.monotonic(), flush=True)


def main(name: str) -> None:
    say("ready")
    lock = threading.Lock()
    others: set[str] = set()
    losts = 0

    def alive(sample: zenoh.Sample) -> None:
        nonlocal losts
        other = str(sample.key_expr).rpartition("/")[2]
        with lock:
            if other == name:
                return
            if sample.kind == zenoh.SampleKind.PUT:
                others.add(other)
            elif other in others:
                others.discard(other)
                losts += 1
                say("lost", losts)
            say("sees", len(others))

    def state(sample: zenoh.Sample) -> None:
        say("mark", sample.payload.to_string())

    config = zenoh.Config()
    config.insert_json5("mode", '"peer"')
    config.insert_json5("listen/endpoints", '["tcp/0.0.0.0:0"]')
    config.insert_json5("scouting/multicast/interface", '"eth0"')
    with zenoh.open(config) as session:
        token = session.liveliness().declare_token(f"bench/alive/{name}")
        watch = session.liveliness().declare_subscriber("bench/alive/**", alive, history=True)
        values = session.declare_subscriber("bench/state/**", state)
        for line in sys.stdin:
            session.put(f"bench/state/{name}", line.split()[1])
        for declared in (values, watch, token):
            declared.undeclare()


main(sys.argv[1])
