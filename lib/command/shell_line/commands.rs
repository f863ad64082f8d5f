//! The commands of a line: simple ones, and those that hold others.

use super::words::is_meta;
use super::{Read, Reading};

impl Reading<'_> {
    pub(super) fn command(&mut self) -> Read<()> {
        let word = self.plain_word();
        match word {
            _ if self.sees(b"((") && self.arithmetic()? => (),
            _ if self.sees(b"(") => {
                self.step(1);
                self.list()?;
                self.expect(b")", "a ) is missing")?;
            }
            b"{" => {
                self.step(1);
                self.list()?;
                self.expect(b"}", "a } is missing")?;
            }
            b"if" => self.blocks(&[b"then", b"elif", b"else"], b"fi")?,
            b"while" | b"until" => self.blocks(&[b"do"], b"done")?,
            b"for" | b"select" => self.over_words()?,
            b"case" => self.case()?,
            b"[[" => self.condition()?,
            b"function" => {
                self.step(word.len());
                self.blanks();
                self.word()?;
                self.blanks();
                if self.sees(b"(") {
                    self.parentheses()?;
                }
                self.newlines()?;
                self.command()?;
            }
            b"coproc" => return self.coprocess(),
            _ => return self.simple(),
        }
        self.blanks();
        while matches!(self.rest(), [b'<' | b'>', ..]) || self.sees(b"&>") || self.has_number() {
            self.redirection()?;
            self.blanks();
        }
        Ok(())
    }

    /// `coproc`, behind which a name may stand, if it is no simple command that follows.
    fn coprocess(&mut self) -> Read<()> {
        self.step(b"coproc".len());
        self.blanks();
        if !self.begins_compound() {
            let name = self.at;
            self.word()?;
            self.blanks();
            if !self.begins_compound() {
                self.at = name;
            }
        }
        self.command()
    }

    /// Whether a command begins here that holds others.
    fn begins_compound(&self) -> bool {
        let words = ["{", "if", "while", "until", "for", "select", "case", "[["];
        self.sees(b"(") || words.iter().any(|word| word.as_bytes() == self.plain_word())
    }

    /// Whether digits stand here that belong to a redirection, as in `2>&1`.
    fn has_number(&self) -> bool {
        let digits = self.rest().iter().take_while(|b| b.is_ascii_digit()).count();
        digits > 0 && matches!(self.rest()[digits..], [b'<' | b'>', ..])
    }

    /// Lists, each behind a word, up to the word `last`.
    fn blocks(&mut self, words: &[&[u8]], last: &[u8]) -> Read<()> {
        self.step(self.plain_word().len());
        loop {
            self.list()?;
            let word = self.plain_word();
            if word != last && !words.contains(&word) {
                return Err("a fi or done is missing, or what it closes");
            }
            self.step(word.len());
            if word == last {
                return Ok(());
            }
        }
    }

    /// `for` and `select`.
    fn over_words(&mut self) -> Read<()> {
        self.step(self.plain_word().len());
        self.blanks();
        if self.sees(b"((") {
            if !self.arithmetic()? {
                return Err("a )) is missing");
            }
        } else {
            self.word()?;
            self.newlines()?;
            if self.plain_word() == b"in" {
                self.step(2);
                self.blanks();
                while !matches!(self.rest(), [] | [b';' | b'\n' | b'#', ..]) {
                    self.word()?;
                    self.blanks();
                }
            }
        }
        self.blanks();
        if self.sees(b";") {
            self.at += 1;
        }
        self.newlines()?;
        match self.plain_word() {
            b"do" => self.blocks(&[], b"done"),
            b"{" => self.blocks(&[], b"}"),
            _ => Err("a do is missing"),
        }
    }

    fn case(&mut self) -> Read<()> {
        self.step(4);
        self.blanks();
        self.word()?;
        self.newlines()?;
        self.expect(b"in", "an in is missing")?;
        loop {
            self.newlines()?;
            if self.plain_word() == b"esac" {
                self.step(4);
                return Ok(());
            }
            if self.sees(b"(") {
                self.step(1);
            }
            loop {
                self.blanks();
                self.word()?;
                self.blanks();
                match self.rest() {
                    [b'|', ..] => self.at += 1,
                    [b')', ..] => break,
                    _ => return Err("a ) is missing behind a pattern"),
                }
            }
            self.step(1);
            self.list()?;
            for close in [b";;&".as_slice(), b";;", b";&"] {
                if self.sees(close) {
                    self.step(close.len());
                    break;
                }
            }
        }
    }

    /// `[[ .. ]]`.
    fn condition(&mut self) -> Read<()> {
        self.step(2);
        loop {
            self.newlines()?;
            match self.rest() {
                [] => return Err("a ]] is missing"),
                _ if self.plain_word() == b"]]" => {
                    self.step(2);
                    return Ok(());
                }
                [b, ..] if is_meta(*b) => self.at += 1,
                _ => self.word()?,
            }
        }
    }

    /// Words and redirections; or what makes a function.
    fn simple(&mut self) -> Read<()> {
        let begin = self.at;
        let mut words = 0;
        loop {
            self.blanks();
            match self.rest() {
                [b'&', b'>', ..] => self.redirection()?,
                [] | [b'\n' | b';' | b'&' | b'|' | b')' | b'#', ..] => break,
                [b'<' | b'>', b'(', ..] => self.word()?,
                [b'<' | b'>', ..] => self.redirection()?,
                [b'(', ..] if words == 1 => {
                    self.parentheses()?;
                    self.newlines()?;
                    return self.command();
                }
                [b'(', ..] => return Err("what does this ( open?"),
                _ => self.word()?,
            }
            words += 1;
        }
        if self.at == begin { Err("a command is missing") } else { Ok(()) }
    }

    /// `()`.
    fn parentheses(&mut self) -> Read<()> {
        self.step(1);
        self.blanks();
        self.expect(b")", "a ) is missing")
    }
}
