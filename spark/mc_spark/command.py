"""The command line of mc-spark."""
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile

from .failure import Failed, INCOMPLETE, USAGE, failure_of
from .plan import Steps

HELP = """Run a pipeline of mycloud's tools on Apache Spark: the same records come out, byte for byte

Usage: mc-spark [OPTION]... [SPARK-SUBMIT-OPTION]... PIPELINE

Arguments:
  PIPELINE  The pipeline, as a shell takes it, or a file that holds it; - for what standard input says

Options:
      --log FILE  Keep what Spark itself says in FILE
  -v, --verbose   Say on standard error what the steps are, and what Spark itself says
      --help      Print help
      --version   Print version

All other options are those of spark-submit, such as --master M and --conf NAME=VALUE.
"""

# Where programs lie beside this one: as installed, in a package, and in the source tree.
BESIDE = ["", "../libexec/mycloud", "../target/release", "../target/debug"]


def say(lines):
    for line in lines:
        print(line, file=sys.stderr)


def found(name, here, variable=None):
    """A program of mycloud's: that of a variable, one beside this, or one on the PATH."""
    if variable and os.environ.get(variable):
        return os.path.abspath(os.environ[variable])
    for place in BESIDE:
        path = os.path.normpath(os.path.join(here, place, name))
        if os.access(path, os.X_OK):
            return path
    path = shutil.which(name)
    if not path:
        raise Failed(USAGE, [f"mc-spark: {name} is not there: it belongs beside mc-spark, or on the PATH"])
    return path


class Options:
    """What the command line says."""

    def __init__(self, words):
        self.verbose, self.log, self.submit, words = False, None, [], list(words)
        if any(one in words[:-1] or words == [one] for one in ("--help", "--version")):
            self.pipeline = None
            self.asked = "--help" if "--help" in words else "--version"
            return
        if not words or words[-1].startswith("--"):
            raise Failed(USAGE, ["mc-spark: there is no pipeline (mc-spark --help)"])
        self.pipeline = words.pop()
        while words:
            one = words.pop(0)
            if one in ("-v", "--verbose"):
                self.verbose = True
            elif one == "-h":
                raise Failed(USAGE, ["mc-spark: -h: on Spark its executors do the work (--help is long only)"])
            elif one == "--log" and words:
                self.log = words.pop(0)
            else:
                self.submit.append(one)

    def line(self):
        """The text of the pipeline."""
        if self.pipeline == "-":
            return sys.stdin.read()
        if os.path.isfile(self.pipeline):
            with open(self.pipeline) as text:
                return text.read()
        return self.pipeline


