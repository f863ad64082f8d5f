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
    (0..count).map(|n| format!("\"{n} {}\"\n", Random(n).next())).collect()
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
