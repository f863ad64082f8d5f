"""Random Parquet files, by pyarrow, and what must be printed of them, by pyarrow's values alone.

    parquet_peers.py make SEED FILE       a file of columns of random types, encoded and packed at random
    parquet_peers.py duckdb FILE          a file of DuckDB's types, by DuckDB
    parquet_peers.py printed FILE         standard input must be the file's rows as records
    parquet_peers.py records SEED         records whose columns a file can hold
    parquet_peers.py held FILE            the file must hold the records on standard input, for pyarrow and DuckDB
"""
import base64
import datetime
import decimal
import json
import math
import random
import struct
import sys

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
ROWS = 300


def kind(chance, depth):
    """A random type."""
    nested = ["list", "large_list", "fixed_list", "struct", "map", "numbered"] if depth < 3 else []
    flat = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
            "float64", "string", "large_string", "binary", "fixed", "dec", "wide", "date32", "time32", "time64", "moment",
            "zoned", "word"]
    name = chance.choice(flat + nested * 3)
    below = lambda: kind(chance, depth + 1)
    return {
        "list": lambda: pa.list_(below()),
        "large_list": lambda: pa.large_list(below()),
        "fixed_list": lambda: pa.list_(pa.int16(), 2),
        "struct": lambda: pa.struct([(f"m{n}", below()) for n in range(chance.randint(1, 3))]),
        "map": lambda: pa.map_(pa.string(), below()),
        "numbered": lambda: pa.map_(pa.int32(), below()),
        "fixed": lambda: pa.binary(chance.choice([1, 3, 16])),
        "dec": lambda: pa.decimal128(chance.choice([4, 9, 18, 38]), chance.randint(0, 4)),
        "wide": lambda: pa.decimal256(76, 30),
        "time32": lambda: pa.time32("ms"),
        "time64": lambda: pa.time64(chance.choice(["us", "ns"])),
        "moment": lambda: pa.timestamp(chance.choice(list(UNITS))),
        "zoned": lambda: pa.timestamp(chance.choice(["ms", "us", "ns"]), "UTC"),
        "word": lambda: pa.dictionary(pa.int32(), pa.string()),
        "bool": pa.bool_,
    }.get(name, getattr(pa, name, None))()


def value(chance, of):
    """A random value of a type."""
    types = pa.types
    if chance.random() < 0.15:
        return None
    several = lambda each: [each() for _ in range(chance.choice([0, 1, 2, 5]))]
    text = lambda: "".join(chance.choice("ab\"\\\n\té€😀") for _ in range(chance.randint(0, 6)))
    if types.is_fixed_size_list(of):
        return [value(chance, of.value_type) for _ in range(of.list_size)]
    if types.is_list(of) or types.is_large_list(of):
        return several(lambda: value(chance, of.value_type))
    if types.is_map(of):
        keys = set(several(text if types.is_string(of.key_type) else lambda: chance.randint(-9, 9)))
        return [(key, value(chance, of.item_type)) for key in sorted(keys)]
    if types.is_struct(of):
        return {field.name: value(chance, field.type) for field in of}
    if types.is_boolean(of):
        return chance.random() < 0.5
    if types.is_integer(of):
        low, high = (-2 ** (of.bit_width - 1), 2 ** (of.bit_width - 1) - 1) if types.is_signed_integer(of) \
            else (0, 2 ** of.bit_width - 1)
        return chance.choice([low, high, 0, chance.randint(low, high)])
    if types.is_float16(of):
        return chance.choice([0.0, -0.25, 65504.0, 2.0 ** -24])
    if types.is_floating(of):
        return chance.choice([0.1, -0.0, 1e-30, 123456789.125, math.nan, math.inf, chance.uniform(-1e9, 1e9)])
    if types.is_string(of) or types.is_large_string(of) or types.is_dictionary(of):
        return text()
    if types.is_fixed_size_binary(of):
        return chance.randbytes(of.byte_width)
    if types.is_binary(of):
        return chance.choice([chance.randbytes(5), text().encode()])
    if types.is_decimal(of):
        digits = chance.randint(1, of.precision)
        whole = chance.randint(-10**digits + 1, 10**digits - 1)
        return decimal.Decimal(whole).scaleb(-of.scale, decimal.Context(prec=100))
    if types.is_date(of):
        return datetime.date(1970, 1, 1) + datetime.timedelta(days=chance.randint(-700_000, 2_900_000))
    if types.is_time(of):
        return chance.randrange(86_400 * UNITS[of.unit])
    if types.is_timestamp(of):
        return chance.randint(-9 * 10**9, 9 * 10**9) * UNITS[of.unit] + chance.randrange(UNITS[of.unit])
    raise TypeError(of)


