from __future__ import annotations

from presence_core.engine.gate import (
    MAX_FAILURES_PER_MINUTE,
    MAX_HALF_OPEN,
    MAX_HALF_OPEN_PER_HOST,
    HandshakeGate,
)


def test_a_host_has_a_limit_of_half_open_handshakes() -> None:
    gate = HandshakeGate()
    assert all(gate.enter("192.0.2.1", 0) for _ in range(MAX_HALF_OPEN_PER_HOST))
    assert not gate.enter("192.0.2.1", 0)
    assert gate.enter("192.0.2.2", 0)
    gate.leave("192.0.2.1", 0, failed=False)
    assert gate.enter("192.0.2.1", 0)


def test_all_hosts_together_have_a_limit() -> None:
    gate = HandshakeGate()
    for number in range(MAX_HALF_OPEN):
        assert gate.enter(f"192.0.2.{number}", 0)
    assert not gate.enter("198.51.100.1", 0)


def test_a_host_that_fails_often_meets_silence_for_a_minute() -> None:
    gate = HandshakeGate()
    for second in range(MAX_FAILURES_PER_MINUTE):
        assert gate.enter("192.0.2.1", second)
        gate.leave("192.0.2.1", second, failed=True)
    assert not gate.enter("192.0.2.1", 10)
    assert not gate.enter("192.0.2.1", 60)
    assert gate.enter("192.0.2.1", 60.5)


def test_loopback_has_only_the_common_limit() -> None:
    gate = HandshakeGate()
    for host in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        for _ in range(MAX_HALF_OPEN_PER_HOST + 2):
            assert gate.enter(host, 0)
