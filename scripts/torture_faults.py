"""The faults of scripts/torture: what is done to hosts, to what runs on them, and to the tools here."""
import os
import signal

import torture_bed as bed
from torture_pipelines import HOSTS

# Longer than a host may be silent before it counts as lost, and shorter.
LONG, SHORT = (20, 30), (3, 6)


class Fault:
    """One fault of a schedule. `begin` does it, with what it says in `told`; `end` undoes what would not be
    undone by itself or by `heal`."""
    # It is there before the pipeline begins, and not at a moment of it.
    first = False
    # The pipeline may fail of it, as no other host can make up for it.
    may_fail = False
    # The hosts can be as they were after `cluster heal`; else they are made anew.
    heals = True

    def __init__(self, rng, taken):
        self.rng = rng
        self.host = rng.choice(HOSTS)
        if self.host in taken:
            # What is done to a host that is dead already shows nothing.
            self.host = HOSTS[(HOSTS.index(self.host) + 1) % len(HOSTS)]
        self.others = [host for host in HOSTS if host != self.host]
        # Hosts that cannot be reached until they are healed, and those that nobody can speak to.
        self.gone, self.silent = [], []
        self.lasts = None
        self.told = self.host
        self.choose()

    def choose(self):
        """What else is chosen by chance."""

    def begin(self, cluster, run):
        raise NotImplementedError

    def end(self, cluster):
        """What is done `lasts` seconds later."""


class Kill(Fault):
    def begin(self, cluster, run):
        self.gone = [self.host]
        cluster.do("kill", self.host)


class Crash(Fault):
    def begin(self, cluster, run):
        self.gone = [self.host]
        cluster.do("crash", self.host)


class Reboot(Fault):
    def choose(self):
        self.lasts = self.rng.uniform(0.5, 4)
        self.told += f" for {self.lasts:.1f} s"

    def begin(self, cluster, run):
        self.gone = [self.host]
        cluster.do("kill", self.host)

    def end(self, cluster):
        cluster.do("start", self.host)


class Cut(Fault):
    def begin(self, cluster, run):
        self.silent = [self.host]
        cluster.do("cut", self.host)


class CutShort(Fault):
    def choose(self):
        self.lasts = self.rng.uniform(*SHORT)
        self.told += f" for {self.lasts:.1f} s"

    def begin(self, cluster, run):
        self.silent = [self.host]
        cluster.do("cut", self.host)

    def end(self, cluster):
        cluster.do("heal", self.host)


class CutPair(Fault):
    def choose(self):
        self.other = self.rng.choice(self.others)
        self.told += f" {self.other}"

    def begin(self, cluster, run):
        cluster.do("cut", self.host, self.other)


class Isolate(Fault):
    """From the other hosts; the tools here still reach it."""

    def begin(self, cluster, run):
        for other in self.others:
            cluster.do("cut", self.host, other)


class Slow(Fault):
    def choose(self):
        self.rate = self.rng.choice(["2mbit", "5mbit", "20mbit"])
        self.told += f" {self.rate}"

    def begin(self, cluster, run):
        cluster.do("slow", self.host, self.rate)


class Freeze(Fault):
    def choose(self):
        self.lasts = self.rng.uniform(*LONG)
        self.told += f" for {self.lasts:.1f} s"

    def begin(self, cluster, run):
        self.gone = [self.host]
        cluster.do("pause", self.host)

    def end(self, cluster):
        cluster.do("resume", self.host)


class FreezeShort(Freeze):
    def choose(self):
        self.lasts = self.rng.uniform(*SHORT)
        self.told += f" for {self.lasts:.1f} s"


class Fill(Fault):
    def choose(self):
        self.left = self.rng.choice([0, 0, 20000, 200000])
        self.told += f" to {self.left} bytes"

    def begin(self, cluster, run):
        cluster.do("fill", self.host, str(self.left))


class NoExec(Fault):
    def choose(self):
        self.first = self.rng.random() < 0.5

    def begin(self, cluster, run):
        cluster.do("noexec", self.host)


class Rekey(Fault):
    """Nothing is to be sent to a host that shows another key, whatever that costs."""
    may_fail, heals = True, False

    def choose(self):
        self.first = self.rng.random() < 0.3

    def begin(self, cluster, run):
        cluster.do("rekey", self.host)


class MaxStartups(Fault):
    first, heals = True, False

    def begin(self, cluster, run):
        cluster.do("sshd", self.host, f"MaxStartups {self.rng.choice(['1:100:1', '2:100:2', '2:50:4'])}")


