"""The rows of scripts/bench, and the jobs of each: which data, which command of each tool, and what makes two
answers the same.
"""
import subprocess

from bench_job import CORES, OUT, PYTHON, ROOT, WORK, Job, Tool
from bench_job import checked, column_sort, data, duck_json, duckdb, polars, scan, size, within

# How many keys there are: of group-by and join, of the group-by of many, in the dictionary of spell.
KEYS, MANY_KEYS, DICTIONARY = 1000, 1_000_000, 2500
# What some jobs have for each record of the others: the billion, shapes, and PaSh's texts.
BILLION, SHAPE, ONELINER, REGEX, SCRIPTS = 100, 1 / 5, 1 / 10, 1 / 200, 1 / 2000
# Calls in one timing, where one takes milliseconds.
STARTS = 50


# ---- sorts

def numbers(count, _):
    path = data("numbers", count)
    right = checked("any line", path)
    tool = lambda name, line, **more: Tool(name, line, "ascending line", right, **more)
    return [Job("sort numbers", count, path, [
        tool("mycloud", f"mc-sort < {path} > {OUT}"),
        tool("mycloud, from a pipe", f"cat {path} | mc-sort > {OUT}"),
        tool("polars", polars(f"pl.scan_csv('{path}', has_header=False, schema={{'n': pl.Int64}}).sort('n').sink_csv('{OUT}', include_header=False)")),
        tool("DuckDB", duckdb(f"SELECT n FROM read_csv('{path}', header=false, columns={{n:'BIGINT'}}) ORDER BY n", "FORMAT CSV, HEADER false")),
        tool("GNU sort", column_sort("-n", path), most=10_000_000),
        tool("jq", f"jq -s 'sort[]' {path} > {OUT}", most=1_000_000),
    ])]


def billion(count, _):
    count *= BILLION
    path = data("numbers", count)
    right = checked("any line", path)
    memory = lambda gigabytes: max(16 << 20, round(gigabytes * 1e9 * count / 1e9))
    tool = lambda name, line, check="ascending line": Tool(name, line, check, right)
    return [Job("sort a billion numbers", count, path, [
        tool("mycloud", f"mc-sort -S {memory(18)} < {path} > {OUT}"),
        tool("mycloud, spilling", f"mc-sort -S {memory(2)} -T {WORK} < {path} > {OUT}"),
        tool("cat", f"cat < {path} > {OUT}", "any line"),
        tool("dd", f"dd if={path} of={OUT} bs=4M status=none", "any line"),
    ], long=True)]


