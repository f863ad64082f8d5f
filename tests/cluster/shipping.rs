//! Files that go with commands to hosts: once each, by their content, and as they are.

use std::os::unix::fs::{PermissionsExt, symlink};

use crate::support::{Call, Cluster, Random, cluster, dir, sh, until, write};

/// How large the model is.
const LARGE: usize = 6 << 20;

/// What else crosses, at the most: the worker is there already.
const REST: u64 = 1 << 20;

/// The content that is kept on a host.
const KEPT: &str = "cd /var/tmp/mycloud-*/shipped";

/// Bytes that cannot be packed, and that no other test has.
fn noise(count: usize) -> Vec<u8> {
    let mut random = Random::fresh();
    (0..count / 8).flat_map(|_| random.next().to_le_bytes()).collect()
}

fn run(cluster: &Cluster, dir: &tempfile::TempDir, script: &str) -> Call {
    let script = format!("set -o pipefail; export MC_STATS=stats; rm -f stats; {script}");
    sh("bash", &script).on(cluster).current_dir(dir.path())
}

/// How many bytes the mc-map of the last call had cross.
fn crossed(dir: &tempfile::TempDir) -> u64 {
    let stats = std::fs::read_to_string(dir.path().join("stats")).unwrap();
    let maps = stats.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let maps = maps.filter(|stats| stats["tool"] == "mc-map" && stats["kind"] == "stage");
    maps.map(|stats| stats["client_bytes"].as_u64().unwrap()).sum()
}

fn cksum(bytes: &[u8]) -> String {
    Call::new("sha256sum").stdin(bytes).succeeds().text()[..64].to_string()
}

#[test]
fn a_model_crosses_once_a_host_whatever_it_is_called_and_however_many_want_it() {
    let (cluster, dir) = (cluster(), dir());
    run(cluster, &dir, "echo 1 | mc-map -h n1,n2 cat | mc-gather").stdout("1\n").succeeds();
    let model = noise(LARGE);
    write(&dir, "model", &model);
    let sum = format!("\"{}\"\n", cksum(&model));
    let sums = "-t -c 'cat > /dev/null; sha256sum < model | cut -c 1-64'";
    let map = format!("mc-map -h n1,n2 --block 1 --ship model {sums}");
    // Two stages, and two pipelines, that want it at once.
    let line = format!("seq 4 | {map} | mc-map --ship model {sums} | mc-gather");
    let both = format!("({line}) > other & {line}; wait $! && cat other");
    run(cluster, &dir, &both).stdout(sum.repeat(8)).succeeds();
    let once = 2 * LARGE as u64;
    assert!((once..once + REST).contains(&crossed(&dir)), "{} of {once}", crossed(&dir));
    // It is found by its content, and has the mode that it has now.
    std::fs::rename(dir.path().join("model"), dir.path().join("renamed")).unwrap();
    std::fs::set_permissions(dir.path().join("renamed"), PermissionsExt::from_mode(0o640)).unwrap();
    let again = "-t -c 'sha256sum < renamed | cut -c 1-64; stat -c %a renamed'";
    let line = format!("echo 1 | mc-map -h n1,n2 --ship renamed {again} | mc-gather");
    run(cluster, &dir, &line).stdout(format!("{sum}\"640\"\n")).succeeds();
    assert!(crossed(&dir) < REST, "{}", crossed(&dir));
}

#[test]
fn what_is_kept_and_damaged_comes_again_and_a_command_harms_its_own_copy_only() {
    let (cluster, dir) = (cluster(), dir());
    let model = noise(LARGE);
    write(&dir, "model", &model);
    let (hash, sum) = (cksum(&model), format!("\"{}\"\n", cksum(&model)));
    let map = "-t -c 'sha256sum < model | cut -c 1-64; printf x | dd of=model bs=1 conv=notrunc 2> /dev/null'";
    let line = format!("echo 1 | mc-map -h n1 --ship model {map} | mc-gather");
    let comes = |again: bool| {
        run(cluster, &dir, &line).stdout(&sum).succeeds();
        assert_eq!(crossed(&dir) > LARGE as u64, again, "{}", crossed(&dir));
    };
    comes(true);
    comes(false);
    for harm in
        ["truncate -s 1000 H", "printf x | dd of=H bs=1 seek=5000 conv=notrunc 2>&1", "rm H"]
    {
        let harm = format!("{KEPT} && {}", harm.replace('H', &hash));
        cluster.on_host("n1", &harm);
        comes(true);
        comes(false);
    }
}

