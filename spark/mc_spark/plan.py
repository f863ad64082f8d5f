"""A plan of mc-explain's as steps over partitions. Knows nothing of Spark, and reads no option of a tool.

A step is a pipe of commands that each partition is worked on with. It begins with a source, or takes what the
step before it dealt to its partitions: as it came, sorted, or merged. It ends where records have to come
together by their keys, or in one partition, as what reads a whole stream wants them.
"""
import base64
import os

from .failure import Failed, USAGE

# What works on each partition by itself as on the whole, where the tool says that it can.
BY_PARTS = {"mc-cat", "mc-map", "mc-reduce", "mc-join", "mc-gather"}

# Tools that take -j and -S.
BOUNDED = {"mc-map", "mc-reduce", "mc-join", "mc-sort", "mc-shuffle"}

# Joins whose output is that of each left record by itself.
JOINS_OF_LEFT = {"inner", "left", "semi", "anti"}


# Addresses that the tools read by themselves, and those of them that executors' cannot: stores of objects.
OF_STORES = ("s3", "gs", "az")
OF_TOOLS = ("http", "https", *OF_STORES)


def is_of_tools(resource, schemes=OF_TOOLS):
    """Whether a resource has an address that the tools read by themselves, of some scheme."""
    return resource["place"] == "url" and resource["path"].partition("://")[0].lower() in schemes


def word(value):
    """A word of a plan as bytes."""
    return os.fsencode(value) if isinstance(value, str) else base64.b64decode(value["$base64"])


def refuse(stage, why):
    raise Failed(USAGE, [f"mc-spark: {stage['tool']}: {why}"])


class Step:
    """Commands that each partition is worked on with.

    `source` is what the first ones read, None behind another step; `enters` is how parcels are taken: take,
    sort or merge, as `job` says; `single` that there is one partition. `leaves` is how what comes out goes on,
    with the job of it: send, deal or combine.
    """

    def __init__(self, source=None, enters=None, job=None, tool=None, single=False):
        self.source, self.enters, self.job, self.tool, self.single = source, enters, job, tool, single
        self.commands, self.leaves, self.leaving, self.leaving_tool = [], "send", {}, None


