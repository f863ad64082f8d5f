"""The joins of two files of records {"k": KEY, "n": NUMBER} and {"k": KEY, "m": NUMBER}, as SQLite
has them: lines [n, m] in the order of the left, matches and what is left over in that of the right."""

import json
import sqlite3
import sys

kind, left, right = sys.argv[1:]
base = sqlite3.connect(":memory:")
for table, number, path in (("l", "n", left), ("r", "m", right)):
    # No type, so that a value compares as what it is.
    base.execute(f"CREATE TABLE {table} (k, {number})")
    rows = [json.loads(line) for line in open(path)]
    base.executemany(f"INSERT INTO {table} VALUES (?, ?)", [(row.get("k"), row[number]) for row in rows])
base.execute("CREATE INDEX by_key ON r (k)")
ALONE = "SELECT NULL, m FROM r WHERE NOT EXISTS (SELECT 1 FROM l WHERE l.k = r.k) ORDER BY m"
queries = {
    "inner": ["SELECT n, m FROM l JOIN r ON l.k = r.k ORDER BY n, m"],
    "left": ["SELECT n, m FROM l LEFT JOIN r ON l.k = r.k ORDER BY n, m"],
    "outer": ["SELECT n, m FROM l LEFT JOIN r ON l.k = r.k ORDER BY n, m", ALONE],
    "semi": ["SELECT n, NULL FROM l WHERE EXISTS (SELECT 1 FROM r WHERE l.k = r.k) ORDER BY n"],
    "anti": ["SELECT n, NULL FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE l.k = r.k) ORDER BY n"],
}
for query in queries[kind]:
    for row in base.execute(query):
        print(json.dumps(row, separators=(",", ":")))
