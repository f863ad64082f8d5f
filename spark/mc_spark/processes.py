"""The work on a partition: a pipe of mycloud's tools, which the worker is that was sent to the executor.

What goes from a partition to another one are parcels, see lib/stage/partition: `((to, from, number), bytes)`,
the first byte being the letter of the parcel. Nothing here looks into them.
"""
import json
import os
import signal
import socket
import struct
import subprocess
import tempfile
import threading

from .failure import Failed

# A parcel's letter, its partition, and its length.
HEAD = struct.Struct("<cII")

# So much is kept of what a process says.
SAID_BYTES = 64 << 10

# The names under which the worker is sent is another program.
TOOLS = ["mc-cat", "mc-gather", "mc-join", "mc-map", "mc-reduce", "mc-shuffle", "mc-sort", "mc-partition"]

# Statuses of a process whose reader had enough.
HAD_ENOUGH = {128 + signal.SIGPIPE, -signal.SIGPIPE}


def tools_directory(worker):
    """A directory where the worker is under its names, beside where it lies."""
    directory = os.path.join(os.path.dirname(worker), "mc-tools")
    os.makedirs(directory, exist_ok=True)
    for name in TOOLS:
        try:
            os.symlink(worker, os.path.join(directory, name))
        except FileExistsError:
            pass
    return directory


def job_file(job):
    """A file of nobody else's with a job as JSON; to be closed."""
    fd = os.memfd_create("mc-partition")
    with os.fdopen(os.dup(fd), "wb") as to:
        to.write(json.dumps(job).encode())
    return fd


