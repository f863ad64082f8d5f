//! Pages of lines that are made up.

use super::*;

/// The line of a stage that is over, with more fields.
fn stage(id: &str, begin: f64, more: &str) -> String {
    let end = begin + 2.0;
    format!(
        r#"{{"v":1,"kind":"stage","tool":"mc-{id}","stage":"{id}","status":0,"seconds":2.0,"pid":1,"begin":{begin},"end":{end},"records_in":5,"records_out":4,"bytes_in":50,"bytes_out":40{more}}}"#
    )
}

fn task(stage: &str, (task, outcome): (u64, &str), (begin, end): (f64, f64), host: &str) -> String {
    let (host, seconds) = (serde_json::to_string(host).unwrap(), end - begin);
    format!(
        r#"{{"v":1,"kind":"task","tool":"mc-{stage}","stage":"{stage}","work":"command","task":{task},"attempt":1,"host":{host},"slot":1,"begin":{begin},"end":{end},"seconds":{seconds},"outcome":"{outcome}"}}"#
    )
}

fn page(lines: &[String]) -> String {
    let mut report = Report::default();
    for (number, line) in lines.iter().enumerate() {
        report.line("run", number as u64 + 1, line.as_bytes()).unwrap();
    }
    report.page("run")
}

/// The titles of the pipelines.
fn titles(page: &str) -> Vec<&str> {
    let titles = page.split("<h2 ").skip(1);
    titles.map(|rest| rest.split_once('>').unwrap().1.split_once('<').unwrap().0).collect()
}

#[test]
fn pipes_and_runs_make_pipelines_and_the_newest_is_first() {
    let lines = [
        stage("a", 10.0, r#","writes":7"#),
        stage("b", 10.5, r#","reads":[7],"makes_run":"r""#),
        // The pipe of this number is another one by then.
        stage("c", 2000.0, r#","reads":[7]"#),
        stage("d", 3000.0, r#","reads_runs":["r"]"#),
    ];
    assert_eq!(titles(&page(&lines)), ["mc-c", "mc-a → mc-b → mc-d"]);
    assert_eq!(titles(&page(&[])), [""; 0]);
}

#[test]
fn a_circle_of_stages_is_shown_all_the_same() {
    let lines = [
        stage("a", 10.0, r#","writes":7,"reads":[8]"#),
        stage("b", 10.0, r#","writes":8,"reads":[7]"#),
    ];
    assert_eq!(titles(&page(&lines)), ["mc-a → mc-b"]);
}

#[test]
fn hostile_names_are_text() {
    let hostile = "n1\"><script>alert(1)</script><img src=http://x onerror='y'>\u{202e}";
    let quoted = serde_json::to_string(hostile).unwrap();
    let of = |kind: &str, more: &str| {
        format!(r#"{{"v":1,"kind":"{kind}","tool":"mc-a","stage":"a",{more}}}"#)
    };
    let page = page(&[
        of("begin", &format!(r#""pid":1,"begin":10.0,"words":{quoted},"directory":{quoted}"#)),
        of("command", &format!(r#""command":{quoted},"input":"json","each":false"#)),
        task("a", (1, "failed"), (10.0, 11.0), hostile),
        of("shard", &format!(r#""shard":1,"hosts":[{quoted}],"records":1,"bytes":2"#)),
        of("shard", &format!(r#""shard":2,"hosts":[{quoted}],"records":3,"bytes":9"#)),
        of("failure", &format!(r#""task":1,"error":{quoted},"by_hand":{quoted}"#)),
        stage(
            "a",
            10.0,
            &format!(
                r#","counters":{{{quoted}:{{{quoted}:3}}}},"plan":{{"tool":{quoted},"notes":[{quoted}]}}"#
            ),
        ),
    ]);
    for markup in ["<script", "<img", "onerror='", "\u{202e}"] {
        assert!(!page.contains(markup), "{markup}");
    }
    let shown = "n1&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=http://x onerror=&#39;y&#39;&gt;\\u{202e}";
    assert!(page.matches(shown).count() > 10, "{}", page.matches(shown).count());
    assert!(page.contains("<h3>Plan</h3>"));
}

#[test]
fn thousands_of_attempts_make_a_page_of_a_bearable_size_that_says_so() {
    let mut lines = vec![stage("a", 0.0, "")];
    lines.extend((0..40_000_u32).map(|n| {
        let outcome = if n % 9973 == 5 { "again" } else { "done" };
        let begin = f64::from(n / 4) * 0.01;
        let host = format!("n{}", n % 4);
        task("a", (u64::from(n) + 1, outcome), (begin, begin + 0.009), &host)
    }));
    let page = page(&lines);
    assert!(page.len() < 300_000, "{}", page.len());
    assert!(page.contains("40,000 attempts are drawn as "));
    assert!(page.contains("40000 attempts are too many to list"));
    // None that went otherwise is swallowed.
    assert_eq!(page.matches("class=\"task again\"").count(), 5);
}

#[test]
fn skew_is_told_by_the_largest_and_the_median() {
    let shard = |number: u64, records: u64| {
        format!(
            r#"{{"v":1,"kind":"shard","tool":"mc-a","stage":"a","shard":{number},"hosts":[],"records":{records},"bytes":{}}}"#,
            records * 10
        )
    };
    let mut lines = vec![stage("a", 0.0, "")];
    lines.extend((1..=9).map(|number| shard(number, 10)));
    lines.push(shard(10, 100));
    let page = page(&lines);
    assert!(page.contains("9 up to 10; 1 up to 100"), "{page}");
    assert!(page.contains("data-value=\"10\">10.0×"));
}

#[test]
fn what_is_no_line_says_where() {
    let mut report = Report::default();
    for (line, why) in [("{", "EOF"), ("7", "invalid type"), (r#"{"v":1,"kind":"task"}"#, "stage")]
    {
        let error = report.line("run", 3, line.as_bytes()).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("run:3: no line of --stats: ") && text.contains(why), "{text}");
    }
    assert!(report.last_line("run", 4, b"{\"v\":1,").unwrap().starts_with("run:4: the last line"));
    assert_eq!(report.unknown(), 0);
    report.line("run", 5, b"{\"kind\":\"other\",\"v\":1}").unwrap();
    assert_eq!(report.unknown(), 1);
}
