"""Whether what came out is what was done: sessions against the visits, facts and customers against the database, dead letters, the books."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

import rows
from parts import Parts
from payments import Line
from visits import Session

SQL = Path(__file__).resolve().parent.parent.parent / "oracle" / "sql"
# How much later than by its own clock an app's event may be dated: the way from the SDK to the collector.
ON_THE_WAY = timedelta(minutes=1)
TIMES = ("session_id", "started_at", "ended_at")


@dataclass
class Done:
    """What was done, as far as the rows depend on it."""

    began: datetime
    sessions: list[Session]
    # Who the SDKs took the visitors for.
    visitors: dict[str, str]
    payments: list[Line]
    dead_letters: Counter


@dataclass
class Check:
    """One line of the verdict."""

    name: str
    found: int
    expected: int
    promise: str
    differences: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.differences


def checks(parts: Parts, done: Done) -> list[Check]:
    """All of them, at this moment."""
    return [_sessions(parts, done), _facts(parts, done), *_customers(parts), _dead_letters(parts, done), _books(parts)]


def _tail(parts: Parts, topic: str) -> str:
    return parts.shoppulse("tail", topic, "--from-beginning", "--until-end")


def _sessions(parts: Parts, done: Done) -> Check:
    actual = rows.latest(_tail(parts, "curated.sessions"), ("shop_id", "session_id"))
    ids = [f"{key} has the id of another start" for key, row in actual.items() if key[1] != session_id(row)]
    of_visitor: dict[tuple[str, str], list[rows.Row]] = {}
    for row in sorted(actual.values(), key=lambda row: row["started_at"]):
        of_visitor.setdefault((row["shop_id"], row["visitor"]), []).append(row)
    expected = {}
    numbers: Counter = Counter()
    for session in done.sessions:
        who = (session.shop, done.visitors.get(session.visitor, session.visitor))
        expected[(*who, f"session {numbers[who]}")] = {"visitor": who[1], "began": session.began or done.began, **session.row}
        numbers[who] += 1
    numbered = {(*who, f"session {n}"): row for who, found in of_visitor.items() for n, row in enumerate(found)}
    found = [*rows.differences(expected, numbered, _session_differences), *ids]
    return Check("sessions", len(actual), len(expected), "every visit, by browser and app, with its pages, orders and revenue", found)


def _session_differences(expected: rows.Row, actual: rows.Row) -> list[str]:
    """The columns that were planned, and its times as far as they can be."""
    planned = {name: cell for name, cell in expected.items() if name != "began"}
    found = rows.unequal(planned, {name: cell for name, cell in actual.items() if name not in TIMES})
    started, ended = (datetime.fromtimestamp(actual[name] / 1e6, timezone.utc) for name in ("started_at", "ended_at"))
    if not expected["began"] <= started <= expected["began"] + (timedelta(hours=1) if expected["entry_page"] else ON_THE_WAY):
        found.append(f"it started at {started}, and was planned for {expected['began']}")
    if ended < started:
        found.append("it ended before it started")
    return found


def session_id(row: rows.Row) -> str:
    text = f"{row['shop_id']}|{row['visitor']}|{row['started_at'] // 1000}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _query(parts: Parts, name: str, before: str = "") -> dict[rows.Key, rows.Row]:
    """What a query says must be there."""
    printed = parts.psql("-c", before + (SQL / f"{name}.sql").read_text())
    key = "order_id" if name == "order_facts" else "customer_id"
    return {(row["shop_id"], row[key]): row for row in rows.records(printed)}


def _facts(parts: Parts, done: Done) -> Check:
    lines = (SQL / "payment_lines.sql").read_text()
    if done.payments:
        lines += f"insert into payment_lines values {', '.join(line.values() for line in done.payments)};"
    expected = _query(parts, "order_facts", lines)
    actual = rows.latest(_tail(parts, "curated.order_facts"), ("shop_id", "order_id"))
    found = rows.differences(expected, actual)
    return Check("order facts", len(actual), len(expected), "equal a query over the database and the payments", found)


def _customers(parts: Parts) -> list[Check]:
    expected = _query(parts, "customers")
    actual = rows.latest(_tail(parts, "curated.customers"), ("shop_id", "customer_id"), ("valid_from",))
    versions = rows.latest(_tail(parts, "curated.customer_history"), ("shop_id", "customer_id", "valid_from"), ("valid_from", "valid_to"))
    current: dict[rows.Key, rows.Row] = {}
    found = []
    for (shop, customer, begin), row in versions.items():
        if not row.pop("is_current"):
            continue
        if (shop, customer) in current:
            found.append(f"{shop} {customer}: the version of {begin} is a second one that holds")
        current[shop, customer] = row
    found += rows.differences(expected, current)
    return [
        Check("customers", len(actual), len(expected), "equal a query over the database", rows.differences(expected, actual)),
        Check("customer history", len(current), len(expected), f"of {len(versions)} versions, those that hold do too", found),
    ]


def _dead_letters(parts: Parts, done: Done) -> Check:
    actual = Counter(letter["headers"]["dlq.reason"] for letter in rows.records(_tail(parts, "dlq.shoppulse")))
    reasons = sorted(actual.keys() | done.dead_letters.keys())
    found = [f"{reason}: {actual[reason]}, and must be {done.dead_letters[reason]}" for reason in reasons if actual[reason] != done.dead_letters[reason]]
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(done.dead_letters.items()))
    return Check("dead letters", actual.total(), done.dead_letters.total(), f"those that were sent broken: {told}", found)


def _books(parts: Parts) -> Check:
    """What came in is the sum of what became of it, for each topology."""
    # The counts are running totals: the last one of a key holds.
    totals = {str(record["key"]): record["value"] for record in rows.records(_tail(parts, "ops.quality"))}
    outcomes: dict[str, Counter] = {}
    for total in totals.values():
        outcomes.setdefault(total["topology"], Counter())[total["outcome"]] += total["count"]
    became = {topology: of.total() - of["in"] for topology, of in outcomes.items()}
    found = [f"{topology} took {of['in']} records, and tells of {became[topology]}" for topology, of in outcomes.items() if of["in"] != became[topology]]
    taken, twice = (sum(of[outcome] for of in outcomes.values()) for outcome in ("in", "duplicate"))
    return Check("books", sum(became.values()), taken, f"balance: records in, and what became of them; {twice} came twice and counted once", found)
