"""A process that outlives the command that started it: start, find again, end.

What ties a later command to it is a file with its pid and the moment of its start, since the kernel gives pids out anew:
a process is ours only if both agree. Linux only, for it reads /proc. It knows nothing of Kafka.
"""

import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import interrupt

TAIL_LINES = 25


class Failed(Exception):
    """It did not work out; the message says why, for a person."""


def started_at(pid: int) -> str | None:
    """The kernel's start time of a live process, in ticks since boot; None if there is none or it only waits to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may hold spaces and parentheses itself; what follows the last one has fixed places.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def as_user(name: str | None) -> dict[str, object]:
    """What `subprocess` is told so that a child runs as this user, with that user's groups and no more."""
    if name is None:
        return {}
    entry = pwd.getpwnam(name)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def output_of(
    command: list[str], directory: Path | str, environment: dict[str, str] | None = None, user: str | None = None, seconds: float | None = None
) -> str:
    """What a command prints that must go well."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=directory,
        env={**os.environ, **(environment or {})},
        timeout=seconds,
        check=False,
        **as_user(user),
    )
    interrupt.check()
    if done.returncode != 0:
        raise Failed(f"exit {done.returncode}: {' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


@dataclass(frozen=True)
class Process:
    """One of an instance's processes, running or not; `home` holds its pid file and its log."""

    name: str
    home: Path

    @property
    def _pid_file(self) -> Path:
        return self.home / "pid"

    @property
    def log(self) -> Path:
        return self.home / "log"

    def pid(self) -> int | None:
        """The pid, if the process that was started is alive."""
        try:
            pid, start = self._pid_file.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        return int(pid) if started_at(int(pid)) == start else None

    def start(
        self, command: list[str], environment: dict[str, str] | None = None, user: str | None = None, directory: str | None = None
    ) -> None:
        """Starts it in a session of its own, so that a ctrl-C at the terminal does not reach it.

        As another user if one is named, who then needs a directory that is not ours to be in.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                command,
                cwd=directory or self.home,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **as_user(user),
            )
        # A child that died at once is still there to be reaped, so its start time can be read either way.
        start = started_at(child.pid) or "dead"
        self._pid_file.write_text(f"{child.pid} {start}\n")

    def send(self, number: signal.Signals) -> bool:
        """Sends a signal; False if there is no process to get it."""
        pid = self.pid()
        if pid is None:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def wait_gone(self, deadline_seconds: float) -> bool:
        """Waits until it has ended; False if it has not in time."""
        end = time.monotonic() + deadline_seconds
        while self.pid() is not None:
            if time.monotonic() > end:
                return False
            interrupt.wait(0.02)
        self._pid_file.unlink(missing_ok=True)
        return True

    def wait_until(self, answers: Callable[[], bool], deadline_seconds: float, called: str, about: str = "") -> None:
        """Waits until it does; fails at once if it has ended."""
        end = time.monotonic() + deadline_seconds
        while not answers():
            if self.pid() is None:
                raise Failed(f"{called} ended; the end of its log:\n{self.log_tail()}")
            if time.monotonic() > end:
                raise Failed(f"{called} gave no answer within {deadline_seconds} s{about}; the end of its log:\n{self.log_tail()}")
            interrupt.wait(0.1)

    def log_tail(self) -> str:
        """The end of its log, indented, for an error message."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        except FileNotFoundError:
            lines = ["(no log)"]
        return "\n".join(f"    {line}" for line in lines)
