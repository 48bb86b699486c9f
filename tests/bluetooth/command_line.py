"""``presence-tui`` on a machine whose Bluetooth adapter is a virtual one in the ether.

``python -m tests.bluetooth.command_line SOCKET NODE NUMBER ARGUMENTS…``: what the engine asks the
system for, an adapter, is given here; everything else is the program as it is.
"""

from __future__ import annotations

import sys

from presence_core.engine import adapter
from presence_tui.cli import run
from tests.bluetooth.bumble_radio import radio_at


def main(air: str, node: str, number: str, *argv: str) -> int:
    names = vars(adapter)
    names["adapter_present"] = lambda: True
    names["system_radio"] = lambda: radio_at(air, node, int(number))
    return run(argv)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
