//! Objects that hosts read by themselves, without credentials.

use super::store;
use crate::support::*;

#[test]
fn hosts_read_objects_by_addresses_that_are_signed_here() {
    let rows: String = (0..2000).map(|n| format!("{n},\"x,{n}\"\n")).collect();
    let csv = format!("a,b\n{rows}");
    let packed = Call::new("gzip").arg("-c").stdin(&csv).succeeds().stdout;
    let objects: &[(&str, &[u8])] = &[
        ("p/a b.csv", csv.as_bytes()),
        ("p/b.csv.gz", &packed),
        ("p/c.tsv", b"a\tb\n1\t2\n"),
        ("q/lines", b"one\ntwo\n"),
    ];
    store().bucket("hosts", objects);
    let same = |words: &str| {
        let here = store().bash(&format!("mc-cat {words}")).succeeds().stdout;
        assert!(!here.is_empty());
        let there = format!("mc-cat -h :,: --shared {words} | mc-gather");
        store().bash(&there).env("MC_WORKER", worker()).stdout(&here).succeeds();
    };
    same("'csv:s3://hosts/p/*'");
    same("csv,typed:'s3://hosts/p/a b.csv' s3://hosts/p/c.tsv");
    same("-f text 's3://hosts/q/*'");
    // Requests of hosts were signed in their addresses, and nowhere else is anything of that seen.
    let shared = |words: &str| {
        let script = format!("mc-cat -v --stats stats -h :,: --shared {words} | mc-gather");
        store().bash(&script).env("MC_WORKER", worker()).current_dir(dir().keep())
    };
    store().front("fail?path=/hosts/p/c.tsv&method=GET&status=403&code=AccessDenied&count=9");
    let said = shared("s3://hosts/p/c.tsv").stderr_any().ends();
    assert_ne!(said.code, 0);
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("/hosts/p/c.tsv: status 403") && !said.contains("Signature"), "{said}");
}

#[test]
fn objects_are_read_once_and_not_by_each_host() {
    store().bucket("once", &[("a.csv", b"a\n1\n")]);
    let each = store().mc("cat").args(["-h", ":,:", "s3://once/a.csv"]).env("MC_WORKER", worker());
    each.fails_with(
        2,
        "s3://once/a.csv: all hosts see the same objects: say --shared, and each is read once",
    );
    let none = store()
        .mc("cat")
        .args(["-h", ":", "--shared", "csv:s3://once/z*"])
        .env("MC_WORKER", worker());
    none.fails_with(2, "csv:s3://once/z*".trim_start_matches("csv:"));
}
