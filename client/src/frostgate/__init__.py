"""What a caller of frostgate needs: the messages and stubs in frostgate.v1."""
