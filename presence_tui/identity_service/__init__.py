"""The identity service: it signs who holds a peer key, and keeps what it has signed."""
