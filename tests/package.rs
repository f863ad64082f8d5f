//! The package for Debian: what is in it, that it is installed and works, and that nothing of it stays.

use std::collections::BTreeSet;

use crate::support::{Call, dir, names, need, repository, sh, tools};

/// Files below a directory, seen from there, without those of dpkg itself.
fn files(root: &std::path::Path) -> BTreeSet<String> {
    let list = "find . ! -type d ! -path './var/lib/dpkg/*' ! -path './var/log/*' -printf '%P\\n'";
    let text = sh("bash", list).current_dir(root).succeeds().text();
    text.lines().map(String::from).collect()
}

/// The files of `mc-spark`.
fn of_spark() -> Vec<String> {
    let package = names(repository("spark/mc_spark")).into_iter();
    let package = package.filter(|file| file.ends_with(".py"));
    let files = package.map(|file| format!("usr/share/mycloud/spark/mc_spark/{file}"));
    files.chain(["usr/bin/mc-spark".to_string()]).collect()
}

#[test]
fn the_package_for_debian_is_installed_works_and_goes_without_a_trace() {
    for (program, package) in
        [("dpkg-deb", "dpkg"), ("dpkg-shlibdeps", "dpkg-dev"), ("strip", "binutils")]
    {
        need(program, &format!("apt-get install {package}"));
    }
    let (out, root) = (dir(), dir());
    let package = Call::new(repository("scripts/package")).arg("--tools").arg(tools()).arg("deb");
    let package =
        package.env("CARGO_TARGET_DIR", out.path()).env("DPKG_DEB_COMPRESSOR_TYPE", "none");
    let package = package.succeeds().text().trim_end().to_string();
    let root = root.path();
    sh("bash", "mkdir -p var/lib/dpkg/{info,updates,triggers}; : > var/lib/dpkg/status; : > var/lib/dpkg/available")
        .current_dir(root)
        .succeeds();
    let before = files(root);
    let dpkg = |words: &[&str]| {
        let call = Call::new("dpkg").arg(format!("--root={}", root.display()));
        call.args(["--force-depends", "--force-not-root", "--log=/dev/null"])
            .args(words)
            .stderr_any()
            .succeeds()
    };
    dpkg(&["-i", &package]);

    let mut expected: BTreeSet<String> = before.iter().cloned().chain(of_spark()).collect();
    let mut add = |path: String| expected.insert(path);
    for name in names(repository("bins")) {
        let tool = name.trim_end_matches(".rs");
        if tool == "mc-worker" {
            add("usr/libexec/mycloud/mc-worker".into());
            continue;
        }
        for path in paths(tool) {
            add(path);
        }
    }
    for page in names(repository("man")) {
        let section = page.rsplit('.').next().unwrap().to_string();
        add(format!("usr/share/man/man{section}/{page}.gz"));
    }
    for file in ["changelog.Debian.gz", "changelog.gz", "copyright"] {
        add(format!("usr/share/doc/mycloud/{file}"));
    }
    assert_eq!(files(root), expected);
    let field = |name: &str| Call::new("dpkg-deb").args(["-f", &package, name]).succeeds().text();
    assert!(field("Depends").contains("libc6 (>= "), "{}", field("Depends"));
    assert_eq!(field("Version"), format!("{}-1\n", env!("CARGO_PKG_VERSION")));

    let path = format!("PATH={}/usr/bin:/usr/bin:/bin", root.display());
    let line = format!(
        "set -o pipefail; {path}; mc-cat range:0..3 | mc-map cat | mc-shuffle -k . | mc-reduce count"
    );
    sh("bash", &line).env("MC_WORKER", "").stdout("[0,1]\n[1,1]\n[2,1]\n").succeeds();
    // The worker is found where the package has it.
    let line =
        format!("set -o pipefail; {path}; mc-cat range:0..3 | mc-map -h :,: cat | mc-gather");
    sh("bash", &line).env("MC_WORKER", "").stdout("0\n1\n2\n").succeeds();
    let line = format!("man -l {}/usr/share/man/man1/mc-cat.1.gz | head -n 1", root.display());
    if Call::new("sh").args(["-c", "command -v man > /dev/null"]).ends().code == 0 {
        assert!(sh("bash", &line).stderr_any().succeeds().text().starts_with("MC-CAT(1)"));
    }

    dpkg(&["-P", "mycloud"]);
    assert_eq!(files(root), before);
    assert!(
        !root.join("usr/share/doc/mycloud").exists() && !root.join("usr/libexec/mycloud").exists()
    );
}

#[test]
fn what_cannot_be_made_is_said_and_named_it_is_a_failure() {
    // A Rust that has no other targets, nor the source of their std.
    let (programs, out) = (dir(), dir());
    let rustc = "#!/bin/sh\necho /no/such/sysroot\n";
    crate::support::write(&programs, "rustc", rustc);
    sh("bash", "chmod +x rustc").current_dir(&programs).succeeds();
    let path = format!("{}:{}", programs.path().display(), std::env::var("PATH").unwrap());
    let call = |parts: &[&str]| {
        let call = Call::new(repository("scripts/package")).args(parts).env("PATH", &path);
        call.env("CARGO_TARGET_DIR", out.path())
    };
    let said =
        "no worker-aarch64: there is no std for aarch64-unknown-linux-musl: rustup target add";
    call(&["worker-aarch64"]).stderr_any().stderr_has(said).fails(1);
    call(&["tarball"]).stderr_any().stderr_has("not made: tarball").fails(1);
    call(&["rpm"]).stderr_any().stderr_has("usage: package").fails(2);
}

/// Where a program and its completions are; what the tools call has none, and is there where it was built.
fn paths(tool: &str) -> Vec<String> {
    let program = format!("usr/bin/{tool}");
    if tool.starts_with("mc-format-") {
        return if tools().join(tool).exists() { vec![program] } else { Vec::new() };
    }
    vec![
        program,
        format!("usr/share/bash-completion/completions/{tool}"),
        format!("usr/share/zsh/vendor-completions/_{tool}"),
        format!("usr/share/fish/vendor_completions.d/{tool}.fish"),
    ]
}
