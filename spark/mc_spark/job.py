"""The steps of a pipeline on Spark: partitions of bytes, whose work is done by processes beside Spark's.

What a step made for the next one is shuffled by Spark as parcels, each with its place in what it is a part of,
so that order is that of the partitions and nothing else; whatever is tried again gives the same.
"""
import base64
import json
import os

from pyspark import StorageLevel
from pyspark.accumulators import AccumulatorParam

from . import files, hadoop
from .failure import Failed
from .plan import bounds, command, judging, refuse, word
from .processes import Lines, Pipe, Work, fed

# One partition of a shuffle is for so many bytes of the source at least, and at most.
RANGE_MIN, RANGE_MAX = 4 << 20, 128 << 20

# So many parts are looked at for samples of keys, so much of each.
SAMPLED_PARTS, SAMPLED_BYTES = 8, 1 << 20

# Fewer samples for each cut of much data say too little: then all of it is looked at.
SAMPLES_PER_CUT, MUCH_BYTES = 4, 64 << 20


class Said(AccumulatorParam):
    """What was said on each partition of each step: once, however often that was worked on."""

    def zero(self, value):
        return {}

    def addInPlace(self, one, other):
        one.update(other)
        return one


class Owned(Work):
    """The work on parcels that come from no other partition."""

    def __call__(self, partition, items):
        return super().__call__(partition, (((0, 0, n), parcel) for n, (_, parcel) in enumerate(items)))


class OwnedLines(Owned, Lines):
    """The same for lines."""


def target(key):
    return key[0]


