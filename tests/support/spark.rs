//! A Spark for the tests: one for all, since a Java takes its time to start.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

use super::{Call, Output, not_tested, repository, tools};

/// Where `scripts/needs` puts PySpark.
const PYTHON: &str = "target/python/bin/python3";

/// Calls wait for one another; more than all of them take.
const HANG: Duration = Duration::from_secs(600);

/// A Spark that runs pipelines, one at a time.
pub struct Spark {
    directory: TempDir,
    // Ends when its standard input does, which is with this process.
    _server: Child,
}

/// The Python that has PySpark; none, said loudly, where it or Java is not there.
#[track_caller]
pub fn pyspark() -> Option<PathBuf> {
    static WHY_NOT: OnceLock<Option<String>> = OnceLock::new();
    let python = repository(PYTHON);
    let is_there = |program: &PathBuf, arg: &str| {
        let mut command = Command::new(program);
        command.args(["-W", "ignore"].iter().take(if arg == "-version" { 0 } else { 2 }));
        let command = command.arg(arg).args((arg == "-c").then_some("import pyspark"));
        let ended =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        ended.is_ok_and(|status| status.success())
    };
    let why_not = WHY_NOT.get_or_init(|| {
        let why = if !is_there(&"java".into(), "-version") {
            "mc-spark, without Java: scripts/needs spark"
        } else if !is_there(&python, "-c") {
            "mc-spark, without PySpark: scripts/needs spark"
        } else {
            return None;
        };
        not_tested(why);
        Some(why.into())
    });
    why_not.is_none().then_some(python)
}

/// The Spark that all tests share, on two cores of this machine.
#[track_caller]
pub fn spark() -> Option<&'static Spark> {
    static SHARED: OnceLock<Option<Spark>> = OnceLock::new();
    SHARED.get_or_init(|| pyspark().map(|_| Spark::new("local[2]", &[]))).as_ref()
}

impl Spark {
    /// A Spark of one's own.
    #[track_caller]
    pub fn new(master: &str, options: &[&str]) -> Spark {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(repository(PYTHON));
        command
            .arg(repository("tests/support/spark/serve.py"))
            .arg(directory.path().join("socket"));
        command.arg(tools()).args(["--master", master, "--driver-memory", "1g"]);
        command.args(["--conf", "spark.default.parallelism=3"]).args(options);
        command.env("MC_WORKER", env!("CARGO_BIN_EXE_mc-worker"));
        command.env("SPARK_LOG", directory.path().join("log"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut server = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "the Spark of the tests does not start");
        Spark { directory, _server: server }
    }

    /// A call of `line` there.
    #[track_caller]
    pub fn call(&self, line: &str) -> Call {
        let ask = repository("tests/support/spark/ask.py");
        Call::new("python3")
            .arg(ask)
            .arg(self.directory.path().join("socket"))
            .arg(line)
            .within(HANG)
    }
}

/// Runs `line` on Spark, if there is one: it must go as `expected` does, the same without Spark. Where that
/// failed, a tool behind the one that did may have said so, which ends nothing on Spark.
#[track_caller]
pub fn on_spark(line: &str, prepare: impl Fn(Call) -> Call, expected: &Output) {
    let Some(spark) = spark() else { return };
    let call = prepare(spark.call(line)).stderr_any();
    // A tool whose reader had enough ends with 141.
    if [0, 141].contains(&expected.code) {
        call.stdout(&expected.stdout).succeeds();
    } else {
        let output = call.ends();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!([1, 3, expected.code].contains(&output.code), "{}: {said}", output.code);
    }
}
