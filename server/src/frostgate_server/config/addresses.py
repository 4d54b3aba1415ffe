"""Addresses in settings: HOST:PORT or unix:/path."""

import ipaddress

MOST_SOCKET_PATH = 107
"""The largest number of bytes in the path of a unix socket."""


def is_unix(address: str) -> bool:
    """Whether the address is a unix socket."""
    return address.startswith("unix:")


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach the address."""
    if is_unix(address):
        return True
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
