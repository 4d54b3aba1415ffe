"""One function for each RPC. It converts plain arguments to a Call, for both clients."""
