"""What is paid for orders, and the providers' reports that say so: Stripe's for one shop, Adyen's for another.

What the lines must amount to is asked of the database, into which they are put for the question.
"""

import csv
import io
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

import money
from orders import Order

STRIPE = ["reporting_category", "balance_transaction_id", "created_utc", "currency", "gross", "fee", "net", "description", "payment_metadata[order_id]"]
ADYEN = ["Merchant Account", "Psp Reference", "Merchant Reference", "Creation Date", "TimeZone", "Type", "Modification Reference", "Gross Currency"]
ADYEN += ["Gross Debit (GC)", "Gross Credit (GC)", "Net Currency", "Net Debit (NC)", "Net Credit (NC)", "Batch Number"]
CET = timezone(timedelta(hours=1))
ADYEN_TYPES = {"charge": "Settled", "refund": "Refunded"}
# A line that no report should have: a comma for a point.
BROKEN = ["charge", "txn_broken", "2026-01-30 10:11:12", "eur", "12,34", "0", "12,34", "", "1001"]


@dataclass(frozen=True)
class Line:
    """A line of a report; amounts are in the currency's smallest unit."""

    id: str
    shop: str
    order_id: str | None
    kind: str
    currency: str
    gross: int
    fee: int
    at: datetime

    def values(self) -> str:
        """As a row of `payment_lines`."""
        order = "null" if self.order_id is None else f"'{self.order_id}'"
        micros = int(self.at.timestamp()) * 1_000_000
        return f"('{self.id}', '{self.shop}', {order}, '{self.kind}', '{self.currency}', {self.gross}, {self.fee}, {micros})"


def paid_to(orders: list[Order], prefix: str, now: datetime) -> list[Line]:
    """Lines for a shop's orders: most are paid, and some of each other kind. The last order is left unpaid."""
    lines: list[Line] = []
    began = (now - timedelta(hours=20)).replace(microsecond=0)

    def add(order: Order, kind: str, gross: int, currency: str | None = None) -> None:
        fee = gross * 3 // 100 if kind == "charge" else 0
        at = began + timedelta(minutes=7 * len(lines))
        lines.append(Line(f"{prefix}{len(lines)}", order.shop, str(order.id), kind, currency or order.currency, gross, fee, at))

    for place, order in enumerate(orders[:-1]):
        due = order.gross()
        add(order, "charge", due // 2 if place == 2 else due + 100 if place == 3 else due)
        if place in (1, 4):
            add(order, "refund", -due if place == 1 else -(due // 3))
    return lines


def corrected(line: Line) -> Line:
    """The same line as a later report has it: the fee was another."""
    return replace(line, fee=line.fee + 25)


def of_no_order(shop: str, currency: str, now: datetime) -> Line:
    """A payment for an order that the database has never heard of."""
    return Line("txn_stray", shop, "777001", "charge", currency, 2_500, 75, (now - timedelta(hours=3)).replace(microsecond=0))


def disputed(order: Order, now: datetime) -> Line:
    at = (now - timedelta(hours=2)).replace(microsecond=0)
    return Line("txn_dispute", order.shop, str(order.id), "dispute", order.currency, -order.gross(), 1_500, at)


def in_other_currency(order: Order, now: datetime) -> Line:
    return Line("txn_other", order.shop, str(order.id), "charge", "USD", 999, 30, (now - timedelta(hours=1)).replace(microsecond=0))


def stripe_report(lines: list[Line], has_broken_line: bool) -> str:
    """Stripe's balance change report, itemised."""
    rows = [STRIPE]
    for line in lines:
        amounts = [money.text(amount, line.currency) for amount in (line.gross, line.fee, line.gross - line.fee)]
        at = line.at.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
        rows.append([line.kind, line.id, at, line.currency.lower(), *amounts, 'With a "quote",\nand a new line', line.order_id or ""])
    return _csv([*rows, BROKEN] if has_broken_line else rows)


def adyen_report(lines: list[Line]) -> str:
    """Adyen's settlement detail report, of one batch that adds up. All of its lines are in one currency."""
    rows, sum_net, currency = [ADYEN], 0, lines[0].currency
    for line in lines:
        net = line.gross - line.fee
        sum_net += net
        sides = [*_debit_credit(line.gross, currency), currency, *_debit_credit(net, currency), "7"]
        at = line.at.astimezone(CET).strftime("%Y-%m-%d %H:%M:%S")
        rows.append(["Shop", f"psp-{line.order_id}", line.order_id, at, "CET", ADYEN_TYPES[line.kind], line.id, currency, *sides])
    payout = ["", "", "", currency, money.text(sum_net, currency), "", "7"]
    at = lines[-1].at.astimezone(CET).strftime("%Y-%m-%d %H:%M:%S")
    return _csv([*rows, ["Shop", "", "", at, "CET", "MerchantPayout", "", *payout]])


def _debit_credit(amount: int, currency: str) -> list[str]:
    return [money.text(-amount, currency), ""] if amount < 0 else ["", money.text(amount, currency)]


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
