"""Messages and stubs of package frostgate.v1, generated from its protos."""