class Sshd(Fault):
    """Every sshd of the host, with the one that listens, which then starts again."""

    def begin(self, cluster, run):
        line = "kill -KILL $(ps -eo pid=,args= | sed -n 's/^ *\\([0-9]*\\) sshd: .*/\\1/p')"
        cluster.call("exec", self.host, "sh", "-c", line)


class Worker(Fault):
    def begin(self, cluster, run):
        found = [pid for _, pid, _, words in cluster.processes(self.host) if bed.WORKER in words.split()[0]]
        if found:
            cluster.kill(self.host, [self.rng.choice(found)])
        self.told += "" if found else " (none there)"


class Mapper(Fault):
    """A process of a command, which is none that a login has started."""
    may_fail = True

    def begin(self, cluster, run):
        found = [(pid, words) for _, pid, _, words in cluster.processes(self.host)
                 if bed.WORKER not in words.split()[0] and not words.startswith("sshd: ") and words != "/bin/sh"]
        if found:
            pid, words = self.rng.choice(found)
            cluster.kill(self.host, [pid])
            self.told += f" {words[:20]!r}"
        self.told += "" if found else " (none there)"


class Signal(Fault):
    """To one of our tools here, whichever stage it is."""
    may_fail = True

    def choose(self):
        self.signal = self.rng.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL, signal.SIGKILL])
        self.told = self.signal.name

    def begin(self, cluster, run):
        found = bed.marked(run)
        tools = sorted(pid for pid, (parent, name) in found.items() if name.startswith("mc-")
                       # A guard passes signals on; it alone is sent KILL too.
                       and (self.signal == signal.SIGKILL or not found.get(parent, (0, ""))[1].startswith("mc-")))
        if not tools:
            self.told += " (no tool there)"
            return
        pid = self.rng.choice(tools)
        self.told += f" to {found[pid][1]}"
        try:
            os.kill(pid, self.signal)
        except ProcessLookupError:
            self.told += " (gone)"


class SignalAll(Signal):
    """As Ctrl-C and a closed terminal do it."""

    def begin(self, cluster, run):
        for pid in sorted(bed.marked(run)):
            try:
                os.kill(pid, self.signal)
            except ProcessLookupError:
                pass


class StopStage(Signal):
    """One of our tools stands still for a while."""
    may_fail = False

    def choose(self):
        self.lasts, self.stopped = self.rng.uniform(1, 6), []
        self.told = f"for {self.lasts:.1f} s"

    def begin(self, cluster, run):
        self.stopped = [pid for pid, (_, name) in bed.marked(run).items() if name.startswith("mc-")]
        name = self.rng.choice(sorted({read(pid) for pid in self.stopped} or {""}))
        self.stopped = [pid for pid in self.stopped if read(pid) == name]
        self.told += f" {name}"
        for pid in self.stopped:
            send(pid, signal.SIGSTOP)

    def end(self, cluster):
        for pid in self.stopped:
            send(pid, signal.SIGCONT)


class Nothing(Fault):
    def choose(self):
        self.told = ""

    def begin(self, cluster, run):
        pass


def read(pid):
    return bed.read(f"/proc/{pid}/comm")


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


KINDS = {
    "kill": Kill, "crash": Crash, "reboot": Reboot, "cut": Cut, "cut-short": CutShort, "cut-pair": CutPair,
    "isolate": Isolate, "slow": Slow, "freeze": Freeze, "freeze-short": FreezeShort, "fill": Fill, "noexec": NoExec,
    "rekey": Rekey, "maxstartups": MaxStartups, "sshd": Sshd, "worker": Worker, "mapper": Mapper, "signal": Signal,
    "signal-all": SignalAll, "stop": StopStage, "none": Nothing,
}


def schedule(rng, only):
    """The faults of a run, each with its moment as a part of the time that the pipeline takes: most have
    one, some two."""
    names = [rng.choice(list(KINDS))]
    if rng.random() < 0.2:
        names.append(rng.choice(list(KINDS)))
    if only:
        names = [rng.choice(only) for _ in names]
    found, taken = [], []
    for name in names:
        fault = KINDS[name](rng, taken)
        found.append((name, fault, rng.uniform(0, 0.9)))
        taken.append(fault.host)
    return sorted(found, key=lambda fault: fault[2])


def events(faults, seconds):
    """What is done when: (moment in seconds, name, fault, begins)."""
    found = []
    for name, fault, part in faults:
        if not fault.first:
            found.append((part * seconds, name, fault, True))
            if fault.lasts is not None:
                found.append((part * seconds + fault.lasts, name, fault, False))
    return sorted(found, key=lambda event: event[0])
