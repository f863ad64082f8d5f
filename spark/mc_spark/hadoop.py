"""Files that only Hadoop's file systems know, such as hdfs:// and s3a://: read and written by Spark.

Of formats whose records are lines Spark reads parts, cut at line ends, in Java, and lines go to the tools as the
bytes that they are. Of other formats, and of what is packed in a way that Java does not know, an executor reads a
whole file. What is written is a directory of parts, which Spark commits as a whole.
"""
import os

from .failure import BAD_INPUT, Failed, USAGE
from .plan import is_of_tools
from .processes import Work

# Formats whose records are lines, and how these may be packed for Java to unpack them.
LINES = {"ndjson", "text", "text,kv", "text,words"}
PACKED = {None, "gzip", "bzip2"}

# Lines that go to a tool at once.
LINES_AT_ONCE = 4096


def is_address(resource):
    """Whether a resource of a plan lies in such a file system."""
    return resource["place"] == "url" and not is_of_tools(resource)


def found(context, address):
    """The files that an address or a pattern stands for, in order, each with its size."""
    jvm, conf = context._jvm, context._jsc.hadoopConfiguration()
    try:
        path = jvm.org.apache.hadoop.fs.Path(address)
        statuses = path.getFileSystem(conf).globStatus(path)
        files = [(one.getPath().toString(), one.getLen()) for one in statuses or [] if one.isFile()]
    except Exception as error:  # of Java, whose first line says what is wrong
        reason = str(getattr(error, "java_exception", error)).splitlines()[0]
        raise Failed(USAGE, [f"mc-spark: {address}: {reason.rpartition('Exception: ')[2]}"]) from None
    if not files:
        raise Failed(USAGE, [f"mc-spark: {address}: no such file"])
    return sorted(files)


def are_lines(resource):
    return resource["spec"] in LINES and not resource.get("zipped") and resource.get("packed") in PACKED


def blocks(context, address, size):
    """The lines of a file as blocks of bytes, in partitions of about `size` bytes."""
    from pyspark.sql import SparkSession

    session = SparkSession(context)
    # A part that costs as much as it has bytes is a partition of its own, in the order of the file.
    for name in ("maxPartitionBytes", "openCostInBytes"):
        session.conf.set(f"spark.sql.files.{name}", str(size))
    lines = session.read.option("lineSep", "\n").text(address)
    return lines.select(lines["value"].cast("binary")).rdd.mapPartitions(together)


def together(rows):
    held = []
    for row in rows:
        held.append(row[0])
        if len(held) == LINES_AT_ONCE:
            yield b"\n".join(held) + b"\n"
            held = []
    if held:
        yield b"\n".join(held) + b"\n"


class WholeFiles:
    """Files whose contents come from Spark: temporary ones for the tools, under their own names in messages."""

    def __init__(self, spec):
        self.spec = spec

    def parts(self, items, directory):
        """The files as parts that are read, and which of their paths stand for which addresses."""
        parts, names = [], {}
        for number, (address, content) in enumerate(items):
            path = os.path.join(directory, f"{number}-{os.path.basename(address)}")
            with open(path, "wb") as to:
                to.write(content)
            names[path] = address
            parts.append({"file": {"spec": self.spec, "place": "path", "path": path}})
        return parts, names


class Text(Work):
    """The work whose output is text, in blocks without their last line end, as Spark writes them."""

    def made(self, pipe, partition):
        held = b""
        while some := pipe.output.read(1 << 20):
            whole, end, held = (held + some).rpartition(b"\n")
            if end:
                yield text(whole)
        if held:
            yield text(held)


def text(some):
    try:
        return some.decode()
    except UnicodeDecodeError:
        raise Failed(BAD_INPUT, ["mc-gather: bytes that are not UTF-8, which Spark cannot write as text"]) from None


def written(resource):
    """The command that makes text of records for such a file."""
    if resource.get("packed") or resource["format"] not in ("ndjson", "text", "csv", "tsv"):
        raise Failed(USAGE, [f"mc-spark: mc-gather: {resource['shown']}: on such file systems are written ndjson, "
                             "text, csv and tsv, not packed"])
    output = f"{resource['spec']}:-".encode()
    return {"argv": [b"mc-gather", b"-o", output], "tool": "mc-gather"}


def save(rdd, resource):
    """Writes text as a directory of parts, whole or not at all."""
    try:
        rdd.saveAsTextFile(resource["path"])
    except Exception as error:
        text = str(getattr(error, "java_exception", error))
        if "FileAlreadyExists" in text:
            raise Failed(USAGE, [f"mc-spark: mc-gather: {resource['shown']}: is there already"]) from None
        raise
