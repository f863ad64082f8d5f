"""The pipelines of scripts/torture and their data. Each is written once, for hosts and for one machine:
what comes out may not depend on hosts, on the size of blocks or on the road that data takes, so the answer
of the run on one machine, where no command sleeps, is the answer of all.
"""
import csv
import dataclasses
import json
import pathlib
import random
import zipfile

HOSTS = ["n1", "n2", "n3", "n4"]
# What the commands of a stage sleep, in seconds, all together and at once on this many slots.
WORK, SLOTS = 2.5, 8


@dataclasses.dataclass
class Choice:
    """What a run chooses that may not change the answer: words for the stages."""
    # The choices of a seed; none for the run on one machine.
    rng: random.Random | None
    data: pathlib.Path

    @property
    def hosts(self):
        """-h, and by which road."""
        if not self.rng:
            return ""
        return f" -h {','.join(HOSTS)}" + self.of(["", "", "", " --ssh ssh"])

    def of(self, words):
        """One of `words`; the first, and for the run on one machine always that."""
        return self.rng.choice(words) if self.rng else words[0]

    def work(self, size, least=24):
        """The options and the command of a map over `size` bytes: cat, before or after a nap."""
        if not self.rng:
            return "cat"
        blocks = self.rng.randint(least, 64)
        nap = WORK * SLOTS / blocks
        line = self.of([f"sleep {nap:.2f}; cat", f"cat; sleep {nap:.2f}"])
        return f"--block {size // blocks} -c '{line}'"

    def nap(self, line, most=0.3):
        """The command of a stage that gets whole shards or groups, with a nap before it."""
        return f"sleep {self.rng.uniform(most / 3, most):.2f}; {line}" if self.rng else line

    def scatter(self, size):
        """mc-scatter, which there is only with hosts."""
        if not self.rng:
            return ""
        replicas = self.of(["", " --replicas 2", " --replicas 3"])
        return f"mc-scatter{self.hosts}{replicas} --block {size // self.rng.randint(12, 40)} | "

    @property
    def exchange(self):
        """Options of a stage that moves records between hosts."""
        if not self.rng:
            return ""
        return self.of(["", "", " --exchange relay"]) + self.of(["", "", " -n 5", " -n 13"])

    @property
    def local(self):
        """Options that bound what a stage uses on each machine."""
        return self.of(["", " -S 8M"])


@dataclasses.dataclass
class Pipeline:
    """Shell lines, one after the other, and what then holds the answer."""
    lines: list[str]
    # What appears whole or not at all, each with the line that prints its records.
    answers: dict[str, str]
    # Datasets that it keeps on the hosts, and may leave when it fails.
    kept: list[str] = dataclasses.field(default_factory=list)
    # Other names that it may leave in its directory.
    others: list[str] = dataclasses.field(default_factory=list)
    # The answer comes on standard output, where a part of it may stand when it fails.
    streams: bool = False


def file(name, read="cat"):
    return {name: f"{read} {name}"}


# ---- data

