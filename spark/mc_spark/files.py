"""Where the data of a pipeline comes from: files in parts, and standard input."""
import json
import os
import shutil
import tempfile

from .plan import command, word
from .processes import Pipe

# A part has so many bytes at least and at most, where nothing says.
PART_MIN, PART_MAX = 1 << 20, 64 << 20

# So many parts for each core keep all of them busy to the end.
PARTS_PER_CORE = 2


def file_to_cut(resource):
    return {"spec": resource["spec"], "place": resource["place"], "path": resource["path"]}


def lines_of(path):
    """A file whose lines go on as they are."""
    return {"spec": "", "place": "path", "path": path}


def part_bytes(total, cores, asked):
    """How large parts are to be."""
    if asked:
        return asked
    return min(max(total // (cores * PARTS_PER_CORE), PART_MIN), PART_MAX)


def cut(files, size, tools, judging=()):
    """The parts of the files, each of about `size` bytes."""
    job = {"files": files, "size": size}
    argv = [b"mc-partition", b"cut", *judging]
    pipe = Pipe([{"argv": argv, "tool": "mc-spark", "job": job}], tools)
    try:
        parts = [json.loads(line) for line in pipe.output]
        pipe.finish()
        return parts
    finally:
        pipe.close()


def bytes_of(part, sizes):
    """How many bytes a part has, about."""
    if "range" in part:
        return part["range"][2] - part["range"][1]
    return sizes.get(str(part["file"]["path"]), 0)


def in_groups(parts, size, sizes):
    """Parts that follow one another as partitions, so that small ones are together."""
    groups, held = [], size
    for part in parts:
        if held >= size:
            groups.append([])
            held = 0
        groups[-1].append(part)
        held += max(bytes_of(part, sizes), 1)
    return groups or [[]]


def spooled(stdin, stage, tools):
    """Standard input in a temporary file: as it is, or as records where `stage` reads a format."""
    spool = tempfile.NamedTemporaryFile(prefix="mc-spark-")
    if stage is None:
        shutil.copyfileobj(stdin, spool, 1 << 20)
        spool.flush()
        return spool
    one = command(stage)
    pipe = Pipe([one], tools, feed=iter(lambda: stdin.read1(1 << 20), b""), output=spool)
    try:
        pipe.finish()
    finally:
        pipe.close()
    return spool


def in_blocks(path, size):
    """The lines of a file in blocks of about `size` bytes."""
    with open(path, "rb") as lines:
        while block := lines.read(size):
            yield block + lines.readline()
