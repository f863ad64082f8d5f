//! A line of a shell, as far as it was typed: its commands and their words, without quotes.
//!
//! What a shell would put in the place of words is not known here: `$x` and `*` stand for themselves.

/// What separates the commands of a line, but for `|`.
const ENDS: [char; 3] = [';', '&', '\n'];

/// A line up to the cursor.
#[derive(Debug, Default)]
pub(super) struct TypedLine {
    /// The commands of the pipeline that the cursor is in, the last is its own: the words that are whole.
    pub(super) pipeline: Vec<Vec<String>>,
    /// The word that the cursor is at the end of.
    pub(super) word: Word,
    /// Whether there may be commands before it that the shell has not told.
    pub(super) is_part: bool,
    /// The files that commands of the pipeline read by `<`, the first one first.
    pub(super) read: Vec<String>,
}

/// The word at the cursor.
#[derive(Debug, Default)]
pub(super) struct Word {
    /// What it stands for.
    pub(super) text: String,
    /// What was typed of it.
    raw: String,
    /// The quote that it is in.
    pub(super) quote: Option<char>,
    /// Whether it is a file to read or write, no argument.
    pub(super) is_redirected: bool,
    /// Where in `raw` the characters stand that nothing quotes.
    bare: Vec<(usize, char)>,
    /// Where in `raw` the last quote was opened, behind it.
    opened: usize,
    /// Whether anything of it was typed.
    is_begun: bool,
}

impl Word {
    /// What was typed of it behind the last of `breaks`, or the quote that it is in.
    pub(super) fn tail(&self, breaks: &str) -> &str {
        if self.quote.is_some() {
            return &self.raw[self.opened..];
        }
        let found = self.bare.iter().rev().find(|(_, c)| breaks.contains(*c));
        found.map_or(&self.raw, |(at, c)| match c {
            // What readline takes for the beginning of a variable or a host's name.
            '$' | '@' => &self.raw[*at..],
            c => &self.raw[at + c.len_utf8()..],
        })
    }

    fn push(&mut self, c: char) {
        self.text.push(c);
        self.is_begun = true;
    }
}

/// A line that is read.
#[derive(Default)]
struct Reader {
    line: TypedLine,
    /// The pipelines around the one that is read, in `$(` or `<(`.
    around: Vec<TypedLine>,
    /// What the next word is: a file that is read, or that is written.
    redirection: Option<char>,
}

impl TypedLine {
    /// Reads what was typed.
    pub(super) fn parse(text: &str) -> TypedLine {
        let mut reader = Reader::default();
        reader.line.pipeline.push(Vec::new());
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let word = &mut reader.line.word;
            let at = word.raw.len();
            word.raw.push(c);
            match (word.quote, c) {
                (Some(quote), c) if c == quote => word.quote = None,
                (Some('"') | None, '\\') => {
                    if let Some(c) = chars.next() {
                        word.raw.push(c);
                        let stays = word.quote.is_some() && !"\"\\$`".contains(c);
                        if stays {
                            word.push('\\');
                        }
                        if c != '\n' {
                            word.push(c);
                        }
                    }
                }
                (Some(_), c) => word.push(c),
                (None, '\'' | '"') => {
                    (word.quote, word.opened, word.is_begun) = (Some(c), at + 1, true);
                }
                (None, ' ' | '\t') => reader.end_word(),
                (None, '|') => {
                    // `||` begins another pipeline, `|&` goes on.
                    let other = chars.next_if_eq(&'|').is_some();
                    chars.next_if_eq(&'&');
                    reader.end_command(other);
                }
                (None, c) if ENDS.contains(&c) && word.text.ends_with(['<', '>']) => word.push(c),
                (None, c) if ENDS.contains(&c) => reader.end_command(true),
                (None, '(' | '`') => reader.open(),
                (None, ')') => reader.close(),
                (None, '<' | '>') => reader.redirect(c),
                (None, c) => {
                    word.bare.push((at, c));
                    word.push(c);
                }
            }
        }
        reader.line.word.is_redirected = reader.redirection.is_some();
        reader.line
    }

    /// The words of the command at the cursor behind the name of `tool`.
    pub(super) fn arguments_of(&self, tool: &str) -> Option<&[String]> {
        let words = self.pipeline.last()?;
        let at = words.iter().position(|word| is_call(word, tool))?;
        Some(&words[at + 1..])
    }

    /// The commands before that at the cursor, the nearest first: the name of each tool of ours and its
    /// arguments.
    pub(super) fn upstream(&self) -> impl Iterator<Item = (&str, &[String])> {
        let before = self.pipeline.iter().rev().skip(1);
        before.filter_map(|words| {
            let name =
                |word: &String| word.rsplit('/').next().is_some_and(|n| n.starts_with("mc-"));
            let at = words.iter().position(name)?;
            Some((words[at].rsplit('/').next()?, &words[at + 1..]))
        })
    }
}

