"""How a run fails: a line for people, and one of the exit statuses of mycloud's tools."""
import json
import re

USAGE, BAD_INPUT, INCOMPLETE, HOSTS = 2, 3, 4, 5

# What a failure looks like inside of the messages that Spark makes of it.
MARK = "mc-spark-failure:"
MARKED = re.compile(re.escape(MARK) + r"(\{.*\})$", re.M)

# What Spark says where executors went, and with them what they had.
LOST = re.compile(r"ExecutorLostFailure|FetchFailed|MetadataFetchFailed|Executor heartbeat timed out|"
                  r"executor .{0,40}exited|All masters are unresponsive|Connection refused|No live executors|"
                  r"UnknownHostException|SparkContext was shut down|Could not find CoarseGrainedScheduler")


class Failed(Exception):
    """A run that cannot go on; `lines` are for people, `code` is the exit status."""

    def __init__(self, code, lines):
        super().__init__(code, lines)
        self.code, self.lines = code, lines

    def __str__(self):
        return MARK + json.dumps({"code": self.code, "lines": self.lines})


def failure_of(error):
    """The failure that an exception of Spark's tells of."""
    text = str(getattr(error, "java_exception", None) or error)
    marked = MARKED.search(text) or MARKED.search(str(error))
    if marked:
        told = json.loads(marked.group(1))
        return Failed(told["code"], told["lines"])
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    reason = lines[0] if lines else type(error).__name__
    if LOST.search(text):
        return Failed(HOSTS, [f"mc-spark: executors were lost, more often than Spark tries again: {reason}"])
    return Failed(INCOMPLETE, [f"mc-spark: Spark failed: {reason}"])
