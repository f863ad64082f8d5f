//! The same bytes everywhere: one pipeline, run without hosts and then on every kind of them.

use super::{Call, Output, cluster, on_spark, sh};

/// Where a pipeline runs in turn: on workers of this machine, and on 1, 2 and 4 real hosts; and the
/// size of its blocks, which no other size is a multiple of.
const PLACES: [(usize, u64); 4] = [(0, 4099), (1, 1009), (2, 257), (4, 6007)];

/// Runs the shell line `line` without hosts, where every `{h}` in it is nothing, and then on hosts,
/// where `{h}` is `-h HOSTS --block SIZE`; it must print the same bytes and end with the same status
/// each time. `prepare` gives each call what else it needs, its input before all. Returns how it
/// went without hosts. At last it runs on Spark.
#[track_caller]
pub fn everywhere(line: &str, prepare: impl Fn(Call) -> Call) -> Output {
    let expected = on_all_hosts(line, &prepare);
    on_spark(&line.replace("{h}", ""), prepare, &expected);
    expected
}

/// The same without Spark, for what Spark has no meaning for: lines that are more than one pipe, and files that
/// are served to the hosts.
#[track_caller]
pub fn on_all_hosts(line: &str, prepare: impl Fn(Call) -> Call) -> Output {
    let call = |options: &str| {
        let script = format!("set -o pipefail\n{}", line.replace("{h}", options));
        prepare(sh("bash", &script)).on(cluster()).stderr_any()
    };
    let expected = call("").ends();
    for (hosts, block) in PLACES {
        let names = if hosts == 0 { ":,:".to_string() } else { cluster().hosts(hosts) };
        let running = call(&format!("-h {names} --block {block}")).stdout(&expected.stdout);
        running.fails(expected.code);
    }
    expected
}
