"""Does a server answer? Asked in its own protocol, since an open port says little.

Nothing here waits or retries: one question, one answer. Not a Kafka client: it can ask for the list of live brokers, no more.
"""

import json
import socket
import struct
import urllib.error
import urllib.request

ATTEMPT_SECONDS = 2.0

_METADATA = 3
_METADATA_VERSION = 4  # The last versions differ by topic ids and tagged fields, which don't matter here.


def _receive(connection: socket.socket, size: int) -> bytes:
    chunks = b""
    while len(chunks) < size:
        chunk = connection.recv(size - len(chunks))
        if not chunk:
            raise ConnectionError("closed in the middle of an answer")
        chunks += chunk
    return chunks


def live_brokers(port: int) -> int:
    """How many brokers the one at this port believes to be alive; 0 if it does not answer."""
    client = b"dev"
    header = struct.pack(f">hhih{len(client)}s", _METADATA, _METADATA_VERSION, 1, len(client), client)
    body = struct.pack(">i?", 0, False)  # no topics, none to create
    request = header + body
    try:
        with socket.create_connection(("127.0.0.1", port), ATTEMPT_SECONDS) as connection:
            connection.settimeout(ATTEMPT_SECONDS)
            connection.sendall(struct.pack(">i", len(request)) + request)
            (size,) = struct.unpack(">i", _receive(connection, 4))
            answer = _receive(connection, size)
    except OSError:
        return 0
    _correlation, _throttle_ms, brokers = struct.unpack_from(">iii", answer)
    return brokers


def registry_answers(url: str) -> bool:
    """Whether the registry lists its subjects."""
    try:
        with urllib.request.urlopen(f"{url}/subjects", timeout=ATTEMPT_SECONDS) as answer:
            return isinstance(json.load(answer), list)
    except (OSError, ValueError):
        return False


def set_compatibility(url: str, level: str) -> None:
    """Sets the registry's rule for every subject without one of its own."""
    request = urllib.request.Request(
        f"{url}/config",
        data=json.dumps({"compatibility": level}).encode(),
        headers={"Content-Type": "application/json"},
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=10):
        pass
