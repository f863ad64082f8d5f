//! A line for the shell (`-c`): where its pipes are, and how bash is made to tell when a member of
//! one failed.
//!
//! A shell takes the status of a pipe's last member for that of the pipe. With `pipefail` the
//! others count, too, but so do those that SIGPIPE ended because the next one had enough
//! (`sort | head -n 1`), and an `if`, an `&&` or a `while` over such a pipe would go the other way
//! without a word. So `pipefail` is done here, by every pipe of the line being put into a group that
//! judges its members, `{ a | b; judge; }`: those that ended by SIGPIPE have not failed, unless it
//! is the last one, nor have those whose status is one of success. What is no part of a pipe stays
//! as it is, byte for byte.
//!
//! To find the pipes the line is read as the grammar of bash says, as far as pipes are concerned;
//! whether it is sound otherwise is for bash to say. A line that is not understood is refused.

mod commands;
pub(crate) mod members;
mod words;

use std::ops::Range;

use memchr::{memchr, memmem};

use words::is_meta;

/// How deep commands in a line may nest.
const DEPTH_MAX: usize = 100;

/// Words that close what other words have opened: no command begins with them.
const CLOSERS: [&[u8]; 8] = [b"then", b"do", b"done", b"fi", b"elif", b"else", b"esac", b"}"];

/// The status that a shell gives for SIGPIPE.
const ENDED_BY_SIGPIPE: i32 = 128 + 13;

/// Where the pipes of `line` are: the bytes of each, inner ones before those around them.
///
/// # Errors
/// What is not understood, with its place.
pub(crate) fn pipes(line: &[u8]) -> Result<Vec<Range<usize>>, String> {
    if !has_bar(line) {
        return Ok(Vec::new());
    }
    let mut reading = Reading::new(line, 0, 0);
    let understood = reading.list().and_then(|()| match reading.rest() {
        [] => Ok(()),
        _ => Err("what does this close?"),
    });
    match understood {
        Ok(()) => Ok(reading.pipes),
        Err(why) => Err(format!("byte {}: {why}", reading.at + 1)),
    }
}

/// Whether there is a `|` that is no part of `||`.
fn has_bar(line: &[u8]) -> bool {
    let mut rest = line;
    while let Some(at) = memchr(b'|', rest) {
        if rest.get(at + 1) != Some(&b'|') {
            return true;
        }
        rest = &rest[at + 2..];
    }
    false
}

/// The line for `bash -c` in which each of `pipes` is judged: the statuses `ok_exit` are well, and
/// 0 is for all but the last member.
pub(crate) fn judged(line: &[u8], pipes: &[Range<usize>], ok_exit: &[i32]) -> Vec<u8> {
    let listed = |statuses: &mut dyn Iterator<Item = i32>| -> String {
        statuses.map(|status| format!("{status} ")).collect()
    };
    let last = listed(&mut ok_exit.iter().copied());
    let others = listed(&mut ok_exit.iter().copied().chain([0, ENDED_BY_SIGPIPE]));
    // Nothing here depends on what the line may set: IFS, -e, -u, -f, variables of its own.
    let mut judge = format!(
        "__mc_pipe() {{ local __mc_s=(\"${{PIPESTATUS[@]}}\") __mc_i __mc_bad=0; \
         for ((__mc_i = 0; __mc_i < ${{#__mc_s[@]}} - 1; __mc_i++)); do \
         case ' {others}' in *\" ${{__mc_s[__mc_i]}} \"*) ;; *) __mc_bad=${{__mc_s[__mc_i]}} ;; esac; \
         done; case ' {last}' in *\" ${{__mc_s[__mc_i]}} \"*) \
         ((__mc_bad == 0)) || return \"$__mc_bad\" ;; esac; return \"${{__mc_s[__mc_i]}}\"; }}; "
    );
    // Functions that are handed to other shells take it with them.
    let has = |word: &str| memmem::find(line, word.as_bytes()).is_some();
    if ["export", "declare", "typeset"].into_iter().any(has) {
        judge.push_str("export -f __mc_pipe; ");
    }
    let mut inserts: Vec<(usize, &str)> = Vec::new();
    for pipe in pipes {
        inserts.extend([(pipe.start, "{ "), (pipe.end, "; __mc_pipe; }")]);
    }
    inserts.sort();
    let (mut out, mut at) = (judge.into_bytes(), 0);
    for (place, text) in inserts {
        out.extend_from_slice(&line[at..place]);
        out.extend_from_slice(text.as_bytes());
        at = place;
    }
    out.extend_from_slice(&line[at..]);
    out
}

