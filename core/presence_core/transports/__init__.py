"""Bytes in, bytes out: the ways a session can travel."""
