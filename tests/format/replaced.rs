//! What an output comes in the place of: several appear together, what is replaced keeps its mode, and
//! nothing that somebody planted is followed.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};

use crate::support::*;

/// A user who is neither this one nor anybody.
const OTHER: u32 = 54322;

fn gather(dir: &Path, output: &str) -> Call {
    mc("gather").current_dir(dir).args(["-o", output]).stdin("[\"a\",\"b\"]\n")
}

fn set_mode(path: impl AsRef<Path>, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: impl AsRef<Path>) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o7777
}

/// Whether this is tried: what only the superuser can set up is not, for others.
fn is_root() -> bool {
    let root = Uid::effective().is_root();
    if !root {
        not_tested("only the superuser can be another user");
    }
    root
}

#[test]
fn several_outputs_appear_together_however_it_is_interrupted() {
    let count = 300;
    let mut interrupted = 0;
    for number in 0..18 {
        let dir = dir();
        let numbers: String = (0..3000).map(|n| format!("{n}\n")).collect();
        write(&dir, "in", numbers);
        let mut split = Command::new(tools().join("mc-split"))
            .args(["-n", &count.to_string(), "-o", "p%03d.ndjson", "ndjson:in"])
            .current_dir(dir.path())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let parent = Pid::from_raw(split.id() as i32);
        let begun = || dir.path().join("p000.ndjson").exists();
        while !begun() {
            assert!(split.try_wait().unwrap().is_none() || begun(), "it ended without any output");
        }
        let (process, signal) = match number % 3 {
            0 => (Some(parent), Signal::SIGTERM),
            1 => (Some(parent), Signal::SIGKILL),
            _ => (child_of(parent), Signal::SIGKILL),
        };
        if let Some(process) = process {
            let _ = kill(process, signal);
        }
        interrupted += u32::from(!split.wait().unwrap().success());
        // A child whose parent was killed ends by itself.
        until("all outputs are there, and nothing else", || {
            let names = names(&dir);
            names.len() == count + 1 && names.iter().all(|name| !name.starts_with('.'))
        });
    }
    assert!(interrupted > 0, "nothing was interrupted");
}

fn child_of(parent: Pid) -> Option<Pid> {
    let children =
        std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    Some(Pid::from_raw(children.split_whitespace().next()?.parse().ok()?))
}

#[test]
fn what_is_in_the_way_of_one_output_keeps_all_from_appearing() {
    let dir = dir();
    let split = || {
        let call = mc("split").args(["-n", "3", "-o", "p%d.ndjson"]).stdin("1\n2\n3\n");
        call.current_dir(dir.path())
    };
    std::fs::create_dir(dir.path().join("p2.ndjson")).unwrap();
    split().fails_with(2, "p2.ndjson is a directory");
    assert_eq!(names(&dir), ["p2.ndjson"]);
    std::fs::remove_dir(dir.path().join("p2.ndjson")).unwrap();
    write(&dir, "p2.ndjson", "old");
    need("chattr", "apt-get install e2fsprogs");
    for flag in ["i", "a"] {
        let set = |sign: &str| {
            let mut chattr = Command::new("chattr");
            chattr.arg(format!("{sign}{flag}")).arg(dir.path().join("p2.ndjson"));
            chattr.stderr(Stdio::null()).status().unwrap().success()
        };
        if !set("+") {
            not_tested(&format!("chattr +{flag} is not to be had here"));
            continue;
        }
        let ended = split().stderr_has("p2.ndjson: it cannot be changed").ends();
        let left = names(&dir);
        assert!(set("-"));
        assert_eq!((ended.code, left), (2, vec!["p2.ndjson".to_string()]));
    }
    // What came in the way while it was written is found before the first gets its name.
    let mut running =
        sh("bash", "{ echo 1; read -r line <go; echo 2; } | mc-split -n 3 -o q%d.ndjson");
    nix::unistd::mkfifo(&dir.path().join("go"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    running = running.current_dir(dir.path()).stderr_has("q1.ndjson is a directory");
    let running = running.spawn();
    let mut go = std::fs::OpenOptions::new().write(true).open(dir.path().join("go")).unwrap();
    // It may not have begun: then it is found at the beginning, which is as well.
    std::fs::create_dir(dir.path().join("q1.ndjson")).unwrap();
    std::io::Write::write_all(&mut go, b"\n").unwrap();
    running.exits(2);
    assert_eq!(names(&dir), ["go", "p2.ndjson", "q1.ndjson"]);
}

#[test]
fn what_is_replaced_keeps_its_mode_and_owner() {
    let dir = dir();
    for output in ["out.csv", "out.ndjson.gz", "out.zip", "csv:p-%d"] {
        let file = dir.path().join(output.trim_start_matches("csv:").replace("%d", "0"));
        std::fs::write(&file, "").unwrap();
        let call = |options: &[&str]| {
            let call = mc("gather").current_dir(dir.path()).args(options).args(["-o", output]);
            call.stdin(if output == "out.zip" { "[\"a\",\"b\"]\n" } else { "{\"a\":1}\n" })
        };
        let options: &[&str] = if output.contains('%') { &["-n", "1"] } else { &[] };
        for kept in [0o600, 0o640, 0o444, 0o666] {
            set_mode(&file, kept);
            call(options).succeeds();
            assert_eq!(mode(&file), kept, "{output}");
            assert!(std::fs::metadata(&file).unwrap().len() > 0);
        }
        if is_root() {
            chown(&file, Some(OTHER), Some(OTHER)).unwrap();
            call(options).succeeds();
            let found = std::fs::metadata(&file).unwrap();
            assert_eq!((found.uid(), found.gid(), mode(&file)), (OTHER, OTHER, 0o666), "{output}");
        }
    }
    for output in ["files:tree", "leveldb:db"] {
        let tree = dir.path().join(output.split(':').nth(1).unwrap());
        gather(dir.path(), output).succeeds();
        set_mode(&tree, 0o2750);
        gather(dir.path(), output).arg("--replace").succeeds();
        assert_eq!(mode(&tree), 0o2750, "{output}");
    }
}

#[test]
fn an_access_control_list_and_attributes_are_kept() {
    let dir = dir();
    let file = write(&dir, "out.ndjson", "");
    // Another user may read: user::rw-, user:54322:r--, group::---, mask::r--, other::---.
    let set = "import os, struct, sys
acl = struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *e) for e in [
    (1, 6, 0xffffffff), (2, 4, 54322), (4, 0, 0xffffffff), (16, 4, 0xffffffff), (32, 0, 0xffffffff)])
try:
    os.setxattr(sys.argv[1], 'system.posix_acl_access', acl)
    os.setxattr(sys.argv[1], 'user.note', b'kept')
except OSError as e:
    print(e)";
    let show = "import os, sys
print({n: os.getxattr(sys.argv[1], n) for n in os.listxattr(sys.argv[1])})";
    let python =
        |program: &str| Call::new("python3").args(["-c", program]).arg(&file).succeeds().text();
    let said = python(set);
    if !said.is_empty() {
        return not_tested(&format!("no attributes on files here: {said}"));
    }
    let before = python(show);
    assert!(before.contains("posix_acl_access") && before.contains("user.note"), "{before}");
    gather(dir.path(), "out.ndjson").succeeds();
    assert_eq!(python(show), before);
    assert_eq!(mode(&file), 0o640);
}

