"""Segment's SDK for Python, as a shop's server uses it; bodies go out packed. Its modules lie where the environment's SDK_HOME says."""

import argparse
import json
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["SDK_HOME"], "python"))

from segment.analytics.client import Client  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--endpoint", required=True)
parser.add_argument("--write-key", required=True)
parser.add_argument("--events", type=int, required=True)
parser.add_argument("--every", type=int, default=0, help="milliseconds")
options = parser.parse_args()

failed: list[str] = []
client = Client(
    options.write_key,
    host=options.endpoint,
    gzip=True,
    upload_size=15,
    upload_interval=0.3,
    on_error=lambda error, batch: failed.extend(message["messageId"] for message in batch),
)
sent = []
for n in range(options.events):
    visitor = f"python-{n % 5}"
    calls = [
        lambda: client.track(anonymous_id=visitor, event="Order Completed", properties={"order_id": "o-2", "total": 3, "currency": "eur"}),
        lambda: client.page(anonymous_id=visitor, name="Home", properties={"path": "/", "n": n}),
        lambda: client.identify(user_id=f"user-{visitor}", anonymous_id=visitor, traits={"name": 'Ada "}]{['}),
        lambda: client.track(user_id=f"user-{visitor}", event="Product Viewed", properties={"product_id": f"p-{n}"}),
        lambda: client.screen(anonymous_id=visitor, name="Cart"),
        lambda: client.group(user_id=f"user-{visitor}", group_id="g-1"),
        lambda: client.alias(previous_id=visitor, user_id=f"user-{visitor}"),
    ]
    taken, message = calls[n % len(calls)]()
    if not taken:
        raise SystemExit("the SDK's queue is full")
    sent.append(message["messageId"])
    time.sleep(options.every / 1000)
# It returns when each event was acknowledged or given up.
client.flush()
client.shutdown()
print(json.dumps({"acknowledged": [message for message in sent if message not in set(failed)], "failed": failed}))