class Pipe:
    """Commands as a pipe, fed by `feed`, an iterator of bytes, or by nothing.

    A command is a dictionary: `argv` (bytes); `tool`, as messages call it; `cwd`, where there is one; `job`,
    a job of mc-partition that takes the place of its last argument; and `foreign`.
    """

    def __init__(self, commands, tools, feed=None, env=None, output=subprocess.PIPE):
        self.commands, self.processes, self.said = commands, [], []
        env = {**(env or os.environ)}
        for name in ("MC_STATS", "MC_EXPLAIN"):
            env.pop(name, None)
        if tools:
            env["PATH"] = tools + os.pathsep + env.get("PATH", os.defpath)
        reader = subprocess.DEVNULL if feed is None else subprocess.PIPE
        try:
            for number, command in enumerate(commands):
                last = number + 1 == len(commands)
                process = self._start(command, tools, env, reader, output if last else subprocess.PIPE)
                if number > 0:
                    reader.close()
                reader = process.stdout
        except BaseException:
            self.kill()
            raise
        self.output, self.feeder, self.fault = reader, None, None
        if feed is not None:
            self.feeder = threading.Thread(target=self._feed, args=(feed,), daemon=True)
            self.feeder.start()

    def _start(self, command, tools, env, stdin, stdout):
        argv, fds = list(command["argv"]), ()
        said = tempfile.TemporaryFile()
        if "job" in command:
            fd = job_file(command["job"])
            argv, fds = argv + [f"/proc/self/fd/{fd}".encode()], (fd,)
        program = argv[0] if command.get("foreign") or not tools else os.path.join(tools.encode(), argv[0])
        cwd = command.get("cwd")
        try:
            process = subprocess.Popen(
                argv, executable=program, stdin=stdin, stdout=stdout, stderr=said, env=env, pass_fds=fds,
                cwd=cwd if cwd and os.path.isdir(cwd) else None)
        except OSError as error:
            raise Failed(2, [f"{command['tool']}: cannot be run: {error}"]) from None
        finally:
            for fd in fds:
                os.close(fd)
        self.processes.append(process)
        self.said.append(said)
        return process

    def _feed(self, feed):
        to = self.processes[0].stdin
        try:
            with to:
                for some in feed:
                    to.write(some)
        except BrokenPipeError:
            pass
        except BaseException as error:  # of what Spark reads for us: told by whoever waits
            self.fault = error
            self.kill()

    def kill(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()

    def close(self):
        """Ends what has not ended."""
        self.kill()
        for process in self.processes:
            process.wait()
            if process.stdout:
                process.stdout.close()
        for said in self.said:
            said.close()

    def finish(self):
        """Waits for the end. Returns what was said, by command; or fails with what the first one said that did."""
        statuses = [process.wait() for process in self.processes]
        if self.feeder:
            self.feeder.join()
        if self.fault:
            raise self.fault
        texts = [self._text(said) for said in self.said]
        failed = [number for number, status in enumerate(statuses) if status != 0]
        is_cut = failed and failed[-1] + 1 < len(statuses) and all(statuses[n] in HAD_ENOUGH for n in failed)
        if failed and not is_cut:
            first = next((n for n in failed if statuses[n] not in HAD_ENOUGH), failed[0])
            raise Failed(*self._told(first, statuses[first], texts[first]))
        return [(command["tool"], text) for command, text in zip(self.commands, texts) if text]

    def _text(self, said):
        size = said.seek(0, os.SEEK_END)
        said.seek(max(0, size - SAID_BYTES))
        return said.read().decode(errors="replace")

    def _told(self, number, status, text):
        """The exit status and the lines for a command that failed."""
        command = self.commands[number]
        tool, lines = command["tool"], [line for line in text.splitlines() if line]
        if command.get("foreign"):
            how = f"signal {-status}" if status < 0 else f"exit status {status}"
            return 1, lines[-10:] + [f"{tool}: {how}"]
        if not lines and status != 128 + signal.SIGPIPE:
            lines = [f"{tool}: ended by signal {-status}" if status < 0 else f"{tool}: exit status {status}"]
        return 128 - status if status < 0 else status, [renamed(line, tool) for line in lines]


def renamed(line, tool):
    """A line of a tool's step as its tool would say it."""
    return tool + line[len("mc-partition"):] if line.startswith("mc-partition:") else line


def parcels(stream, partition):
    """The parcels that a pipe writes, for Spark to carry."""
    number = 0
    while head := stream.read(HEAD.size):
        letter, to, length = HEAD.unpack(head)
        yield (to, partition, number), letter + stream.read(length)
        number += 1


def fed(taken):
    """Parcels that Spark carried, as a pipe reads them; with the numbers of the partitions they are from."""
    for (_, source, _), parcel in taken:
        yield HEAD.pack(parcel[:1], source, len(parcel) - 1)
        yield memoryview(parcel)[1:]


def at(lines, partition):
    """Lines of a failure, with where it was."""
    place = f"partition {partition} on {socket.gethostname()}"
    parted = (line.partition(": ") for line in lines)
    return [f"{tool}: {place}: {rest}" if colon else tool for tool, colon, rest in parted]


class Work:
    """The work on each partition of a step, which Spark sends to executors.

    `commands` are those of a `Pipe`; the jobs among them get the partition's number, and `parts` from what is
    read where that are parts of files. `takes` says what comes from Spark: parcels, parts, blocks, whole files or
    nothing.
    """

    def __init__(self, step, commands, takes, env, said):
        self.step, self.commands, self.takes, self.env, self.said = step, commands, takes, env, said

    def __call__(self, partition, items):
        from pyspark import SparkFiles

        with tempfile.TemporaryDirectory(prefix="mc-spark-") as directory:
            tools = tools_directory(SparkFiles.get("mc-worker"))
            yield from self.done(partition, items, tools, directory)

    def done(self, partition, items, tools, directory):
        """What comes of a partition; `directory` is for what is on the way."""
        commands, feed, names = [dict(command) for command in self.commands], None, {}
        for command in commands:
            if "job" in command:
                command["job"] = {**command["job"], "partition": partition}
        if self.takes == "parts":
            commands[0]["job"]["parts"] = [part for some in items for part in some]
        elif self.takes == "parcels":
            feed = fed(items)
        elif self.takes == "blocks":
            feed = (block for block in items)
        elif self.takes:
            commands[0]["job"]["parts"], names = self.takes.parts(items, directory)
        try:
            pipe = Pipe(commands, tools, feed, self.env)
            try:
                yield from self.made(pipe, partition)
                said = pipe.finish()
            finally:
                pipe.close()
        except Failed as failed:
            lines = at(failed.lines, partition)
            for path, name in names.items():
                lines = [line.replace(path, name) for line in lines]
            raise Failed(failed.code, lines) from None
        if said and self.said is not None:
            self.said.add({(self.step, partition): said})

    def made(self, pipe, partition):
        """What is handed to Spark."""
        return parcels(pipe.output, partition)


class Lines(Work):
    """The same for what prints lines that the driver is to have: they are those of `made`."""

    def made(self, pipe, partition):
        return (line for line in pipe.output)
