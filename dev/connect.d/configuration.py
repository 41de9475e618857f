"""What a developer's worker and its connector are told: the files of production, and what differs here.

Pure, but for reading those files. The developer's values have the last word, and each is one that a machine dictates.
"""

from pathlib import Path

PLATFORM = Path(__file__).resolve().parent.parent.parent / "platform" / "connect"


def properties(path: Path) -> dict[str, str]:
    """A Java properties file, as far as ours go: a key and a value on a line, comments on lines of their own, `\\\\` for `\\`."""
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {key.strip(): value.strip().replace("\\\\", "\\") for key, _, value in pairs}


def _as_text(told: dict[str, str]) -> str:
    return "".join(f"{key}={value}\n" for key, value in told.items())


def worker(kafka: str, port: int, plugins: Path, exactly_once: bool) -> str:
    """The text of the worker's properties."""
    told = properties(PLATFORM / "worker.properties")
    # Its class is not here, and neither is the secret.
    told = {key: value for key, value in told.items() if not key.startswith("config.providers")}
    own = {
        "bootstrap.servers": kafka,
        "group.id": "connect",
        "listeners": f"http://127.0.0.1:{port}",
        "plugin.path": str(plugins),
        # Looking into every class takes three seconds.
        "plugin.discovery": "service_load",
        "config.storage.topic": "shoppulse.connect-configs",
        "status.storage.topic": "shoppulse.connect-status",
        "offset.storage.partitions": "5",
        "status.storage.partitions": "1",
        **{f"{topic}.storage.replication.factor": "-1" for topic in ("config", "offset", "status")},
        # A worker that was killed is noticed by the one that takes its place in 6 s, not 10.
        "session.timeout.ms": "6000",
        "heartbeat.interval.ms": "2000",
        # What is confirmed to the slot is what a developer, or a test, waits for.
        "offset.flush.interval.ms": "1000",
        "exactly.once.source.support": "enabled" if exactly_once else "disabled",
    }
    return _as_text({**told, **own})


def connector(database: tuple[str, str], partitions: int, extra: dict[str, str]) -> dict[str, str]:
    """The connector's configuration for a database at this host and port; `extra` has the last word."""
    own = {
        "database.hostname": database[0],
        "database.port": database[1],
        "database.password": "",
        "database.sslmode": "disable",
        "topic.creation.default.partitions": str(partitions),
    }
    return {**shop(), **own, **extra}


def shop() -> dict[str, str]:
    """The connector's configuration as production has it."""
    return properties(PLATFORM / "shop.properties")