class Steps:
    """The steps of a plan, and `ends`, the commands of the machine where mc-spark runs."""

    def __init__(self, stages):
        self.stages, self.done, self.ends = stages, [], []
        if not stages:
            raise Failed(USAGE, ["mc-spark: there is no pipeline"])
        for stage in stages:
            check(stage, last=stage is stages[-1])
        self.step, self.number = None, 0
        self._begin()
        while self.number < len(stages):
            self._next(stages[self.number])
            self.number += 1
        self.done.append(self.step)

    def _begin(self):
        """What the first stage reads."""
        first = self.stages[0]
        reads = first["reads"]
        resources = reads.get("resources", [])
        is_stdin = reads["kind"] in ("unknown", "records") or any(r["place"] == "standard" for r in resources)
        if first.get("foreign"):
            self.step = Step(source=("stdin", first), single=True)
        elif first["tool"] == "mc-cat" and any(is_of_tools(one, OF_STORES) for one in resources) or \
                is_stdin and reads["kind"] == "resources":
            # A format of which only the whole can be read, or what executors cannot: that is done where mc-spark is.
            self.step = Step(source=("tool", first))
            self.number = 1
        elif is_stdin:
            self.step = Step(source=("stdin", first))
        elif first["tool"] == "mc-cat" and first["writes"]["kind"] == "records":
            self.step = Step(source=("files", first))
            self.number = 1
        elif exchanges(first):
            self.step = Step(source=("files", first))
        else:
            # It reads what it names by itself.
            self.step = Step(source=("nothing", first), single=True)
            self._add(first)
            self.number = 1

    def _next(self, stage):
        last = self.number + 1 == len(self.stages)
        if stage["tool"] in ("mc-gather", "mc-split") and last:
            self.ends.append(stage)
        elif exchanges(stage):
            self._exchange(stage)
        elif stage["tool"] == "mc-gather":
            pass  # Records go on as they are.
        elif stage["tool"] == "mc-reduce" and stage.get("key_from") == "all" and stage.get("ops") and plain(stage):
            job = key_job(stage)
            job["key"] = None
            self._leave("combine", job, stage, "merge", job, single=True)
        elif self.step.single or self._is_by_parts(stage):
            self._add(stage)
        else:
            self._leave("send", {}, None, "take", {}, single=True)
            self._add(stage)

    def _add(self, stage):
        self.step.commands.append(stage)

    def _leave(self, how, leaving, tool, enters, job, single=False):
        """Ends the step, and begins the next one."""
        self.step.leaves, self.step.leaving, self.step.leaving_tool = how, leaving, tool
        self.done.append(self.step)
        self.step = Step(enters=enters, job=job, tool=tool, single=single)

    def _exchange(self, stage):
        job = key_job(stage)
        following = self._following()
        if stage.get("ops") and (stage.get("order_by") or not plain(stage)):
            # The records of a group in their order, and then its results.
            self._deal(stage, {**job, "ops": []})
            self._add(reduced(stage))
        elif stage.get("ops"):
            self._leave("combine", job, stage, "merge", job)
        elif following and in_one_step(stage, following):
            self._leave("combine", key_job(following), stage, "merge", key_job(following))
            self.number += self._skipped()
        else:
            if following and key_prefix(stage, following) and len(following["key"]) < len(stage["key"]):
                job["deal_by"] = spelled(following["key"])
            self._deal(stage, job)

    def _deal(self, stage, job):
        """Deals records by their keys; to one partition where bad ones are counted or kept, which judges them."""
        if plain(stage):
            self._leave("deal", job, stage, "sort", job)
        else:
            self._leave("send", {}, stage, "sort", job, single=True)

    def _following(self):
        """The stage behind the one that is looked at, where nothing but mc-gather stands between."""
        at = self.number + self._skipped()
        return self.stages[at] if at < len(self.stages) else None

    def _skipped(self):
        at = self.number + 1
        while at + 1 < len(self.stages) and self.stages[at]["tool"] == "mc-gather":
            at += 1
        return at - self.number

    def _is_by_parts(self, stage):
        """Whether a stage does to each partition what it does to the whole."""
        tool = stage["tool"]
        if stage.get("foreign") or tool not in BY_PARTS or not plain(stage):
            return False
        if tool == "mc-cat":
            return not stage["reads"].get("resources")
        if tool == "mc-map":
            return stage["command"]["per"] in ("block", "record")
        if tool == "mc-join":
            return stage["join"]["kind"] in JOINS_OF_LEFT
        if tool == "mc-reduce":
            # Groups are whole where the step took them in order, and nothing has changed them since.
            return self.step.enters == "sort" and not self.step.commands and \
                key_prefix(self.step.tool, stage) is not None
        return True


def exchanges(stage):
    return not stage.get("foreign") and stage.get("mode") in ("shuffle", "sort") and \
        stage["tool"] in ("mc-shuffle", "mc-sort")


def plain(stage):
    """Whether bad records, and those that a command fails on, are judged each by itself."""
    failed = stage.get("command", {}).get("failed", "fail")
    return all(how.split("=")[0] in ("fail", "skip") for how in (stage.get("bad", "fail"), failed))


def check(stage, last):
    """Refuses what has no meaning on Spark."""
    options = stage.get("options", {})
    if stage.get("foreign"):
        return
    if options.get("hosts") or stage["where"].get("hosts"):
        refuse(stage, "-h: on Spark its executors do the work; leave it out")
    if stage["tool"] == "mc-split" and stage["writes"]["kind"] == "shards":
        refuse(stage, "mc-cat in its place: on Spark the files are split by themselves")
    kinds = (stage["reads"]["kind"], stage["writes"]["kind"])
    if "shards" in kinds or stage["tool"] in ("mc-scatter", "mc-hosts") or stage["writes"].get("keep"):
        refuse(stage, "shards lie on hosts, and Spark knows none; mc-gather brings them here")
    for name in ("share", "memo", "stats"):
        if name in options:
            refuse(stage, f"--{name}: what it keeps or serves is on this machine, and executors are elsewhere")
    resources = stage["reads"].get("resources", []) + stage.get("join", {}).get("resources", [])
    if stage["tool"] != "mc-cat" and any(is_of_tools(resource, OF_STORES) for resource in resources):
        refuse(stage, "executors reach no stores of objects: mc-cat reads them where mc-spark is called")
    if any(resource["place"] == "client" for resource in resources):
        refuse(stage, "client:// is for commands of hosts")
    if any(resource["format"] == "shards" for resource in resources):
        refuse(stage, "shards (.mc) lie on hosts, and Spark knows none; mc-gather brings them here")
    if stage["writes"]["kind"] == "resources" and not last:
        refuse(stage, "it writes files, so it has to be the last of the pipeline")
    if stage["tool"] not in BY_PARTS | {"mc-shuffle", "mc-sort", "mc-split"}:
        refuse(stage, "mc-spark does not know it")