def make_data(to):
    """All inputs, the same each time."""
    rng = random.Random("torture")
    regions = ["north", "south", "east", "west", "\u00fcber", "a,b", 'say "x"', ""]
    with open(to / "sales.csv", "w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["id", "region", "amount", "note"])
        for number in range(3000):
            note = " ".join(rng.choice(["late", "paid", "gift,\nwrapped", "\u20ac", '"q"']) for _ in range(rng.randint(0, 5)))
            rows.writerow([number, rng.choice(regions), rng.randint(-999, 99999) / 100, note])
    words = [f"w{rng.randint(0, 10 ** rng.randint(1, 4))}" for _ in range(400)]
    with open(to / "text.txt", "w") as out:
        for _ in range(2500):
            out.write(" ".join(rng.choice(words) for _ in range(rng.randint(1, 16))) + "\n")
    with open(to / "events.ndjson", "w") as out:
        for number in range(4000):
            out.write(json.dumps({"id": number, "user": rng.randint(0, 400), "ms": rng.random() * 1e4, "tag": rng.choice(words)}) + "\n")
    with open(to / "big.ndjson", "w") as out:
        for number in range(12000):
            out.write(json.dumps({"k": rng.randint(0, 10**6), "id": number, "pad": "%x" % rng.getrandbits(800)}) + "\n")
    with open(to / "users.ndjson", "w") as out:
        for number in range(300):
            out.write(json.dumps({"user": number, "name": f"u{number}"}) + "\n")
    with zipfile.ZipFile(to / "texts.zip", "w", zipfile.ZIP_DEFLATED) as out:
        for number in range(80):
            out.writestr(f"d/{number}.txt", " ".join(rng.choice(words) for _ in range(300)))
    with open(to / "slowly", "w") as out:
        # Not a tool of ours: nothing is known of how it ends.
        out.write('#!/bin/bash\n# usage: slowly LINES SECONDS: passes lines on, with a nap behind so many each.\n'
                  'while mapfile -n "$1" lines && [ ${#lines[@]} -gt 0 ]; do printf %s "${lines[@]}"; sleep "$2"; done\n')
    (to / "slowly").chmod(0o755)


# Shell lines that make what only the tools can.
MAKE = ["mc-cat csv:sales.csv | mc-map -c 'jq -c \"[.id, .note]\"' | mc-gather -o leveldb:notes.ldb"]


# ---- the pipelines

def map_csv(c):
    return Pipeline([f"mc-cat csv:$D/sales.csv | mc-map{c.hosts}{c.local} {c.work(300000)} | mc-gather -o csv:out"], file("out"))


def words(c):
    line = f"mc-cat text,words:$D/text.txt | mc-map{c.hosts} {c.work(150000)} | mc-shuffle{c.exchange} | mc-reduce count | mc-gather -o csv,header=no:out"
    return Pipeline([line], file("out"))


def sums(c):
    line = (f"mc-cat csv,typed:$D/sales.csv | {c.scatter(300000)}mc-map -c '{c.nap('cat', 0.8)}' | mc-shuffle{c.exchange} -k region"
            " | mc-reduce sum:amount count mean:amount | mc-gather -o csv:out")
    return Pipeline([line], file("out"))


def sort_big(c):
    line = f"mc-cat $D/big.ndjson | mc-map{c.hosts} {c.work(2900000)} | mc-sort{c.exchange}{c.local} -k k,id:r | mc-gather -o ndjson:out"
    return Pipeline([line], file("out"))


def group_big(c):
    line = (f"mc-cat $D/big.ndjson | {c.scatter(2900000)}mc-shuffle{c.exchange} -k k --order-by id"
            f" | mc-map -c '{c.nap('cat', 2)}' | mc-gather -o ndjson:out")
    return Pipeline([line], file("out"))


def join(c):
    line = (f"mc-cat $D/events.ndjson | mc-map{c.hosts} {c.work(300000)} | mc-join -k user $D/users.ndjson {c.of(['--left'])}"
            f" | mc-sort{c.exchange} -k tag,id | mc-gather -o ndjson:out")
    return Pipeline([line], file("out"))


def split(c):
    if not c.rng:
        line = "mc-cat csv:$D/sales.csv | mc-map cat | mc-sort -k note,id | mc-gather -o csv:out"
    else:
        line = (f"mc-split --block {c.rng.randint(6000, 16000)} csv:$D/sales.csv | mc-map{c.hosts} -c '{c.nap('cat', 0.8)}'"
                f" | mc-sort{c.exchange} -k note,id | mc-gather -o csv:out")
    return Pipeline([line], file("out"))


def upper_zip(c):
    command = c.nap("tr a-z A-Z", 0.4)
    line = f"mc-cat zip:$D/texts.zip | mc-map{c.hosts} --each --raw -c '{command}' | mc-gather -o zip:out.zip"
    return Pipeline([line], {"out.zip": "mc-cat zip:out.zip"})


def leveldb(c):
    line = (f"mc-cat leveldb:$D/notes.ldb | {c.scatter(120000)}mc-map -c '{c.nap('cat', 0.8)}' | mc-sort{c.exchange} -k '.[0]'"
            " | mc-gather -o leveldb:out.ldb")
    return Pipeline([line], {"out.ldb": "mc-cat leveldb:out.ldb"})


def kept(c):
    """A dataset that is kept on the hosts, and read twice."""
    lines = [
        f"mc-cat $D/events.ndjson | mc-map{c.hosts} -o x.mc {c.work(300000)}",
        f"mc-shuffle{c.exchange} -k user < x.mc | mc-reduce -c '{c.nap('wc -l')}' | mc-reduce --all sum:. | mc-gather -o ndjson:sum",
        f"mc-cat x.mc | mc-map -c '{c.nap('cat', 0.4)}' | mc-gather -o ndjson:out",
    ]
    if not c.rng:
        lines = ["mc-cat $D/events.ndjson | mc-map -c 'wc -l' | mc-reduce --all sum:. | mc-gather -o ndjson:sum", "cp $D/events.ndjson out"]
    return Pipeline(lines, file("out") | file("sum"), kept=["x.mc"])


def replicas(c):
    """A dataset of which each host has a copy of a part."""
    lines = [
        f"mc-cat text:$D/text.txt | mc-scatter{c.hosts} --replicas 2 --block 5K -o x.mc",
        f"mc-map -c '{c.nap('cat', 0.8)}' < x.mc | mc-sort{c.exchange} | mc-gather -o text:out",
    ]
    if not c.rng:
        lines = ["mc-cat text:$D/text.txt | mc-sort | mc-gather -o text:out"]
    return Pipeline(lines, file("out"), kept=["x.mc"])


def memo(c):
    """The same map twice; of the second one, what the first one has printed is remembered. A host that is lost
    in the first is not there when the second begins."""
    enough = " --min-hosts 2" if c.rng else ""
    line = f"mc-cat csv:$D/sales.csv | mc-map{c.hosts}{enough} --memo memo {c.work(300000)} | mc-gather -o ndjson:"
    return Pipeline([line + "one", line + "two"], file("one") | file("two"), others=["memo"])


def commands(c):
    """Commands at every stage that takes one."""
    line = (f"mc-cat $D/events.ndjson | mc-map{c.hosts} {c.work(300000)} | mc-shuffle{c.exchange} -k tag"
            f" | mc-reduce -c '{c.nap('jq -c .id', 0.6)}' | mc-sort -k .:r | mc-gather -o ndjson:out")
    return Pipeline([line], file("out"))


def from_pipe(c):
    """What comes in is a slow pipe from a program that is not ours."""
    line = (f"$D/slowly 100 {'0.1' if c.rng else '0'} < $D/events.ndjson | mc-map{c.hosts} {c.work(300000)}"
            f" | mc-shuffle{c.exchange} -k user --reduce count sum:ms | mc-gather --unchecked -o ndjson:out")
    return Pipeline([line], file("out"))


def to_pipe(c):
    """The answer is read slowly."""
    line = f"mc-cat $D/big.ndjson | {c.scatter(2900000)}mc-sort{c.exchange} -k id:r | mc-gather | $D/slowly 400 {'0.1' if c.rng else '0'} > out"
    return Pipeline([line], file("out"), streams=True)


def of_hosts(c):
    """Files that all hosts see."""
    where = f"mc-cat{c.hosts} --shared --block 20K ndjson:/srv/events.ndjson" if c.rng else "mc-cat $D/events.ndjson"
    line = f"{where} | mc-map -c '{c.nap('cat', 1)}' | mc-shuffle{c.exchange} -k tag | mc-gather -n 3 -o 'ndjson:out-%d'"
    return Pipeline([line], file("out-0") | file("out-1") | file("out-2"))


def shipped(c):
    """A command and a file that are sent, and what is set up once on each host."""
    words = "" if not c.rng else f" --ship ship --setup 'cp ship/list list' --block {300000 // c.rng.randint(24, 64)}"
    command = "$MC_SETUP/list" if c.rng else "ship/list"
    line = f"mc-cat $D/events.ndjson | mc-map{c.hosts}{words} -c '{c.nap(f'cat {command} - | tail -n +2', 1.2)}' | mc-gather -o ndjson:out"
    return Pipeline(["mkdir ship && echo 0 > ship/list", line], file("out"), others=["ship"])


def chain(c):
    """Many stages, two exchanges of commands' results and a join."""
    line = (f"mc-cat csv,typed:$D/sales.csv | {c.scatter(300000)}mc-map -c '{c.nap('cat')}' | mc-shuffle{c.exchange} -k note"
            f" | mc-reduce n=count total=sum:amount | mc-map -c '{c.nap('cat')}' | mc-sort{c.exchange} -k n:r,note"
            f" | mc-map -c '{c.nap('cat')}' | mc-shuffle{c.exchange} -k n | mc-reduce count | mc-gather -o ndjson:out")
    return Pipeline([line], file("out"))


ALL = {made.__name__: made for made in [
    map_csv, words, sums, sort_big, group_big, join, split, upper_zip, leveldb, kept, replicas, memo, commands, from_pipe,
    to_pipe, of_hosts, shipped, chain,
]}
