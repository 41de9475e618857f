"""Asks a Kafka Connect worker over its REST interface. One question, one answer; who waits is somebody else."""

import json
import urllib.error
import urllib.request

ATTEMPT_SECONDS = 30.0


class Refused(Exception):
    """The worker said no; the message is its reason."""


def ask(url: str, method: str = "GET", body: object = None) -> object:
    """The answer, as JSON; `None` if it has no content. Raises `OSError` if nobody answers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=ATTEMPT_SECONDS) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        raise Refused(f"{method} {url}: {error.code} {error.read().decode(errors='replace')}") from error
    return json.loads(text) if text else None


def answers(url: str) -> bool:
    """Whether the worker lists its connectors, which it does only when it has joined its group."""
    try:
        return isinstance(ask(f"{url}/connectors"), list)
    except (OSError, Refused):
        return False


def state(url: str, connector: str) -> tuple[str, str]:
    """What the connector's task is doing, and what stopped it if something did."""
    try:
        told = ask(f"{url}/connectors/{connector}/status")
    except (OSError, Refused):
        return ("UNKNOWN", "")
    parts = [told["connector"], *told["tasks"]]
    for part in parts:
        if part["state"] == "FAILED":
            return ("FAILED", part.get("trace", ""))
    return (parts[-1]["state"] if told["tasks"] else "NO TASK", "")
