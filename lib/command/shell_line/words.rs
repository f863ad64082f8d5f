//! The words of a line and the redirections, with what quotes, parentheses and `$` begin in them.

use memchr::memchr;

use super::{Body, Read, Reading, has_bar};

/// How often it is tried whether parentheses are arithmetic.
const TRIES_MAX: usize = 1000;

impl Reading<'_> {
    pub(super) fn redirection(&mut self) -> Read<()> {
        let digits = self.rest().iter().take_while(|b| b.is_ascii_digit()).count();
        self.step(digits);
        let signs: [&[u8]; 13] = [
            b"<<<", b"<<-", b"<<", b"&>>", b"&>", b"<>", b"<&", b">&", b">>", b">|", b"<", b">",
            b"",
        ];
        let sign = signs.into_iter().find(|sign| self.sees(sign)).unwrap_or_default();
        self.step(sign.len());
        self.blanks();
        let begin = self.at;
        self.word()?;
        if matches!(sign, b"<<" | b"<<-") {
            let word = &self.text[begin..self.at];
            let quotes = |b: &&u8| !b"'\"\\".contains(b);
            let delimiter = word.iter().filter(quotes).copied().collect();
            self.bodies.push(Body { delimiter, indented: sign == b"<<-" });
        }
        Ok(())
    }

    /// A word: at least one byte.
    pub(super) fn word(&mut self) -> Read<()> {
        let begin = self.at;
        loop {
            match self.rest() {
                [] => break,
                [b'<' | b'>', b'(', ..] if self.at == begin => {
                    self.step(1);
                    self.inner()?;
                }
                // The elements of an array, or a pattern.
                [b'(', ..] if self.at > begin && b"=@?*+!".contains(&self.text[self.at - 1]) => {
                    self.enclosed()?;
                }
                [b, ..] if is_meta(*b) => break,
                [b'\\', ..] => self.step(2),
                [b'\'', ..] => self.up_to(b'\'')?,
                [b'"', ..] => self.double_quoted()?,
                [b'`', ..] => self.backquoted()?,
                [b'$', b'\'', ..] => self.ansi_quoted()?,
                [b'$', ..] => self.dollar(false)?,
                _ => self.step(1),
            }
        }
        if self.at == begin { Err("a word is missing") } else { Ok(()) }
    }

    /// Up to the next byte of this value, both included.
    fn up_to(&mut self, quote: u8) -> Read<()> {
        let rest = self.rest();
        let length = memchr(quote, &rest[1..]).ok_or("this quote does not end")?;
        self.step(length + 2);
        Ok(())
    }

    fn ansi_quoted(&mut self) -> Read<()> {
        self.step(2);
        loop {
            match self.rest() {
                [] => return Err("this quote does not end"),
                [b'\\', ..] => self.step(2),
                [b'\'', ..] => {
                    self.step(1);
                    return Ok(());
                }
                _ => self.step(1),
            }
        }
    }

    fn double_quoted(&mut self) -> Read<()> {
        self.step(1);
        loop {
            match self.rest() {
                [] => return Err("this quote does not end"),
                [b'"', ..] => {
                    self.step(1);
                    return Ok(());
                }
                [b'\\', ..] => self.step(2),
                [b'`', ..] => self.backquoted()?,
                [b'$', ..] => self.dollar(true)?,
                _ => self.step(1),
            }
        }
    }

    /// What a `$` begins.
    fn dollar(&mut self, quoted: bool) -> Read<()> {
        self.step(1);
        match self.rest() {
            [b'(', b'(', ..] if self.arithmetic()? => Ok(()),
            [b'(', ..] => self.inner(),
            [b'{', ..] => self.braces(quoted),
            _ => Ok(()),
        }
    }

    /// Commands in parentheses.
    fn inner(&mut self) -> Read<()> {
        self.step(1);
        self.list()?;
        self.expect(b")", "a ) is missing")
    }

    /// `{..}` of `${..}`.
    fn braces(&mut self, quoted: bool) -> Read<()> {
        self.step(1);
        loop {
            match self.rest() {
                [] => return Err("a } is missing"),
                [b'}', ..] => {
                    self.step(1);
                    return Ok(());
                }
                _ => self.part(quoted)?,
            }
        }
    }

    /// `(..)` within a word, over several lines it may be.
    fn enclosed(&mut self) -> Read<()> {
        self.step(1);
        let mut open = 1;
        while open > 0 {
            match self.rest() {
                [] => return Err("a ) is missing"),
                [b'(', ..] => (open, self.at) = (open + 1, self.at + 1),
                [b')', ..] => (open, self.at) = (open - 1, self.at + 1),
                _ => self.part(false)?,
            }
        }
        self.end = self.at;
        Ok(())
    }

    /// One byte, or what a quote or a `$` begins.
    fn part(&mut self, quoted: bool) -> Read<()> {
        match self.rest() {
            [b'\\', ..] => self.step(2),
            [b'\'', ..] if !quoted => self.up_to(b'\'')?,
            [b'"', ..] => self.double_quoted()?,
            [b'`', ..] => self.backquoted()?,
            [b'$', ..] => self.dollar(quoted)?,
            _ => self.step(1),
        }
        Ok(())
    }

    /// `((..))`, if that is what it is: otherwise nothing is read.
    pub(super) fn arithmetic(&mut self) -> Read<bool> {
        let (begin, pipes) = (self.at, self.pipes.len());
        self.tries += 1;
        if self.tries > TRIES_MAX {
            return Err("this nests too deep");
        }
        let mut open = 0;
        loop {
            match self.rest() {
                [b'(', ..] => (open, self.at) = (open + 1, self.at + 1),
                [b')', b')', ..] if open == 2 => {
                    self.step(2);
                    return Ok(true);
                }
                [b')', ..] if open > 2 => (open, self.at) = (open - 1, self.at + 1),
                [] | [b')', ..] => break,
                _ if self.part(false).is_err() => break,
                _ => (),
            }
        }
        self.at = begin;
        self.pipes.truncate(pipes);
        Ok(false)
    }

    /// `` `..` ``: what stands between, where nothing in it is escaped, is a line of its own.
    fn backquoted(&mut self) -> Read<()> {
        let from = self.at + 1;
        let mut to = from;
        while self.text.get(to).is_some_and(|b| *b != b'`') {
            to += if self.text[to] == b'\\' { 2 } else { 1 };
        }
        if to >= self.text.len() {
            return Err("this quote does not end");
        }
        let inside = &self.text[from..to];
        if has_bar(inside) {
            if inside.contains(&b'\\') {
                return Err("a pipe in `..` with a backslash: write $(..) for it");
            }
            let mut reading = Reading::new(&self.text[..to], from, self.depth);
            reading.list()?;
            if reading.at != to {
                return Err("what is in `..` is not understood: write $(..) for it");
            }
            self.pipes.append(&mut reading.pipes);
        }
        self.step(to + 1 - self.at);
        Ok(())
    }
}

/// Whether a byte ends a word.
pub(super) fn is_meta(byte: u8) -> bool {
    b" \t\n;&|<>()".contains(&byte)
}
