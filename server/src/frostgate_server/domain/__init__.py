"""The domain: customers, partners, verification codes, roles and errors as plain values and functions; it imports only
the standard library."""
