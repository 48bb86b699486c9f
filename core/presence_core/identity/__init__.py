"""Who a peer is: keys, mesh keys, and (with the identity service) tokens and trust."""
