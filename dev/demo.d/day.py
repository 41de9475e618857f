"""A day of two small shops: people browse with real SDKs, orders are written into a real database, payments come as files.

Each act is done with a real part, while the processor and the collector are killed. What must come of it is gathered on the way.
"""

import json
import os
import subprocess
import urllib.error
import urllib.request
from base64 import b64encode
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from random import Random

import interrupt
import orders
import payments
import visits
from parts import COLLECTOR, PROCESSOR, Parts
from process import Failed
from verdict import Done

HERE = Path(__file__).resolve().parent
WRITE_KEYS = {"books": "wk_books", "tea": "wk_tea"}
CURRENCIES = {"books": ["EUR", "EUR", "KWD"], "tea": ["JPY"]}
CUSTOMERS, ORDERS, BY_BROWSER, BY_APP = 8, 16, 12, 6
BEFORE, PAUSE_MS = 4, 60
SENDERS_SECONDS = 120


class Day:
    """What will be done, made of a seed, and what has been."""

    def __init__(self, parts: Parts, sdks: Path, browser: str | None, seed: int) -> None:
        random = Random(seed)
        now = datetime.now(timezone.utc)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self.parts, self.sdks, self.browser = parts, sdks, browser
        self.orders = orders.taken(random, CURRENCIES, ORDERS, CUSTOMERS)
        bought = self.orders[BEFORE:-1]
        self.by_browser = visits.in_browsers(random, WRITE_KEYS, bought[: BY_BROWSER // 2], BY_BROWSER)
        self.by_app = visits.in_apps(random, WRITE_KEYS, bought[BY_BROWSER // 2 :], BY_APP, now)
        self.senders: list[tuple[str, subprocess.Popen]] = []
        self.done = Done(now, [], {}, [], Counter())

    def size(self) -> str:
        """What it is made of, for a person."""
        events = sum(len(visits.events_of(visit)) for visit in self.by_browser + self.by_app)
        return f"{BY_BROWSER} visitors of pages and {BY_APP} of apps with {events} events, {CUSTOMERS} customers, {ORDERS} orders"

    def before(self) -> None:
        """What is in the database when the connector begins, which takes a snapshot of it."""
        people = [orders.customer(n, list(WRITE_KEYS)[n % 2], ("DE", "JP", "KW")[n % 3]) for n in range(1, CUSTOMERS + 1)]
        self.parts.psql("-c", orders.transaction(*people), *self._each(self.orders[:BEFORE]))

    def _each(self, taken: list[orders.Order]) -> list[str]:
        return [part for order in taken for part in ("-c", order.statements())]

    def open(self, leave_out: int = 0) -> None:
        """Visitors come; they browse while the rest of the day goes on. Some may be kept away, who are expected all the same."""
        self.done.sessions = visits.sessions(self.by_browser + self.by_app)
        by_page = self.by_browser[: len(self.by_browser) - leave_out]
        self._send("browser" if self.browser else "pages", "browse.mjs" if self.browser else "app.mjs", by_page)
        self._send("app", "app.mjs", self.by_app)

    def _send(self, name: str, script: str, planned: list[visits.Visit]) -> None:
        plan = {"endpoint": self.parts.url(COLLECTOR), "visits": [visit.told() for visit in planned]}
        file = self.parts.home / f"{name}.json"
        file.write_text(json.dumps(plan))
        environment = {**os.environ, "SDK_HOME": str(self.sdks), "CHROMIUM": self.browser or ""}
        with file.open() as told, (self.parts.home / f"{name}.log").open("w") as log:
            command = [str(self.sdks / "bin" / "node"), str(HERE / script)]
            child = subprocess.Popen(command, stdin=told, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        self.senders.append((name, child))

    def orders_come_in(self) -> None:
        """Orders and changes of them, one transaction after another; in the middle the processor's power fails."""
        live = [order.statements() for order in self.orders[BEFORE:-1]] + orders.changes(self.orders)
        middle = len(live) // 2
        self._write("morning", live[:middle])
        self.parts.kill(PROCESSOR)
        self._write("afternoon", live[middle:])

    def _write(self, name: str, transactions: list[str]) -> None:
        file = self.parts.home / f"{name}.sql"
        file.write_text(orders.paced(transactions, PAUSE_MS))
        self.parts.psql("-f", str(file))

    def the_collector_dies(self) -> None:
        """SDKs send again what was not acknowledged."""
        self.parts.kill(COLLECTOR)
        interrupt.wait(1)
        self.parts.start(COLLECTOR)

    def somebody_sends_twice_and_badly(self) -> None:
        """A program without an SDK: it repeats a batch as after a lost answer, and one of its two events is unsound."""
        page = {"type": "page", "messageId": "by-hand-1", "anonymousId": "by-hand", "properties": {"path": "/"}}
        body = json.dumps({"batch": [page, {"type": "page", "anonymousId": "nobody's"}]}).encode()
        shop, key = next(iter(WRITE_KEYS.items()))
        login = b64encode(f"{key}:".encode()).decode()
        for _ in range(2):
            headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
            with urllib.request.urlopen(urllib.request.Request(f"{self.parts.url(COLLECTOR)}/v1/batch", body, headers), timeout=30):
                pass
        self.done.dead_letters["missing_field"] += 2
        steps = [visits.Step("", "/", [])]
        self.done.sessions += visits.sessions([visits.Visit(shop, key, "by-hand", steps)])

    def visitors_leave(self) -> None:
        """Waits until all have sent everything, and it was taken."""
        for name, child in self.senders:
            for _ in range(SENDERS_SECONDS * 10):
                if child.poll() is not None:
                    break
                interrupt.wait(0.1)
            if child.poll() != 0:
                raise Failed(f"not everything of the {name} was taken:\n{(self.parts.home / f'{name}.log').read_text()}")
            self.done.visitors |= json.loads(child.stdout.read())
        self.senders.clear()

    def payments_come(self, without_adyen: bool = False) -> None:
        """Two reports of Stripe's, the second with corrections, the first once more; one of Adyen's; a payment before its order."""
        own = {shop: [order for order in self.orders if order.shop == shop] for shop in WRITE_KEYS}
        now = self.done.began
        lines = payments.paid_to(own["books"], "txn_", now)
        later = [
            payments.corrected(lines[0]),
            payments.disputed(own["books"][5], now),
            payments.in_other_currency(own["books"][6], now),
            payments.of_no_order("books", "EUR", now),
        ]
        early = payments.paid_to([self.orders[-1], self.orders[-1]], "mod_early_", now)
        tea = payments.paid_to(own["tea"], "mod_", now) + early
        first = self._file("stripe-1.csv", payments.stripe_report(lines, True))
        second = self._file("stripe-2.csv", payments.stripe_report(later, False))
        third = self._file("adyen-7.csv", payments.adyen_report(tea))
        for file in (first, second, first):
            self.parts.shoppulse("load-payments", "--provider", "stripe", "--shop", "books", file)
        if not without_adyen:
            self.parts.shoppulse("load-payments", "--provider", "adyen", "--shop", "tea", third)
        self.done.dead_letters["bad_value"] += 1
        self.done.payments = [*later, *lines[1:], *tea]

    def _file(self, name: str, text: str) -> str:
        file = self.parts.home / name
        file.write_text(text, newline="")
        return str(file)

    def evening(self) -> None:
        """The order that was paid before the database knew it, and a last change."""
        change = "update customers set phone = '+49 30 1', updated_at = now() where id = 1;"
        self.parts.psql(*self._each(self.orders[-1:]), "-c", orders.transaction(change))

    def end(self) -> None:
        """Nobody is left behind, whatever went wrong."""
        for _, child in self.senders:
            child.terminate()
            child.wait()


