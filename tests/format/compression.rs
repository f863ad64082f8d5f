//! Compressed files, against gzip, zstd, bzip2 and xz.

use crate::support::*;

/// Ending, program, Debian package.
const PROGRAMS: [(&str, &str, &str); 4] = [
    ("gz", "gzip", "gzip"),
    ("zst", "zstd", "zstd"),
    ("bz2", "bzip2", "bzip2"),
    ("xz", "xz", "xz-utils"),
];

fn run(program: &str, package: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
    need(program, &format!("apt-get install {package}"));
    Call::new(program).args(args).stdin(input).succeeds().stdout
}

fn lines(count: u64) -> String {
    let mut random = Random::seeded(count);
    (0..count).map(|n| format!("\"{n} {}\"\n", random.next())).collect()
}

#[test]
fn what_the_programs_pack_is_read_and_the_other_way_round() {
    let (dir, text) = (dir(), lines(20_000));
    for (ending, program, package) in PROGRAMS {
        let packed = run(program, package, &["-c"], text.as_bytes());
        let path = write(&dir, &format!("in.ndjson.{ending}"), &packed);
        assert!(mc("cat").arg(&path).succeeds().stdout == text.as_bytes(), "{program}");
        let path = dir.path().join(format!("out.ndjson.{ending}"));
        mc("gather").arg("-o").arg(&path).stdin(&text).succeeds();
        let packed = std::fs::read(&path).unwrap();
        assert!(packed.len() < text.len());
        assert!(run(program, package, &["-dc"], &packed) == text.as_bytes(), "{program}");
    }
}

#[test]
fn streams_in_a_row_are_one() {
    let dir = dir();
    for (ending, program, package) in PROGRAMS {
        let pack = |text: &str| run(program, package, &["-c"], text.as_bytes());
        let path = write(
            &dir,
            &format!("a.ndjson.{ending}"),
            [pack("1\n2"), pack(""), pack("3\n")].concat(),
        );
        mc("cat").arg(path).stdout("1\n23\n").succeeds();
    }
}

#[test]
fn zeros_behind_the_data_are_no_data() {
    let dir = dir();
    for (ending, program, package) in PROGRAMS {
        let packed = run(program, package, &["-c"], b"1\n");
        let path = write(&dir, &format!("a.ndjson.{ending}"), [&packed[..], &[0; 512]].concat());
        mc("cat").arg(path).stdout("1\n").succeeds();
        // As a tape leaves it, and then another.
        let both = [&packed[..], &[0; 512], &packed].concat();
        mc("cat").arg(write(&dir, &format!("b.ndjson.{ending}"), both)).stdout("1\n1\n").succeeds();
    }
    let packed = run("gzip", "gzip", &["-c"], b"a\n1\n");
    mc("cat").arg(write(&dir, "a.csv.bgz", packed)).stdout("{\"a\":\"1\"}\n").succeeds();
}

#[test]
fn what_is_wrong_with_it_is_said_with_a_way_out_that_works() {
    let dir = dir();
    for (ending, program, package) in PROGRAMS {
        let packed = run(program, package, &["-c"], lines(2000).as_bytes());
        let name = format!("a.ndjson.{ending}");
        let cut = write(&dir, &name, &packed[..packed.len() / 2]);
        mc("cat").arg(cut).stderr_has("it is cut short").fails(3);
        let behind = write(&dir, &name, [&packed, b"garbage".as_slice()].concat());
        let end = packed.len().to_string();
        mc("cat")
            .arg(&behind)
            .stderr_has(format!("at byte {end}, comes something else (head -c {end}"))
            .fails(3);
        let whole = Call::new("head").args(["-c", &end]).arg(&behind).succeeds().stdout;
        assert!(whole == packed);
        let plain = write(&dir, &name, "{\"a\":1}\n");
        mc("cat")
            .arg(&plain)
            .stdout("")
            .stderr_has("it is not")
            .stderr_has("mc-cat FORMAT:- < FILE")
            .fails(3);
        let way_out = format!("mc-cat ndjson:- < {}", plain.display());
        sh("dash", &way_out).stdout("{\"a\":1}\n").succeeds();
        let (other, named) = if ending == "gz" { ("xz", "but xz") } else { ("gzip", "but gzip") };
        let other = run(other, other, &["-c"], b"1\n");
        let path = write(&dir, &name, &other);
        mc("cat").arg(&path).stdout("").stderr_has(named).fails(3);
        sh("dash", &way_out).stdout("1\n").stderr_has("it is unpacked").succeeds();
    }
}

#[test]
fn a_file_that_becomes_shorter_while_it_is_read_is_bad_input() {
    let dir = dir();
    let text = lines(300_000);
    let path = write(&dir, "a.ndjson", &text);
    let path = path.to_str().unwrap();
    // Nobody takes more than the first line until the file is shorter than what is left to read.
    let script = format!("mc-cat {path} | (head -n 1; : > {path}; cat > /dev/null); exit $?");
    let call = sh("bash", &format!("set -o pipefail; {script}"))
        .stderr_has("became shorter while it was read");
    call.fails(3);
    let call = sh("bash", &format!("set -o pipefail; echo '{{}}' > {path}; mc-cat < {path}"));
    call.stdout("{}\n").succeeds();
}

#[test]
fn cut_or_followed_by_something_else_it_is_bad_input() {
    let dir = dir();
    for (ending, program, package) in PROGRAMS {
        let packed = run(program, package, &["-c"], lines(2000).as_bytes());
        let name = format!("a.ndjson.{ending}");
        for bytes in [&packed[..packed.len() - 1], &packed[..packed.len() / 2], b"".as_slice()] {
            let path = write(&dir, &name, bytes);
            mc("cat").arg(path).stderr_has(&name).fails(3);
        }
        let path = write(&dir, &name, [packed.as_slice(), b"garbage"].concat());
        mc("cat").arg(path).stderr_has(&name).fails(3);
        let path = write(&dir, &name, "1\n");
        mc("cat").arg(path).stdout("").stderr_has(&name).fails(3);
    }
}
