"""gRPC: servicers, field checks, conversion to and from protobuf, thread pools and statuses; no business rule and no
SQL belongs here."""