/// Whether a word calls `tool`.
fn is_call(word: &str, tool: &str) -> bool {
    word.rsplit('/').next() == Some(tool)
}

impl Reader {
    fn end_word(&mut self) {
        let word = std::mem::take(&mut self.line.word);
        if !word.is_begun {
            return;
        }
        match self.redirection.take() {
            Some('<') => self.line.read.push(word.text),
            Some(_) => (),
            None => {
                if let Some(words) = self.line.pipeline.last_mut() {
                    words.push(word.text);
                }
            }
        }
    }

    fn end_command(&mut self, other: bool) {
        self.end_word();
        self.redirection = None;
        if other {
            (self.line.pipeline, self.line.read) = (Vec::new(), Vec::new());
        }
        self.line.pipeline.push(Vec::new());
    }

    fn open(&mut self) {
        let mut inside = TypedLine::default();
        inside.pipeline.push(Vec::new());
        self.redirection = None;
        self.around.push(std::mem::replace(&mut self.line, inside));
    }

    fn close(&mut self) {
        self.redirection = None;
        if let Some(around) = self.around.pop() {
            self.line = around;
            self.line.word.push(')');
        }
    }

    fn redirect(&mut self, c: char) {
        // A number before it says which stream.
        let word = &mut self.line.word;
        if word.text.chars().all(|c| c.is_ascii_digit()) {
            *word = Word::default();
        }
        self.end_word();
        self.line.word = Word::default();
        self.redirection = Some(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> (Vec<Vec<String>>, String) {
        let line = TypedLine::parse(line);
        (line.pipeline, line.word.text)
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_string()).collect()
    }

    #[test]
    fn commands_and_words_are_told_apart() {
        let (pipeline, word) = read("a 'b c'd \"e\\\" f\" g\\ h | i -k re");
        assert_eq!(pipeline, [words(&["a", "b cd", "e\" f", "g h"]), words(&["i", "-k"])]);
        assert_eq!(word, "re");
        assert_eq!(read("x; a b && c 'd e"), (vec![words(&["c"])], "d e".into()));
        assert_eq!(read("a || b ").0, [words(&["b"])]);
        assert_eq!(read("a | b $(c | d e").0, [words(&["c"]), words(&["d"])]);
        assert_eq!(read("a <(b c) d").0, [words(&["a", ")"])]);
    }

    #[test]
    fn files_of_redirections_are_no_arguments() {
        let line = TypedLine::parse("a < in.csv 2> err b | c ");
        assert_eq!(line.pipeline, [words(&["a", "b"]), words(&["c"])]);
        assert_eq!(line.read, ["in.csv"]);
        assert!(TypedLine::parse("a > ou").word.is_redirected);
        assert!(!TypedLine::parse("a > out b").word.is_redirected);
    }

    #[test]
    fn the_tail_is_what_a_shell_replaces() {
        let tail = |line: &str| TypedLine::parse(line).word.tail("=:").to_string();
        assert_eq!(tail("x a=b:c"), "c");
        assert_eq!(tail("x a=b\\:c"), "b\\:c");
        assert_eq!(tail("x 'a:b"), "a:b");
        assert_eq!(tail("x a:"), "");
        assert_eq!(TypedLine::parse("x a@b").word.tail("@:"), "@b");
    }

    #[test]
    fn any_line_is_read() {
        for line in
            ["", "'", "\\", "|", "(((", ")))", "`", "<", ">&", "a\\", "\u{e9}\\\u{e9}'", "&|&"]
        {
            TypedLine::parse(line);
        }
    }
}