type Read<T> = Result<T, &'static str>;

/// The text of a here-document that begins at the next line.
struct Body {
    delimiter: Vec<u8>,
    /// Whether tabs before its lines do not count (`<<-`).
    indented: bool,
}

/// A walk through a line.
struct Reading<'a> {
    text: &'a [u8],
    at: usize,
    /// Where what was read last ends, blanks behind it left out.
    end: usize,
    depth: usize,
    tries: usize,
    bodies: Vec<Body>,
    pipes: Vec<Range<usize>>,
}

impl<'a> Reading<'a> {
    fn new(text: &'a [u8], at: usize, depth: usize) -> Reading<'a> {
        let (bodies, pipes) = (Vec::new(), Vec::new());
        Reading { text, at, end: at, depth, tries: 0, bodies, pipes }
    }

    fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    fn sees(&self, text: &[u8]) -> bool {
        self.rest().starts_with(text)
    }

    /// Steps over `count` bytes that are part of a command.
    fn step(&mut self, count: usize) {
        self.at = (self.at + count).min(self.text.len());
        self.end = self.at;
    }

    fn expect(&mut self, text: &[u8], why: &'static str) -> Read<()> {
        if !self.sees(text) {
            return Err(why);
        }
        self.step(text.len());
        Ok(())
    }

    /// The word that stands here, if it is written plainly.
    fn plain_word(&self) -> &'a [u8] {
        let rest = self.rest();
        let ends = |b: &u8| is_meta(*b) || b"'\"\\`$".contains(b);
        match rest.iter().position(ends) {
            Some(end) if !is_meta(rest[end]) => b"",
            Some(end) => &rest[..end],
            None => rest,
        }
    }

    /// Blanks, and lines that are continued.
    fn blanks(&mut self) {
        loop {
            match self.rest() {
                [b' ' | b'\t', ..] => self.at += 1,
                [b'\\', b'\n', ..] => self.at += 2,
                _ => return,
            }
        }
    }

    /// Blanks, comments and line ends, with the here-documents that begin behind these.
    fn newlines(&mut self) -> Read<()> {
        loop {
            self.blanks();
            match self.rest() {
                [b'#', ..] => self.at += memchr(b'\n', self.rest()).unwrap_or(self.rest().len()),
                [b'\n', ..] => {
                    self.at += 1;
                    self.bodies()?;
                }
                _ => return Ok(()),
            }
        }
    }

