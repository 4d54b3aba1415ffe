"""Reads the statuses of failed calls."""

from typing import Any

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status


def status_of(error: grpc.RpcError) -> tuple[grpc.StatusCode, Status]:
    """The code of a failed call, and its google.rpc.Status."""
    call: Any = error
    details = dict(call.trailing_metadata()).get("grpc-status-details-bin")
    assert details, f"{call.code()} {call.details()} carries no details"
    return call.code(), Status.FromString(details)


def error_info(status: Status) -> ErrorInfo:
    """The one ErrorInfo of a status."""
    infos = [detail for detail in status.details if detail.Is(ErrorInfo.DESCRIPTOR)]
    assert len(infos) == 1
    info = ErrorInfo()
    infos[0].Unpack(info)
    assert info.domain == "frostgate"
    return info
