"""Only the exact path of a method is served: every other one is UNIMPLEMENTED, and harms no other call."""

from typing import Any

import grpc
import pytest
from support.processes import PATIENCE
from support.server_process import ServerProcess
from support.ways import WAYS, code_of, path_of, request, start

UNKNOWN = {
    "an unknown method": "/frostgate.v1.PolicyDecisionService/Unknown",
    "an unknown service": "/frostgate.v1.UnknownService/CheckOperation",
    "another version": "/frostgate.v2.PolicyDecisionService/CheckOperation",
    "no package": "/PolicyDecisionService/CheckOperation",
    "no service": "/CheckOperation",
    "no method": "/frostgate.v1.PolicyDecisionService/",
    "no method and no slash": "/frostgate.v1.PolicyDecisionService",
    "a slash alone": "/",
    "small letters": "/frostgate.v1.policydecisionservice/checkoperation",
    "a slash behind it": "/frostgate.v1.PolicyDecisionService/CheckOperation/",
    "a slash before it": "//frostgate.v1.PolicyDecisionService/CheckOperation",
    "something behind it": "/frostgate.v1.PolicyDecisionService/CheckOperation2",
    "a query": "/frostgate.v1.PolicyDecisionService/CheckOperation?a=b",
    "a check among changes": "/frostgate.v1.CustomerFreezeService/CheckOperation",
    "a change among checks": "/frostgate.v1.PolicyDecisionService/AssociateCustomer",
    "health among checks": "/frostgate.v1.PolicyDecisionService/Check",
    "a long name": "/frostgate.v1.PolicyDecisionService/" + "a" * 5000,
    "the worker's own check": "/00000000-0000-4000-8000-000000000000/CheckOperation",
}


@pytest.mark.parametrize("path", UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_no_path_of_a_method_is_unimplemented(server: ServerProcess, path: str) -> None:
    for serialized in (request("check"), b"", b"\xff"):
        function: Any = server.channel.unary_unary(path)
        assert code_of(function.future(serialized, timeout=PATIENCE)) is grpc.StatusCode.UNIMPLEMENTED
    assert code_of(start(server, "check")) is grpc.StatusCode.OK


@pytest.mark.parametrize("way", WAYS)
def test_a_unary_method_called_as_a_stream_gives_one_answer(server: ServerProcess, way: str) -> None:
    function: Any = server.channel.stream_stream(path_of(way))
    assert len(list(function(iter([request(way)]), timeout=PATIENCE))) == 1
