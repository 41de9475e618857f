"""What visitors do, and the sessions that must come of it. How their SDKs send it is in the scripts beside this.

A plan is made of a seed, the same every time but for the moment to which it is laid. The sessions are computed from it plainly, by the rules of
docs/rules.md, and not by anything of the pipeline's.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from orders import Order

GAP = timedelta(minutes=30)
COUNTED = {"product_views": "Product Viewed", "cart_adds": "Product Added", "checkouts": "Checkout Started", "orders": "Order Completed"}
CAMPAIGNS = [
    None,
    {"utm_source": "newsletter", "utm_medium": "mail", "utm_campaign": "november"},
    {"utm_source": "search", "utm_medium": "cpc", "utm_campaign": "gifts"},
]
SEARCH_ENGINE = "http://search.example/"


@dataclass(frozen=True)
class Step:
    """A page or a screen, and what is done there. `at` is of an app that sends it later; a browser sends at once."""

    name: str
    path: str | None
    acts: list[dict]
    at: datetime | None = None


@dataclass(frozen=True)
class Visit:
    """What one visitor does, in the order of sending."""

    shop: str
    write_key: str
    visitor: str
    steps: list[Step]
    campaign: dict | None = None
    referrer: str | None = None

    def told(self) -> dict:
        """As the scripts take it."""
        steps = [{"name": s.name, "path": s.path, "acts": s.acts, "at": s.at and s.at.isoformat()} for s in self.steps]
        told = {"visitor": self.visitor, "write_key": self.write_key, "campaign": self.campaign, "referrer": self.referrer}
        return {**told, "steps": steps}


@dataclass
class Session:
    """A session as it must come out, but for its times in a browser, which nobody can plan."""

    shop: str
    visitor: str
    began: datetime | None
    row: dict = field(default_factory=dict)


def shopping(random: Random, order: Order | None) -> list[tuple[str, str, list[dict]]]:
    """Names, paths and acts of one walk through the shop: looking around, and perhaps an order."""
    walk = [("Home", "/", [])]
    for _ in range(random.randint(1, 2)):
        viewed = {"product_id": f"sku-{random.randint(1, 9)}"}
        walk.append(("Product", f"/p/{viewed['product_id']}", [{"event": "Product Viewed", "properties": viewed}]))
    if order is None:
        return walk
    walk[-1][2].append({"event": "Product Added", "properties": viewed})
    products = [{"product_id": sku, "quantity": quantity} for _, sku, _, quantity, _ in order.items]
    who = [{"identify": f"customer-{order.customer}", "traits": {"email": f"c{order.customer}@example.org"}}] if order.customer else []
    walk.append(("Cart", "/cart", [*who, {"event": "Checkout Started", "properties": {"products": products}}]))
    done = {"order_id": str(order.id), "currency": order.currency, "total": order.gross_text(), "products": products}
    walk.append(("Thanks", "/thanks", [{"event": "Order Completed", "properties": done}]))
    return walk


def in_browsers(random: Random, shops: dict[str, str], orders: list[Order], count: int) -> list[Visit]:
    """Visits to the shops' pages, half of which end with an order, as long as there are orders."""
    visits, left = [], list(orders)
    for number in range(count):
        order = left.pop(0) if left and number % 2 == 0 else None
        shop = order.shop if order else random.choice(list(shops))
        steps = [Step(*step) for step in shopping(random, order)]
        referrer = random.choice([None, SEARCH_ENGINE])
        visits.append(Visit(shop, shops[shop], f"web-{number}", steps, random.choice(CAMPAIGNS), referrer))
    return visits


def in_apps(random: Random, shops: dict[str, str], orders: list[Order], count: int, now: datetime) -> list[Visit]:
    """Visits of apps that kept for hours what they did, and send it now. Every third sends the middle of a visit last."""
    visits, left = [], list(orders)
    for number in range(count):
        order = left.pop(0) if left else None
        shop = order.shop if order else random.choice(list(shops))
        steps = []
        for minutes_ago, bought in ((260, None), (50, order)):
            # An app has screens, and no paths.
            walk = enumerate(shopping(random, bought))
            steps += [Step(name, None, acts, now - timedelta(minutes=minutes_ago - 5 * place)) for place, (name, _, acts) in walk]
        if number % 3 == 0:
            # Forty minutes apart are two sessions; what lies between makes one of them.
            steps += [Step("Wishlist", None, [], now - timedelta(minutes=ago)) for ago in (190, 150, 170)]
        visits.append(Visit(shop, shops[shop], f"app-{number}", steps))
    return visits


@dataclass(frozen=True)
class Event:
    """One call of an SDK's, as far as sessions look at it."""

    at: datetime | None
    path: str | None
    user: str | None
    is_view: bool
    act: dict


def events_of(visit: Visit) -> list[Event]:
    """The calls that the scripts make of a visit, in the order of time."""
    user, events = None, []
    for step in visit.steps:
        events.append(Event(step.at, step.path, user, True, {}))
        for act in step.acts:
            user = act.get("identify", user)
            events.append(Event(step.at, step.path, user, False, act))
    return sorted(events, key=lambda event: event.at.timestamp() if event.at else 0)


def sessions(visits: list[Visit]) -> list[Session]:
    """What must come of the visits: a session ends with half an hour of silence."""
    found = []
    for visit in visits:
        parts: list[list[Event]] = []
        for event in events_of(visit):
            if not parts or (event.at and event.at - parts[-1][-1].at > GAP):
                parts.append([])
            parts[-1].append(event)
        found += [Session(visit.shop, visit.visitor, part[0].at, row(visit, part)) for part in parts]
    return found


def row(visit: Visit, events: list[Event]) -> dict:
    """The columns of a session that follow from what was done."""
    paths = [event.path for event in events if event.path is not None]
    users = [event.user for event in events if event.user is not None]
    done = [event.act["properties"] for event in events if event.act.get("event") == "Order Completed"]
    revenue: dict[str, int] = {}
    for order in done:
        revenue[order["currency"]] = revenue.get(order["currency"], 0) + int(order["total"].replace(".", ""))
    counts = {column: sum(event.act.get("event") == name for event in events) for column, name in COUNTED.items()}
    campaign = visit.campaign or dict.fromkeys(("utm_source", "utm_medium", "utm_campaign"))
    return {
        "shop_id": visit.shop,
        "user_id": users[-1] if users else None,
        "events": len(events),
        "page_views": sum(event.is_view for event in events),
        **counts,
        "revenue": [{"currency": currency, "amount_minor": amount} for currency, amount in sorted(revenue.items())],
        "entry_page": paths[0] if paths else None,
        "exit_page": paths[-1] if paths else None,
        "referrer": visit.referrer,
        **campaign,
        "order_ids": list(dict.fromkeys(order["order_id"] for order in done)),
        "is_deleted": False,
    }
