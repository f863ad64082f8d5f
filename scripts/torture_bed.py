"""Where scripts/torture runs its pipelines: a cluster of its own (scripts/cluster), the tools, and what is
alive and left, here and on the hosts. Nothing here knows what a pipeline is to answer.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# In the environment of every process that a run starts: the directory of the run.
MARK = "MYCLOUD_TORTURE"
# How many seconds anything may take that is done to a cluster.
PATIENCE = 90
# The worker, as the processes of a host show it.
WORKER = "/mycloud-"


class Cluster:
    """Hosts n1 to n4, held by a process that takes them down when this one ends, however it ends."""

    def __init__(self, name):
        self.name, self.holder = name, None
        self.up()

    def up(self):
        """Hosts as new."""
        self.down()
        line = [ROOT / "scripts/cluster", "with", "4", "--", "sh", "-c", 'echo "$CLUSTER_SSH_CONFIG"; exec cat > /dev/null']
        self.holder = subprocess.Popen(line, env=self.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True, start_new_session=True)
        told = self.holder.stdout.readline().strip()
        if not told:
            raise SystemExit(f"torture: no cluster: {self.holder.stderr.read()}")
        self.ssh_config = pathlib.Path(told)
        self.dir = self.ssh_config.parent
        if "mode=plain" in (self.dir / "facts").read_text():
            raise SystemExit("torture: hosts that can be cut off need root, or namespaces of a user")

    def down(self):
        if self.holder:
            self.holder.stdin.close()
            self.holder.wait()
            self.holder = None

    def environment(self):
        return os.environ | {"CLUSTER_NAME": self.name}

    def call(self, *words):
        """scripts/cluster WORDS: the exit status and what it printed."""
        try:
            done = subprocess.run([ROOT / "scripts/cluster", *words], env=self.environment(), capture_output=True, text=True,
                                  timeout=PATIENCE, check=False)
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"cluster {' '.join(words)}: no end") from error
        return done.returncode, done.stdout, done.stderr

    def do(self, *words):
        """What must go well."""
        status, out, said = self.call(*words)
        if status:
            raise RuntimeError(f"cluster {' '.join(words)}: {said.strip()}")
        return out

    def restore(self, host, saved):
        """Puts back the files of sshd that `save` gave."""
        for name, text in saved.items():
            (self.dir / host / name).write_bytes(text)
        self.do("sshd", host, "# as it was")

    def save(self, host):
        return {name: (self.dir / host / name).read_bytes() for name in ("sshd_config", "key", "key.pub")}

    def processes(self, host=None):
        """(host, pid, parent, words) of what runs there, but for init and the sshd that listens."""
        found = []
        for line in self.do("ps", *([host] if host else [])).splitlines():
            name, pid, parent, _, _, words = line.split(None, 5)
            found.append((name, int(pid), int(parent), words))
        return found

    def kill(self, host, pids):
        self.call("exec", host, "kill", "-KILL", *map(str, pids))

    def left(self, hosts, sshd=True):
        """What runs and lies on these hosts that should not, a line each. Without `sshd` its sessions are
        not told, nor a shell that it has started and nobody has spoken to: the other end of them is out of
        reach, which it learns by its own rules."""
        lines = [f"{host}: runs: {words}" for host, _, _, words in self.processes()
                 if sshd or not (words.startswith("sshd: ") or words == "/bin/sh")]
        lines += [f"lies: {line}" for line in self.call("leftovers")[1].splitlines()]
        return [line for line in lines if line.removeprefix("lies: ").split(":")[0] in hosts]


def marked(where):
    """The living processes here that were started for the run in `where`: pid -> (parent, name)."""
    mark, found = f"{MARK}={where}".encode(), {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                if mark in pathlib.Path(entry.path, "environ").read_bytes().split(b"\0"):
                    stat = pathlib.Path(entry.path, "stat").read_text()
                    name, rest = stat[stat.index("(") + 1:stat.rindex(")")], stat[stat.rindex(")") + 2:].split()
                    if rest[0] != "Z":
                        found[int(entry.name)] = (int(rest[1]), name)
            except OSError:
                pass
    return found


def end(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def read(path):
    try:
        return pathlib.Path(path).read_text(errors="replace").strip()
    except OSError as error:
        return f"({error.strerror})"


def waits_for(pids):
    """What each of these processes is and what its threads wait for, as text."""
    told = []
    for pid in pids:
        told.append(f"== {pid}: {read(f'/proc/{pid}/cmdline').replace(chr(0), ' ')}")
        for task in sorted(pathlib.Path(f"/proc/{pid}/task").glob("*")):
            told.append(f"  {task.name} {read(task / 'comm')}: {read(task / 'wchan')}; {read(task / 'syscall')}")
        try:
            told += [f"  {file.name} -> {os.readlink(file)}" for file in sorted(pathlib.Path(f"/proc/{pid}/fd").iterdir())]
        except OSError:
            pass
        if shutil.which("gdb"):
            line = ["gdb", "-p", str(pid), "-batch", "-ex", "thread apply all backtrace 24"]
            try:
                told.append(subprocess.run(line, capture_output=True, text=True, timeout=60, check=False).stdout)
            except subprocess.TimeoutExpired:
                told.append("  (gdb takes too long)")
    return "\n".join(told)


def until(seconds, look):
    """Looks until nothing is there any more, so many seconds at most: what is left, and how long it took."""
    began, wait = time.monotonic(), 0.1
    while True:
        left, took = look(), time.monotonic() - began
        if not left or took > seconds:
            return left, took
        time.sleep(wait)
        wait = min(wait * 1.5, 1.5)
