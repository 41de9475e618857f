"""Free ports for servers that start later, without two instances choosing the same one.

They lie below the kernel's ephemeral range: a client's own connection never takes the port of a broker that is down for a
test, and a client that retries there can't connect to itself. A reservation is a file that names the instance's directory;
it counts as long as that instance exists.
"""

import random
import socket
import time
from pathlib import Path

LOWEST = 10_000
TRIES = 1_000
# An instance that is being set up has reserved its ports, but not yet written what it is.
SETTING_UP_SECONDS = 120


def _highest() -> int:
    try:
        first_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError):
        return 32_767
    return first_ephemeral - 1 if first_ephemeral > LOWEST + TRIES else 32_767


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _is_stale(reservation: Path) -> bool:
    try:
        instance = Path(reservation.read_text())
        age_seconds = time.time() - reservation.stat().st_mtime
    except FileNotFoundError:
        return False  # Just given back; the next try may have it.
    return age_seconds > SETTING_UP_SECONDS and not (instance / "instance.json").exists()


def _reserve(port: int, directory: Path, instance: Path) -> bool:
    reservation = directory / str(port)
    try:
        with reservation.open("x") as file:
            file.write(str(instance))
    except FileExistsError:
        if _is_stale(reservation):
            reservation.unlink(missing_ok=True)
        return False
    if _is_free(port):
        return True
    reservation.unlink()
    return False


def reserve(count: int, directory: Path, instance: Path) -> list[int]:
    """Reserves so many ports for an instance; `directory` holds the reservations of this user."""
    directory.mkdir(parents=True, exist_ok=True)
    found: list[int] = []
    for _ in range(TRIES):
        port = random.randint(LOWEST, _highest())
        if _reserve(port, directory, instance):
            found.append(port)
        if len(found) == count:
            return found
    release(found, directory)
    raise OSError(f"found no {count} free ports in {TRIES} tries")


def release(ports: list[int], directory: Path) -> None:
    """Gives reservations back."""
    for port in ports:
        (directory / str(port)).unlink(missing_ok=True)
