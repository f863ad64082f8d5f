//! Every call in turn: the sweeps over a pipeline, on several lanes at once, and what came of them as a table.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::path::Path;
use std::sync::Mutex;

use super::calls::{How, KINDS};
use super::pipeline::{Lane, Pipeline, Ran};

/// No process here makes so many calls of a kind.
const K_MAX: usize = 2000;

/// Set by `scripts/failpoints`: every way to fail, of every call.
const ALL: &str = "MYCLOUD_FAILPOINTS";

/// Whether all ways to fail are asked for.
pub fn thorough() -> bool {
    std::env::var_os(ALL).is_some()
}

/// Calls of one kind in one program, that fail in one way: the first of them and so on, or one.
#[derive(Clone)]
struct Sweep {
    program: &'static str,
    kind: String,
    how: How,
    only: Option<usize>,
    /// Whether the pipeline names it: whether some other calls are made is for whoever is faster.
    is_named: bool,
}

/// What came of a sweep.
#[derive(Default)]
struct Tally {
    /// Whether any pipeline names it.
    is_named: bool,
    /// How many calls failed.
    fired: usize,
    identical: usize,
    by_code: BTreeMap<i32, usize>,
    wrong: usize,
}

/// What came of all of them.
#[derive(Default)]
pub struct Found {
    rows: BTreeMap<(&'static str, String, String), Tally>,
    messages: BTreeMap<String, (usize, String)>,
    wrong: Vec<String>,
}

/// The calls that each program makes in the pipeline, as sweeps; some are asked for by name.
fn sweeps(lane: &Lane, pipeline: &Pipeline, inputs: &Path) -> Vec<Sweep> {
    let mut all = Vec::new();
    for (program, kinds) in pipeline.programs {
        lane.plan.note(program);
        lane.run(pipeline, inputs);
        let noted = lane.plan.noted();
        for kind in *kinds {
            assert!(
                noted.contains_key(*kind),
                "{}: {program} has no {kind}: {noted:?}",
                pipeline.name
            );
        }
        // Runs over hosts take their time: in the gate it is one call of each kind that is asked for.
        let few =
            lane.has_hosts() && (!thorough() || std::env::var(ALL).is_ok_and(|v| v == "some"));
        for (kind, count) in noted {
            let known = KINDS.iter().find(|(name, _)| *name == kind);
            let (_, ways) = known.unwrap_or_else(|| panic!("no kind of call: {kind}"));
            let ways = ways.iter().enumerate().filter(|(n, how)| match few {
                true => *n == 0 && kinds.contains(&kind.as_str()),
                false => thorough() || *n == 0 || **how == How::Short,
            });
            let only = few.then_some(count.div_ceil(2));
            let is_named = kinds.contains(&kind.as_str());
            let of = |how: &How| Sweep { program, kind: kind.clone(), how: *how, only, is_named };
            all.extend(ways.map(|(_, how)| of(how)));
        }
    }
    all
}

/// Makes the calls of all programs of `pipeline` fail, each in turn.
pub fn sweep(pipeline: &Pipeline, inputs: &Path, lanes: &[Lane], found: &Mutex<Found>) {
    lanes[0].plan.nothing();
    let (codes, said, _) = lanes[0].run(pipeline, inputs);
    assert!(codes.iter().all(|code| *code == 0), "{}: {codes:?} {said:?}", pipeline.name);
    let due = lanes[0].shown(pipeline);
    let queue = Mutex::new(VecDeque::from(sweeps(&lanes[0], pipeline, inputs)));
    std::thread::scope(|scope| {
        for lane in lanes {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().pop_front();
                    let Some(sweep) = next else { return };
                    every_call(pipeline, &sweep, lane, (inputs, &due), found);
                }
            });
        }
    });
}

/// How often a pipeline runs at most until a call that is named is made in it at all.
const TRIES: usize = 4;

