"""The targets of connections."""

from ipaddress import ip_address
from urllib.parse import unquote

_UNIX = ("unix:", "unix-abstract:")
_RESOLVED = ("dns:", "ipv4:", "ipv6:")


def is_local(target: str) -> bool:
    """Tells whether all addresses of a target are on this machine: unix sockets, or loopback by name or number."""
    if target.startswith(_UNIX):
        return True
    scheme = next((scheme for scheme in _RESOLVED if target.startswith(scheme)), "")
    addresses = target.removeprefix(scheme)
    if addresses.startswith("//"):
        _, _, addresses = addresses.removeprefix("//").partition("/")
    return all(_is_local_host(_host(unquote(address))) for address in addresses.split(","))


def _host(address: str) -> str:
    """Returns the host of `host`, `host:port`, `[host]:port`, or an IPv6 address."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def _is_local_host(host: str) -> bool:
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback or address.is_unspecified
