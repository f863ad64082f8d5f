//! The members of a line that is one pipe: what is called there, without what it would write to.

use std::ops::Range;

use super::{Reading, is_meta};

/// A member of a pipe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PipeMember {
    /// As it is written.
    pub(crate) text: Vec<u8>,
    /// The name of what is called, where it is written plainly.
    pub(crate) name: Option<String>,
    /// The member without redirections of its outputs.
    pub(crate) quiet: Vec<u8>,
    /// What writes to a file of its own: `>out`.
    pub(crate) writes: Vec<Vec<u8>>,
}

/// Words that begin what is no simple command.
const RESERVED: [&[u8]; 12] = [
    b"if",
    b"for",
    b"while",
    b"until",
    b"case",
    b"select",
    b"function",
    b"{",
    b"[[",
    b"!",
    b"time",
    b"coproc",
];

/// The members of `line`, which is to be one pipe of simple commands.
///
/// # Errors
/// What is not understood, or would run something for a word of its own.
pub(crate) fn members(line: &[u8]) -> Result<Vec<PipeMember>, String> {
    let mut reading = Reading::new(line, 0, 0);
    let mut found = Vec::new();
    let at = |reading: &Reading<'_>, why: &str| format!("byte {}: {why}", reading.at + 1);
    loop {
        reading.newlines().map_err(|why| at(&reading, why))?;
        if reading.rest().is_empty() && found.is_empty() {
            return Ok(found);
        }
        found.push(member(&mut reading).map_err(|why| at(&reading, why))?);
        match reading.rest() {
            [b'|', b'|' | b'&', ..] => return Err(at(&reading, "only | stands between members")),
            [b'|', ..] => reading.at += 1,
            _ => break,
        }
    }
    reading.newlines().map_err(|why| at(&reading, why))?;
    match reading.rest() {
        [] => Ok(found),
        _ => Err(at(&reading, "one pipe is explained, and here is something else")),
    }
}

