"""A room full of virtual Bluetooth controllers: bumble's, on one link, with walls that come and go.

A node has two, one for each role: bumble takes any new connection for the one that it dials.
"""

from __future__ import annotations

import asyncio
from typing import Any

from bumble import core, hci, ll
from bumble.controller import Controller
from bumble.link import LocalLink

SUPERVISION_TIMEOUT = 0x08
"""Why a connection ends whose other end is not heard any more (Core 5.4, Vol 1 Part F, 2.8)."""


class Air(LocalLink):
    """The link between all controllers. A controller is named ``node/role``."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._apart: set[frozenset[str]] = set()
        self._gone: set[str] = set()

    def within_range(self, one: Controller, other: Controller) -> bool:
        """Whether two controllers hear each other."""
        pair = frozenset((_node(one), _node(other)))
        return pair not in self._apart and not pair & self._gone

    # -- what tests do to it

    def part(self, one: str, other: str) -> None:
        """Put two nodes out of each other's range; what was between them ends."""
        self._apart.add(frozenset((one, other)))
        self._end_what_is_out_of_range()

    def join(self, one: str, other: str) -> None:
        """Bring two nodes within range again."""
        self._apart.discard(frozenset((one, other)))

    def take_away(self, node: str) -> None:
        """Switch a node's radio off, as when its process is killed."""
        self._gone.add(node)
        self._end_what_is_out_of_range()
        for controller in [c for c in self.controllers if _node(c) == node]:
            controller.le_legacy_advertiser.stop()
            self.remove_controller(controller)
        self._gone.discard(node)

    def _end_what_is_out_of_range(self) -> None:
        for controller in tuple(self.controllers):
            for connection in tuple(controller.le_connections.values()):
                far = self.find_le_controller(connection.peer_address)
                if far is None or not self.within_range(controller, far):
                    controller.on_le_disconnected(connection, SUPERVISION_TIMEOUT)

    # -- what bumble calls

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: hci.Address,
        transport: core.PhysicalTransport,
        data: bytes,
    ) -> None:
        """Carry data with the address that this connection has, not with the random one."""
        connection = sender_controller.le_connections.get(destination_address)
        target = self.find_le_controller(destination_address)
        if connection is None or target is None or not self.within_range(sender_controller, target):
            return
        address = connection.self_address
        asyncio.get_running_loop().call_soon(
            lambda: target.on_link_acl_data(address, transport, data)
        )

    def send_advertising_pdu(self, sender_controller: Controller, packet: Any) -> None:
        """Let those hear it that are near."""
        loop = asyncio.get_running_loop()
        for controller in self.controllers:
            if controller is not sender_controller and self.within_range(
                sender_controller, controller
            ):
                loop.call_soon(controller.on_ll_advertising_pdu, packet)

    def send_ll_control_pdu(
        self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu
    ) -> None:
        """Carry it if there is still somebody to hear it."""
        if self.find_le_controller(receiver_address) is not None:
            super().send_ll_control_pdu(sender_address, receiver_address, packet)


def _node(controller: Controller) -> str:
    return controller.name.partition("/")[0]
