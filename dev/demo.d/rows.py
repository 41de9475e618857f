"""The rows of output topics as `shoppulse tail` prints them, and how they differ from those that must be there. Pure."""

import json
from collections.abc import Callable

# Of the engine, or of a clock: nothing outside can know them.
OWN_COLUMNS = ("row_version", "processed_at", "updated_at")
SHOWN_MAX = 5
COLUMNS_SHOWN_MAX = 3

Row = dict[str, object]
Key = tuple[str, ...]


def records(printed: str) -> list[dict]:
    """One object a line."""
    return [json.loads(line) for line in printed.splitlines()]


def latest(printed: str, columns: tuple[str, ...], left_out: tuple[str, ...] = ()) -> dict[Key, Row]:
    """The last row of each key that lives; a key is made of these columns of the record's key."""
    rows: dict[Key, Row] = {}
    for record in records(printed):
        key = tuple(str(record["key"][column]) for column in columns)
        value = record["value"]
        if value is None or value["is_deleted"]:
            rows.pop(key, None)
            continue
        rows[key] = {name: cell for name, cell in value.items() if name not in OWN_COLUMNS and name not in left_out}
    return rows


def differences(expected: dict[Key, Row], actual: dict[Key, Row], same: Callable[[Row, Row], list[str]] | None = None) -> list[str]:
    """A sentence for each key whose rows differ."""
    found = []
    for key in sorted(expected.keys() | actual.keys()):
        name = " ".join(key)
        if key not in actual:
            found.append(f"{name} is missing")
        elif key not in expected:
            found.append(f"{name} is one too many: {short(actual[key])}")
        elif wrong := (same or unequal)(expected[key], actual[key]):
            found.append(f"{name}: {'; '.join(wrong)}")
    return found


def unequal(expected: Row, actual: Row) -> list[str]:
    """The columns that differ; of many, some."""
    names = dict.fromkeys([*expected, *actual])
    wrong = [name for name in names if expected.get(name) != actual.get(name) or (name in expected) != (name in actual)]
    told = [f"{name} is {short(actual.get(name))} and must be {short(expected.get(name))}" for name in wrong[:COLUMNS_SHOWN_MAX]]
    return [*told, f"and {len(wrong) - COLUMNS_SHOWN_MAX} columns more"] if len(wrong) > COLUMNS_SHOWN_MAX else told


def short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:79] + "…"
