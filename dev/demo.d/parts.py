"""Everything that stands around a shop, on this machine: Kafka with a registry, PostgreSQL, Connect, collector, processor.

Each has a directory below one home, where a later command finds it again. What happens in the shop is somebody else's to say.
"""

import json
import os
import shutil
import signal
import subprocess
import urllib.request
from pathlib import Path

import artifacts
import instance
import interrupt
import ports
from process import Process, output_of

PROJECT = Path(__file__).resolve().parent.parent.parent
PARTITIONS = 4
READY_SECONDS = 60
LEAVE_SECONDS = 20
SCRIPTS = ("connect", "postgres", "kafka")
# The programs of ours, and the commands of the binary that they are.
COLLECTOR, PROCESSOR = "collect", "run"


class Parts:
    """What runs below a home, and what a program must be told to find it."""

    def __init__(self, home: Path, binary: Path, owner: int | None) -> None:
        self.home = home
        self.binary = binary
        self.owner = owner
        self.exports: dict[str, str] = {}
        self.ports: dict[str, int] = {}

    def prepare(self, brokers: int, write_keys: dict[str, str]) -> None:
        """Makes the home and what our own programs are told."""
        self.home.mkdir(parents=True)
        collector, processor = ports.reserve(2, instance.reservations(), self.home)
        self.ports = {COLLECTOR: collector, PROCESSOR: processor}
        (self.home / "instance.json").write_text(json.dumps(self.ports) + "\n")
        (self.home / "keys.toml").write_text("".join(f'{key} = "{shop}"\n' for shop, key in write_keys.items()))
        self.exports = {
            "SHOPPULSE__PARTITIONS": str(PARTITIONS),
            "SHOPPULSE__REPLICATION_FACTOR": str(brokers),
            "SHOPPULSE__INSTANCE_ID": "demo",
            "SHOPPULSE__STATE_DIR": str(self.home / "state"),
            # A person waits for the rows, not a warehouse.
            "SHOPPULSE__EMIT_EVERY_MS": "500",
            "SHOPPULSE__COLLECT__KEYS_FILE": str(self.home / "keys.toml"),
            "SHOPPULSE__COLLECT__KEY_SECRET": "of a demo that keeps nothing",
        }

    def script(self, name: str, *arguments: str) -> None:
        """Runs one of the scripts beside this on the home; what it says to export is kept."""
        command = [str(PROJECT / "dev" / name), *arguments, "--dir", str(self.home / name)]
        if arguments[0] == "up" and self.owner is not None:
            command += ["--owner", str(self.owner)]
        printed = output_of(command, self.home, self.exports)
        pairs = (line.removeprefix("export ").partition("=") for line in printed.splitlines() if line.startswith("export "))
        self.exports |= {key: value.strip("'\"") for key, _, value in pairs}

    def shoppulse(self, *arguments: str) -> str:
        """Runs a command of the binary, which must go well; what it prints."""
        return output_of([str(self.binary), *arguments], self.home, self.exports)

    def psql(self, *arguments: str) -> str:
        """Runs statements in the shop's database, which must go well; what they print."""
        return output_of(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *arguments], PROJECT, self.exports)

    def process(self, name: str) -> Process:
        return Process(name, self.home / name)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def start(self, name: str) -> None:
        """Starts the collector or the processor, and waits until it is ready."""
        listen = f"127.0.0.1:{self.ports[name]}"
        command = [str(self.binary), name, *(["--listen", listen] if name == COLLECTOR else ["--set", f"http.listen={listen}"])]
        if self.owner is not None:
            # It ends with this program, however that ends.
            command = ["setpriv", "--pdeathsig", "TERM", *command]
        self.process(name).start(command, self.exports)
        self.process(name).wait_until(lambda: answers(f"{self.url(name)}/readyz"), READY_SECONDS, f"`shoppulse {name}`")

    def kill(self, name: str) -> None:
        """As a power cut."""
        self.process(name).send(signal.SIGKILL)
        self.process(name).wait_gone(LEAVE_SECONDS)

    def is_up(self) -> bool:
        return (self.home / "instance.json").exists()

    def remove(self) -> None:
        """Ends everything and deletes it; nothing needs a clean end, since the data goes with it."""
        interrupt.forget()
        for name in (COLLECTOR, PROCESSOR):
            self.kill(name)
        for name in SCRIPTS:
            if (self.home / name).exists():
                self.script(name, "down")
        if self.is_up():
            ports.release(list(json.loads((self.home / "instance.json").read_text()).values()), instance.reservations())
        shutil.rmtree(self.home, ignore_errors=True)


def browser() -> str | None:
    """A browser that a program can start. Ubuntu has none as a package."""
    command = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if command is None:
        return None
    try:
        works = subprocess.run([command, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        works = False
    return command if works else None


def sdk_home() -> Path:
    """Where the SDKs are; fetched if they are not there."""
    done = subprocess.run([PROJECT / "tests" / "sdk" / "install"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    interrupt.check()
    if done.returncode != 0:
        raise artifacts.Unusable("the SDKs could not be installed (see above)")
    return Path(done.stdout.strip())


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False