def steps_of(line, here):
    """The steps of a pipeline; what is wrong with it is said by the tool that knows."""
    explain = found("mc-explain", here)
    env = {name: value for name, value in os.environ.items() if name not in ("MC_EXPLAIN", "MC_STATS")}
    env["PATH"] = os.path.dirname(explain) + os.pathsep + env.get("PATH", os.defpath)
    told = subprocess.run([explain, "--json", "--", line], stdin=subprocess.DEVNULL, env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if told.returncode:
        said = told.stderr.decode(errors="replace").splitlines()
        # The last line says that the others are of this line.
        raise Failed(told.returncode, said[:-1] or said)
    return Steps(json.loads(told.stdout)["stages"])


class Session:
    """A Spark that pipelines run on, one after the other."""

    def __init__(self, submit, log, here):
        self.explain = found("mc-explain", here)
        self.worker = found("mc-worker", here, "MC_WORKER")
        self.directory = tempfile.TemporaryDirectory(prefix="mc-spark-")
        self.tools = self._tools()
        self.context = self._start(list(submit), log)
        self.is_here = self.context.master.startswith("local")
        self.context.addFile(self._worker())
        self.context.addPyFile(self._code())

    def run(self, steps, stdin=None, output=None):
        """Runs the steps of a pipeline. Returns what is to be said of it."""
        from .job import Job

        job = Job(self.context, steps, self.tools, stdin or sys.stdin.buffer, self.is_here)
        try:
            return job.run(output)
        except Failed:
            raise
        except Exception as error:  # of Spark, which has many kinds of them
            raise failure_of(error) from error

    def _tools(self):
        """A directory with the tools for this machine's part of the work."""
        tools = os.path.join(self.directory.name, "tools")
        os.mkdir(tools)
        beside = os.path.dirname(self.explain)
        for name in sorted(os.listdir(beside)):
            if name.startswith("mc-") and name != "mc-spark" and "." not in name:
                os.symlink(os.path.join(beside, name), os.path.join(tools, name))
        os.symlink(self.worker, os.path.join(tools, "mc-partition"))
        return tools

    def _worker(self):
        """The worker under the name that executors know."""
        named = os.path.join(self.directory.name, "mc-worker")
        os.symlink(self.worker, named)
        return named

    def _code(self):
        """This package, for the executors."""
        package = os.path.dirname(os.path.abspath(__file__))
        path = os.path.join(self.directory.name, "mc_spark.zip")
        with zipfile.ZipFile(path, "w") as code:
            for name in sorted(os.listdir(package)):
                if name.endswith(".py"):
                    code.write(os.path.join(package, name), f"mc_spark/{name}")
        return path

    def _start(self, submit, log):
        """Starts Spark, which says what it has to say in the file `log`."""
        sys.path[:0] = spark_home()
        try:
            from pyspark import SparkConf, SparkContext
        except ImportError:
            raise Failed(USAGE, ["mc-spark: PySpark is not there: type pip install pyspark, or set SPARK_HOME"]) \
                from None
        if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
            raise Failed(USAGE, ["mc-spark: java is not there: type sudo apt-get install default-jre-headless"])
        os.environ["PYSPARK_SUBMIT_ARGS"] = shlex.join([*submit, "pyspark-shell"])
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable if is_local(submit) else "python3")
        path = log or os.path.join(self.directory.name, "spark.log")
        conf = SparkConf().setAppName("mc-spark")
        for name, value in [("spark.ui.enabled", "false"), ("spark.ui.showConsoleProgress", "false"),
                            ("spark.log.level", "WARN")]:
            if not conf.contains(name):
                conf.set(name, value)
        kept = os.dup(2)
        try:
            with open(path, "ab") as to:
                os.dup2(to.fileno(), 2)
            return SparkContext(conf=conf)
        except Exception as error:  # of Spark and of Java, whose words are in the log
            os.dup2(kept, 2)
            with open(path, errors="replace") as text:
                said = [line.strip() for line in text if "Exception" in line or line.startswith("Error")]
            reason = (said or [str(error).splitlines()[0]])[0]
            raise Failed(USAGE, [f"mc-spark: Spark does not start: {reason}"]) from error
        finally:
            os.dup2(kept, 2)
            os.close(kept)

    def close(self):
        self.context.stop()
        self.directory.cleanup()


def is_local(submit):
    masters = [submit[at + 1] for at, one in enumerate(submit[:-1]) if one == "--master"]
    return not masters or masters[-1].startswith("local")


def spark_home():
    """Where PySpark is where it is not installed as a package."""
    home = os.environ.get("SPARK_HOME")
    if not home:
        submit = shutil.which("spark-submit")
        home = os.path.dirname(os.path.dirname(os.path.realpath(submit))) if submit else None
    python = os.path.join(home, "python") if home else ""
    if not os.path.isdir(python):
        return []
    lib = os.path.join(python, "lib")
    return [python] + sorted(os.path.join(lib, name) for name in os.listdir(lib) if name.startswith("py4j"))


def told_of(step):
    """A step in a few words."""
    words = [step.source[0] if step.source else step.enters]
    words += [stage["tool"] for stage in step.commands] + [step.leaves]
    return ("in one partition: " if step.single else "") + " | ".join(words)


def main():
    code, session = 0, None
    try:
        options = Options(sys.argv[1:])
        if options.pipeline is None:
            print(HELP if options.asked == "--help" else f"mc-spark {version()}", end="")
            return 0
        here = os.path.dirname(os.path.realpath(sys.argv[0]))
        steps = steps_of(options.line(), here)
        if options.verbose:
            say(f"mc-spark: step {number}: {told_of(step)}" for number, step in enumerate(steps.done, 1))
        session = Session(options.submit, options.log or ("/dev/stderr" if options.verbose else None), here)
        say(session.run(steps))
    except Failed as failed:
        code = failed.code
        say(failed.lines)
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        code = INCOMPLETE
    finally:
        if session:
            session.close()
    return code


def version():
    here = os.path.dirname(os.path.realpath(sys.argv[0]))
    told = subprocess.run([found("mc-explain", here), "--version"], capture_output=True, text=True)
    return told.stdout.split(" ", 1)[-1]
