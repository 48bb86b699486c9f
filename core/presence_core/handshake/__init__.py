"""From two strangers to an encrypted session: bytes in, bytes out, no sockets, no clock."""
