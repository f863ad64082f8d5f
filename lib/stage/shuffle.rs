//! `mc-shuffle`: records grouped by key. Equal keys are adjacent and in key order, which makes a
//! shuffle on one machine a stable sort; or, with `--reduce`, what becomes of the groups.

use std::sync::Arc;

use crate::aggregate::Op;
use crate::engine::consumer::Consumer;
use crate::engine::exchange::{self, Remote};
use crate::engine::producer::Producer;
use crate::error::Result;
use crate::explain::outline::OpOutline;
use crate::explain::schema::StagePlan;
use crate::group::grouping::Grouping;
use crate::group::order::{self, Limits, Order};
use crate::group::reduce;
use crate::record::bad::Bad;
use crate::record::stream::{Facts, Input, Output, Summary};

/// What `mc-shuffle` is to do.
pub struct ShuffleOptions {
    /// The key, and what orders the records inside a group.
    pub order: Order,
    /// What it may use.
    pub limits: Limits,
    /// What happens to bad records.
    pub bad: Arc<Bad>,
    /// The results to print of each group, instead of its records; none prints the records.
    pub ops: Vec<Op>,
    /// The texts that count as a missing operand.
    pub nulls: Vec<String>,
}

impl ShuffleOptions {
    /// Says in `stage` what would be done there, which knows what is read and where it is done.
    pub fn explain(&self, stage: &mut StagePlan) {
        stage.mode = Some("shuffle".into());
        stage.order(&self.order);
        stage.ops = OpOutline::of(&self.ops);
        stage.nulls.clone_from(&self.nulls);
        let facts = if self.ops.is_empty() { self.order.facts() } else { Facts::default() };
        stage.sorted(&facts, &self.limits.directory);
    }
}

/// Groups the records of `input`, and reduces the groups if there are ops.
///
/// # Errors
/// `BadInput` for a record that is bad or has no key; `Storage` when there is no room to spill;
/// what the streams say.
pub fn run(
    options: &ShuffleOptions,
    input: impl Input + 'static,
    output: &mut impl Output,
) -> Result<Summary> {
    let ShuffleOptions { order, limits, bad, ops, nulls } = options;
    if ops.is_empty() {
        return order::sort(order, limits, bad, input, output);
    }
    let keys = Some(order.keys.clone());
    let grouping = Grouping::new(keys, ops.clone(), order.missing, limits.max_record)?;
    let grouping = grouping.with_nulls(nulls.clone());
    output.declare(&Facts::default())?;
    match order.order_by.is_empty() {
        true => reduce::by_hashing(grouping, limits, bad, input, output),
        false => reduce::by_sorting(grouping, order, limits, bad, input, output),
    }
}

