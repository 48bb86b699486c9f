"""One Reticulum node for the benchmarks: announces itself, hears others. Started by hosts.py."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import RNS

_CONFIG = """
[reticulum]
enable_transport = no
share_instance = no
[logging]
loglevel = 1
[interfaces]
  [[LAN]]
    type = AutoInterface
    enabled = yes
"""
# A newcomer is heard by those who are there already, and hears the others when they announce again.
ANNOUNCE_EVERY, ANNOUNCES = 4.0, 6


def say(*words: object) -> None:
    print(*words, time.monotonic(), flush=True)


class Heard:
    """Counts who announces."""

    aspect_filter = "bench.node"

    def __init__(self) -> None:
        self._others: set[bytes] = set()
        self._lock = threading.Lock()

    def received_announce(
        self, destination_hash: bytes, announced_identity: object, app_data: bytes | None
    ) -> None:
        with self._lock:
            if destination_hash not in self._others:
                self._others.add(destination_hash)
                say("sees", len(self._others))
            if app_data:
                say("mark", app_data.decode())


def main(home: str) -> None:
    folder = Path(home)
    folder.mkdir()
    (folder / "config").write_text(_CONFIG)
    say("ready")
    RNS.Reticulum(configdir=home)
    here = RNS.Destination(
        RNS.Identity(), RNS.Destination.IN, RNS.Destination.SINGLE, "bench", "node"
    )
    RNS.Transport.register_announce_handler(Heard())

    def announce() -> None:
        for _ in range(ANNOUNCES):
            here.announce()
            time.sleep(ANNOUNCE_EVERY)

    threading.Thread(target=announce, daemon=True).start()
    for line in sys.stdin:
        here.announce(app_data=line.split()[1].encode())


main(sys.argv[1])