def spelled(key):
    """A key as -k says it."""
    return ",".join(part["path"] + (":" + part["mods"] if part.get("mods") else "") for part in key)


def key_job(stage):
    """What a stage does by keys, for mc-partition."""
    job = {"key": spelled(stage.get("key", [])), "order_by": spelled(stage.get("order_by", []))}
    job.update(reverse=stage.get("reverse", False), unique=stage.get("unique", False))
    job.update(missing=stage.get("missing", "fail"), nulls=stage.get("nulls", []))
    op = lambda one: [one["name"], one["op"] + (":" + one["field"] if "field" in one else "")]
    job["ops"] = [op(one) for one in stage.get("ops", [])]
    return job


def in_one_step(stage, reduce):
    """Whether groups that are made by one stage are reduced by ops by the next, with the same key."""
    return reduce["tool"] == "mc-reduce" and bool(reduce.get("ops")) and plain(stage) and plain(reduce) and \
        stage.get("key") == reduce.get("key") and stage.get("missing") == reduce.get("missing") and \
        not (stage.get("reverse") or stage.get("unique") or stage.get("order_by"))


def key_prefix(stage, reduce):
    """The key of a reduce, where it is the first parts of that by which `stage` orders; else None."""
    if reduce["tool"] != "mc-reduce" or reduce.get("key_from") == "all":
        return None
    wanted, has = reduce.get("key", []), stage.get("key", []) + stage.get("order_by", [])
    if not wanted and not stage.get("key"):
        return ""
    return spelled(wanted) if wanted and has[:len(wanted)] == wanted else None


def reduced(stage):
    """The reduction of groups that are in order, as a stage of its own."""
    job = key_job(stage)
    argv = ["mc-reduce"] + (["-k", job["key"]] if job["key"] else []) + ["--missing", job["missing"]]
    argv += [piece for text in job["nulls"] for piece in ("--null", text)]
    argv += [f"{name}={op}" for name, op in job["ops"]]
    return {**stage, "tool": "mc-reduce", "argv": argv, "options": {}, "bad": "fail"}


def judging(stage):
    """The options by which a stage judges records, for mc-partition."""
    given = stage.get("options", {})
    names = [name for name in ("bad", "max-record") if name in given]
    return [piece for name in names for piece in (b"--" + name.encode(), word(given[name][-1]))]


def bounds(stage, jobs, memory):
    """What a step may use: as its stage says it, else these."""
    given = stage.get("options", {}) if stage else {}
    own = {"jobs": jobs, "memory": memory, "temporary-directory": None}
    said = {name: word(given[name][-1]) if name in given else os.fsencode(str(value or "")) for name, value in own.items()}
    return [piece for name, value in said.items() if value for piece in (b"--" + name.encode(), value)]


def command(stage, jobs=None, memory=None):
    """A stage as a command of a pipe, on so many cores and with so much memory where it says nothing else."""
    argv = [word(one) for one in stage["argv"]]
    if stage.get("foreign"):
        argv = [b"/bin/sh", b"-c", argv[0]]
    elif stage["tool"] in BOUNDED:
        given = stage.get("options", {})
        more = {b"--jobs": jobs, b"--memory": memory}
        more = {name: value for name, value in more.items() if value and name[2:].decode() not in given}
        argv[1:1] = [piece for name, value in more.items() for piece in (name, str(value).encode())]
    cwd = word(stage["cwd"]) if stage.get("cwd") else None
    return {"argv": argv, "tool": stage["tool"], "cwd": cwd, "foreign": stage.get("foreign", False)}
