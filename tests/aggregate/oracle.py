"""The reducers' results as Python's fractions and integers have them: a JSON line a group.

Reads lines {"ops": [...], "records": [{"v": ...}, ...]}, the numbers kept as text, and prints for
each the array of results as JSON text, or "overflow" for a result that is no double, or "mixed"
where numbers and text are to be ordered.
"""
import json
import re
import statistics
import sys
from decimal import Decimal, getcontext
from fractions import Fraction

getcontext().prec = 1600
sys.set_int_max_str_digits(0)


class Number(str):
    """A JSON number, as it was written."""


def es(x):
    """A double as ECMAScript prints it."""
    if x == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(x)).normalize().as_tuple()
    digits = "".join(map(str, digits))
    point = len(digits) + exponent
    if -5 <= point <= 0:
        text = "0." + "0" * -point + digits
    elif 0 < point <= 21:
        text = digits.ljust(point, "0")
        text = text[:point] + ("." + text[point:] if text[point:] else "")
    else:
        fraction = "." + digits[1:] if digits[1:] else ""
        text = f"{digits[0]}{fraction}e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return ("-" if sign else "") + text


def rounded(fraction):
    try:
        return es(float(fraction))
    except OverflowError:
        return "overflow"


NUMERIC = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)


def spelled(value):
    """The text of a number or of a numeric string, else None."""
    if isinstance(value, str) and NUMERIC.fullmatch(value.strip()):
        return value.strip()
    return None


def number(value):
    text = spelled(value)
    return int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else float(text)


def missing(value):
    return value is None or not isinstance(value, Number) and isinstance(value, str) and not value.strip()


def as_json(value):
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, list):
        return "[" + ",".join(map(as_json, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{as_json(v)}" for k, v in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def as_ordered(value):
    """The value with numeric strings as numbers, spelled as JSON."""
    text = spelled(value)
    if text is None or isinstance(value, Number):
        return as_json(value)
    sign, whole, fraction, exponent = re.fullmatch(
        r"([+-]?)([0-9]*)\.?([0-9]*)(?:[eE]([+-]?[0-9]+))?", text).groups()
    out = ("-" if sign == "-" else "") + (whole.lstrip("0") or "0")
    out += "." + fraction if fraction else ""
    return out + (f"e{int(exponent)}" if exponent and int(exponent) else "")


def order(value, strings_as_numbers):
    """A key whose order is jq's."""
    text = spelled(value) if strings_as_numbers or isinstance(value, Number) else None
    if text is not None:
        return (3, Fraction(text))
    if value is None:
        return (0,)
    if isinstance(value, bool):
        return (2,) if value else (1,)
    if isinstance(value, str):
        return (4, [ord(c) for c in value])
    if isinstance(value, list):
        return (5, [order(v, False) for v in value])
    names = sorted(value, key=lambda name: [ord(c) for c in name])
    return (6, [[ord(c) for c in name] for name in names], [order(value[n], False) for n in names])


def arithmetic(op, values):
    numbers = [number(v) for v in values]
    exact = [Fraction(n) for n in numbers]
    n = len(exact)
    if op == "sum":
        whole = all(isinstance(v, int) for v in numbers)
        return str(sum(numbers)) if whole else rounded(sum(exact))
    if op in ("mean", "avg"):
        return rounded(sum(exact) / n)
    if op in ("var", "stddev"):
        if n < 2:
            return "null"
        variance = statistics.variance(exact)
        if op == "var":
            return rounded(variance)
        root = (Decimal(variance.numerator) / Decimal(variance.denominator)).sqrt()
        return rounded(Fraction(root))
    op = "p50" if op == "median" else op
    q = Fraction(op[1:]) / 100 if op[0] == "p" else Fraction(op.split("=")[1])
    in_order = sorted(numbers, key=lambda v: (Fraction(v), isinstance(v, int) and abs(v) > 2**53))
    h = (n - 1) * q
    index = h.numerator // h.denominator
    part, low = h - index, in_order[index]
    high = in_order[index + 1] if part else low
    if not part or low == high and type(low) is type(high):
        return str(low) if isinstance(low, int) else es(low)
    return rounded(Fraction(low) + part * (Fraction(high) - Fraction(low)))


ORDERED = ("min", "max", "minby", "maxby", "firstby", "lastby", "top", "bottom", "topby", "bottomby")


def result(op, records):
    operands = [r["v"] for r in records]
    if op == "count":
        return str(len(records))
    if op in ("first", "last", "collect", "ndistinct"):
        if op == "collect":
            return "[" + ",".join(map(as_json, operands)) + "]"
        if op == "ndistinct":
            return str(len({repr(order(v, False)) for v in operands}))
        return as_json(operands[0 if op == "first" else -1])
    kept = [r for r in records if not missing(r["v"])]
    name, _, count = op.partition("=")
    if name in ORDERED:
        kinds = {order(r["v"], True)[0] for r in kept}
        if kinds >= {3, 4}:
            return "mixed"
        least = name in ("min", "minby", "firstby", "bottom", "bottomby")
        best = sorted(kept, key=lambda r: order(r["v"], True), reverse=not least)
        if name == "lastby":
            best = sorted(kept, key=lambda r: order(r["v"], True))[::-1]
        shown = [as_json(r) if name.endswith("by") else as_ordered(r["v"]) for r in best]
        if count:
            return "[" + ",".join(shown[: int(count)]) + "]"
        return shown[0] if shown else "null"
    if not kept:
        return "null"
    return arithmetic(op, [r["v"] for r in kept])


for line in sys.stdin:
    case = json.loads(line, parse_int=Number, parse_float=Number)
    print(json.dumps([result(op, case["records"]) for op in case["ops"]], ensure_ascii=False))
