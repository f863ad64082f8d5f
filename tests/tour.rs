//! The tour of the README: a reader can paste it, so a test does.

use std::time::Duration;

use crate::support::{Call, copy, dir, names, need, repository, sh};

/// The commands of block `number` of the README, from 0 before the first, and what it shows of them.
fn told(number: usize) -> (String, String) {
    let readme = std::fs::read_to_string(repository("README.md")).unwrap();
    let mut after = readme.split("```sh\n").nth(number).unwrap().split("```");
    let (command, shown) = (after.next().unwrap(), after.next().unwrap());
    let shown = shown.lines().filter_map(|line| line.strip_prefix("    "));
    (command.to_string(), shown.map(|line| format!("{line}\n")).collect())
}

#[test]
fn the_tour_of_the_readme_runs_as_it_stands() {
    for (program, package) in [("jq", "jq"), ("python3", "python3")] {
        need(program, &format!("apt-get install {package}"));
    }
    let (tour, _) = told(1);
    let (shown, commands): (Vec<&str>, Vec<&str>) =
        tour.lines().partition(|line| line.starts_with("#> "));
    assert!(commands.len() <= 10, "the tour is ten lines");
    let shown: String = shown.iter().map(|line| format!("{}\n", &line[3..])).collect();

    let dir = dir();
    copy(repository("examples"), dir.path().join("examples"));
    // Without pipefail, as in a shell into which it is pasted; each line by itself must do well.
    let script = tour.replace('\n', "\n[ $? = 0 ] || exit 99\n");
    let output = sh("bash", &script).current_dir(&dir).stderr_any().succeeds().text();
    assert_eq!(output, shown);

    let examples = dir.path().join("examples");
    let delays = std::fs::read_to_string(examples.join("delays.csv")).unwrap();
    assert!(delays.starts_with("route,hour,flights,delay_mean\nEWR-ALB,"), "{delays}");
    let left = names(&examples);
    let made = ["clean.ndjson.zst", "delays.csv", "said"];
    assert!(made.iter().all(|name| left.contains(&name.to_string())), "{left:?}");
    assert_eq!(left.len(), names(repository("examples")).len() + made.len(), "{left:?}");
}

