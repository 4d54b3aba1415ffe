"""One function for each RPC: plain arguments to a call that is ready to be made, synchronously or not."""
