"""What does not work about Bluetooth, in words, with what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.engine.adapter import no_adapter_words
from presence_core.model import ConditionState
from presence_core.transports.ble.radio import Trouble

if TYPE_CHECKING:
    from presence_core.engine.conditions import Conditions

_WARNING, _FAILED = ConditionState.WARNING, ConditionState.FAILED

_SAID: dict[Trouble, tuple[ConditionState, str, str]] = {
    Trouble.POWERED_OFF: (
        _WARNING,
        "the Bluetooth adapter is switched off",
        "switch it on (on Linux: rfkill unblock bluetooth, bluetoothctl power on); it is used then",
    ),
    Trouble.NO_PERMISSION: (
        _FAILED,
        "this program may not use Bluetooth",
        (
            "allow it: on Linux for this user in the D-Bus policy of org.bluez (in a container, "
            "share the system bus); on macOS for the terminal, in the privacy settings"
        ),
    ),
    Trouble.NO_SERVICE: (
        _WARNING,
        "the system's Bluetooth service does not answer",
        "on Linux: systemctl start bluetooth; it is tried again by itself",
    ),
    Trouble.NO_LIBRARY: (
        _FAILED,
        "what Bluetooth needs here cannot be loaded",
        "install presence-tui again with all it depends on",
    ),
    Trouble.NO_PERIPHERAL: (
        _WARNING,
        "this Bluetooth adapter cannot be found by others",
        (
            "nothing needs to be done: this device dials the others; two such devices do not find "
            "each other by Bluetooth"
        ),
    ),
    Trouble.ADVERT_REFUSED: (
        _WARNING,
        "the system refuses to advertise this device over Bluetooth",
        (
            "close other programs that advertise; it is tried again by itself, and this device "
            "dials the others meanwhile"
        ),
    ),
    Trouble.NOT_AT_ONCE: (
        _WARNING,
        "this Bluetooth adapter cannot look for others while it is to be found",
        "it does both in turns, so finding takes longer; nothing needs to be done",
    ),
    Trouble.FAILED: (_WARNING, "Bluetooth does not work", "it is tried again by itself"),
}


def say_trouble(
    conditions: Conditions, trouble: Trouble | None, detail: str = "", *, asked: bool = False
) -> None:
    """Set the condition of Bluetooth.

    ``asked``: somebody wants it by name, so that no adapter is worth a warning.
    """
    if trouble is None:
        conditions.set("ble")
        return
    conditions.set("ble", *trouble_words(trouble, detail, asked=asked))


def trouble_words(
    trouble: Trouble, detail: str = "", *, asked: bool = False
) -> tuple[ConditionState, str, str]:
    """Return how bad a trouble is, what it is, and what to do; ``asked`` as in `say_trouble`."""
    no_adapter = trouble is Trouble.NO_ADAPTER
    state, message, hint = no_adapter_words(asked=asked) if no_adapter else _SAID[trouble]
    return state, f"{message}: {detail}" if detail else message, hint