#[test]
fn the_first_pipeline_of_the_readme_prints_what_stands_there() {
    let readme = std::fs::read_to_string(repository("README.md")).unwrap();
    let first = readme.split("\n    $ ").nth(1).unwrap().split("\n\n").next().unwrap();
    let lines: Vec<&str> = first.lines().map(str::trim_start).collect();
    let end = 1 + lines.iter().position(|line| !line.ends_with('|')).unwrap();
    let shown = first.lines().skip(end).map(|line| format!("{}\n", &line[4..]));
    let dir = dir();
    for file in ["clean.py", "data/flights.csv.gz"] {
        let path = repository("examples").join(file);
        std::fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    let command = lines[..end].join("\n");
    sh("bash", &command).current_dir(&dir).stdout(shown.collect::<String>()).succeeds();
}

#[test]
fn what_the_readme_does_on_hosts_runs_as_it_stands() {
    let readme = std::fs::read_to_string(repository("README.md")).unwrap();
    let tour = readme.split("```sh\n").nth(2).unwrap().split("```").next().unwrap();
    let dir = dir();
    copy(repository("examples"), dir.path());
    let script = tour.replace('\n', "\n[ $? = 0 ] || exit 99\n");
    let output = sh("bash", &script).current_dir(&dir).stderr_any().succeeds().text();
    for part in ["\n:#2   yes      local ", "{\"route\": \"EWR-IAH\"", "\n[\"UA\",", " kept "] {
        assert!(output.contains(part), "{part} is not in\n{output}");
    }
    let here = "mc-cat csv,null=NA:data/flights.csv.gz | mc-map ./clean.py > here
        mc-cat far.ndjson.zst | cmp - here && test ! -e clean.mc";
    sh("bash", here).current_dir(&dir).succeeds();
}

#[test]
fn what_the_readme_exchanges_between_hosts_runs_and_says_what_is_shown() {
    let readme = std::fs::read_to_string(repository("README.md")).unwrap();
    let mut after = readme.split("```sh\n").nth(3).unwrap().split("```");
    let (command, shown) = (after.next().unwrap(), after.next().unwrap());
    let shown = shown.lines().filter_map(|line| line.strip_prefix("    "));
    let shown: Vec<String> = shown.map(without_numbers).collect();
    assert_eq!(shown.len(), 2);

    let dir = dir();
    copy(repository("examples"), dir.path());
    std::fs::write(dir.path().join("hosts"), ":\n:\n").unwrap();
    let output = sh("bash", command).current_dir(&dir).stderr_any().succeeds();
    let said = String::from_utf8(output.stderr).unwrap();
    let said: Vec<String> = said.lines().map(without_numbers).collect();
    assert_eq!(said, shown);
    let here = "mc-cat csv,null=NA:data/flights.csv.gz | mc-map ./clean.py | mc-shuffle -k route |
        mc-reduce count mean:delay | mc-gather -o here.csv && cmp here.csv routes.csv";
    sh("bash", here).current_dir(&dir).succeeds();
}

#[test]
fn what_the_readme_shares_with_hosts_is_read_and_written() {
    let (command, shown) = told(4);
    assert_eq!(shown.lines().count(), 2);
    let dir = dir();
    copy(repository("examples"), dir.path());
    std::fs::write(dir.path().join("hosts"), ":\n:\n").unwrap();
    let script = format!("set -o pipefail\n{command}");
    sh("bash", &script).current_dir(&dir).stdout(shown).succeeds();
    assert_eq!(names(dir.path().join("in")).len(), 100);
    assert_eq!(names(dir.path().join("out")), ["1.csv", "2.csv", "3.csv", "4.csv"]);
}

#[test]
fn data_as_it_comes_is_read_as_is_shown() {
    let (command, shown) = told(5);
    let dir = dir();
    let call = sh("bash", &command).current_dir(&dir).env("HOME", dir.path()).stdout(shown);
    let call = call.stderr_has("mc-map: 1 record dropped, on which the command failed");
    // The last line looks in vain for what was not published.
    call.stderr_has("cannot access 'v.ndjson'").fails(2);
}

#[test]
fn any_command_prints_what_is_shown() {
    let (command, shown) = told(6);
    let dir = dir();
    copy(repository("examples"), dir.path());
    std::fs::write(dir.path().join("hosts"), ":\n:\n").unwrap();
    // A thousand processes of Python take their time on a busy machine.
    let call = sh("bash", &command).current_dir(&dir).within(Duration::from_secs(600));
    call.stdout(shown).succeeds();
}

fn without_numbers(line: &str) -> String {
    line.chars().filter(|c| !c.is_ascii_digit() && *c != '.').collect()
}

#[test]
fn the_demo_ends_with_its_tables() {
    let demo = Call::new(repository("scripts/demo")).arg("--tools").arg(crate::support::tools());
    let output = demo.succeeds().text();
    for part in ["\ncarrier  flights  ", "\nhour  flights  ", "\nLGA-ATL  "] {
        assert!(output.contains(part), "{part} is not in\n{output}");
    }
}

#[test]
fn the_demo_fails_when_a_pipeline_fails() {
    let tools = dir();
    for name in ["mc-cat", "mc-gather", "mc-map", "mc-shuffle", "mc-sort"] {
        let tool = crate::support::tools().join(name);
        std::os::unix::fs::symlink(tool, tools.path().join(name)).unwrap();
    }
    std::os::unix::fs::symlink("/bin/false", tools.path().join("mc-reduce")).unwrap();
    Call::new(repository("scripts/demo")).arg("--tools").arg(tools.path()).stderr_any().fails(1);
}

#[test]
fn install_puts_programs_pages_and_completions_under_its_prefix() {
    let prefix = dir();
    let install = Call::new(repository("scripts/install")).arg("--tools");
    let said = install.arg(crate::support::tools()).arg(prefix.path()).succeeds().text();
    assert!(said.contains(&format!("export PATH=\"{}/bin:$PATH\"", prefix.path().display())));
    let there = |path: &str| {
        let path = prefix.path().join(path);
        assert!(path.is_file(), "{} is missing", path.display());
    };
    there("share/bash-completion/completions/mc-sort");
    there("share/zsh/site-functions/_mc-map");
    there("share/fish/vendor_completions.d/mc-cat.fish");
    there("share/man/man1/mc-gather.1");
    there("share/man/man7/mycloud.7");
    there("bin/mc-spark");
    there("share/mycloud/spark/mc_spark/command.py");
    // mc-spark too; programs of formats where they were built.
    let is_there = |name: &String| {
        !name.starts_with("mc-format-")
            || crate::support::tools().join(name.trim_end_matches(".rs")).exists()
    };
    let programs = names(repository("bins")).into_iter().filter(is_there).count() + 1;
    assert_eq!(names(prefix.path().join("bin")).len(), programs, "nothing else, nothing half done");
    Call::new(prefix.path().join("bin/mc-sort")).stdin("2\n1\n").stdout("1\n2\n").succeeds();
}
