"""An instance: some brokers, perhaps a registry, their ports and their data, all in one directory.

`instance.json` there says what it is, and its presence that it exists. Decides nothing about the command line.
"""

import base64
import fcntl
import json
import os
import shutil
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import interrupt
import ports
import probe
import settings
from artifacts import Artifacts, cache
from process import Failed, Process
from settings import Node

UP_SECONDS = 120
STOP_SECONDS = 30
LOCK_SECONDS = 150
# A shop's schemas may only change so that old records stay readable; the registry refuses anything else from the start.
COMPATIBILITY = "BACKWARD_TRANSITIVE"


@dataclass
class Instance:
    """What `instance.json` holds, and the processes that it stands for."""

    home: Path
    nodes: list[Node]
    partitions: int
    registry_port: int | None
    extra: dict[str, str] = field(default_factory=dict)
    cluster_id: str = ""

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    @property
    def registry_url(self) -> str | None:
        return f"http://127.0.0.1:{self.registry_port}/apis/ccompat/v7" if self.registry_port else None

    def broker(self, node: Node) -> Process:
        return Process(f"broker {node.id}", self.home / f"broker-{node.id}")

    def registry(self) -> Process:
        return Process("registry", self.home / "registry")

    def watcher(self) -> Process:
        """What takes the instance down when its owner has ended; most have none."""
        return Process("watcher", self.home / "watcher")

    def processes(self) -> list[Process]:
        """All of them, running or not."""
        brokers = [self.broker(node) for node in self.nodes]
        return brokers + [self.registry()] if self.registry_port else brokers

    def start_broker(self, node: Node, artifacts: Artifacts) -> None:
        """Starts a broker on the data that it has, or formats an empty place for it."""
        process = self.broker(node)
        data = process.home / "data"
        if not (data / "meta.properties").exists():
            data.mkdir(parents=True, exist_ok=True)
            shutil.copy(artifacts.bootstrap_checkpoint, data)
            (data / "meta.properties").write_text(f"version=1\ncluster.id={self.cluster_id}\nnode.id={node.id}\ndirectory.id={_kafka_id()}\n")
        properties = process.home / "server.properties"
        properties.write_text(settings.of(node, self.nodes, self.partitions, str(data), self.extra))
        here = Path(__file__).resolve().parent
        process.start(
            [artifacts.java, "-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true"]
            + [f"-Dlog4j2.configurationFile={here}/log4j2.properties", "-cp", artifacts.class_path]
            + ["kafka.Kafka", str(properties)]
        )

    def start_registry(self, artifacts: Artifacts) -> None:
        """Starts the registry; what it knew before is gone, for it lives in its memory."""
        # It answers a handful of requests in its life, so the quick compiler is enough.
        self.registry().start(
            [artifacts.java, "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError"]
            + ["-jar", str(artifacts.registry_jar)],
            {"QUARKUS_HTTP_HOST": "127.0.0.1", "QUARKUS_HTTP_PORT": str(self.registry_port)},
        )

    def start_missing(self, artifacts: Artifacts) -> list[Process]:
        """Starts whatever does not run, and says what that was."""
        missing = [process for process in self.processes() if process.pid() is None]
        for node in self.nodes:
            if self.broker(node) in missing:
                self.start_broker(node, artifacts)
        if self.registry() in missing:
            self.start_registry(artifacts)
        return missing

    def wait_ready(self, node: Node) -> None:
        """Waits until a broker answers and sees every broker that runs."""
        expected = sum(1 for other in self.nodes if self.broker(other).pid() is not None)
        self.broker(node).wait_until(lambda: probe.live_brokers(node.port) >= expected, UP_SECONDS, f"broker {node.id}")

    def wait_registry(self) -> None:
        """Waits until the registry answers, and gives it its rule."""
        url = self.registry_url
        self.registry().wait_until(lambda: probe.registry_answers(url), UP_SECONDS, "the registry")
        probe.set_compatibility(url, COMPATIBILITY)

    def wait_all_ready(self) -> None:
        """Waits for every process."""
        for node in self.nodes:
            self.wait_ready(node)
        if self.registry_port:
            self.wait_registry()

    def stop(self, process: Process) -> None:
        """Ends a process as an operator would."""
        process.send(signal.SIGCONT)
        process.send(signal.SIGTERM)
        if not process.wait_gone(STOP_SECONDS):
            raise Failed(f"{process.name} did not stop within {STOP_SECONDS} s; `kill` does not ask")

    def kill(self, process: Process) -> None:
        """Ends a process as a power cut would."""
        process.send(signal.SIGKILL)
        if not process.wait_gone(STOP_SECONDS):
            raise Failed(f"{process.name} (pid {process.pid()}) outlived SIGKILL")

    def remove(self) -> None:
        """Ends everything and deletes the data; since that goes, nothing needs a clean end."""
        if self.watcher().pid() not in (None, os.getpid()):
            self.kill(self.watcher())
        for process in self.processes():
            process.send(signal.SIGKILL)
        for process in self.processes():
            self.kill(process)
        ports.release(self._ports(), reservations())
        # The file that makes it an instance goes last, so that a `down` that was cut short can be repeated.
        for process in [*self.processes(), self.watcher()]:
            shutil.rmtree(process.home, ignore_errors=True)
        (self.home / "instance.json").unlink(missing_ok=True)
        try:
            self.home.rmdir()
        except OSError:
            pass  # Something that is not ours lies there.

    def save(self) -> None:
        """Makes it exist, all at once."""
        described = {"nodes": [asdict(node) for node in self.nodes], "partitions": self.partitions}
        described |= {"registry_port": self.registry_port, "extra": self.extra, "cluster_id": self.cluster_id}
        aside = self.home / "instance.json.part"
        aside.write_text(json.dumps(described, indent=2) + "\n")
        aside.rename(self.home / "instance.json")

    def _ports(self) -> list[int]:
        brokers = [port for node in self.nodes for port in (node.port, node.controller_port)]
        return brokers + [self.registry_port] if self.registry_port else brokers


def _kafka_id() -> str:
    """A random id as Kafka writes them; never one that starts with a dash, which its tools take for an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def reservations() -> Path:
    """Where this user's reservations of ports are."""
    return cache() / "ports"


def create(home: Path, brokers: int, partitions: int, with_registry: bool, extra: dict[str, str]) -> Instance:
    """Describes a new instance and reserves its ports; nothing runs yet."""
    wanted = 2 * brokers + (1 if with_registry else 0)
    found = ports.reserve(wanted, reservations(), home)
    nodes = [Node(n + 1, found[2 * n], found[2 * n + 1]) for n in range(brokers)]
    instance = Instance(home, nodes, partitions, found[-1] if with_registry else None, extra, _kafka_id())
    instance.save()
    return instance


def load(home: Path) -> Instance | None:
    """The instance in a directory, if there is one."""
    try:
        told = json.loads((home / "instance.json").read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    nodes = [Node(**node) for node in told["nodes"]]
    return Instance(home, nodes, told["partitions"], told["registry_port"], told["extra"], told["cluster_id"])


def _try_lock(home: Path) -> int | None:
    home.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever held it may have removed the directory, and another may have made it anew: then this lock is of nothing.
        if os.path.samestat(os.fstat(handle), os.stat(home)):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(handle)
    return None


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Keeps other commands off the same directory meanwhile."""
    end = time.monotonic() + LOCK_SECONDS
    while (handle := _try_lock(home)) is None:
        if time.monotonic() > end:
            raise Failed(f"another command has been busy in {home} for {LOCK_SECONDS} s")
        interrupt.wait(0.1)
    try:
        yield
    finally:
        os.close(handle)
