"""Amounts as whole numbers of a currency's smallest unit, and as the text that databases and reports have. No floats."""

DIGITS = {"EUR": 2, "USD": 2, "JPY": 0, "KWD": 3}


def text(minor: int, currency: str) -> str:
    """`1234`, `EUR` as `12.34`."""
    digits = DIGITS[currency]
    sign, number = ("-" if minor < 0 else ""), str(abs(minor)).rjust(digits + 1, "0")
    return f"{sign}{number[:-digits]}.{number[-digits:]}" if digits else sign + number