def sorted_by_key(title, path, count, tool, key, peers, duck):
    """By key in memory, and in a tenth of the size of the input."""
    tenth = max(16 << 20, size(path) // 10)
    half = size(path) // 2
    return [Job(f"sort {title} by key", count, path, [
        tool("mycloud", f"mc-sort{key} < {path} > {OUT}"),
        tool("mycloud, from a pipe", f"cat {path} | mc-sort{key} > {OUT}"),
        *peers,
        tool("DuckDB", duck("")),
    ]), Job(f"sort {title} in a tenth of their size", count, path, [
        tool("mycloud", f"mc-sort{key} -S {tenth} -T {WORK} < {path} > {OUT}"),
        tool("DuckDB", duck(within(tenth)), may_fail=True),
        tool("DuckDB in half of it", duck(within(half)), may_fail=True),
    ])]


def objects(count, _):
    path = data("objects", count)
    tool = lambda name, line, **more: Tool(name, line, "ordered json", **more)
    duck = lambda settings: duckdb(f"SELECT * FROM {duck_json(path, KEYED)} ORDER BY k", settings=settings)
    columns = "'k': pl.String, 'v': pl.Int64"
    return sorted_by_key("objects", path, count, tool, " -k k", [
        tool("polars", polars(f"{scan(path, columns)}.sort('k').sink_ndjson('{OUT}')")),
        tool("GNU sort", column_sort("-s -t'\"' -k4,4", path), most=10_000_000),
        tool("mlr", f"mlr --ijsonl --ojsonl sort -f k {path} > {OUT}", most=1_000_000),
        tool("jq", f"jq -c -s 'sort_by(.k)[]' {path} > {OUT}", most=1_000_000),
    ], duck)


KEYED = "k:'VARCHAR',v:'BIGINT'"
# Lines that no separator cuts and no quote holds together.
AS_LINES = "quote_char=None, separator='\\x01', schema={'l': pl.String}, has_header=False"


def pairs(count, _):
    path = data("pairs", count)
    tool = lambda name, line, **more: Tool(name, line, "ordered json", **more)
    lines = "FORMAT CSV, HEADER false, QUOTE '', DELIM '\\x01'"
    duck = lambda settings: duckdb(f"SELECT json FROM read_ndjson_objects('{path}') ORDER BY json->>'\\$[0]'", lines, settings)
    key = "pl.col('l').str.json_path_match('\\$[0]')"
    return sorted_by_key("pairs", path, count, tool, "", [
        tool("polars", polars(f"pl.scan_csv('{path}', {AS_LINES}).sort({key}).sink_csv('{OUT}', include_header=False, quote_style='never')")),
        tool("GNU sort", column_sort("-s -t'\"' -k2,2", path), most=10_000_000),
        tool("jq", f"jq -c -s 'sort_by(.[0])[]' {path} > {OUT}", most=1_000_000),
    ], duck)


# ---- groups

GROUPED = "g:'VARCHAR',v:'BIGINT'"


def group(count, _):
    return [group_by(count, keys) for keys in (KEYS, MANY_KEYS)]


def group_by(count, keys):
    path = data("group", count, keys)
    tool = lambda name, line, form="json", **more: Tool(name, line, f"any {form} 1 2", **more)
    columns = "'g': pl.String, 'v': pl.Int64"
    awk = "{s[$3]+=$5} END {for (g in s) printf \"%s %.0f\\n\", g, s[g]}"
    cut = "s/.*\"g\":\"([^\"]*)\",\"v\":([0-9]*).*/\\1\\t\\2/"
    few = 10_000_000 if keys == KEYS else 1_000_000
    return Job(f"shuffle and sum by {keys:,} keys", count, path, [
        tool("mycloud", f"mc-shuffle -k g --reduce sum:v < {path} > {OUT}"),
        tool("mycloud, from a pipe", f"cat {path} | mc-shuffle -k g --reduce sum:v > {OUT}"),
        tool("DuckDB", duckdb(f"SELECT g, sum(v)::BIGINT AS s FROM {duck_json(path, GROUPED)} GROUP BY g")),
        tool("polars", polars(f"{scan(path, columns)}.group_by('g').agg(pl.col('v').sum()).sink_ndjson('{OUT}')")),
        tool("mawk", f"mawk -F'[\":,}}]+' '{awk}' {path} > {OUT}", "blank", most=few),
        tool("datamash", f"sed -E '{cut}' {path} | datamash -s -g1 sum 2 > {OUT}", "tab", most=1_000_000),
        tool("mlr", f"mlr --ijsonl --ojsonl stats1 -a sum -f v -g g {path} > {OUT}", most=1_000_000),
        tool("jq", f"jq -c -s 'group_by(.g)[] | {{g: .[0].g, s: (map(.v) | add)}}' {path} > {OUT}", most=1_000_000),
    ])


def brc(count, _):
    path = data("stations", count)
    tool = lambda name, line, form="semicolon", **more: Tool(name, line, f"any {form} 1 2r 3r 4r", **more)
    ops, source = "min:.[1] mean:.[1] max:.[1]", "csv,header=no,delim=semicolon"
    aggregates = ", ".join(f"pl.col('t').{op}().alias('{op}')" for op in ["min", "mean", "max"])
    awk = "{v=$2+0} !($1 in n) {lo[$1]=hi[$1]=v} {n[$1]++; s[$1]+=v; if (v<lo[$1]) lo[$1]=v; if (v>hi[$1]) hi[$1]=v}"
    awk += " END {for (k in n) printf \"%s;%s;%.9f;%s\\n\", k, lo[k], s[k]/n[k], hi[k]}"
    return [Job("min, mean, max by station", count, path, [
        tool("mycloud", f"mc-shuffle --reduce {ops} {source}:{path} > {OUT}", "json"),
        tool("mycloud, from a pipe", f"cat {path} | mc-shuffle --reduce {ops} {source}:- > {OUT}", "json"),
        tool("polars", polars(f"pl.scan_csv('{path}', has_header=False, separator=';', schema={{'s': pl.String, 't': pl.Float64}}).group_by('s').agg({aggregates}).sink_csv('{OUT}', include_header=False, separator=';')")),
        tool("DuckDB", duckdb(f"SELECT s, min(t), avg(t), max(t) FROM read_csv('{path}', header=false, delim=';', columns={{s:'VARCHAR',t:'DOUBLE'}}) GROUP BY s", "FORMAT CSV, HEADER false, DELIM ';'")),
        tool("mawk", f"mawk -F';' '{awk}' {path} > {OUT}", most=10_000_000),
    ])]


def words(count, options):
    path = data("words", count)
    tool = lambda name, line, form="json 1 2", **more: Tool(name, line, f"any {form}", **more)
    split = f"SELECT unnest(string_split(l, ' ')) AS w FROM read_csv('{path}', header=false, quote='', delim='\\x01', columns={{l:'VARCHAR'}})"
    tools = [
        tool("mycloud", f"mc-shuffle --reduce count text,words:{path} > {OUT}"),
        tool("mycloud, from a pipe", f"cat {path} | mc-shuffle --reduce count text,words:- > {OUT}"),
        tool("mycloud, mc-cat before", f"mc-cat text,words:{path} | mc-shuffle --reduce count > {OUT}"),
        tool("mycloud, a command splits", f"mc-cat text:{path} | mc-map -t tr ' ' '\\n' | mc-shuffle --reduce count > {OUT}"),
        tool("mawk", f"mawk '{{for (i=1;i<=NF;i++) c[$i]++}} END {{for (w in c) print w, c[w]}}' {path} > {OUT}", "blank 1 2"),
        tool("tr and sort", f"tr ' ' '\\n' < {path} | sort --parallel={CORES} -S 50% | uniq -c > {OUT}", "blank 2 1"),
        tool("DuckDB", duckdb(f"SELECT w, count(*) AS n FROM ({split}) GROUP BY w")),
        tool("mlr", f"mlr --inidx --ifs space --ojsonl put -q 'for (k,v in $*) {{@c[v] += 1}} end {{emit @c, \"word\"}}' {path} > {OUT}", most=100_000),
        tool("jq", f"jq -R -n -c '[inputs | split(\" \")[]] | group_by(.)[] | [.[0], length]' {path} > {OUT}", most=100_000),
    ]
    if options.spark:
        tools.append(tool("PySpark without its start", f"{PYTHON} scripts/bench-spark {path} {OUT} {WORK}/seconds 2> {WORK}/spark.log", "tab 1 2", own_clock=True))
    return [Job("word count", count, path, tools)]


def join(count, _):
    path, few = data("group", count, KEYS), data("few", KEYS)
    tool = lambda name, line, columns="1 2 3 4", **more: Tool(name, line, f"any json {columns}", **more)
    duck_few = duck_json(few, "g:'VARCHAR',rank:'BIGINT',of:'VARCHAR'")
    left, right = scan(path, "'g': pl.String, 'v': pl.Int64"), scan(few, "'g': pl.String, 'rank': pl.Int64, 'of': pl.String")
    return [Job(f"join with {KEYS:,} keys", count, path, [
        tool("mycloud", f"mc-join -k g ndjson:{few} < {path} > {OUT}"),
        tool("mycloud, from a pipe", f"cat {path} | mc-join -k g ndjson:{few} > {OUT}"),
        tool("DuckDB", duckdb(f"SELECT * FROM {duck_json(path, GROUPED)} AS l JOIN {duck_few} AS r USING (g)")),
        tool("polars", polars(f"{left}.join({right}, on='g').sink_ndjson('{OUT}')")),
        tool("mlr", f"mlr --ijsonl --ojsonl join -j g -f {few} {path} > {OUT}", "1 4 2 3", most=1_000_000),
        tool("jq", f"jq -c --slurpfile few {few} -n 'INDEX($few[]; .g) as $of | inputs | . + $of[.g]' {path} > {OUT}", most=1_000_000),
    ])]


# ---- bytes that pass

def passing(count, _):
    path = data("rows", count)
    tool = lambda name, line, order="ordered": Tool(name, line, f"{order} line", checked(f"{order} line", path))
    blocks = f"parallel --will-cite --pipe --round-robin --block 1M -j{CORES} cat"
    parts = f"parallel --will-cite --pipepart --block 10M -j{CORES} -a {path} cat"
    return [Job("mc-map cat", count, path, [
        tool("mycloud", f"mc-map cat < {path} > {OUT}"),
        tool("mycloud, from a pipe", f"cat {path} | mc-map cat > {OUT}"),
        tool("cat three times", f"cat {path} | cat | cat > {OUT}"),
        tool("parallel --round-robin", f"{blocks} < {path} > {OUT}", "any"),
        tool("parallel --pipepart", f"{parts} > {OUT}", "any"),
    ])]


def cat(count, _):
    path = data("rows", count)
    tool = lambda name, line: Tool(name, line, "ordered line", checked("ordered line", path))
    return [Job("mc-cat x.ndjson", count, path, [
        tool("mycloud", f"mc-cat ndjson:{path} > {OUT}"),
        tool("mycloud, from a pipe", f"cat {path} | mc-cat > {OUT}"),
        tool("cat", f"cat {path} > {OUT}"),
        tool("cat from a pipe", f"cat {path} | cat > {OUT}"),
    ])]


COLUMNS = ["id", "name", "city", "amount", "date", "note"]


def csv(count, options):
    table, rows = data("table", count), data("rows", count)
    names = ",".join(f"{column}:'VARCHAR'" for column in COLUMNS)
    strings = ", ".join(f"'{column}': pl.String" for column in COLUMNS)
    xan = lambda *tools: list(tools) if options.xan else []
    # It makes numbers of what looks so.
    forms = ("json 1n 2 3 4n 5 6" if options.xan else "json", "csv")
    to, back = (lambda name, line, form=form: Tool(name, line, f"ordered {form}") for form in forms)
    return [Job("CSV to NDJSON", count, table, [
        to("mycloud", f"mc-cat csv:{table} > {OUT}"),
        to("mycloud, from a pipe", f"cat {table} | mc-cat csv:- > {OUT}"),
        to("polars", polars(f"pl.scan_csv('{table}', infer_schema=False).sink_ndjson('{OUT}')")),
        to("DuckDB", duckdb(f"SELECT * FROM read_csv('{table}', header=true, all_varchar=true)")),
        to("mlr", f"mlr --icsv --ojsonl -S cat {table} > {OUT}"),
        *xan(to("xan", f"xan to ndjson {table} > {OUT}")),
    ]), Job("NDJSON to CSV", count, rows, [
        back("mycloud", f"mc-gather -o csv:- < {rows} > {OUT}"),
        back("mycloud, from a pipe", f"cat {rows} | mc-gather -o csv:- > {OUT}"),
        back("polars", polars(f"{scan(rows, strings)}.sink_csv('{OUT}')")),
        back("DuckDB", duckdb(f"SELECT * FROM {duck_json(rows, names)}", "FORMAT CSV")),
        back("mlr", f"mlr --ijsonl --ocsv cat {rows} > {OUT}"),
        *xan(back("xan", f"xan from -f ndjson {rows} > {OUT}")),
    ])]


# ---- one-liners of PaSh (https://github.com/binpash/benchmarks), with LC_ALL=C as there

WORDS = "tr -cs A-Za-z '\\n' | tr A-Z a-z"


def pash(count, _):
    records = max(100, round(count * ONELINER))
    text, some = data("prose", records), data("prose", max(100, round(count * REGEX)))
    known, scripts = data("dictionary", DICTIONARY), data("scripts", max(10, round(count * SCRIPTS)), WORK / "data/files")
    pairs = f"tail -n +2 {WORK}/words | paste {WORK}/words - | sed '$d'"
    follow = "mc-map -t --per shard mawk 'NR > 1 {print p \"\\t\" $0} {p = $0}'"
    lower, to_text = f"mc-cat text:{text} | mc-map -t -c \"{WORDS}\"", f"mc-gather -o text:- > {OUT}"
    regex = "grep '\\(.\\).*\\1\\(.\\).*\\2\\(.\\).*\\3\\(.\\).*\\4'"
    printable = "sed 's/[^[:print:]]//g' | col -bx"
    lines = "xargs file | grep 'shell script' | cut -d: -f1 | xargs -L 1 wc -l | grep -v '^0$'"
    first, upper = "cut -d ' ' -f 1", "tr a-z A-Z"
    return [Job(f"PaSh: {title}", lines_of, path, [Tool("mycloud", mine, mine_as), Tool("bash and GNU", bash, bash_as)])
            for title, lines_of, path, bash, bash_as, mine, mine_as in [
        ("sort", records, text, f"cat {text} | sort > {OUT}", "ordered line", f"mc-sort text:{text} | {to_text}", "ordered line"),
        ("top-n", records, text, f"cat {text} | {WORDS} | sort | uniq -c | sort -rn | sed -n 1,100p > {OUT}", "ordered blank 2 1",
         f"{lower} | mc-shuffle --reduce count | mc-sort -r -k '.[1],.[0]' | sed -n 1,100p > {OUT}", "ordered json 1 2"),
        ("wf", records, text, f"cat {text} | {WORDS} | sort | uniq -c | sort -rn > {OUT}", "ordered blank 2 1",
         f"{lower} | mc-shuffle --reduce count | mc-sort -r -k '.[1],.[0]' > {OUT}", "ordered json 1 2"),
        ("bi-grams", records, text, f"cat {text} | {WORDS} > {WORK}/words; {pairs} | sort | uniq > {OUT}", "ordered line",
         f"{lower} | {follow} | mc-sort -u | {to_text}", "ordered line"),
        ("set-diff", records, text, f"comm -23 <({first} {text} | {upper} | sort -u) <({first} {text} | sort -u) > {OUT}", "ordered line",
         f"mc-cat text:{text} | mc-map -t -c \"{first} | {upper}\" | mc-sort -u | mc-join --anti -k . ndjson:<(mc-cat text:{text} | mc-map -t {first} | mc-sort -u) | {to_text}", "ordered line"),
        ("nfa-regex", max(100, round(count * REGEX)), some, f"cat {some} | tr A-Z a-z | {regex} > {OUT}", "ordered line",
         f"mc-cat text:{some} | mc-map -t -c \"tr A-Z a-z | {regex}\" | {to_text}", "ordered line"),
        ("shortest-scripts", max(10, round(count * SCRIPTS)), scripts, f"cat {scripts} | {lines} | sort -n | sed -n 1,15p > {OUT}", "ordered blank 1 2",
         f"mc-cat text:{scripts} | mc-map --block 16K --in text --out kv -c \"{lines} | tr ' ' '\\t'\" | mc-sort -k '.[0]:n,.[1]' | sed -n 1,15p > {OUT}", "ordered json 1 2"),
        ("spell", records, text, f"cat {text} | {printable} | {WORDS} | tr -d '[:punct:]' | sort | uniq | comm -23 - {known} > {OUT}", "ordered line",
         f"mc-cat text:{text} | mc-map -t -c \"{printable} | {WORDS} | tr -d '[:punct:]'\" | mc-sort -u | mc-join --anti -k . text:{known} | {to_text}", "ordered line"),
    ]]


# ---- beside ourselves

def startup(count, _):
    nothing = data("numbers", 1)
    again = lambda line: f"for i in {{1..{STARTS}}}; do {line}; done > {OUT}"
    tool = lambda name, line, check="ordered line": Tool(name, again(line), check, calls=STARTS)
    return [Job("start: echo 1 | mc-map cat", STARTS, nothing, [
        tool("mycloud", "echo 1 | mc-map cat"),
        tool("cat", "echo 1 | cat"),
        tool("jq", "echo 1 | jq ."),
        tool("parallel", "echo 1 | parallel --will-cite --pipe cat"),
    ]), Job("start: --help", STARTS, nothing, [
        *(tool(name, f"{command} --help", "") for name, command in [("mycloud", "mc-map"), ("mycloud, mc-sort", "mc-sort"), ("cat", "cat"), ("jq", "jq"), ("mlr", "mlr")]),
    ])]


SHAPES = ["random", "sorted", "reversed", "equal", "prefixes", "mixed", "unicode", "escapes"]


def shapes(count, _):
    count = max(1000, round(count * SHAPE))
    jobs = []
    for title, layout, line, key in [
        ("sort of values", "values", "mc-sort", ""),
        ("sort of objects", "objects", "mc-sort -k k", " -k k"),
        ("sums by key", "groups", "mc-shuffle -k k --reduce sum:v", ""),
    ]:
        tools = []
        for shape in SHAPES + ([] if layout == "values" else ["last", "spaced"]):
            path = data("shape", layout, shape, count)
            check, of_source = "any line", "any line"
            if layout == "groups":
                check, of_source = "sum json 0", "sum json 1" if shape == "last" else "sum json 0"
            verify = f"mc-sort --check{key} < {OUT}" if layout != "groups" else ""
            tools.append(Tool(shape, f"{line} < {path} > {OUT}", check, checked(of_source, path), verify))
        jobs.append(Job(f"shapes: {title}", count, data("shape", layout, "random", count), tools, "shapes"))
    return jobs


def whole(count, _):
    path, again = data("group", count, KEYS), WORK / "data" / f"shuffled-{count}"
    if not (ROOT / again).exists():
        subprocess.run(["bash", "-c", f"mc-shuffle -k g < {path} > {again}"], cwd=ROOT, check=True)
    tool = lambda name, line, columns="": Tool(name, line, f"any json {columns}" if columns else "any line", "" if columns else checked("any line", path))
    sums = tool("mycloud", f"mc-cat ndjson:{path} | mc-map cat | mc-shuffle -k g | mc-reduce sum:v > {OUT}", "1 2")
    return [Job("mc-cat | mc-map cat | mc-shuffle | mc-reduce", count, path, [
        sums,
        tool("mc-cat", f"mc-cat ndjson:{path} > {OUT}"),
        tool("mc-map", f"mc-map cat < {path} > {OUT}"),
        tool("mc-shuffle", f"mc-shuffle -k g < {path} > {OUT}"),
        tool("mc-reduce", f"mc-reduce -k g sum:v < {again} > {OUT}", "1 2"),
    ], "stages")]


def growth(count, _):
    jobs, small = [], max(1000, count // 10)
    numbers, objects = ((lambda n, kind=kind: data(kind, n)) for kind in ("numbers", "objects"))
    groups = lambda n: data("group", n, max(1, n // 10))
    for title, make, line in [
        ("sort of numbers", numbers, "mc-sort < {path}"),
        ("sort of objects", objects, "mc-sort -k k < {path}"),
        ("sums by key", groups, "mc-shuffle -k g --reduce sum:v < {path}"),
        ("CSV to NDJSON", lambda n: data("table", n), "mc-cat csv:{path}"),
        ("word count", lambda n: data("words", n), "mc-shuffle --reduce count text,words:{path}"),
    ]:
        tools = [Tool(name, f"{line.format(path=make(n))} > {OUT}") for name, n in [("a tenth", small), ("all", count)]]
        jobs.append(Job(f"10 times the data: {title}", count, make(count), tools, "growth"))
    for title, path, line in [
        ("sort of numbers", numbers(count), "mc-sort"),
        ("sort of objects", objects(count), "mc-sort -k k"),
        ("sums by key", groups(count), "mc-shuffle -k g --reduce sum:v"),
    ]:
        limit = max(16 << 20, size(path) // 2)
        tools = [Tool("in memory", f"{line} < {path} > {OUT}", "ordered line"),
                 Tool("spilling", f"{line} -S {limit} -T {WORK} < {path} > {OUT}", "ordered line")]
        jobs.append(Job(f"when it spills: {title}", count, path, tools, "growth"))
    return jobs


def ways(count, _):
    """Ways of records that no peer has a like of."""
    rows, table, text, group = data("rows", count), data("table", count), data("words", count), data("group", count, KEYS)
    return [Job(title, count, path, [Tool("mycloud", f"{line} > {OUT}", "ordered line")]) for title, path, line in [
        ("text", text, f"mc-cat text:{text}"),
        ("CSV to CSV", table, f"mc-cat csv:{table} | mc-gather -o csv:-"),
        ("text to text", text, f"mc-cat text:{text} | mc-gather -o text:-"),
        ("NDJSON to CSV and back", rows, f"mc-gather -o csv:- < {rows} | mc-cat csv:-"),
        ("reduce", group, f"mc-shuffle -k g < {group} | mc-reduce count max:v"),
    ]]


ROWS = {
    "numbers": numbers, "objects": objects, "pairs": pairs, "group": group, "brc": brc, "words": words,
    "map": passing, "cat": cat, "csv": csv, "join": join, "pash": pash, "startup": startup,
    "shapes": shapes, "whole": whole, "growth": growth, "billion": billion, "ways": ways,
}
# What is run only if it is named: it takes long, or has no peers.
NAMED_ONLY = {"billion", "ways"}
# What tells of a build beside an earlier one.
COMPARABLE = ["numbers", "objects", "pairs", "group", "brc", "words", "map", "cat", "csv", "join", "ways"]