#[test]
fn folders_keep_modes_links_and_what_is_empty() {
    let (cluster, dir) = (cluster(), dir());
    let set = |name: &str, mode| {
        let path = dir.path().join(name);
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    };
    for (name, mode) in
        [("a", 0o751), ("b/c", 0o440), ("b/d", 0o600), ("b/e", 0o777), ("f g", 0o644)]
    {
        write(&dir, &format!("tree/{name}"), name);
        set(&format!("tree/{name}"), mode);
    }
    std::fs::create_dir(dir.path().join("tree/empty")).unwrap();
    set("tree/empty", 0o700);
    set("tree/b", 0o775);
    for (target, name) in [("../a", "b/up"), ("b/..", "round"), ("nowhere", "gone")] {
        symlink(target, dir.path().join("tree").join(name)).unwrap();
    }
    write(&dir, "outside", "o");
    symlink("../outside", dir.path().join("tree/out")).unwrap();
    let show = "find tree -printf '%M %p %l\\n' | sort -k 2";
    // A link that leads out of the folder is what it leads to.
    let here = run(cluster, &dir, show).succeeds().text();
    let here = here.replace("lrwxrwxrwx tree/out ../outside", "-rw-r--r-- tree/out ");
    assert_eq!(here.lines().count(), 12, "{here}");
    let line = format!(
        "echo 1 | mc-map -h n1 --ship tree -t -c \"{show}; cat tree/round/b/up tree/out\" | mc-gather -o text:-"
    );
    run(cluster, &dir, &line).stdout(format!("{here}ao\n")).succeeds();
}

#[test]
fn a_file_that_changes_while_it_is_sent_is_noticed() {
    let (cluster, dir) = (Cluster::of(1), dir());
    run(&cluster, &dir, "echo 1 | mc-map -h n1 cat | mc-gather").stdout("1\n").succeeds();
    let path = write(&dir, "top/model", "before");
    let hold = format!(
        "{KEPT} && touch held && (flock {}.lock sh -c 'echo locked; while [ -e held ]; do sleep 0.02; done')",
        cksum(b"before")
    );
    let holder = cluster.call(["exec", "n1", "sh", "-c", &hold]).spawn();
    let is_locked =
        format!("{KEPT} && [ -e {0}.lock ] && ! flock -n {0}.lock true", cksum(b"before"));
    let on_host =
        |test: &str| cluster.call(["exec", "n1", "sh", "-c", test]).stderr_any().ends().code == 0;
    until("somebody else sends it", || on_host(&is_locked));
    let line = "echo 1 | mc-map -h n1 --ship top cat top/model";
    let sending =
        run(&cluster, &dir, line).stderr_has("top/model was changed while it was sent").spawn();
    until("it is to be sent", || on_host("ls -d /var/tmp/mycloud-*/runs/*/*/top"));
    std::fs::write(&path, "after").unwrap();
    cluster.on_host("n1", &format!("{KEPT} && rm held"));
    holder.exits(0);
    sending.exits(4);
    let line = format!("{line} | mc-gather");
    write(&dir, "top/model", "\"after\"");
    run(&cluster, &dir, &line).stdout("\"after\"\n").succeeds();
    cluster.is_clean();
}

#[test]
fn a_missing_neighbour_is_named_once_and_following_the_hint_helps() {
    let (cluster, dir) = (cluster(), dir());
    write(&dir, "bin/helper.py", "ANSWER = 42");
    write(&dir, "bin/tables/__init__.py", "ANSWER = 42");
    write(&dir, "data/list", "42\n");
    write(&dir, "plain.py", "ANSWER = 42");
    let script = |name: &str, text: &str| {
        write(
            &dir,
            name,
            format!("#!/usr/bin/env python3\nimport sys; sys.stdin.read()\n{text}\n"),
        );
        std::fs::set_permissions(dir.path().join(name), PermissionsExt::from_mode(0o755)).unwrap();
    };
    script("bin/module", "from helper import ANSWER; print(ANSWER)");
    script("bin/package", "import tables");
    script("bin/opens", "print(open('data/list').read())");
    let absolute = dir.path().canonicalize().unwrap().join("bin/module");
    let absolute = absolute.to_str().unwrap();
    let beside = absolute.replace("module", "helper.py");
    for (command, path) in [
        ("bin/module", "bin/helper.py"),
        (absolute, &beside),
        ("bin/package", "bin/tables"),
        ("bin/opens", "data/list"),
        ("-c 'cat > /dev/null; cat data/list'", "data/list"),
        ("-c 'cat data/list | cat - > /dev/null; jq . < data/list'", "data/list"),
        ("-c 'cat > /dev/null; python3 plain.py'", "plain.py"),
        ("-c 'cat > /dev/null; python3 -c \"import plain\"'", "plain.py"),
    ] {
        for tool in ["mc-map -h n1,n2 --block 1", "mc-scatter -h n1 | mc-shuffle -n 2 | mc-reduce"]
        {
            let dashes =
                if tool.ends_with("reduce") && !command.starts_with('-') { "--" } else { "" };
            let line = |ship: &str| format!("seq 4 | {tool} {ship} {dashes} {command} | mc-gather");
            let output = run(cluster, &dir, &line("")).stderr_any().fails(4);
            let stderr = String::from_utf8(output.stderr).unwrap();
            let hint =
                format!(": {path} is here and not on the hosts: --ship {path} has it there\n");
            assert_eq!(stderr.matches(&hint).count(), 1, "{command}: {stderr}");
            run(cluster, &dir, &line(&format!("--ship {path}"))).succeeds();
        }
    }
    // What is not here either is no matter of shipping.
    let line = "seq 4 | mc-map -h n1 cat no/such | mc-gather";
    let output = run(cluster, &dir, line).stderr_any().fails(4);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("--ship"));
}
