"""frostgate's server: a gRPC policy decision service for frozen customers."""
