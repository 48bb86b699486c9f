"""The local control socket: one engine, and other processes of its owner that look through it."""
