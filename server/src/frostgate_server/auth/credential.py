"""What a caller shows of itself, once it is proven, and what is wrong with one that is not."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Credential:
    """Proves each of the names in `principals`, of which the caller has one. `expires` is a time since the epoch.

    `key` is the token's key, by its thumbprint; empty for a certificate.
    """

    principals: tuple[str, ...]
    expires: float
    key: str = ""


class BadCredential(Exception):
    """A credential that proves nothing. The message is for the log, never for the caller."""
