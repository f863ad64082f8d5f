"""One run of scripts/torture: a pipeline, or two at once, under a schedule of faults that all follow from a
seed; what became of the answer, and what is left.
"""
import dataclasses
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time

import torture_bed as bed
import torture_faults as faults
import torture_pipelines as pipelines

# What a link gives in runs in which data is to be on its way for long, and the pipelines for that.
NARROW, WIDE = "6mbit", ("sort_big", "group_big", "to_pipe")


@dataclasses.dataclass
class Result:
    seed: int
    names: str
    faults: str
    kinds: list[str]
    # Of the first pipeline: exit statuses, a list a line of it.
    codes: str = ""
    code: int = 0
    seconds: float = 0
    # What a fault has cost, where the answer came for all that.
    recovery: float = 0
    verdict: str = ""
    # What may never be: (wrong | hang | orphan | leftover | unsaid, words).
    defects: list = dataclasses.field(default_factory=list)
    message: str = ""


class Answers:
    """What each pipeline answers, made once, and how long it takes on hosts."""

    def __init__(self, tools, where):
        self.tools, self.lock = tools, threading.Lock()
        self.data = where / "data"
        self.data.mkdir()
        self.known, self.times = {}, {}
        pipelines.make_data(self.data)
        for line in pipelines.MAKE:
            shell("set -o pipefail; " + line, self.data, self.environment(where))

    def environment(self, where):
        """Of all that a run in `where` starts."""
        for name in ("temporary", "state", "runtime"):
            (where / name).mkdir(exist_ok=True, mode=0o700)
        own = {"D": self.data, "TMPDIR": where / "temporary", "XDG_STATE_HOME": where / "state",
               "XDG_RUNTIME_DIR": where / "runtime", bed.MARK: where, "LC_ALL": "C.UTF-8",
               "PATH": f"{self.tools}:{os.environ['PATH']}"}
        kept = {name: text for name, text in os.environ.items() if not name.startswith("MC_") or name == "MC_WORKER"}
        return {"MC_WORKER": str(self.tools / "mc-worker")} | kept | {name: str(text) for name, text in own.items()}

    def of(self, name):
        """The records of each answer of the pipeline, made on this machine."""
        with self.lock:
            if name not in self.known:
                pipeline = pipelines.ALL[name](pipelines.Choice(None, self.data))
                with tempfile.TemporaryDirectory() as where:
                    environment = self.environment(pathlib.Path(where))
                    for line in pipeline.lines:
                        shell("set -o pipefail; " + line, where, environment)
                    self.known[name] = {answer: shell(line, where, environment) for answer, line in pipeline.answers.items()}
            return self.known[name]


def shell(line, where, environment):
    done = subprocess.run(["bash", "-c", line], cwd=where, env=environment, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"torture: exit status {done.returncode}: {line}\n{done.stderr.decode(errors='replace')}")
    return done.stdout


class Work:
    """A pipeline that runs."""

    def __init__(self, name, pipeline, where, environment):
        self.name, self.pipeline, self.where = name, pipeline, where
        where.mkdir()
        script = ""
        for line in pipeline.lines:
            script += f'{line}\ns=("${{PIPESTATUS[@]}}"); echo "${{s[*]}}" >> codes; for c in "${{s[@]}}"; do [ "$c" = 0 ] || b=$c; done; [ -z "$b" ] || exit "$b"\n'
        self.said = where.with_suffix(".stderr")
        (where.with_suffix(".sh")).write_text(script)
        with open(self.said, "wb") as said:
            # Whoever started this may have had signals ignored, and the tools would heed that.
            line = ["env", "--default-signal=HUP,INT,QUIT,TERM", "bash", where.with_suffix(".sh")]
            self.process = subprocess.Popen(line, cwd=where, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                            start_new_session=True)
        self.began, self.seconds = time.monotonic(), None

    def ended(self):
        if self.seconds is None and self.process.poll() is not None:
            self.seconds = time.monotonic() - self.began
        return self.seconds is not None

    @property
    def code(self):
        status = self.process.returncode
        return status if status >= 0 else 128 - status

    @property
    def cause(self):
        """The exit status of the first tool that failed and that was not only left alone."""
        codes = [int(code) for code in self.codes.split("; ")[-1].split() if code.isdigit()]
        return next((code for code in codes if code not in (0, 141)), self.code)

    @property
    def codes(self):
        told = self.where / "codes"
        return "; ".join(told.read_text().splitlines()) if told.exists() else f"shell {self.code}"

    def text(self):
        return self.said.read_text(errors="replace")

    def message(self):
        """Why the first tool failed that did, with names and numbers left out."""
        codes = self.codes.split("; ")
        line = self.pipeline.lines[len(codes) - 1]
        tools = [part.split("/")[-1] for part in re.findall(r"(?:^|\| )([$\w/-]+)", line)]
        failed = next((tool for tool, code in zip(tools, codes[-1].split()) if code not in ("0", "141")), "mc-")
        # What went on for all that is no reason, nor what others tell of it; a tool may be there twice.
        said = [text for text in self.text().splitlines() if text.startswith("mc-") and not text.endswith("go elsewhere")]
        said.sort(key=lambda text: (": the upstream " in text, not text.startswith(failed)))
        words = (said or self.text().splitlines() or [""])[0]
        return re.sub(r"\d+", "N", re.sub(r"\b[0-9a-f]{16,}\b", "ID", re.sub(r"\bn[1-4]\b", "HOST", words)))[:230]

    def names(self):
        """What lies in its directory that may not."""
        may = [*self.pipeline.answers, *self.pipeline.kept, *self.pipeline.others, "codes"]
        return [name for name in os.listdir(self.where) if name not in may]


