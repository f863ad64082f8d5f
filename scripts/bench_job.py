"""What a job of scripts/bench is made of: its tools, each with the exact command, its data, and what
bench-check says of an answer. Paths are those from the root of the repository, so that a command that is
printed can be pasted there.
"""
import dataclasses
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = pathlib.Path("target/bench")
OUT = WORK / "out"
PYTHON = "target/python/bin/python3"
CORES = len(os.sched_getaffinity(0))


@dataclasses.dataclass
class Tool:
    """A way to do a job: a shell line that writes OUT."""
    name: str
    line: str
    # The words for bench-check that bring the answer into the form that all have in common.
    check: str = ""
    # It answers with this text of bench-check, or with the answer of all.
    right: str = ""
    # A shell line that must do well on the answer.
    verify: str = ""
    # With more records it is not run: it takes minutes.
    most: int = 0
    # It may refuse, which is then what the table says.
    may_fail: bool = False
    # It writes into WORK/seconds how long it took without its start.
    own_clock: bool = False
    # How often the line calls it.
    calls: int = 1


@dataclasses.dataclass
class Job:
    title: str
    records: int
    source: pathlib.Path
    tools: list[Tool]
    # What is told of it: the best of its `peers`, or how the others relate to the first: `stages`, `shapes`,
    # `growth`.
    kind: str = "peers"
    # No first run is the only one because it took long.
    long: bool = False


# ---- data

def program(name):
    """A program of scripts/, built anew where its source is newer; what an older generator made goes."""
    source, built = ROOT / f"scripts/{name}.rs", ROOT / WORK / name
    if not built.exists() or built.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["rustc", "--edition", "2021", "-O", "-o", built, source], check=True)
        if name == "bench-data":
            for old in (ROOT / WORK / "data").glob("*"):
                subprocess.run(["rm", "-rf", old], check=True)
    return str(WORK / name)


def data(*words):
    """The file of what bench-data prints for these words, made once."""
    maker, path = program("bench-data"), WORK / "data" / "-".join(str(word).replace("/", "_") for word in words)
    if not (ROOT / path).exists():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        new = ROOT / f"{path}.new"
        with open(new, "wb") as file:
            subprocess.run([maker, *map(str, words)], stdout=file, cwd=ROOT, check=True)
        new.rename(ROOT / path)
    return path


def size(path):
    return (ROOT / path).stat().st_size


def checked(check, path):
    """What bench-check says of a file."""
    with open(ROOT / path, "rb") as file:
        done = subprocess.run([program("bench-check"), *check.split()], stdin=file, cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else done.stderr.strip()


# ---- peers

def duckdb(query, form="FORMAT JSON", settings=""):
    # Its progress bar, which it draws for what takes long, is time that it would not need.
    said = f"SET threads={CORES}; SET enable_progress_bar=false; {settings}COPY ({query}) TO '{OUT}' ({form})"
    return f'{PYTHON} -c "import duckdb; duckdb.sql(\'\'\'{said}\'\'\')"'


def duck_json(path, columns):
    return f"read_json('{path}', format='newline_delimited', columns={{{columns}}})"


def within(memory):
    return f"SET memory_limit='{memory}B'; SET temp_directory='{WORK}/duckdb'; "


def polars(code):
    return f'POLARS_MAX_THREADS={CORES} {PYTHON} -c "import polars as pl; {code}"'


def scan(path, columns):
    return f"pl.scan_ndjson('{path}', schema={{{columns}}})"


def column_sort(keys, path, options=""):
    return f"sort {keys}{options} --parallel={CORES} -S 50% {path} > {OUT}"
