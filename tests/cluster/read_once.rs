//! Files that all hosts see, read once: their parts on any of the hosts, in the order of the file.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::{Cluster, cluster, dir, names, sh};

/// A file of one's own in the directory that the hosts share.
struct Shared {
    cluster: &'static Cluster,
    name: String,
}

impl Shared {
    #[track_caller]
    fn new(name: &str, bytes: impl AsRef<[u8]>) -> Shared {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{name}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let cluster = cluster();
        std::fs::write(cluster.srv().join(&name), bytes).unwrap();
        Shared { cluster, name }
    }

    /// What `mc-cat OPTIONS FORMAT:FILE` prints, the end of its standard error, how it ends, and
    /// what it leaves in its directory.
    #[track_caller]
    fn read(&self, options: &str, format: &str, hosts: Option<(&str, u64)>) -> [String; 4] {
        let dir = dir();
        let here = self.cluster.srv().display().to_string();
        let (place, on, gather) = match hosts {
            None => (here, String::new(), "cat"),
            Some((hosts, block)) => {
                let place = if hosts == ":,:" { here } else { "/srv".to_string() };
                (place, format!("-h {hosts} --shared --block {block}"), "mc-gather 2>/dev/null")
            }
        };
        let script = format!(
            "mc-cat {on} {options} {format}:{place}/{} | {gather}; exit ${{PIPESTATUS[0]}}",
            self.name
        );
        let call = sh("bash", &script).on(self.cluster).current_dir(&dir).stderr_any();
        let output = call.ends();
        let said = String::from_utf8(output.stderr).unwrap();
        let said = said.lines().last().unwrap_or_default().replace(&place, "");
        let text = |name: String| std::fs::read_to_string(dir.path().join(name)).unwrap();
        let left = names(&dir).into_iter().map(text).collect();
        [String::from_utf8(output.stdout).unwrap(), said, output.code.to_string(), left]
    }

    /// It reads alike without hosts and, in parts of any size, on any number of them.
    #[track_caller]
    fn is_read_alike(&self, options: &str, format: &str) -> [String; 4] {
        let expected = self.read(options, format, None);
        for place in [(":,:", 4099), ("n1", 257), ("n1,n2", 50_000), ("n[1-4]", 1009)] {
            let found = self.read(options, format, Some(place));
            assert_eq!(found[1..], expected[1..], "{format} {options} {place:?}");
            assert!(found[0] == expected[0], "{format} {options} {place:?}: {}", found[0]);
        }
        expected
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.cluster.srv().join(&self.name));
    }
}

#[test]
fn lines_are_read_alike() {
    let lines: String = (0..3000)
        .map(|n| format!("\u{feff}{n}\t\"it's\" {}\r\n{}", "é ".repeat(n % 40), "\n".repeat(n % 2)))
        .collect();
    let file = Shared::new("lines", format!("{lines}no end"));
    for format in ["text", "text,kv", "text,words"] {
        assert_eq!(file.is_read_alike("", format)[2], "0");
    }
    let records: String = (0..5000).map(|n| format!(" {{\"n\": {n}.0}}\n")).collect();
    let file = Shared::new("records", &records);
    assert!(file.is_read_alike("", "ndjson")[0] == records);
}

#[test]
fn csv_is_read_alike_wherever_its_lines_end() {
    let rows: String = (0..1500)
        .map(|n| format!("{n},\"a \"\"{n}\"\",\n{} b\"\r\n", "x,\n".repeat(n % 50)))
        .collect();
    let file = Shared::new("rows", format!("\u{feff}id,text\r\n{rows}"));
    for format in ["csv", "csv,header=no", "csv,typed,col=text", "csv,header=no,col=x,col=y"] {
        let [printed, _, code, _] = file.is_read_alike("", format);
        assert!(code == "0" && printed.lines().count() >= 1500, "{format}");
    }
}

#[test]
fn what_is_bad_is_dropped_alike() {
    let rows: String = (0..800)
        .map(|n| match n % 10 {
            3 => format!("{n}\n"),
            5 => format!("{n},\"a\"b\n"),
            7 => format!("{n},\"never closed\n"),
            _ => format!("{n},b\n"),
        })
        .collect();
    let file = Shared::new("bad", format!("id,text\n{rows}"));
    for (format, policy) in [
        ("csv", "--bad limit=5000 --max-record 2000"),
        ("csv,header=no", "--bad file=bad"),
        ("ndjson", "--bad skip"),
    ] {
        let [_, said, code, _] = file.is_read_alike(policy, format);
        assert!(code == "0" && said.contains("dropped"), "{format} {policy}: {said}");
        let [_, said, code, _] = file.read("", format, Some(("n[1-4]", 300)));
        assert!(code == "3" && said.contains(&file.name), "{format}: {said}");
    }
}

#[test]
fn one_file_is_work_for_all_hosts() {
    let file = Shared::new("large", "all work and no play\n".repeat(1_000_000));
    for format in ["text", "csv,header=no"] {
        let script = format!(
            "set -o pipefail; mc-cat -h n1,n2 --shared --block 30K {format}:/srv/{} | tee m | mc-map wc -l |
                mc-gather | paste -sd+ | bc; grep -o '\"hosts\":\\[\"n[12]\"\\]' m",
            file.name
        );
        let dir = dir();
        let output = sh("bash", &script).on(file.cluster).current_dir(&dir).succeeds().text();
        let (sum, hosts) = output.split_once('\n').unwrap();
        let hosts: Vec<&str> = hosts.lines().collect();
        let different: BTreeSet<&str> = hosts.iter().copied().collect();
        assert_eq!((sum, different.len()), ("1000000", 2), "{output}");
        assert!(hosts.len() > 300, "{}", hosts.len());
    }
}

#[test]
fn several_files_and_those_that_are_packed() {
    let (one, two) = (Shared::new("one", "1\n2\n"), Shared::new("two.gz", ""));
    let script = format!(
        "set -o pipefail; cd {}; seq 3 5000 | gzip > {two}; cat {one} > {one}-also
        mc-cat -h n1,n2 --shared --block 2 'ndjson:/srv/{one}*' ndjson:/srv/{two} | tee m | mc-gather |
            cmp - <(seq 2; seq 5000); rm {one}-also; grep -c '\"shard\":' m; rm m",
        one.cluster.srv().display(),
        one = one.name,
        two = two.name,
    );
    // Two parts each of two files, and one of what is packed.
    sh("bash", &script).on(one.cluster).stdout("5\n").succeeds();
}

#[test]
fn parts_are_of_shared_files() {
    sh("bash", "mc-cat --block 1M x").stderr_has("--shared").fails(2);
    sh("bash", "mc-cat -h n1 --block 1M x").stderr_has("--shared").fails(2);
}