/// Groups the records of shards where they lie, and writes the manifest of others: of the groups, or
/// of what becomes of them.
///
/// # Errors
/// As [`exchange::exchange`].
pub fn run_on_hosts(
    options: &ShuffleOptions,
    remote: &Remote<'_>,
    consumer: Box<Consumer>,
    output: &mut dyn Output,
) -> Result<(Summary, Producer)> {
    let ShuffleOptions { order, limits, ops, nulls, .. } = options;
    let what = exchange::what(order, ops, nulls, limits.max_record);
    let facts = if ops.is_empty() { order.facts() } else { Facts::default() };
    exchange::exchange(what, facts, remote, consumer, output)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::resource::Resource;
    use crate::format::{ReadOptions, stream};
    use crate::record::bad::Policy;
    use crate::record::key::{Keys, Missing};
    use crate::record::stream::tests::OutputBuffer;

    /// A stream that gives no rows.
    struct Records(Box<dyn Input>);

    impl Input for Records {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            self.0.read(buffer)
        }

        fn name(&self) -> &str {
            self.0.name()
        }
    }

    struct Case {
        key: &'static str,
        ops: &'static str,
        memory: usize,
        jobs: usize,
        missing: Missing,
    }

    /// The results, and what was counted, of a resource; of its rows or its records.
    fn results(case: &Case, resource: &str, rows: bool) -> Result<(String, Summary)> {
        let resource = Resource::parse(resource.as_ref(), None).unwrap();
        let max_record = 300;
        let read = ReadOptions { max_record, ..ReadOptions::new(Policy::Fail).unwrap() };
        let input = stream::open(&[resource], &read).unwrap();
        let input = if rows { input } else { Box::new(Records(input)) };
        let keys =
            if case.key.is_empty() { Keys::implied() } else { Keys::parse(case.key).unwrap() };
        let (reverse, missing, order_by) = (false, case.missing, Vec::new());
        let options = ShuffleOptions {
            order: Order { keys, order_by, reverse, missing, unique: false },
            limits: Limits {
                memory: case.memory,
                jobs: case.jobs,
                directory: std::env::temp_dir(),
                max_record,
            },
            bad: Arc::clone(&read.bad),
            ops: case.ops.split(' ').map(|op| Op::parse(op).unwrap()).collect(),
            nulls: Vec::new(),
        };
        let mut output = OutputBuffer::default();
        let summary = run(&options, input, &mut output)?;
        // What is spilled depends on how a stream is cut into blocks.
        Ok((String::from_utf8(output.0).unwrap(), Summary { spilled_bytes: 0, ..summary }))
    }

    /// Rows of two fields or so, most of them alike.
    fn file() -> impl Strategy<Value = (Vec<u8>, u8)> {
        let key =
            prop_oneof!["[a-d]", "[a-zé]{0,3} and more that is long [0-9]{0,3}", "[0-9]{1,3}"];
        let number = prop_oneof![
            "-?[0-9]{1,2}\\.[0-9]",
            "-?[1-9][0-9]{0,9}",
            "(0|-0|1\\.0|1e2|123456789012345678901234567890|0\\.1)",
        ];
        let odd = prop_oneof![
            Just("é\"".to_string()),
            "(\"a\"\"b\"|\"a;,b\"|\"c\nd\"|a\\\\b|\u{1}|\u{7f})[;,\t](1|2\\.5)",
            "[a-c][;,\t](x|| 1|1 |\\+1|007|1e400|NaN|null|\"3\"|\\\\u0031)",
            "[a-c]([;,\t]1){0,3}",
            "(\r|a[;,\t]1\r|\r\n)",
            Just(String::new()),
            "a{290,310}[;,\t]1",
        ];
        let row = (0u16..1000, key, number, odd);
        let rows = prop::sample::select(vec![0u16, 3, 30, 500]).prop_flat_map(move |odds| {
            prop::collection::vec(row.clone(), 0..900).prop_map(move |rows| (odds, rows))
        });
        (rows, prop::sample::select(b";,\t".to_vec()), any::<(bool, u8)>()).prop_map(
            |((odds, rows), delimiter, (ends, invalid))| {
                let line = |(n, key, number, odd): &(u16, String, String, String)| match *n < odds {
                    true => odd.replace([';', ',', '\t'], &char::from(delimiter).to_string()),
                    false => format!("{key}{}{number}", char::from(delimiter)),
                };
                let lines: Vec<String> = rows.iter().map(line).collect();
                let end = if ends && !lines.is_empty() { "\n" } else { "" };
                let mut text = (lines.join("\n") + end).into_bytes();
                let at = text.len() / 2;
                if invalid < 10 && text.get(at).is_some_and(u8::is_ascii_lowercase) {
                    text[at] = 0xff;
                }
                (text, delimiter)
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn rows_of_csv_give_what_their_records_give(
            (text, delimiter) in file(),
            header: bool,
            ragged in prop::sample::select(vec!["", ",ragged=pad", ",ragged=cut", ",invalid=replace"]),
            key in prop::sample::select(vec!["", "0", "1", "0,1", "1:n", "."]),
            ops in prop::sample::select(vec!["count", "count sum min mean max", "sum max", "first last", "min ndistinct"]),
            memory in prop::sample::select(vec![1usize << 16, 1 << 18, 1 << 26]),
            jobs in 1usize..4,
            missing in prop::sample::select(vec![Missing::Null, Missing::Skip, Missing::Fail]),
        ) {
            let name = |column: &str| match (header, column) {
                (true, "0") => "a".to_string(),
                (true, _) => "b".to_string(),
                (false, number) => format!(".[{number}]"),
            };
            let operand = name("1");
            let of = |op: &str| if op == "count" { op.into() } else { format!("{op}:{operand}") };
            let ops = ops.split(' ').map(of).collect::<Vec<_>>().join(" ");
            let key = match key {
                "0" | "1" => name(key),
                "0,1" => format!("{},{}", name("0"), name("1")),
                "1:n" => name("1") + ":n",
                // Objects are no pairs.
                "" if header => "a".into(),
                key => key.into(),
            };
            let (key, ops): (&str, &str) = (key.leak(), ops.leak());
            let case = Case { key, ops, memory, jobs, missing };
            let head = format!("a{}b\n", char::from(delimiter));
            let text = if header { [head.as_bytes(), &text].concat() } else { text };
            let delim = match delimiter { b';' => "semicolon", b'\t' => "tab", _ => "comma" };
            let header = if header { "yes" } else { "no" };
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(&file, text).unwrap();
            let path = file.path().display();
            let resource = format!("csv,header={header},delim={delim}{ragged}:{path}");
            let [due, rows] = [false, true].map(|rows| results(&case, &resource, rows));
            match (&due, &rows) {
                (Ok((due, counted)), Ok((rows, counts))) => {
                    prop_assert_eq!(rows, due);
                    prop_assert_eq!(counts, counted);
                }
                (Err(due), Err(rows)) => prop_assert_eq!(rows.exit_code(), due.exit_code()),
                _ => prop_assert!(false, "{:?} {:?}", due, rows),
            }
        }
    }

    #[test]
    fn rows_are_given_of_whole_plain_files_alone() {
        let given = |format: &str, text: &str, policy: Policy| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(&file, text).unwrap();
            let resource = format!("{format}:{}", file.path().display());
            let resource = Resource::parse(resource.as_ref(), None).unwrap();
            let read = ReadOptions::new(policy).unwrap();
            let mut input = stream::open(&[resource], &read).unwrap();
            let rows = input.rows(1 << 20, &mut Vec::new()).unwrap();
            rows.map_or("none".into(), |rows| String::from_utf8(rows.bytes).unwrap())
        };
        let plain = "a,b\n1,2\n3,é\n";
        assert_eq!(given("csv", plain, Policy::Fail), "1,2\n3,é\n");
        assert_eq!(given("csv,header=no", plain, Policy::Fail), plain);
        // The last row is not whole as far as is known.
        assert_eq!(given("csv", "a,b\n1,2\n3,4", Policy::Fail), "1,2\n");
        for (format, text) in [
            ("csv", "a,b\n1,\"2\"\n"),
            ("csv", "a,b\n1,2\r\n"),
            ("csv", "a,b\n1,2\n\n3,4\n"),
            ("csv,typed", plain),
            ("csv,null=1", plain),
            ("csv,col=b", plain),
            ("csv,trim", plain),
            ("csv,comment=#", plain),
            ("csv,quote=no", plain),
            ("csv,encoding=latin1", plain),
            ("text", plain),
        ] {
            assert_eq!(given(format, text, Policy::Fail), "none", "{format} {text}");
        }
        assert_eq!(given("csv", plain, Policy::Skip), "none");
    }

    #[test]
    fn a_row_of_csv_is_bad_where_it_stands() {
        let row = format!("{};1\n", "a".repeat(60));
        let case =
            Case { key: "a", ops: "sum:b", memory: 1 << 26, jobs: 2, missing: Missing::Fail };
        for (bad, header) in
            [("x;1;2", "no"), ("x", "no"), ("x;1;2", "yes"), ("x;y", "yes"), ("x;\u{1}", "yes")]
        {
            let case = match header {
                "no" => Case { key: ".[0]", ops: "sum:.[1]", ..case },
                _ => Case { key: "a", ops: "sum:b", ..case },
            };
            for before in [1, 63, 64, 8000, 20_000] {
                let mut text = row.repeat(before);
                if header == "yes" {
                    text.replace_range(..row.len(), "a;b\n");
                }
                text += &format!("{bad}\n{}", "b;2\n".repeat(100));
                let file = tempfile::NamedTempFile::new().unwrap();
                std::fs::write(&file, text).unwrap();
                let resource =
                    format!("csv,header={header},delim=semicolon:{}", file.path().display());
                let [due, rows] = [false, true]
                    .map(|rows| results(&case, &resource, rows).unwrap_err().to_string());
                assert_eq!(rows, due);
                let place = before + usize::from(header == "no");
                assert!(due.contains(&format!("{place}")), "{due}");
            }
        }
    }
}
