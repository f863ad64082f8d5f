# What the tests of LevelDB ask plyvel, the C++ library in Python. usage: oracle.py COMMAND PATH [ARG...]
import base64
import json
import os
import random
import shutil
import sys
import time

import plyvel


def text(data):
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"$base64": base64.b64encode(data).decode()}


def data(value):
    return value.encode() if isinstance(value, str) else base64.b64decode(value["$base64"])


def line(pair):
    return json.dumps([text(part) for part in pair], ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def show(db):
    sys.stdout.buffer.writelines(line(pair) for pair in db.iterator())


# Databases by name: the options of the C++ library, and what to do with the database.
def churn(db, rounds, count, keys, compact):
    """Puts, overwrites and deletes keys at random."""
    for _ in range(rounds):
        with db.write_batch() as batch:
            for _ in range(count):
                key = b"key%08d" % random.randrange(keys)
                if random.random() < 0.3:
                    batch.delete(key)
                else:
                    batch.put(key, random.randbytes(random.randrange(40)) if random.random() < 0.3 else b"value of " + key * random.randrange(8))
        if random.random() < compact:
            db.compact_range()


def odd(db):
    db.put(b"", b"the empty key")
    db.put(b"empty value", b"")
    for n in range(256):
        db.put(bytes([n]), bytes([n, n]))
        db.put(b"\xff" * n, b"long and high")
    db.put("é€😀".encode(), "\"\\\n\t\x00\x7f".encode())
    db.put(b"large", random.randbytes(10 << 20))
    db.put(b"larger", b"a" * (11 << 20))


TINY = {"write_buffer_size": 1 << 16, "max_file_size": 1 << 16, "block_size": 512}
MADE = {
    "empty": ({}, lambda db: None),
    "log": ({}, lambda db: churn(db, 50, 20, 200, 0)),
    "odd": ({}, odd),
    "levels": (TINY, lambda db: churn(db, 2000, 100, 50_000, 0)),
    "bloom": (TINY | {"bloom_filter_bits": 10}, lambda db: churn(db, 500, 100, 20_000, 0)),
    "compacted": (TINY, lambda db: (churn(db, 300, 100, 20_000, 0.01), db.compact_range())),
    "raw": (TINY | {"compression": None, "block_restart_interval": 1}, lambda db: churn(db, 300, 100, 20_000, 0)),
}


def make(path, name):
    random.seed(name)
    options, fill = MADE[name]
    with plyvel.DB(path, create_if_missing=True, **options) as db:
        fill(db)
        show(db)


def make_damageable(path):
    """A small database with several blocks, tables, levels, logs and edits of the manifest."""
    random.seed(7)
    for round in range(3):
        with plyvel.DB(path, create_if_missing=True, block_size=128, write_buffer_size=1 << 16) as db:
            for n in range(round, 36, round + 1):
                db.put(b"key%04d" % (n + 20 * round), b"%d of round %d, " % (n, round) + random.randbytes(8))
            if round == 0:
                db.compact_range()
            db.delete(b"key%04d" % (round * 13))
            db.put(b"last of round %d" % round, b"")
            if round == 2:
                show(db)


def foreign(path):
    with plyvel.DB(path, create_if_missing=True, comparator=lambda a, b: (a < b) - (a > b), comparator_name=b"my.reverse") as db:
        db.put(b"a", b"1")


def other_order(path):
    """Many keys in another order than that of their bytes, in tables and a log; what is true, in byte order."""
    random.seed(11)
    true = {}
    options = {"comparator": lambda a, b: (a < b) - (a > b), "comparator_name": b"my.reverse", "block_size": 512}
    # What a session leaves in its log the next one makes a table of. Four would begin a compaction, on a thread that
    # waits for Python for ever.
    for session in range(3):
        with plyvel.DB(path, create_if_missing=True, **options) as db:
            for n in range(1500):
                key = random.choice([b"", bytes([random.randrange(256)]), b"key%05d" % random.randrange(2000)])
                if random.random() < 0.2:
                    db.delete(key)
                    true.pop(key, None)
                else:
                    true[key] = b"%d of %d " % (n, session) + random.randbytes(random.randrange(30))
                    db.put(key, true[key])
    sys.stdout.buffer.writelines(line(pair) for pair in sorted(true.items()))


def dump(path):
    """All entries, each of which must be found by its key too, through the filters."""
    with plyvel.DB(path, paranoid_checks=True, bloom_filter_bits=10) as db:
        show(db)
        for key, value in db.iterator():
            assert db.get(key) == value, key


def hold(path, marker):
    with plyvel.DB(path):
        open(marker, "w").close()
        for _ in range(6000):
            if not os.path.exists(marker):
                break
            time.sleep(0.01)


def truncated(path, name):
    """For every length of the file NAME in PATH: how many entries the C++ library finds then, or -1."""
    length = len(open(f"{path}/{name}", "rb").read())
    for cut in range(length + 1):
        copy = f"{path}.copy"
        shutil.copytree(path, copy)
        with open(f"{copy}/{name}", "r+b") as file:
            file.truncate(cut)
        try:
            with plyvel.DB(copy) as db:
                sys.stdout.buffer.write(b"%d\n" % len(list(db.iterator())))
        except Exception:
            sys.stdout.buffer.write(b"-1\n")
        shutil.rmtree(copy)


globals()[sys.argv[1]](*sys.argv[2:])
