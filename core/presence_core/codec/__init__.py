"""Bytes to values and back: strict, bounded, no I/O."""
