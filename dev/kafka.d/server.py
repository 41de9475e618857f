"""An instance of one server beside Kafka: one process, one port, one directory, and the four commands that all have.

The directory's `instance.json` says what it is, and its presence that it exists, as for Kafka itself. What kind of server it is, its script says.
"""

import argparse
import json
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import artifacts
import instance
import interrupt
import ports
from process import Failed, Process, started_at

UP_SECONDS = 120
STOP_SECONDS = 60


def say(text: str) -> None:
    """To a person, so never to stdout."""
    print(text, file=sys.stderr, flush=True)


@dataclass
class Server:
    """What a script knows of its server. `told` is what `instance.json` holds; all values are text or numbers."""

    name: str
    home: Path
    told: dict

    @property
    def port(self) -> int:
        return self.told["port"]

    def process(self) -> Process:
        return Process(self.name, self.home / self.name)

    def watcher(self) -> Process:
        return Process("watcher", self.home / "watcher")

    def wait_for(self, answers: Callable[[], bool], what: str = "") -> None:
        """Waits until it does; fails at once if the process has ended."""
        self.process().wait_until(answers, UP_SECONDS, self.name, what)

    def end(self, number: signal.Signals) -> None:
        """Ends it, by its own will or not."""
        self.process().send(number)
        if not self.process().wait_gone(STOP_SECONDS):
            raise Failed(f"{self.name} did not end within {STOP_SECONDS} s")

    def remove(self) -> None:
        """Ends it and deletes all that it has."""
        if self.watcher().pid() not in (None, os.getpid()):
            self.watcher().send(signal.SIGKILL)
            self.watcher().wait_gone(STOP_SECONDS)
        # The data goes, so nothing needs a clean end, but what a server has beside its data it must let go of itself.
        self.end(signal.Signals[self.told.get("ends_by", "SIGKILL")])
        ports.release([self.port], instance.reservations())
        for place in [*map(Path, self.told.get("elsewhere", [])), self.process().home, self.watcher().home]:
            shutil.rmtree(place, ignore_errors=True)
        (self.home / "instance.json").unlink(missing_ok=True)
        if not any(self.home.iterdir()):
            self.home.rmdir()


def load(name: str, home: Path) -> Server | None:
    """The instance in a directory, if there is one."""
    try:
        return Server(name, home, json.loads((home / "instance.json").read_text()))
    except (FileNotFoundError, NotADirectoryError):
        return None


def create(name: str, home: Path, told: dict) -> Server:
    """Describes a new one, with a port of its own; nothing runs yet."""
    (port,) = ports.reserve(1, instance.reservations(), home)
    (home / "instance.json").write_text(json.dumps({"port": port, **told}, indent=2) + "\n")
    return Server(name, home, {"port": port, **told})


def up(name: str, home: Path, told: dict, owner: int | None, bring_up: Callable[[Server, bool], None]) -> Server:
    """Brings it up, or leaves it as it is; a new one that does not come up leaves nothing behind."""
    began = time.monotonic()
    with instance.locked(home):
        found = load(name, home)
        wanted = found or create(name, home, told)
        try:
            if owner is not None and wanted.watcher().pid() is None:
                if started_at(owner) is None:
                    raise Failed(f"there is no process {owner} whose end could be waited for")
                script = str(Path(sys.argv[0]).resolve())
                wanted.watcher().start([sys.executable, script, "watch", "--dir", str(home), str(owner)])
            bring_up(wanted, found is None)
        except BaseException:
            interrupt.forget()
            if found is None:
                wanted.remove()
            raise
    say(f"{name} is up in {home}: 127.0.0.1:{wanted.port}, {time.monotonic() - began:.1f} s")
    return wanted


def down(name: str, home: Path) -> None:
    """Ends it, deletes its data."""
    found = None
    if home.is_dir():
        with instance.locked(home):
            found = load(name, home)
            if found is not None:
                found.remove()
    say(f"down: {home}" if found else f"nothing is up in {home}")


def existing(name: str, home: Path) -> Server:
    """The instance that must be there."""
    found = load(name, home)
    if found is None:
        raise Failed(f"nothing is up in {home}; `dev/{name} up` starts it")
    return found


def status(name: str, home: Path) -> None:
    """Says what runs; fails if it should and does not."""
    found = existing(name, home)
    pid = found.process().pid()
    say(f"{name:12} 127.0.0.1:{found.port:<6} {f'pid {pid}' if pid else 'not running':14} {found.process().log}")
    if pid is None:
        raise Failed(f"{name} does not run")


def watch(name: str, home: Path, owner: int) -> None:
    """Waits for a process's end, however it comes, and takes the instance down then."""
    try:
        handle = os.pidfd_open(owner)
    except ProcessLookupError:
        pass  # It ended before this one began.
    else:
        select.select([handle], [], [])
    down(name, home)


def main(script: str, args: argparse.Namespace) -> int:
    """Does what was asked; turns what went wrong into a line and an exit code."""
    if args.command != "watch":
        interrupt.listen()
    try:
        args.does(args.dir.resolve(), args)
    except interrupt.Interrupted as signal_name:
        say(f"{script}: ended by {signal_name}; nothing new was left running")
        return 130
    except (Failed, artifacts.Unusable, OSError) as problem:
        say(f"{script}: {problem}")
        return 1
    return 0
