#!/usr/bin/env python3
"""usage: bench_figures.py RAW.ndjson

Prints the summary of the raw figures that `scripts/bench --save` keeps, in Markdown: one table of what it
comes to, which the README has too, and all medians, versions and command lines.

A line of the raw figures is one of three: a run (`machine`, `commit`, `versions`), a job (`job`, `row`,
`kind`, `records`, `bytes` of its input, `lines` of the answer, `commands`), or a time (`job`, `records`,
`tool`, `round`, `seconds`, `cpu` seconds or null, `peak` bytes of the largest
process, or of the bench itself), where a tool that refused has
`failed` instead.
"""
import json
import pathlib
import re
import statistics
import sys

BEGIN, END = "<!-- figures: scripts/bench --readme -->", "<!-- /figures -->"
OURS = "mycloud"


class Figures:
    """What is known of one job with one number of records."""

    def __init__(self, entry):
        self.about, self.times, self.failed = entry, {}, {}

    def add(self, entry):
        if "failed" in entry:
            self.failed[entry["tool"]] = entry["failed"]
        else:
            self.times.setdefault(entry["tool"], []).append(entry)

    def median(self, tool, what="seconds"):
        return statistics.median(entry[what] for entry in self.times[tool])

    def cores(self, tool):
        """How many processors it kept busy, if that is known."""
        known = all(entry["cpu"] is not None for entry in self.times[tool])
        return f"{self.median(tool, 'cpu') / self.median(tool):.2f}" if known else "-"

    def tools(self):
        return [tool for tool in self.about["commands"] if tool in self.times]

    def ratio(self, tool):
        """How many times as long as the first tool this one takes."""
        return self.median(tool) / self.median(self.tools()[0])

    def verdict(self):
        first, *others = self.tools()
        ratios = {tool: self.ratio(tool) for tool in others}
        kind = self.about["kind"]
        if kind == "stages":
            slowest = max(ratios, key=ratios.get)
            return f"{1 / ratios[slowest]:.2f} of its slowest stage alone, {slowest}"
        if kind == "shapes":
            return f"at most {max(ratios.values()):.1f} of {first} ({max(ratios, key=ratios.get)})"
        if kind == "growth":
            return f"grows by {ratios[others[0]]:.1f}"
        peers = sorted((tool for tool in others if not tool.startswith(OURS)), key=ratios.get)
        parts = [f"{tool} {times(ratios[tool])}" for tool in peers]
        return ", ".join([*parts, *(f"{tool} refuses" for tool in self.failed)])


def times(ratio):
    return f"{ratio:.2f}x" if ratio < 10 else f"{ratio:.0f}x"


def amount(number):
    """1500000 as 1.5 M."""
    for unit, word in [(10**9, " G"), (10**6, " M"), (10**3, " k")]:
        if number >= unit:
            return f"{number / unit:.3g}{word}"
    return str(number)


def cell(text):
    return text.replace("|", "\\|")


def seconds(number):
    return f"{number:.2f}" if number >= 0.1 else f"{number:.4f}"


def read(lines):
    """The runs, and the figures of each job, from raw lines."""
    runs, jobs = [], {}
    for entry in map(json.loads, lines):
        if "versions" in entry:
            runs.append(entry)
        elif "commands" in entry:
            jobs[entry["job"], entry["records"]] = Figures(entry)
        else:
            jobs[entry["job"], entry["records"]].add(entry)
    return runs, list(jobs.values())


def in_short(machine, jobs):
    """The table that the README has: what the jobs come to, but how one of our times relates to another."""
    rows = ["| job | records | s | cores | others |", "| --- | --- | --- | --- | --- |"]
    for job in (job for job in jobs if job.about["kind"] not in ["shapes", "growth"]):
        first = job.tools()[0]
        took = seconds(job.median(first))
        rows.append(f"| {cell(job.about['job'])} | {amount(job.about['records'])} | {took} | {job.cores(first)} | {job.verdict()} |")
    return "\n".join([BEGIN, f"On {machine}:", "", *rows, END])


def in_full(job):
    about = job.about
    lines = [f"### {about['job']}", "", f"{about['records']:,} records, {about['bytes']:,} bytes"
             + (f"; {about['lines']:,} lines in every answer" if about["lines"] else ""), ""]
    lines += ["| tool | median s | least | most | rounds | CPU s / s | peak MB | ratio |", "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for tool in job.tools():
        all_of = [entry["seconds"] for entry in job.times[tool]]
        peak = job.median(tool, "peak") / 1e6
        lines.append(f"| {tool} | {seconds(job.median(tool))} | {seconds(min(all_of))} | {seconds(max(all_of))} | {len(all_of)} | {job.cores(tool)} | {peak:.0f} | {times(job.ratio(tool))} |")
    lines += [f"| {tool} | refuses: {cell(why)} | | | | | | |" for tool, why in job.failed.items()]
    verdict = [] if about["kind"] == "peers" else ["", cell(job.verdict())]
    return "\n".join([*lines, *verdict, "", "```sh", *(f"{line}   # {tool}" for tool, line in about["commands"].items()), "```", ""])


def summary(runs, jobs):
    last = runs[-1]
    head = [
        "# Figures of scripts/bench", "",
        f"Of commit {', '.join(dict.fromkeys(run['commit'] for run in runs))}. Medians of interleaved rounds; every answer was",
        "compared. 3x beside a name: that one takes 3 times as long. `cores`: processors' seconds over seconds.", "", in_short(last['machine'], jobs), "", "## Versions", "",
        *(f"- {version}" for version in dict.fromkeys(v for run in runs for v in run["versions"])), "",
        "## All medians, and what was run", "",
        "From the root of the repository, with LC_ALL=C and the tools first in PATH.", "",
    ]
    return "\n".join([*head, *map(in_full, jobs)])


def replaced(old, new):
    """The raw lines of `old` without those of the jobs that `new` has again, and `new`."""
    key = lambda entry: (entry["job"], entry["records"]) if "job" in entry else entry
    again = [key(entry) for entry in new]
    return [entry for entry in old if key(entry) not in again] + new


def save(folder, entries):
    """Adds raw figures to those of the same day, and writes the summary of all."""
    folder.mkdir(parents=True, exist_ok=True)
    raw = folder / "raw.ndjson"
    old = [json.loads(line) for line in raw.read_text().splitlines()] if raw.exists() else []
    lines = [json.dumps(entry, ensure_ascii=False) for entry in replaced(old, entries)]
    raw.write_text("".join(f"{line}\n" for line in lines))
    (folder / "summary.md").write_text(summary(*read(lines)))


def newest(benches):
    return max(benches.glob("????-??-??"), default=None)


def into_readme(readme, folder):
    """Puts the short table of the newest summary into the README, in the place of the one there."""
    block = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    table = block.search((folder / "summary.md").read_text())
    readme.write_text(block.sub(lambda _: table[0], readme.read_text()))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(summary(*read(pathlib.Path(sys.argv[1]).read_text().splitlines())), end="")
