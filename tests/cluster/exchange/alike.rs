//! One input, many pipelines: each prints over 1, 2, 4 and 7 hosts, on both roads and cut into any
//! number of ranges, what it prints without hosts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use crate::support::{Cluster, Output, dir, sh, write};

/// The most hosts that a pipeline runs on here.
const MOST: usize = 7;

/// How many hosts a pipeline runs on in turn, and the size of the blocks that its input is cut into.
const PLACES: [(usize, u64); 4] = [(1, 40_009), (2, 6007), (4, 17_011), (MOST, 9001)];

const ROADS: [&str; 2] = ["direct", "relay"];

/// How many ranges are asked for in turn.
const RANGES: [&str; 5] = ["-n 3", "-n 64", "", "-n 1", "-n 7"];

/// How many pipelines run at once.
const AT_ONCE: usize = 4;

/// Seven hosts, which all tests share that leave them as they are.
#[track_caller]
pub fn seven() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| Cluster::of(MOST))
}

/// Runs the shell lines `lines` on `input` without hosts, and then on shards of it: each prints the
/// same bytes, with the same exit status. In a line `{x}` is for the options of an exchange, and
/// `{road}` for those of one that makes as many shards as it gets; without hosts both are nothing.
/// Returns how the lines went.
#[track_caller]
pub fn alike<const N: usize>(input: impl AsRef<[u8]>, lines: [&str; N]) -> [Output; N] {
    alike_on(&PLACES, ROADS.len(), input.as_ref(), lines)
}

/// [`alike`], over 2 and 7 hosts alone, on the roads in turn.
#[track_caller]
pub fn alike_on_some<const N: usize>(input: impl AsRef<[u8]>, lines: [&str; N]) -> [Output; N] {
    alike_on(&[PLACES[1], PLACES[3]], 1, input.as_ref(), lines)
}

/// [`alike`], over so many hosts with blocks of so many bytes, on so many of the roads each time.
#[track_caller]
pub fn alike_on<const N: usize>(
    places: &[(usize, u64)],
    roads: usize,
    input: &[u8],
    lines: [&str; N],
) -> [Output; N] {
    let dir = dir();
    write(&dir, "in", input);
    let run = |script: &str| {
        let script = format!("set -o pipefail\n{script}");
        let call = sh("bash", &script).on(seven()).current_dir(&dir).stderr_any();
        call.env("XDG_STATE_HOME", dir.path().join("state"))
    };
    let line = |line: &str, x: &str, road: &str| line.replace("{x}", x).replace("{road}", road);
    let due = lines.map(|text| run(&format!("({}) < in", line(text, "", ""))).ends());
    for (hosts, block) in places {
        let hosts = seven().hosts(*hosts);
        run(&format!("mc-map -h {hosts} --block {block} -o {hosts}.mc cat < in")).succeeds();
    }
    let mut jobs = Vec::new();
    for text in 0..N {
        for (place, (hosts, _)) in places.iter().enumerate() {
            // One host exchanges nothing: it has no two roads.
            let roads =
                (0..roads.min(*hosts)).map(|turn| ROADS[(text + place + turn) % ROADS.len()]);
            jobs.extend(roads.map(|road| (text, place, road)));
        }
    }
    let (next, failure) = (AtomicUsize::new(0), Mutex::new(None));
    let one = |number: usize| {
        let (text, place, road) = jobs[number];
        let (hosts, ranges) = (seven().hosts(places[place].0), RANGES[number % RANGES.len()]);
        let road = format!("--exchange {road}");
        let line = line(lines[text], &format!("{road} {ranges}"), &road);
        let call = run(&format!("({line}) < {hosts}.mc | mc-gather"));
        call.stdout(&due[text].stdout).fails(due[text].code);
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while failure.lock().unwrap().is_none() {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= jobs.len() {
                        break;
                    }
                    let tried =
                        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| one(number)));
                    if let Err(panic) = tried {
                        failure.lock().unwrap().get_or_insert(panic);
                    }
                }
            });
        }
    });
    if let Some(panic) = failure.into_inner().unwrap() {
        std::panic::resume_unwind(panic);
    }
    run("mc-hosts --rm *.mc").succeeds();
    due
}

/// Sales: nine in ten of one key, numbers in strings too, and members that only some have.
pub fn sales(count: u64) -> String {
    let sale = |n: u64| {
        let key = if n % 10 == 3 { format!("k{}", n * 7919 % 23) } else { "hot".to_string() };
        let number = n * 7919 % 1009;
        let quote = if n.is_multiple_of(3) { "\"" } else { "" };
        let some = if n.is_multiple_of(7) { format!(",\"m\":{}", n % 31) } else { String::new() };
        format!(
            "{{\"k\": \"{key}\",\"n\":{quote}{number}{quote},\"v\":{}.{}{some}}}\n",
            n % 97,
            n % 10
        )
    };
    (0..count).map(sale).collect()
}
