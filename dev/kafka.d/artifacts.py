"""Kafka's and the registry's files: fetched once through Maven into the user's cache, then used from there without a network.

The cache is keyed by the content of `pom.xml`, so a new version there is fetched beside the old one, which instances that
run may still use. It is filled aside and then renamed, so it's whole or absent.
"""

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import interrupt

HERE = Path(__file__).resolve().parent
OLDEST_JAVA = 17
FETCH_SECONDS = 900
FORMAT_SECONDS = 60


class Unusable(Exception):
    """Something that this machine lacks; the message says what to do."""


@dataclass(frozen=True)
class Artifacts:
    """Where things are: Java, Kafka's jars, the registry's jar, and the file that a freshly formatted log directory holds."""

    java: str
    root: Path

    @property
    def class_path(self) -> str:
        return str(self.root / "kafka" / "*")  # Java itself expands it, and lists of processes stay readable.

    @property
    def registry_home(self) -> Path:
        return self.root / "registry"

    @property
    def registry_jar(self) -> Path:
        return next(self.registry_home.glob("*-runner.jar"))

    @property
    def bootstrap_checkpoint(self) -> Path:
        return self.root / "bootstrap.checkpoint"


def cache() -> Path:
    """This project's part of the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "highwater"


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Holds a lock file, waiting for whoever has it: two first starts fetch once."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                interrupt.wait(0.2)
        yield


def _run(command: list[str], deadline_seconds: float) -> None:
    """Runs a command to its end, its output on our stderr; raises if it fails, is late or no longer wanted."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr, start_new_session=True)
    waited = 0.0
    try:
        while child.poll() is None:
            if waited > deadline_seconds:
                raise Unusable(f"not done after {deadline_seconds:.0f} s: {' '.join(command)}")
            interrupt.wait(0.1)
            waited += 0.1
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if child.returncode != 0:
        raise Unusable(f"exit {child.returncode}: {' '.join(command)}")


def java() -> str:
    """Where Java is; it must be new enough for Kafka."""
    home = os.environ.get("JAVA_HOME")
    found = f"{home}/bin/java" if home else shutil.which("java")
    if found is None or not os.access(found, os.X_OK):
        raise Unusable("no Java found; `dev/setup test` installs it")
    shown = subprocess.run([found, "-version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stderr
    # The first line reads: openjdk version "17.0.15" 2025-04-15
    version = shown.partition('"')[2].partition('"')[0]
    if not version or int(version.split(".")[0]) < OLDEST_JAVA:
        raise Unusable(f"{found} is version {version or 'unknown'}; Kafka needs {OLDEST_JAVA} or later")
    return found


def copy_dependencies(pom: Path, into: Path, what: str) -> None:
    """Lets Maven bring what a `pom.xml` lists, archives too, into one directory."""
    maven = shutil.which("mvn")
    if maven is None:
        raise Unusable("no Maven found; `dev/setup test` installs it")
    print(f"fetching {what}", file=sys.stderr, flush=True)
    _run(
        [maven, "-q", "-B", "-Dstyle.color=never", "-f", str(pom), "dependency:copy-dependencies"]
        + ["-DincludeScope=runtime", f"-DoutputDirectory={into}"],
        FETCH_SECONDS,
    )


def unpack(archive: Path, into: Path) -> None:
    """Unpacks an archive into a directory of its own, and deletes it."""
    into.mkdir()
    _run(["tar", "-xzf", str(archive), "-C", str(into)], FETCH_SECONDS)
    archive.unlink()


def _fetch(into: Path) -> None:
    jars = into / "kafka"
    copy_dependencies(HERE / "pom.xml", jars, "Kafka and the registry (once, about 190 MB)")
    (archive,) = jars.glob("*.tar.gz")
    unpack(archive, into / "registry")


def _format(artifacts: Artifacts) -> None:
    """Lets Kafka format one log directory, and keeps the file that is the same for every node.

    It holds the versions of the features that a new cluster starts with. A node without it would start, with old ones.
    """
    with tempfile.TemporaryDirectory() as scratch:
        settings = Path(scratch) / "server.properties"
        settings.write_text(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:9093\n"
            "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\n"
            f"controller.listener.names=CONTROLLER\nlog.dirs={scratch}/data\n"
        )
        _run(
            [artifacts.java, "-cp", artifacts.class_path, f"-Dlog4j2.configurationFile={HERE}/log4j2.properties"]
            + ["kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c", str(settings)],
            FORMAT_SECONDS,
        )
        shutil.copy(Path(scratch) / "data" / "bootstrap.checkpoint", artifacts.bootstrap_checkpoint)


def fetched(name: str, pom: Path, fill: Callable[[Path], None]) -> Path:
    """The directory in the cache that holds what a `pom.xml` asks for; filled by `fill` if it is not there yet."""
    key = hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    root = cache() / f"{name}-{key}"
    if root.is_dir():
        return root
    with _alone(cache() / f"{name}.lock"):
        if not root.is_dir():
            aside = root.with_suffix(".part")
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir()
            fill(aside)
            aside.rename(root)
    return root


def ensure() -> Artifacts:
    """Makes sure that Kafka and the registry are here, and says where."""
    found_java = java()

    def fill(aside: Path) -> None:
        _fetch(aside)
        _format(Artifacts(found_java, aside))

    return Artifacts(found_java, fetched("kafka", HERE / "pom.xml", fill))