def make(seed, path):
    chance = random.Random(int(seed))
    kinds = [kind(chance, 0) for _ in range(chance.randint(1, 8))]
    columns = {f"c{n} é": pa.array([value(chance, of) for _ in range(ROWS)], of) for n, of in enumerate(kinds)}
    options = {
        "compression": chance.choice(["none", "snappy", "gzip", "brotli", "zstd", "lz4"]),
        "row_group_size": chance.choice([7, 100, ROWS]),
        "data_page_size": chance.choice([64, 4096]),
        "data_page_version": chance.choice(["1.0", "2.0"]),
        "use_dictionary": chance.random() < 0.5,
        "store_schema": chance.random() < 0.5,
        "use_compliant_nested_type": chance.random() < 0.7,
        "store_decimal_as_integer": chance.random() < 0.5,
        "write_page_checksum": chance.random() < 0.5,
    }
    if not options["use_dictionary"]:
        encodings = {name: encoding(chance, column.type) for name, column in columns.items()}
        options["column_encoding"] = {name: word for name, word in encodings.items() if word} or None
    pq.write_table(pa.table(columns), path, **options)


def encoding(chance, of):
    """One that values of a type may have."""
    types = pa.types
    if types.is_int32(of) or types.is_int64(of):
        return chance.choice(["PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"])
    if types.is_string(of):
        return chance.choice(["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"])
    if types.is_float32(of) or types.is_float64(of):
        return chance.choice(["PLAIN", "BYTE_STREAM_SPLIT"])
    return "RLE" if types.is_boolean(of) else None


def by_duckdb(path):
    duckdb.sql(f"""COPY (SELECT n::TINYINT AS t, n::UINTEGER AS u, n * 1e-3 AS d, (n / 8)::FLOAT AS f,
        (n * 1.01)::DECIMAL(18, 4) AS dec, (n * 1.01)::DECIMAL(38, 9) AS wide, 'x' || n AS s,
        '\\xFF\\x00'::BLOB || n::VARCHAR::BLOB AS b, DATE '1969-12-30' + n::INT AS da,
        TIME '01:02:03.5' + INTERVAL (n) SECOND AS tm, TIMESTAMP '1969-12-31 23:59:59.25' + INTERVAL (n) MINUTE AS mo,
        TIMESTAMPTZ '2026-11-30 12:00:00.000001+00' AS zo, '2026-11-30 00:00:00.123456789'::TIMESTAMP_NS AS ns,
        [n, NULL, n + 1] AS l, [[n], [], NULL] AS ll, {{'a': n, 'b': [{{'c': 'x'}}, NULL]}} AS st,
        MAP {{'k' || n: [n]}} AS m, MAP {{n: 'v'}} AS mn, CASE WHEN n % 2 = 0 THEN n END AS od, n % 3 = 0 AS bo
        FROM range(0, 100) r(n)) TO '{path}' (FORMAT parquet)""")


def clock(count, per_second):
    """A time of day, with the digits of its unit where it has a fraction."""
    seconds, rest = divmod(count, per_second)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return text + (f".{rest:0{len(str(per_second)) - 1}d}" if rest else "")


def wanted(scalar):
    """What must be printed of a value of pyarrow's."""
    types, of = pa.types, scalar.type
    if not scalar.is_valid:
        return None
    if types.is_dictionary(of):
        return scalar.as_py()
    if types.is_map(of):
        pairs = [(item["key"], item["value"]) for item in scalar.values]
        if types.is_string(of.key_type):
            return {key.as_py(): wanted(held) for key, held in pairs}
        return [[wanted(key), wanted(held)] for key, held in pairs]
    if isinstance(scalar, pa.ListScalar | pa.LargeListScalar | pa.FixedSizeListScalar):
        return [wanted(element) for element in scalar.values]
    if types.is_struct(of):
        return {name: wanted(held) for name, held in scalar.items()}
    if types.is_floating(of):
        number = scalar.as_py()
        return number if math.isfinite(number) else None
    if types.is_binary(of) or types.is_large_binary(of) or types.is_fixed_size_binary(of):
        data = scalar.as_py()
        try:
            return data.decode()
        except UnicodeDecodeError:
            return {"$base64": base64.b64encode(data).decode()}
    if types.is_date(of):
        return scalar.as_py().isoformat()
    if types.is_time(of):
        return clock(scalar.value, UNITS[of.unit])
    if types.is_timestamp(of):
        # Seconds are not known to files: they become thousandths.
        per_second = UNITS[of.unit]
        days, count = divmod(scalar.value, 86_400 * per_second)
        day = datetime.date(1970, 1, 1) + datetime.timedelta(days=days)
        return f"{day.isoformat()}T{clock(count, per_second)}" + ("Z" if of.tz else "")
    return scalar.as_py()


