"""Authentication: certificates, tokens, and the files that they are checked against; this package does not import
gRPC."""