#[test]
fn a_planted_link_or_file_is_not_written_to() {
    if !is_root() {
        return;
    }
    let dir = dir();
    let open = dir.path().join("open");
    std::fs::create_dir(&open).unwrap();
    set_mode(&open, 0o1777);
    let victim = write(&dir, "victim", "precious");
    let files = ["csv:open/x", "zip:open/x", "ndjson:open/x"];
    let all = [&files[..], &["leveldb:open/x", "files:open/x"]].concat();
    let link = open.join("x");
    let refused = |kinds: &[&str], what: &str| {
        for kind in kinds {
            let call =
                gather(dir.path(), kind).arg("--replace").stderr_has("everybody may write to");
            call.stderr_has(what).fails(2);
        }
        let parts = mc("split").args(["-n", "1", "-o", "csv:open/%d"]).current_dir(dir.path());
        std::fs::rename(&link, open.join("0")).unwrap();
        parts.stdin("{\"a\":1}\n").stderr_has(what).fails(2);
        std::fs::rename(open.join("0"), &link).unwrap();
        let kept = mc("scatter").args(["-h", ":", "-o", "open/x.mc"]).current_dir(dir.path());
        std::fs::rename(&link, open.join("x.mc")).unwrap();
        kept.stdin("1\n").stderr_has(what).fails(2);
        std::fs::rename(open.join("x.mc"), &link).unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    };
    symlink("../victim", &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(OTHER), None).unwrap();
    refused(&all, "symbolic link of another user (number 54322)");
    std::fs::remove_file(&link).unwrap();
    std::fs::write(&link, "bait").unwrap();
    chown(&link, Some(OTHER), None).unwrap();
    refused(&files, "belongs to another user (number 54322)");
    assert_eq!(names(&open), ["x"]);
    // A link of one's own, of the directory's owner, or in a directory that is not open, is followed.
    std::fs::remove_file(&link).unwrap();
    symlink("../victim", &link).unwrap();
    gather(dir.path(), "ndjson:open/x").succeeds();
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "[\"a\",\"b\"]\n");
    std::os::unix::fs::lchown(&link, Some(OTHER), None).unwrap();
    set_mode(&open, 0o777);
    gather(dir.path(), "ndjson:open/x").succeeds();
    set_mode(&open, 0o1777);
    chown(&open, Some(OTHER), None).unwrap();
    gather(dir.path(), "ndjson:open/x").succeeds();
    assert!(link.is_symlink());
}