class Lane:
    """A cluster, on which one run follows the other."""

    def __init__(self, number, answers, where, limit, clean):
        self.answers, self.where = answers, where
        # The seconds after which a run hangs, and those after its end in which something may be left.
        self.limit, self.clean = limit, clean
        self.cluster = bed.Cluster(f"x{os.getpid() % 100000:05}l{number}")
        self.is_new()

    def is_new(self):
        """The cluster is as it came up: it gets the workers, and the files that all hosts see."""
        shutil.copy(self.answers.data / "events.ndjson", self.cluster.dir / "srv")
        with tempfile.TemporaryDirectory() as where:
            self.touch(pathlib.Path(where))

    def environment(self, where):
        return self.answers.environment(where) | {"MC_SSH_CONFIG": str(self.cluster.ssh_config)}

    def touch(self, where):
        """A pipeline over all hosts, which clears up what dead ones before it have left: what it said,
        when it failed."""
        hosts = ",".join(pipelines.HOSTS)
        line = f"set -o pipefail; mc-cat range:0..400 | mc-map -h {hosts} --block 100 cat | mc-gather | cmp - <(seq 0 399)"
        done = subprocess.run(["bash", "-c", line], env=self.environment(where), cwd=where, capture_output=True, text=True, check=False)
        return done.stderr if done.returncode else ""

    def time_of(self, name, narrow):
        """How long the pipeline takes on these hosts when nothing goes wrong."""
        with self.answers.lock:
            known = self.answers.times.get((name, narrow))
        if known is None:
            with tempfile.TemporaryDirectory() as where:
                where = pathlib.Path(where)
                self.narrow(narrow)
                choice = pipelines.Choice(random.Random(f"time of {name}"), self.answers.data)
                work = Work(name, pipelines.ALL[name](choice), where / "a", self.environment(where))
                self.wait([work], [])
                if not work.ended() or work.code:
                    raise SystemExit(f"torture: {name} without a fault: {work.codes}\n{work.text()}")
                known = work.seconds
                self.forget(work, where)
                bed.until(self.clean, lambda: bed.marked(where))
            with self.answers.lock:
                self.answers.times[name, narrow] = known
        return known

    def forget(self, work, where):
        """Removes what the pipeline keeps on the hosts; what was said when that went wrong."""
        files = [work.where / name for name in work.pipeline.kept if (work.where / name).exists()]
        line = ["mc-hosts", "--rm", *files]
        done = files and subprocess.run(line, env=self.environment(where), capture_output=True, text=True, check=False)
        return done.stderr if done and done.returncode else ""

    def narrow(self, narrow):
        for host in pipelines.HOSTS if narrow else []:
            self.cluster.do("slow", host, NARROW)

    def wait(self, works, events):
        """Until all have ended, or hang; meanwhile what is to happen happens. What was not due yet."""
        began = time.monotonic()
        while not all([work.ended() for work in works]) and time.monotonic() - began < self.limit:
            if events and time.monotonic() - began >= events[0][0]:
                _, _, fault, begins = events.pop(0)
                try:
                    if begins:
                        fault.begin(self.cluster, self.base)
                        fault.begun = True
                    else:
                        fault.end(self.cluster)
                except RuntimeError as error:
                    fault.told += f" ({error})"
            time.sleep(0.01)
        return events

    def run(self, seed, only, pipeline):
        """The run of a seed: its Result. Its directory stays when it is worth a look."""
        rng = random.Random(f"torture {seed}")
        names = [rng.choice(list(pipelines.ALL)) for _ in range(2)]
        names[0] = pipeline or names[0]
        names = names if rng.random() < 0.2 else names[:1]
        narrow = rng.random() < 0.5 and names[0] in WIDE
        plan = faults.schedule(rng, only)
        expected = self.time_of(names[0], narrow)
        self.base = self.where / str(seed)
        shutil.rmtree(self.base, ignore_errors=True)
        self.base.mkdir()
        result = Result(seed, "+".join(names) + (" narrow" if narrow else ""), "", [name for name, *_ in plan])
        saved = {fault.host: self.cluster.save(fault.host) for _, fault, _ in plan if not fault.heals}
        self.narrow(narrow)
        for _, fault, _ in plan:
            if fault.first:
                fault.begin(self.cluster, self.base)
        environment = self.environment(self.base)
        works = []
        for place, name in enumerate(names):
            made = pipelines.ALL[name](pipelines.Choice(rng, self.answers.data))
            works.append(Work(name, made, self.base / "ab"[place], environment))
        left = self.wait(works, faults.events(plan, expected))
        self.judge(result, works, plan, expected)
        self.clear(result, works, plan, left, saved)
        result.faults = ", ".join(f"{name} {fault.told}" + self.moment(fault, part, expected) for name, fault, part in plan)
        result.verdict = "+".join(sorted({kind for kind, _ in result.defects})) or result.verdict
        if result.defects or result.verdict != "identical":
            (self.base / "verdict").write_text(f"{result}\n")
        else:
            shutil.rmtree(self.base)
        return result

    @staticmethod
    def moment(fault, part, expected):
        if fault.first:
            return " from the start"
        return f" at {part * expected:.2f} s" + ("" if getattr(fault, "begun", False) else " (too late)")

    def judge(self, result, works, plan, expected):
        """Compares answers and exit statuses."""
        hit = any(isinstance(fault, faults.Signal) and fault.may_fail for _, fault, _ in plan)
        result.verdict = "identical"
        for work in works:
            if not work.ended():
                told = bed.waits_for(sorted(bed.marked(self.base))) + "\n" + "\n".join(map(str, self.cluster.processes()))
                (self.base / "hang").write_text(told)
                result.defects.append(("hang", f"{work.name}: {work.codes if (work.where / 'codes').exists() else ''}"))
                bed.end(bed.marked(self.base))
                work.process.wait()
                work.ended()
            expects, code = self.answers.of(work.name), work.code
            for answer, line in work.pipeline.answers.items():
                if not (work.where / answer).exists():
                    if code == 0:
                        result.defects.append(("wrong", f"{work.name}: status 0 and no {answer}"))
                elif code == 0 or not work.pipeline.streams:
                    got = subprocess.run(["bash", "-c", line], cwd=work.where, env=self.environment(self.base), capture_output=True, check=False)
                    if got.stdout != expects[answer]:
                        result.defects.append(("wrong", f"{work.name}: status {code}, {answer} of {len(got.stdout)} bytes, not {len(expects[answer])}"))
            if code and not result.defects:
                result.verdict = "failed"
                result.message = result.message or work.message()
                if not work.text().strip() and not hit:
                    result.defects.append(("unsaid", f"{work.name}: status {code} and not a word"))
        first = next((work for work in works if work.code), works[0])
        result.codes, result.code, result.seconds = first.codes, first.cause, max(work.seconds for work in works)
        if result.verdict == "identical":
            result.recovery = max(0, works[0].seconds - expected)

    def clear(self, result, works, plan, left, saved):
        """Looks at what is left on what can be reached; then undoes the faults, after which the next
        pipeline may clear up, and looks again."""
        for _, _, fault, begins in left:
            if not begins and isinstance(fault, faults.StopStage):
                fault.end(self.cluster)
        gone = {host for _, fault, _ in plan for host in fault.gone}
        silent = any(fault.silent for _, fault, _ in plan)
        within = [host for host in pipelines.HOSTS if host not in gone]
        kept = [work.where / name for work in works for name in work.pipeline.kept if (work.where / name).exists()]

        def look():
            there = [f"runs here: {pid} {name}" for pid, (_, name) in bed.marked(self.base).items()]
            there += [f"lies here: {name}" for name in os.listdir(self.base / "temporary")]
            there += [f"lies here: {name}" for work in works for name in work.names()]
            there += self.cluster.left(within, sshd=not silent)
            return [line for line in there if not (kept and "/kept/" in line)]

        self.blame(result, "", *bed.until(self.clean, look))
        bed.end(bed.marked(self.base))
        try:
            self.undo(saved)
        except RuntimeError as error:
            result.defects.append(("leftover", f"the cluster: {error}"))
        within, silent = pipelines.HOSTS, False
        for said in filter(None, [self.forget(work, self.base) for work in works]):
            result.defects.append(("leftover", f"mc-hosts --rm: {said}"))
        kept = []

        runs = self.base / "state/mycloud/runs"
        for record in runs.glob("*"):
            # Those of killed tools go when they are older.
            os.utime(record, (time.time() - 600,) * 2)

        def look_again():
            said = self.touch(self.base)
            return [*said.splitlines()[:3], *look(), *(f"run {path.name}" for path in runs.glob("*"))]

        there, took = bed.until(self.clean + 10, look_again)
        self.blame(result, "after healing: ", there, took)
        if result.defects:
            self.cluster.up()
            self.is_new()

    def undo(self, saved):
        self.cluster.do("heal")
        for host, files in saved.items():
            self.cluster.restore(host, files)

    @staticmethod
    def blame(result, when, left, took):
        for kind, lines in [("orphan", [line for line in left if "runs" in line]), ("leftover", [line for line in left if "runs" not in line])]:
            if lines:
                result.defects.append((kind, f"{when}{took:.0f} s later: " + " | ".join(lines[:6])))