class Job:
    """A run of the steps of a plan. `tools` is the directory of the tools here, `worker` what executors get."""

    def __init__(self, context, steps, tools, stdin, is_here):
        self.context, self.steps, self.tools, self.stdin = context, steps, tools, stdin
        self.is_here = is_here
        self.said = context.accumulator({}, Said())
        self.cores = max(context.defaultParallelism, 1)
        self.per_task = max(int(context.getConf().get("spark.task.cpus", "1")), 1)
        self.env = dict(os.environ) if is_here else None
        self.bytes, self.number, self.kept, self.spool = 0, 0, [], None
        # Where the last tool is to write, if only Spark can.
        written = [one for end in steps.ends for one in end["writes"].get("resources", [])]
        self.address = next((one for one in written if hadoop.is_address(one)), None)

    def run(self, output):
        """Runs all, and writes the result to `output`, None being standard output."""
        try:
            made, partitions = None, 0
            for step in self.steps.done:
                made, partitions = self.step(step, made, partitions)
            return self.gather(made, output)
        finally:
            for rdd in self.kept:
                rdd.unpersist()
            if self.spool:
                self.spool.close()

    # What a partition is worked on with.

    def partition(self, what, job, stage=None, judges=False):
        """A step of mc-partition, for a stage."""
        argv = [b"mc-partition", what.encode()]
        if stage and judges:
            argv += judging(stage)
        if what != "read":
            argv += bounds(stage, self.per_task, self.memory())
        one = {"argv": argv, "tool": stage["tool"] if stage else "mc-spark", "job": {"name": "standard input", **job}}
        return {**one, "cwd": word(stage["cwd"])} if stage else one

    def memory(self):
        """The share of a machine's memory for a process."""
        conf = self.context.getConf()
        cores = self.cores if self.is_here else int(conf.get("spark.executor.cores", "1"))
        return f"{max(25 // max(cores // self.per_task, 1), 1)}%"

    def commands(self, step):
        jobs = None if step.single and self.is_here else self.per_task
        return [command(stage, jobs, self.memory()) for stage in step.commands]

    def work(self, commands, takes, kind=Work):
        self.number += 1
        # What is done for samples is done again, and says then what it has to say.
        said = None if issubclass(kind, Lines) else self.said
        return kind(self.number, commands, takes, self.env, said)

    # The steps.

    def step(self, step, before, partitions):
        """What a step makes, as parcels, and how many partitions it has."""
        if step.source:
            base, entry, takes, count = self.source(step)
        else:
            count = 1 if step.single else step.targets
            base = before.repartitionAndSortWithinPartitions(count, partitionFunc=target)
            entry = [self.partition(step.enters, {**step.job, "sources": partitions}, step.tool,
                                    judges=step.enters == "sort" and step.single)]
            takes = "parcels"
        commands = entry + self.commands(step)
        following = self.following(step)
        if following is None and self.address:
            work = self.work(commands + [hadoop.written(self.address)], takes, hadoop.Text)
            return base.mapPartitionsWithIndex(work), count
        if following is None or following.single or step.leaves == "send":
            leave = [self.partition(step.leaves, step.leaving, step.leaving_tool,
                                    judges=step.leaves != "send")]
            return base.mapPartitionsWithIndex(self.work(commands + leave, takes)), count
        following.targets = self.targets()
        cuts, held = self.cuts(step, (base, takes, commands), following.targets)
        following.targets = len(cuts) + 1
        leave = self.partition(step.leaves, {**step.leaving, "cuts": cuts}, step.leaving_tool, judges=True)
        if held is not None:
            take = self.partition("take", {"sources": 1})
            return held.mapPartitionsWithIndex(self.work([take, leave], "parcels", Owned)), count
        return base.mapPartitionsWithIndex(self.work(commands + [leave], takes)), count

    def following(self, step):
        at = self.steps.done.index(step) + 1
        return self.steps.done[at] if at < len(self.steps.done) else None

    def source(self, step):
        """The first partitions: what they are made of, the command that reads them, what that takes."""
        kind, stage = step.source
        if kind == "nothing":
            return self.context.parallelize([0], 1), [], None, 1
        asked = self.context.getConf().get("spark.files.maxPartitionBytes")
        asked = self.context._jvm.org.apache.spark.network.util.JavaUtils.byteStringAsBytes(asked) if asked else None
        if kind == "files":
            resources = stage["reads"]["resources"]
            if any(hadoop.is_address(one) for one in resources):
                return self.hadoop_source(stage, resources, asked)
            sources = [files.file_to_cut(one) for one in resources]
            sizes = {str(one["path"]): one.get("bytes", 0) for one in stage["reads"]["resources"]}
            judged = judging(stage)
        else:
            self.spool = files.spooled(self.stdin, stage if kind == "tool" else None, self.tools)
            size = os.path.getsize(self.spool.name)
            sources, sizes, judged = [files.lines_of(self.spool.name)], {self.spool.name: size}, []
        self.bytes = sum(sizes.values())
        size = files.part_bytes(self.bytes, self.cores, asked)
        if step.single:
            size = max(self.bytes, 1)
        if kind != "files" and not self.is_here:
            blocks = list(files.in_blocks(self.spool.name, size)) or [b""]
            return self.context.parallelize(blocks, len(blocks)), [], "blocks", len(blocks)
        parts = files.cut(sources, size, self.tools, judged)
        groups = [parts] if step.single else files.in_groups(parts, size, sizes)
        self.parts = [part for group in groups for part in group]
        read = self.partition("read", {}, stage)
        read["argv"] += judged
        return self.context.parallelize(groups, len(groups)), [read], "parts", len(groups)

    def hadoop_source(self, stage, resources, asked):
        """The same of files that only Hadoop's file systems know."""
        if len(resources) > 1 and len({one["spec"] for one in resources}) > 1 or \
                not all(hadoop.is_address(one) for one in resources):
            refuse(stage, "resources of several formats, or of several kinds of places: read them one by one")
        found = [one for resource in resources for one in hadoop.found(self.context, resource["path"])]
        self.bytes = sum(size for _, size in found)
        size = files.part_bytes(self.bytes, self.cores, asked)
        one = resources[0]
        if hadoop.are_lines(one):
            made = [hadoop.blocks(self.context, address, size) for address, _ in found]
            made = self.context.union(made)
            argv = [b"mc-cat", *judging(stage), b"-f", one["spec"].encode(), b"-"]
            read = {"argv": argv, "tool": stage["tool"]}
            return made, [read], "blocks", made.getNumPartitions()
        made = self.context.union([self.context.binaryFiles(address, 1).coalesce(1) for address, _ in found])
        read = self.partition("read", {}, stage)
        read["argv"] += judging(stage)
        return made, [read], hadoop.WholeFiles(one["spec"]), made.getNumPartitions()

    # Where keys are cut.

    def targets(self):
        """How many partitions a shuffle makes."""
        asked = self.context.getConf().get("spark.default.parallelism")
        if asked:
            return max(int(asked), 1)
        return max(min(self.cores, self.bytes // RANGE_MIN), self.bytes // RANGE_MAX, 1)

    def cuts(self, step, work, count):
        """Where the keys are cut that the step deals by; and what it made, where that had to be made for it."""
        if count == 1:
            return [], None
        base, takes, commands = work
        sample = self.partition("sample", step.leaving, step.leaving_tool)
        if takes == "parts":
            keys = self.looked_at(commands, sample)
            if len(keys) >= count * SAMPLES_PER_CUT or self.bytes < MUCH_BYTES:
                return chosen(keys, count, step.leaves), None
        send = self.partition("send", {})
        held = base.mapPartitionsWithIndex(self.work(commands + [send], takes))
        held.persist(StorageLevel.DISK_ONLY)
        self.kept.append(held)
        take = self.partition("take", {"sources": 1})
        lines = held.mapPartitionsWithIndex(self.work([take, sample], "parcels", OwnedLines))
        return chosen(lines.collect(), count, step.leaves), held

    def looked_at(self, commands, sample):
        """Samples of keys from the beginnings of some parts of the source; what fails will fail again."""
        every = max(len(self.parts) // SAMPLED_PARTS, 1)
        parts = [[part] for part in self.parts[::every]]
        read = dict(commands[0])
        read["job"] = {**read["job"], "size": SAMPLED_BYTES}
        work = self.work([read] + commands[1:] + [sample], "parts", Samples)
        return self.context.parallelize(parts, len(parts)).mapPartitionsWithIndex(work).collect()

    # What comes of it.

    def gather(self, made, output):
        """Feeds what was made to the last tools, which work here, or has Spark write it."""
        if self.address:
            hadoop.save(made, self.address)
            return told(self.said.value, [])
        made.persist(StorageLevel.DISK_ONLY)
        self.kept.append(made)
        # All of it, before the first byte is written: in Spark alone, which needs no Python for that.
        made._jrdd.count()
        take = self.partition("take", {"sources": made.getNumPartitions()})
        ends = [command(stage) for stage in self.steps.ends]
        parcels = made.toLocalIterator(prefetchPartitions=True)
        pipe = Pipe([take] + ends, self.tools, fed(parcels), output=output)
        try:
            said = pipe.finish()
        finally:
            pipe.close()
        return told(self.said.value, said)


class Samples(Lines):
    """Samples of a source, which are none where it fails."""

    def __call__(self, partition, items):
        try:
            yield from super().__call__(partition, items)
        except Failed:
            return


def chosen(lines, count, how):
    """The keys by which the sampled ones are cut into `count` ranges that are about as large."""
    keys = sorted(base64.b64decode(json.loads(line)) for line in lines)
    if how == "combine":
        # Of a key there is one part for each partition, however many records it has.
        keys = sorted(set(keys))
    cuts = {keys[len(keys) * number // count] for number in range(1, count)} if keys else set()
    return [base64.b64encode(cut).decode() for cut in sorted(cuts - {b""})]


def told(said, at_the_end):
    """The lines to be said at the end: numbers of the same are added up over the partitions."""
    import re

    lines, sums = [], {}
    texts = [said[place] for place in sorted(said)] + [at_the_end]
    for tool, text in (one for some in texts for one in some):
        for line in text.splitlines():
            line = tool + line[len("mc-partition"):] if line.startswith("mc-partition:") else line
            number = re.fullmatch(r"(mc-\w+: (?:counter .*: )?)(\d+)((?: .*)?)", line)
            if number is None:
                lines.append(line)
                continue
            rest = re.sub(r"^ (bad )?record\b", r" \1records", number[3])
            at = (number[1], rest)
            if at not in sums:
                lines.append(at)
            sums[at] = sums.get(at, 0) + int(number[2])
    of = lambda at: at[0] + str(sums[at]) + (at[1].replace("records", "record", 1) if sums[at] == 1 else at[1])
    return [line if isinstance(line, str) else of(line) for line in lines]
