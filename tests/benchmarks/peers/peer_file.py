"""Peers: other services that run already, and are measured beside frostgate. A TOML file names them."""

import binascii
import json
import re
import tomllib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.servers import CannotMeasure, Running

KEYS = {"name", "target", "method", "requests", "requests_file", "metadata", "pids"}
"""That a peer may have."""

_METHOD = re.compile(r"/[\w.]+/\w+")
_TARGET = re.compile(r"[^\s/]+:\d+")


@dataclass(frozen=True, slots=True)
class Peer:
    """A service, the unary method that is called, and the serialized requests of which each call sends one.

    `metadata` may hold a token: no raw result has it. `pids` are the processes whose CPU is counted.
    """

    name: str
    target: str
    method: str
    requests: tuple[bytes, ...]
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)
    pids: tuple[int, ...] = ()

    def running(self) -> Running:
        """Its address and its processes. Raises CannotMeasure if one of them has ended."""
        for pid in self.pids:
            if not Path(f"/proc/{pid}").exists():
                raise CannotMeasure(f"peer {self.name!r} has no process {pid}: name those that run now")
        return Running(self.target, list(self.pids))

    def write_calls(self, file: Path) -> None:
        """Writes the method, the requests and the metadata for the load."""
        requests = [b64encode(request).decode() for request in self.requests]
        calls = {"method": self.method, "requests": requests, "metadata": dict(self.metadata)}
        file.write_text(json.dumps(calls), "utf-8")

    def describe(self) -> dict[str, Any]:
        """The part of a raw result about it. Without metadata."""
        requests = len(self.requests)
        return {"name": self.name, "target": self.target, "method": self.method, "requests": requests}


def read_peers(file: Path) -> list[Peer]:
    """The peers of a file. Raises CannotMeasure with what is wrong with it."""
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CannotMeasure(f"{file} cannot be read: {error}") from error
    tables = content.get("peers")
    if content.keys() != {"peers"} or not isinstance(tables, list) or not tables:
        raise CannotMeasure(f"{file} needs one table [[peers]] for each peer, and nothing else")
    peers = [_read_peer(f"{file}, peer {number}", file.parent, table) for number, table in enumerate(tables, start=1)]
    if len({peer.name for peer in peers}) < len(peers):
        raise CannotMeasure(f"{file} has two peers of one name")
    return peers


def _read_peer(where: str, directory: Path, table: dict[str, Any]) -> Peer:
    if unknown := table.keys() - KEYS:
        raise CannotMeasure(f"{where} has the unknown key {min(unknown)!r}: known are {', '.join(sorted(KEYS))}")
    name, target, method = (_text(where, table, key) for key in ("name", "target", "method"))
    if not _TARGET.fullmatch(target):
        raise CannotMeasure(f"{where}: target {target!r} is not HOST:PORT")
    if not _METHOD.fullmatch(method):
        raise CannotMeasure(f"{where}: method {method!r} is not /package.Service/Method")
    metadata, pids = table.get("metadata", {}), table.get("pids", [])
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise CannotMeasure(f"{where}: metadata is not a table of texts")
    if not isinstance(pids, list) or not all(type(pid) is int for pid in pids):
        raise CannotMeasure(f"{where}: pids is not a list of numbers")
    return Peer(name, target, method, _requests(where, directory, table), metadata, tuple(pids))


def _text(where: str, table: dict[str, Any], key: str) -> str:
    text = table.get(key)
    if not isinstance(text, str) or not text:
        raise CannotMeasure(f"{where} needs {key}")
    return text


def _requests(where: str, directory: Path, table: dict[str, Any]) -> tuple[bytes, ...]:
    """The serialized requests, from the file itself or from another one."""
    if ("requests" in table) == ("requests_file" in table):
        raise CannotMeasure(f"{where} needs either requests or requests_file")
    written = table.get("requests")
    if written is None:
        try:
            written = (directory / _text(where, table, "requests_file")).read_text("ascii").split()
        except (OSError, ValueError) as error:
            raise CannotMeasure(f"{where}: requests_file cannot be read: {error}") from error
    if not isinstance(written, list) or not written:
        raise CannotMeasure(f"{where} has no requests")
    try:
        return tuple(b64decode(request, validate=True) for request in written)
    except (binascii.Error, TypeError, ValueError) as error:
        raise CannotMeasure(f"{where}: a request is not base64: {error}") from error
