"""gRPC: servicers, field validation, conversion to and from protobuf, thread pools and statuses. Business rules and SQL
do not belong here."""
