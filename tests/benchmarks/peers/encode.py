"""Writes requests for a peer: reads messages as JSON from stdin, one a line, and prints each serialized, in base64.

The messages are described by a FileDescriptorSet: `buf build MODULE -o FILE`, or
`protoc --include_imports --descriptor_set_out=FILE …`.
"""

import argparse
import sys
from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorSet


def main() -> None:
    """Ends the program with a message if a line is not such a message."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("descriptors", type=Path, help="the FileDescriptorSet")
    parser.add_argument("type", help="of the messages, such as authzed.api.v1.CheckPermissionRequest")
    options = parser.parse_args()
    try:
        for line in encode(options.descriptors.read_bytes(), options.type, sys.stdin):
            print(line)
    except (OSError, KeyError, json_format.ParseError) as error:
        parser.error(str(error))


def encode(descriptors: bytes, name: str, lines: Iterable[str]) -> Iterator[str]:
    """Each message serialized, in base64. Raises KeyError for an unknown name, and ParseError."""
    pool = descriptor_pool.DescriptorPool()
    for file in FileDescriptorSet.FromString(descriptors).file:
        pool.Add(file)
    message = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
    for line in lines:
        yield b64encode(json_format.Parse(line, message()).SerializeToString()).decode()


if __name__ == "__main__":
    main()
