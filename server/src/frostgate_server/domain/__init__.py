"""The domain: customers, partners, verification codes, roles and errors as plain values and functions. It imports only
the standard library."""
