"""The file that names peers, and the messages about mistakes in it."""

import json
import os
import re
from base64 import b64encode
from pathlib import Path

import pytest
from benchmarks.peers.encode import encode
from benchmarks.peers.peer_file import KEYS, Peer, read_peers
from benchmarks.servers import CannotMeasure
from google.protobuf import duration_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.json_format import ParseError

PAGE = Path(__file__).parent.parent.parent / "docs" / "peers.md"

ONE = """
[[peers]]
name = "SpiceDB"
target = "127.0.0.1:50051"
method = "/authzed.api.v1.PermissionsService/CheckPermission"
requests = ["CgA=", "EgA="]
metadata = { authorization = "Bearer secret" }
pids = [1]
"""


def written(directory: Path, content: str) -> Path:
    file = directory / "peers.toml"
    file.write_text(content)
    return file


def test_a_peer_is_read_with_its_serialized_requests(tmp_path: Path) -> None:
    (peer,) = read_peers(written(tmp_path, ONE))
    assert (peer.name, peer.target, peer.pids) == ("SpiceDB", "127.0.0.1:50051", (1,))
    assert peer.method == "/authzed.api.v1.PermissionsService/CheckPermission"
    assert peer.requests == (b"\n\x00", b"\x12\x00")
    assert peer.metadata == {"authorization": "Bearer secret"}


def test_the_files_that_the_page_shows_are_read(tmp_path: Path) -> None:
    shown = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for name in ("spicedb.requests", "openfga.requests"):
        (tmp_path / name).write_text("CgA=\n")
    peers = read_peers(written(tmp_path, "\n".join(shown)))
    assert [peer.name for peer in peers] == ["SpiceDB", "OpenFGA"]
    assert [key for key in KEYS if f"| `{key}` |" not in PAGE.read_text()] == []


def test_requests_of_another_file_are_one_a_line_beside_the_peers(tmp_path: Path) -> None:
    (tmp_path / "many").write_text("CgA=\nEgA=\n")
    content = ONE.replace('requests = ["CgA=", "EgA="]', 'requests_file = "many"')
    assert read_peers(written(tmp_path, content))[0].requests == (b"\n\x00", b"\x12\x00")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "SpiceDB"', "", "peer 1 needs name"),
        ('"127.0.0.1:50051"', '"http://127.0.0.1:50051"', "is not HOST:PORT"),
        ('"/authzed.api.v1.PermissionsService/CheckPermission"', '"CheckPermission"', "is not /package.Service/Method"),
        ('["CgA=", "EgA="]', '["no base64"]', "a request is not base64"),
        ('["CgA=", "EgA="]', "[7]", "a request is not base64"),
        ('["CgA=", "EgA="]', "[]", "has no requests"),
        ('requests = ["CgA=", "EgA="]', "", "needs either requests or requests_file"),
        ('requests = ["CgA=", "EgA="]', 'requests_file = "none"', "requests_file cannot be read"),
        ("pids = [1]", 'pids = ["spicedb"]', "pids is not a list of numbers"),
        ("pids = [1]", "pid = [1]", "has the unknown key 'pid'"),
        ("{ authorization", "{ n = 1, authorization", "metadata is not a table of texts"),
        ("[[peers]]", "[[peer]]", "needs one table [[peers]] for each peer"),
        ("[[peers]]", "[[peers", "cannot be read"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in ONE
    with pytest.raises(CannotMeasure) as refused:
        read_peers(written(tmp_path, ONE.replace(old, new)))
    assert message in str(refused.value)


def test_two_peers_have_two_names(tmp_path: Path) -> None:
    with pytest.raises(CannotMeasure, match="two peers of one name"):
        read_peers(written(tmp_path, ONE + ONE))


def test_the_load_gets_the_calls_and_the_raw_result_no_token(tmp_path: Path) -> None:
    peer = Peer("one", "127.0.0.1:1", "/a.B/C", (b"\x00\xff",), {"authorization": "Bearer secret"})
    peer.write_calls(tmp_path / "calls")
    assert json.loads((tmp_path / "calls").read_text()) == {
        "method": "/a.B/C",
        "requests": [b64encode(b"\x00\xff").decode()],
        "metadata": {"authorization": "Bearer secret"},
    }
    assert "secret" not in f"{peer.describe()}{peer}"


def test_a_process_that_has_ended_is_not_measured() -> None:
    Peer("one", "127.0.0.1:1", "/a.B/C", (b"",), pids=(os.getpid(),)).running()
    ended = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(ended, 0)
    with pytest.raises(CannotMeasure, match=f"no process {ended}"):
        Peer("one", "127.0.0.1:1", "/a.B/C", (b"",), pids=(ended,)).running()


def test_requests_are_encoded_from_json_by_a_description_alone() -> None:
    described = FileDescriptorSet()
    described.file.add().ParseFromString(duration_pb2.DESCRIPTOR.serialized_pb)
    lines = list(encode(described.SerializeToString(), "google.protobuf.Duration", ['"3s"\n', '"0.000000007s"']))
    assert lines == [b64encode(b"\x08\x03").decode(), b64encode(b"\x10\x07").decode()]
    with pytest.raises(KeyError):
        list(encode(described.SerializeToString(), "google.protobuf.Nothing", []))
    with pytest.raises(ParseError):
        list(encode(described.SerializeToString(), "google.protobuf.Duration", ["{}"]))