/// A simple command, with what stands before and behind it on its line.
fn member(reading: &mut Reading<'_>) -> Result<PipeMember, &'static str> {
    let (begin, text) = (reading.at, reading.text);
    let (mut outputs, mut name): (Vec<Range<usize>>, _) = (Vec::new(), None);
    let mut words = 0;
    loop {
        reading.blanks();
        let from = reading.at;
        match reading.rest() {
            [] | [b'\n' | b'|', ..] => break,
            [b'#', ..] => break,
            [b'&', b'>', ..] => {
                reading.redirection()?;
                outputs.push(from..reading.at);
            }
            [b'(' | b')' | b';' | b'&', ..] => {
                return Err("one pipe of simple commands is explained");
            }
            [b'<' | b'>', b'(', ..] => return Err(SUBSTITUTED),
            [b'<', b'<', ..] => return Err("a here-document: name a file in its place"),
            rest if is_redirection(rest) => {
                reading.redirection()?;
                let sign = text[from..reading.at].iter().find(|b| !b.is_ascii_digit());
                // Between descriptors nothing is written: 2>&1.
                let is_copy = text[from..reading.at].windows(2).any(|pair| pair == b">&");
                if sign == Some(&b'>') && !is_copy {
                    outputs.push(from..reading.at);
                }
            }
            _ => {
                reading.word()?;
                let word = &text[from..reading.at];
                if runs_something(word) {
                    return Err(SUBSTITUTED);
                }
                if words == 0 && RESERVED.contains(&word) {
                    return Err("one pipe of simple commands is explained");
                }
                if words == 0 && !is_assignment(word) {
                    words = 1;
                    name = plain(word);
                }
            }
        }
    }
    if words == 0 {
        return Err("a command is missing");
    }
    let whole = begin..reading.end.max(begin);
    let (mut quiet, mut done) = (Vec::new(), whole.start);
    for output in &outputs {
        quiet.extend_from_slice(&text[done..output.start]);
        done = output.end;
    }
    quiet.extend_from_slice(&text[done.min(whole.end)..whole.end]);
    let writes = outputs.into_iter().map(|output| text[output].to_vec()).collect();
    Ok(PipeMember { text: text[whole].trim_ascii().to_vec(), name, quiet, writes })
}

/// Why a word is refused that is what something prints.
const SUBSTITUTED: &str = "$( ), `` and <( ) would run something: put what it gives in its place";

/// Whether a redirection begins here, perhaps with a number.
fn is_redirection(rest: &[u8]) -> bool {
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    matches!(rest.get(digits), Some(b'<' | b'>'))
}

/// Whether a word sets a variable.
fn is_assignment(word: &[u8]) -> bool {
    let Some(end) = memchr::memchr(b'=', word) else { return false };
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    end > 0 && !word[0].is_ascii_digit() && word[..end].iter().all(is_name)
}

/// Whether a shell runs a command for a word: outside of single quotes, `$(` or a backquote.
fn runs_something(word: &[u8]) -> bool {
    let (mut single, mut double, mut at) = (false, false, 0);
    while let Some(&byte) = word.get(at) {
        match byte {
            b'\'' if !double => single = !single,
            b'"' if !single => double = !double,
            b'\\' if !single => at += 1,
            b'`' if !single => return true,
            b'$' if !single && word.get(at + 1) == Some(&b'(') => return true,
            _ => (),
        }
        at += 1;
    }
    false
}

/// A word that stands for itself.
fn plain(word: &[u8]) -> Option<String> {
    let is_plain = |b: &u8| !is_meta(*b) && !b"'\"\\`$*?[~{".contains(b);
    let text = std::str::from_utf8(word).ok()?;
    word.iter().all(is_plain).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Vec<(String, Option<String>, String)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let members = members(line.as_bytes()).unwrap_or_else(|why| panic!("{line}: {why}"));
        let parts = |one: PipeMember| (text(&one.text), one.name, text(one.quiet.trim_ascii()));
        members.into_iter().map(parts).collect()
    }

    #[test]
    fn members_are_parted_by_bars_that_are_not_quoted() {
        let names = |line| found(line).into_iter().map(|(_, name, _)| name).collect::<Vec<_>>();
        let name = |name: &str| Some(name.to_string());
        assert_eq!(names("a 'b|c' | d -c \"e|f\" |\n g\\|h"), [name("a"), name("d"), None]);
        assert_eq!(names("X=1 Y='a b' mc-cat \"$f\" # x | y"), [name("mc-cat")]);
        assert_eq!(names("\"$tool\" x | $t | /bin/cat"), [None, None, name("/bin/cat")]);
        assert_eq!(names("  \n# nothing\n"), []);
        assert_eq!(found("a b |c  \n")[0].0, "a b");
    }

    #[test]
    fn what_is_written_to_files_is_left_out() {
        let quiet = |line| found(line).pop().unwrap().2;
        assert_eq!(quiet("a b >out 2>>err c <in"), "a b   c <in");
        assert_eq!(quiet("a &>out b"), "a  b");
        assert_eq!(quiet("a 2>&1 >'x y'"), "a 2>&1");
        assert_eq!(members(b"a >out").unwrap()[0].writes, [b">out".to_vec()]);
    }

    #[test]
    fn what_is_no_pipe_of_simple_commands_or_would_run_something_is_refused() {
        for (line, why) in [
            ("a; b", "one pipe"),
            ("a && b", "one pipe"),
            ("a || b", "only |"),
            ("a |& b", "only |"),
            ("a &", "one pipe"),
            ("a\nb", "something else"),
            ("(a | b)", "one pipe"),
            ("{ a; }", "one pipe"),
            ("while a; do b; done", "one pipe"),
            ("a $(b)", "would run"),
            ("a \"x$(b)\"", "would run"),
            ("a `b`", "would run"),
            ("a <(b)", "would run"),
            ("a <<E\nx\nE\n", "here-document"),
            ("a |", "missing"),
            ("X=1", "missing"),
            ("| a", "missing"),
            ("a 'b", "does not end"),
        ] {
            let error = members(line.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
        assert!(members(b"a '$(b)' \\`c\\`").is_ok());
    }
}
