"""Bytes in, bytes out: the ways a session can travel."""

LAN, BLUETOOTH = 1, 2
"""The numbers of transports in records (protocol §4)."""