def same(got, want, of=None):
    """Whether a value that was printed is the one that is wanted, numbers to the last digit."""
    if isinstance(want, float):
        number = float(got)
        narrow = of is not None and (pa.types.is_float32(of) or pa.types.is_float16(of))
        return (struct.unpack("f", struct.pack("f", number))[0] if narrow else number) == want
    if isinstance(want, decimal.Decimal):
        return isinstance(got, decimal.Decimal | int) and f"{decimal.Decimal(got):f}" == f"{want:f}"
    if isinstance(want, bool) or isinstance(got, bool) or want is None:
        return got is want
    return type(got) is type(want) and got == want


def alike(got, want, of):
    types = pa.types
    if want is None:
        return got is None
    if types.is_struct(of):
        return list(got) == list(want) and all(alike(got[f.name], want[f.name], f.type) for f in of)
    if types.is_map(of):
        if isinstance(want, dict):
            return got.keys() == want.keys() and all(alike(got[key], want[key], of.item_type) for key in want)
        return len(got) == len(want) and all(g[0] == w[0] and alike(g[1], w[1], of.item_type) for g, w in zip(got, want))
    if isinstance(want, list):
        return len(got) == len(want) and all(alike(g, w, of.value_type) for g, w in zip(got, want))
    return same(got, want, of)


def printed(path):
    table = pq.read_table(path)
    lines = sys.stdin.read().split("\n")
    assert lines.pop() == "" and len(lines) == table.num_rows, f"{len(lines)} records of {table.num_rows}"
    records = [json.loads(line, parse_float=decimal.Decimal) for line in lines]
    for name, column in zip(table.column_names, table.columns):
        for number, (record, scalar) in enumerate(zip(records, column)):
            want = wanted(scalar)
            assert alike(record[name], want, column.type), \
                f"row {number}, {name}, {column.type}: {record[name]!r}, not {want!r}"
    assert all(list(record) == table.column_names for record in records)
    print(table.num_rows, "rows alike")


def shape(chance, depth):
    """What records have in a place."""
    way = chance.choice(["int", "float", "text", "bytes", "bool"] + ["list", "object"] * (depth < 3))
    if way == "list":
        return [shape(chance, depth + 1)]
    if way == "object":
        return {f"m{n}": shape(chance, depth + 1) for n in range(chance.randint(1, 3))}
    return way


def filled(chance, of):
    """A value of a shape. No member is left out: a file has no word for that."""
    if chance.random() < 0.15:
        return None
    if isinstance(of, list):
        return [filled(chance, of[0]) for _ in range(chance.choice([0, 1, 3]))]
    if isinstance(of, dict):
        return {name: filled(chance, each) for name, each in of.items()}
    return {
        "int": lambda: chance.choice([0, -2**63, 2**63 - 1, chance.randint(-1000, 1000)]),
        "float": lambda: chance.choice([0.5, -1e300, 5e-324, chance.random()]),
        "text": lambda: "".join(chance.choice("ab\"\\\né€😀") for _ in range(chance.randint(0, 9))),
        "bytes": lambda: {"$base64": base64.b64encode(b"\xff" + chance.randbytes(4)).decode()},
        "bool": lambda: chance.random() < 0.5,
    }[of]()


def records(seed):
    chance = random.Random(int(seed))
    of = {f"c{n}": shape(chance, 0) for n in range(chance.randint(1, 6))}
    for _ in range(ROWS):
        # The rows themselves are there.
        print(json.dumps({name: filled(chance, each) for name, each in of.items()}, ensure_ascii=False))


def unpacked(record):
    """Records as Python values, bytes as such."""
    if isinstance(record, dict):
        if list(record) == ["$base64"]:
            return base64.b64decode(record["$base64"])
        return {name: unpacked(held) for name, held in record.items()}
    return [unpacked(held) for held in record] if isinstance(record, list) else record


def held(path):
    want = [unpacked(json.loads(line)) for line in sys.stdin]
    rows = pq.read_table(path).to_pylist()
    found = duckdb.sql(f"SELECT * FROM read_parquet('{path}')")
    by_duck = [dict(zip(found.columns, row)) for row in found.fetchall()]
    for who, rows in [("pyarrow", rows), ("DuckDB", by_duck)]:
        assert len(rows) == len(want), f"{who}: {len(rows)} rows of {len(want)}"
        for number, (row, record) in enumerate(zip(rows, want)):
            assert row == record, f"{who}, row {number}: {row!r}, not {record!r}"
    print(len(want), "records held")


{"make": make, "duckdb": by_duckdb, "printed": printed, "records": records, "held": held}[sys.argv[1]](*sys.argv[2:])
