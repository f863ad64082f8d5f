"""Checks what was made of FLIGHTS: its groups, its order and its reduced groups, in three files."""
import collections, csv, fractions, gzip, json, sys

flights, groups, order, results = sys.argv[1:]
with gzip.open(flights, "rt", newline="") as file:
    rows = [{k: None if v == "NA" else v for k, v in row.items()} for row in csv.DictReader(file)]


def number(text):
    return None if text is None else int(text)


def lines(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


def same(what, got, due):
    for at, (a, b) in enumerate(zip(got, due)):
        assert a == b, f"{what}, {at}: {a}, not {b}"
    assert len(got) == len(due), f"{what}: {len(got)}, not {len(due)}"


def grouped(*keys):
    found = collections.defaultdict(list)
    for row in rows:
        found[tuple(row[key] for key in keys)].append(row)
    return sorted(found.items())


# Stable, by the tail number within each group.
by_carrier = [row for _, group in grouped("carrier") for row in sorted(group, key=lambda row: (row["tailnum"] is not None, row["tailnum"] or ""))]
same("groups", lines(groups), by_carrier)

late = sorted(rows, key=lambda row: (row["dep_delay"] is None, -(number(row["dep_delay"]) or 0)))
same("order", lines(order), late)

due = []
for (origin, dest), group in grouped("origin", "dest"):
    delays = [number(row["dep_delay"]) for row in group if row["dep_delay"] is not None]
    due.append({
        "origin": origin,
        "dest": dest,
        "count": len(group),
        "distance_sum": sum(number(row["distance"]) for row in group),
        "dep_delay_mean": float(fractions.Fraction(sum(delays), len(delays))) if delays else None,
        "dep_delay_max": max(delays, default=None),
        "tailnum_ndistinct": len({row["tailnum"] for row in group}),
    })
same("results", lines(results), due)
print(len(by_carrier), len(late), len(due))
