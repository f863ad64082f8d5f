//! The roads from host to host: what goes by which, who listens, and who is let in.

use super::bed::Bed;
use crate::support::{until, until_or};

#[test]
fn what_goes_directly_does_not_cross_the_client() {
    let bed = Bed::new(120_000);
    for tool in ["mc-sort -k k", "mc-shuffle -n 5 -k k --reduce first:x", "mc-shuffle -k n"] {
        let line = format!("{tool} --exchange direct --stats direct -o y.mc < x.mc");
        bed.run(&format!("{line} && mc-hosts --rm y.mc")).succeeds();
    }
    bed.run("jq -ce 'select(.kind == \"stage\") | .client_bytes * 100 < .bytes_in' direct")
        .stdout("true\ntrue\ntrue\n")
        .succeeds();
    // The counter counts: three quarters of all go to another host, in and out of the client, packed.
    bed.run("mc-sort -k k --exchange relay --stats relay -o y.mc < x.mc").succeeds();
    bed.run("jq -e 'select(.kind == \"stage\") | .client_bytes * 20 > .bytes_in' relay")
        .stdout("true\n")
        .succeeds();
    bed.run("mc-cat y.mc | cmp - due").succeeds();
}

#[test]
fn a_pair_that_is_cut_off_goes_by_the_client_or_not_at_all() {
    let bed = Bed::new(20_000);
    bed.cluster.run(["cut", "n1", "n2"]);
    let sort = |road: &str| {
        let ended = bed.run(&format!("mc-sort -v -n 8 -k k --exchange {road} -o {road}.mc < x.mc"));
        let ended = ended.stderr_any().ends();
        (ended.code, String::from_utf8_lossy(&ended.stderr).into_owned())
    };
    let (code, said) = sort("auto");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("n1 to n2: by way of this machine: "), "{said}");
    assert!(!said.contains("n3 to n4: by way"), "{said}");
    bed.run("mc-cat auto.mc | cmp - due && mc-hosts --rm auto.mc").succeeds();
    let (code, said) = sort("direct");
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("n1 to n2: no direct way") || said.contains("n2 to n1: no direct way"));
    bed.is_as_before("");
}

#[test]
fn a_pair_that_is_cut_in_the_middle_falls_over_to_the_client() {
    let bed = Bed::new(500_000);
    for host in ["n1", "n2"] {
        bed.cluster.run(["slow", host, "30mbit"]);
    }
    let came = || {
        let text = bed.cluster.on_host("n2", "sed -n 's/^ *eth0: *//p' /proc/net/dev").text();
        text.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    };
    let sort = "mc-sort -v -n 8 -k k -o y.mc < x.mc";
    let mut running = bed.run(&format!("exec {sort}")).stderr_any().spawn();
    bed.merges();
    let before = came();
    until("something comes", || came() >= before + 1_500_000);
    bed.cluster.run(["cut", "n1", "n2"]);
    let ended = running.wait();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.code, 0, "{said}");
    assert!(
        ["n1 to n2", "n2 to n1"]
            .iter()
            .any(|p| said.contains(&format!("{p}: by way of this machine"))),
        "{said}"
    );
    bed.cluster.run(["heal"]);
    bed.run("mc-cat y.mc | cmp - due && mc-hosts --rm y.mc").succeeds();
    bed.is_as_before("");
}

#[test]
fn nobody_listens_before_or_after_and_strangers_get_nothing() {
    let bed = Bed::new(100_000);
    // Until it is healed: the exchange is to outlast the strangers, however busy this machine is.
    bed.cluster.run(["slow", "n3", "512kbit"]);
    let line = "mc-sort -n 8 -k k < x.mc | tee m | (until test -e go; do sleep 0.05; done; mc-gather) | cmp - due";
    let running = bed.run(line).spawn();
    bed.merges();
    let address = bed.listener("n1");
    // From here and from a host that takes part.
    let stranger = |call: crate::support::Call| call.arg(&address).succeeds().text();
    let here = crate::support::Call::new("python3").arg("-c").arg(STRANGER);
    assert_eq!(stranger(here), "nothing\n");
    let there = bed.cluster.call(["exec", "n4", "python3", "-c", STRANGER]);
    assert_eq!(stranger(there), "nothing\n");
    assert!(bed.exchanges(), "the exchange was over before");
    bed.cluster.run(["heal", "n3"]);
    let manifest = bed.path().join("m");
    let ended = || std::fs::read_to_string(&manifest).unwrap().lines().count() >= 2 + 8;
    let over = || !bed.exchanges() && ended();
    until_or(over, || format!("nobody listens, and the manifest is whole:\n{}", bed.listeners()));
    // Its shards are there still, and nobody has read them.
    std::fs::write(bed.path().join("go"), "").unwrap();
    running.exits(0);
    bed.is_as_before("");
}

/// Says nothing, says what is no greeting, and greets as somebody that nobody knows; then asks for
/// all that there is. Prints what it gets beyond a greeting.
const STRANGER: &str = r#"
import json, socket, ssl, struct, sys
host, port = sys.argv[1].rsplit(":", 1)
def dial():
    s = socket.create_connection((host, int(port)), 5)
    s.settimeout(1.5)
    return s
def heard(s):
    try:
        return s.recv(1000)
    except OSError:
        return b""
ask = json.dumps({"part": {"exchange": 1, "from": None, "to": None}}).encode()
ask = struct.pack("<IBI", len(ask), 0, 1) + ask
got = heard(dial())
s = dial()
s.sendall(ask)
got += heard(s)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
try:
    s = context.wrap_socket(dial())
    s.sendall(ask)
    got += heard(s)
except OSError:
    pass
print(got or "nothing")
"#;