/// One sweep: until nothing is left that could fail. Where only one call is to fail, and the program came to
/// its end before that one, as it may where it waits, an earlier one is tried.
fn every_call(
    pipeline: &Pipeline,
    sweep: &Sweep,
    lane: &Lane,
    (inputs, due): (&Path, &[u8]),
    found: &Mutex<Found>,
) {
    let (mut k, mut tries) = (sweep.only.unwrap_or(1), 1);
    while k < K_MAX {
        lane.plan.set(sweep.program, &sweep.kind, k, sweep.how);
        let ran = lane.judged(pipeline, inputs, due, sweep.how);
        let fired = ran.fired.is_some();
        found.lock().unwrap().add(pipeline, sweep, k, ran);
        match sweep.only {
            None if fired => k += 1,
            // Which of two hosts calls the other, say, is a matter of moments.
            None if k == 1 && sweep.is_named && tries < TRIES => tries += 1,
            Some(_) if !fired && k > 1 => k /= 2,
            _ => return,
        }
    }
    panic!("{}: {} {} never ends", pipeline.name, sweep.program, sweep.kind);
}

impl Found {
    fn add(&mut self, pipeline: &Pipeline, sweep: &Sweep, k: usize, ran: Ran) {
        let (program, kind, how) = (sweep.program, sweep.kind.clone(), sweep.how);
        let of = format!("{}: {program} {kind} {k} {how}", pipeline.name);
        let fired = ran.fired.as_deref().unwrap_or("nothing");
        if !ran.wrong.is_empty() {
            let (wrong, said) = (ran.wrong.join("; "), ran.said.join("\n    "));
            let text = format!("{of} ({fired}): {:?}: {wrong}\n    {said}", ran.codes);
            if thorough() {
                println!("{text}");
            }
            self.wrong.push(text);
        }
        for line in &ran.said {
            let entry = self.messages.entry(without_numbers(line));
            entry.or_insert_with(|| (0, format!("{of} ({fired}): {:?}", ran.codes))).0 += 1;
        }
        let row = self.rows.entry((program, kind, how.to_string())).or_default();
        row.is_named |= sweep.is_named;
        row.wrong += usize::from(!ran.wrong.is_empty());
        if ran.fired.is_none() {
            return;
        }
        row.fired += 1;
        match ran.codes.iter().rev().find(|code| **code != 0) {
            None => row.identical += 1,
            Some(code) => *row.by_code.entry(*code).or_default() += 1,
        }
    }

    /// The table: program, kind and way, how many calls failed so, and what came of it.
    fn table(&self) -> String {
        let mut text = format!(
            "{:11} {:9} {:22} {:>6} {:>9} {:>6}  {}\n",
            "program", "call", "fails with", "calls", "identical", "wrong", "said with exit status"
        );
        let mut all = (0, 0, 0);
        for ((program, kind, how), row) in &self.rows {
            let codes: Vec<String> =
                row.by_code.iter().map(|(code, count)| format!("{count} with {code}")).collect();
            let (fired, identical, wrong, codes) =
                (row.fired, row.identical, row.wrong, codes.join(", "));
            all = (all.0 + fired, all.1 + identical, all.2 + wrong);
            let _ = writeln!(
                text,
                "{program:11} {kind:9} {how:22} {fired:6} {identical:9} {wrong:6}  {codes}"
            );
        }
        let _ = writeln!(text, "{:44} {:6} {:9} {:6}", "all", all.0, all.1, all.2);
        text
    }

    /// What was wrong, a text a run.
    pub fn wrong(&self) -> &[String] {
        &self.wrong
    }

    /// Prints all of it if that is asked for, and fails where something was wrong.
    pub fn report(&self) {
        for ((program, kind, how), row) in &self.rows {
            assert!(row.fired > 0 || !row.is_named, "{program} {kind} {how}: nothing has failed");
        }
        if thorough() {
            println!("{}", self.table());
            for (message, (count, first)) in &self.messages {
                println!("{count:5}  {message}\n         first of {first}");
            }
        }
        let wrong = self.wrong.join("\n");
        assert!(self.wrong.is_empty(), "{} runs went wrong:\n{wrong}", self.wrong.len());
    }
}

/// The same line for what differs only in numbers and temporary names.
fn without_numbers(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, behind)) = rest.split_once(".mc-") {
        text += &format!("{before}.mc-*");
        rest = behind.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
    }
    text += rest;
    let mut shown = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' if shown.ends_with('N') => {}
            '0'..='9' => shown.push('N'),
            _ => shown.push(c),
        }
    }
    shown
}
