"""Signed presence records and the table of the newest of each peer; no I/O, no clock."""