    fn bodies(&mut self) -> Read<()> {
        for body in std::mem::take(&mut self.bodies) {
            loop {
                if self.rest().is_empty() {
                    return Err("the end of a here-document is missing");
                }
                let end = memchr(b'\n', self.rest()).unwrap_or(self.rest().len());
                let mut line = &self.rest()[..end];
                self.at = (self.at + end + 1).min(self.text.len());
                while let (true, Some(rest)) = (body.indented, line.strip_prefix(b"\t")) {
                    line = rest;
                }
                if line == body.delimiter {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Commands, up to what closes them, which is left.
    fn list(&mut self) -> Read<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("this nests too deep");
        }
        loop {
            self.newlines()?;
            match self.rest() {
                [] | [b')', ..] | [b';', b';' | b'&', ..] => break,
                [b';' | b'&', ..] => self.at += 1,
                [b'|', b'|', ..] => self.at += 2,
                _ if CLOSERS.contains(&self.plain_word()) => break,
                _ => self.pipeline()?,
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn pipeline(&mut self) -> Read<()> {
        let mut timed = false;
        loop {
            let word = self.plain_word();
            match word {
                b"!" | b"time" => timed = word == b"time",
                b"-p" if timed => (),
                _ => break,
            }
            self.at += word.len();
            self.blanks();
        }
        if matches!(self.rest(), [] | [b'\n' | b';' | b'&' | b')', ..]) {
            return Ok(());
        }
        let (begin, mut members) = (self.at, 1);
        loop {
            self.command()?;
            self.blanks();
            match self.rest() {
                [b'|', b'|', ..] => break,
                [b'|', b'&', ..] => self.at += 2,
                [b'|', ..] => self.at += 1,
                _ => break,
            }
            members += 1;
            self.newlines()?;
        }
        if members > 1 {
            self.pipes.push(begin..self.end);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    /// The pipes of a line.
    #[track_caller]
    fn found(line: &str) -> Vec<&str> {
        let pipes = pipes(line.as_bytes()).unwrap_or_else(|why| panic!("{line}: {why}"));
        pipes.into_iter().map(|pipe| &line[pipe]).collect()
    }

    #[test]
    fn pipes_are_found_and_nothing_else() {
        for none in [
            "cat",
            "a || b; c && d || e",
            "grep 'a|b' \"c|d\" e\\|f $'g\\'|h'",
            "case $x in a|b) c;; (d | e) f;& *) g; esac",
            "[[ a =~ ^(b|c)$ || -f d ]] && echo $((1 | 2)) # e | f",
            "((x = 1 | 2)); for ((i = 0; i < (1 | 2); i++)); do b; done",
            "cat <<E >|f\na | b\nE\n",
            "cat <<-'E'; cat <<F\n\ta | b\n\tE\nc | d\nF\necho ${x#a|b} ${y:-\"|\"}",
            "x=(a 'b|c' \"d|e\"); echo \"${x[@]}${z:-it's|}\"",
        ] {
            assert_eq!(found(none), [""; 0], "{none}");
        }
        assert_eq!(found("a | b"), ["a | b"]);
        assert_eq!(found(" ! a 2>&1 |& b >f & c; d | e # f | g"), ["a 2>&1 |& b >f", "d | e"]);
        assert_eq!(found("(a | b) | c"), ["a | b", "(a | b) | c"]);
        assert_eq!(found("a |\n# note\n b && c"), ["a |\n# note\n b"]);
        assert_eq!(found("if a | b; then c | d; elif e; then f; else g|h; fi").len(), 3);
        assert_eq!(found("while read -r x; do a | b; done < f | sort").len(), 2);
        assert_eq!(found("for x in 1 2; do a | b; done; until a|b\ndo\nc; done").len(), 2);
        assert_eq!(found("f() { a | b; }; function g { c | d; }; f | g").len(), 3);
        assert_eq!(found("case x in (y|z) a | b;; *) c | d; esac | e").len(), 3);
        assert_eq!(found("x=$(a | b) y=\"$(c | d)\" z=`e | f` w=${v:-$(g | h)}").len(), 4);
        assert_eq!(found("diff <(a | b) <(c | d)").len(), 2);
        assert_eq!(found("cat <<E | sort\nx | y\nE\na | b"), ["cat <<E | sort", "a | b"]);
        assert_eq!(found("((a) | b) | c").len(), 2);
        assert_eq!(found("time -p a | b; ! time c | d"), ["a | b", "c | d"]);
        assert_eq!(found("-p a | b; ! -p | c"), ["-p a | b", "-p | c"]);
        assert_eq!(found("coproc { a | b; }; coproc M (c | d); coproc e f | g").len(), 3);
        assert_eq!(found("coproc while a | b; do c; done; coproc N if d; then e; fi | f").len(), 2);
        assert_eq!(found("for x in a b # it's a | b\ndo c | d; done"), ["c | d"]);
        assert_eq!(found("echo $(( $(a | b) | 1 ))"), ["a | b"]);
        assert_eq!(found("a=1 b <<<'x' | c &>f"), ["a=1 b <<<'x' | c &>f"]);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for line in [
            "a | 'b",
            "a |",
            "| a",
            "a | b)",
            "(a | b",
            "{ a | b",
            "if a | b; then c",
            "fi | a",
            "a | b; done",
            "x=`a \\| b | c`",
            "a | \"$(b",
            "cat <<E | b\nx",
            "a (b) | c",
            "a ||| b",
        ] {
            assert!(pipes(line.as_bytes()).is_err(), "{line}");
        }
        for (open, close) in [("( ", ")"), ("{ ", ";}"), ("$((", "))"), ("$((", ""), ("((", ")")] {
            let deep = open.repeat(10_000) + "a | b" + &close.repeat(10_000);
            assert!(pipes(deep.as_bytes()).is_err(), "{open}");
        }
    }

    fn bash(options: &[&str], line: &[u8]) -> (Option<i32>, String) {
        use std::os::unix::ffi::OsStrExt;
        let line = std::ffi::OsStr::from_bytes(line);
        let said = Command::new("bash").args(options).arg("-c").arg(line).output().unwrap();
        (said.status.code(), String::from_utf8(said.stdout).unwrap())
    }

    fn run(line: &str, ok_exit: &[i32]) -> (Option<i32>, String) {
        let pipes = pipes(line.as_bytes()).unwrap();
        bash(&[], &judged(line.as_bytes(), &pipes, ok_exit))
    }

    #[test]
    fn a_member_that_fails_fails_its_pipe_wherever_it_stands() {
        for (line, status) in [
            ("false | cat", 1),
            ("cat /dev/null | sh -c 'exit 3' | cat", 3),
            ("exit 3 | yes | head -n 1 >/dev/null", 3),
            ("(exit 4 | cat) | cat", 4),
            ("f() { exit 5 | cat; }; f", 5),
            ("true | false", 1),
            ("set +o pipefail; false | cat", 1),
            ("set -o pipefail; yes | head -n 1 > /dev/null", 0),
            ("x=$(false | cat)", 1),
            ("true | kill -PIPE $BASHPID", 141),
            ("IFS=01; set -euf; false | cat; true", 1),
            ("false | cat; true", 0),
            ("{ false || true; } | cat", 0),
            ("cat <<E | grep -q b\na\nE", 1),
            ("! false | cat", 0),
        ] {
            assert_eq!(run(line, &[0]), (Some(status), String::new()), "{line}");
        }
        assert_eq!(run("sh -c 'exit 1' | cat", &[0, 1]).0, Some(0));
        assert_eq!(run("sh -c 'exit 2' | cat", &[0, 1]).0, Some(2));
        assert_eq!(run("true | sh -c 'exit 3'", &[3]).0, Some(3));
    }

    #[test]
    fn a_member_whose_reader_had_enough_has_not_failed() {
        for line in [
            "yes 1 | head -n 1",
            "(yes 1 | head -n 1) | cat",
            "(yes 1 | head -n 1)",
            "f() { yes 1 | head -n 1; }; f",
            "yes 1 | head -n 1 && true",
            "if yes 1 | grep -q 1; then echo 1; else echo 2; fi",
            "echo $(yes 1 | head -n 1)",
            "echo `yes 1 | head -n 1`",
            "while :; do echo 1; done | head -n 1",
            "yes 1 | { head -n 1; } # enough",
            "yes 1 |\nhead -n 1\n",
            "set -e; yes 1 | head -n 1; true",
        ] {
            assert_eq!(run(line, &[0]), (Some(0), "1\n".into()), "{line}");
        }
    }

    /// Commands that read all of their input, so that nothing ends by SIGPIPE.
    const READERS: &str = "exec </dev/null; no() { cat >/dev/null; return \"${1-1}\"; }; ";

    /// Lines of them.
    fn lines() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec![
            "cat",
            "no",
            "no 0",
            "(no 3)",
            "grep -c x",
            "x=$(cat)",
            "x=$(cat; echo '|'); echo \"$x|\"",
        ]);
        leaf.prop_map(String::from).prop_recursive(4, 24, 3, |inner| {
            let two = (inner.clone(), inner.clone());
            let three = (inner.clone(), inner.clone(), inner.clone());
            prop_oneof![
                two.clone().prop_map(|(a, b)| format!("{a} | {b}")),
                two.clone().prop_map(|(a, b)| format!("{a} && {b}")),
                two.clone().prop_map(|(a, b)| format!("{a} || {b}")),
                two.clone().prop_map(|(a, b)| format!("{a}; {b}")),
                two.clone().prop_map(|(a, b)| format!("{a}\n{b}")),
                two.prop_map(|(a, b)| format!("case 1 in 0|1) {a} ;; *) {b};; esac")),
                inner.clone().prop_map(|a| format!("({a})")),
                inner.clone().prop_map(|a| format!("{{ {a}; }}")),
                inner.clone().prop_map(|a| format!("echo $({a})")),
                inner.clone().prop_map(|a| format!("for i in 1 2; do {a}; done")),
                three.prop_map(|(a, b, c)| format!("if {a}; then {b}; else {c}; fi")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

        /// Where no SIGPIPE is about, it is what `pipefail` says.
        #[test]
        fn it_is_pipefail(line in lines()) {
            let line = format!("{READERS}{line}");
            let plain = bash(&["-o", "pipefail"], line.as_bytes());
            prop_assert_eq!(run(&line, &[0]), plain, "{}", line);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(
            prop::sample::select(b"ab |&;()<>{}[]$`'\"\\\n#!=@do".to_vec()), 0..40)) {
            let _ = pipes(&bytes);
        }
    }
}
