"""The wish to stop, as a flag that every waiting loop looks at.

An exception thrown by a signal could fall between the start of a process and the note of its pid, and that process would
live on unknown. So a signal only sets a flag here, and work stops at the next place where stopping is safe.
"""

import signal
import time


class Interrupted(Exception):
    """The person, or the program that called, wants no more."""


_signal = 0


def _note(number: int, _frame: object) -> None:
    global _signal
    _signal = number


def listen() -> None:
    """Turns the signals that end a command into the flag."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _note)


def forget() -> None:
    """Lets the cleaning up after an interruption wait for things itself."""
    global _signal
    _signal = 0


def check() -> None:
    """Raises `Interrupted` if a signal has come."""
    if _signal:
        raise Interrupted(signal.Signals(_signal).name)


def wait(seconds: float) -> None:
    """Sleeps, but not past a signal by more than a moment."""
    time.sleep(seconds)
    check()
