"""What happens in the shops' database, as statements. What the rows must be then, the database itself is asked.

Transactions come in the order of the day: some before anybody follows the database, some while everything runs, some after the payments.
"""

from dataclasses import dataclass
from random import Random

import money

# More than PostgreSQL keeps in the row itself.
LONG_TITLE = "A very long title. " * 200


@dataclass(frozen=True)
class Order:
    """An order: items are (id, sku, title, quantity, price), amounts in the currency's smallest unit."""

    id: int
    shop: str
    customer: int | None
    currency: str
    items: list[tuple[int, str, str, int, int]]
    discount: int
    shipping: int

    def gross(self) -> int:
        return sum(quantity * price for _, _, _, quantity, price in self.items) - self.discount + self.shipping

    def gross_text(self) -> str:
        return money.text(self.gross(), self.currency)

    def statements(self) -> str:
        """Order and items in one transaction."""
        amounts = ", ".join(money.text(amount, self.currency) for amount in (self.discount, self.shipping, 0))
        customer = "null" if self.customer is None else str(self.customer)
        lines = [f"insert into orders values ({self.id}, '{self.shop}', {customer}, 'new', '{self.currency}', {amounts}, now(), now());"]
        for number, sku, title, quantity, price in self.items:
            values = f"{number}, {self.id}, '{sku}', '{title}', {quantity}, {money.text(price, self.currency)}"
            lines.append(f"insert into order_items values ({values});")
        return transaction(*lines)


def transaction(*statements: str) -> str:
    return "\n".join(["begin;", *statements, "commit;"])


def customer(number: int, shop: str, country: str) -> str:
    columns = f"{number}, '{shop}', 'c{number}@example.org', 'Customer {number}', null, '{country}', false, now(), now()"
    return f"insert into customers values ({columns});"


def taken(random: Random, shops: dict[str, list[str]], count: int, customers: int) -> list[Order]:
    """So many orders, in the shops' currencies."""
    orders = []
    for number in range(count):
        shop = list(shops)[number % len(shops)]
        currency = shops[shop][number // len(shops) % len(shops[shop])]
        unit = 10 ** money.DIGITS[currency]
        items = []
        for place in range(random.randint(1, 3)):
            title = LONG_TITLE if number % 6 == 5 and place == 0 else f"Article {number}-{place}"
            item = (10 * (1001 + number) + place, f"sku-{random.randint(1, 9)}", title, random.randint(1, 4), random.randint(3 * unit, 60 * unit))
            items.append(item)
        buyer = random.randint(1, customers) if number % 4 else None
        orders.append(Order(1001 + number, shop, buyer, currency, items, random.randint(0, 2 * unit), random.randint(0, 5 * unit)))
    return orders


def changes(orders: list[Order]) -> list[str]:
    """What becomes of orders and customers in the course of a day."""
    moved, renamed, dropped, shipped = orders[0], orders[1], orders[2], orders[5]
    return [
        transaction("update customers set email = 'new@example.org', updated_at = now() where id = 2;"),
        transaction("update customers set marketing_opt_in = true, updated_at = now() where id in (1, 3);"),
        transaction("delete from customers where id = 4;"),
        transaction(f"update customers set shop_id = '{orders[1].shop}', updated_at = now() where id = 5;"),
        # The item goes to another order of the same shop; its old one may be left without any.
        transaction(f"update order_items set order_id = {orders[4].id} where id = {moved.items[0][0]};"),
        transaction(
            f"update orders set id = {renamed.id + 8000} where id = {renamed.id};",
            f"update order_items set order_id = {renamed.id + 8000} where order_id = {renamed.id};",
        ),
        transaction(f"delete from order_items where order_id = {dropped.id};", f"delete from orders where id = {dropped.id};"),
        # The long title is not touched, and not in the log's new row.
        transaction(f"update order_items set quantity = quantity + 1 where order_id = {shipped.id};"),
        *(transaction(f"update orders set status = 'shipped', updated_at = now() where id = {order.id};") for order in orders[6:9]),
    ]


def paced(transactions: list[str], pause_ms: int) -> str:
    """As one script, with a pause after each."""
    return "".join(f"{text}\nselect pg_sleep({pause_ms}e-3);\n" for text in transactions)
