//! Words as a shell takes them, for messages that can be pasted.

use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

/// `word` so that a POSIX shell reads it as one word; control characters and bytes that are not
/// UTF-8 take the `$'..'` form, so that the result is always one printable line.
pub fn word(word: &OsStr) -> String {
    let bytes = word.as_bytes();
    let plain = |&b: &u8| b.is_ascii_alphanumeric() || b"_-./:=,+@%^".contains(&b);
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && bytes.iter().all(plain) => text.to_string(),
        Ok(text) if !text.chars().any(char::is_control) => {
            format!("'{}'", text.replace('\'', "'\\''"))
        }
        _ => ansi(bytes),
    }
}

/// The `$'..'` form: a backslash escape for whatever is not printable.
fn ansi(bytes: &[u8]) -> String {
    let mut out = String::from("$'");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\'' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                c if c.is_control() => {
                    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                        octal(&mut out, byte);
                    }
                }
                c => out.push(c),
            }
        }
        for &byte in chunk.invalid() {
            octal(&mut out, byte);
        }
    }
    out.push('\'');
    out
}

/// Three octal digits: unlike hexadecimal ones they never swallow the digit behind them.
fn octal(out: &mut String, byte: u8) {
    // Writing into a String cannot fail.
    let _ = write!(out, "\\{byte:03o}");
}

/// Several words, with blanks between.
pub fn words<'a>(words: impl IntoIterator<Item = &'a OsStr>) -> String {
    words.into_iter().map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        let odd: [&[u8]; 9] = [
            b"plain",
            b"",
            b"a b",
            b"it's",
            b"$HOME `x` \\ \"",
            b"*",
            b"two\nlines\t\x1b[0m\x07",
            b"\xff\xfe1",
            "é😀\u{85}".as_bytes(),
        ];
        for bytes in odd {
            let quoted = word(OsStr::from_bytes(bytes));
            assert!(!quoted.chars().any(char::is_control), "{quoted}");
            let line = format!("printf %s {quoted}");
            let said = Command::new("bash").args(["-c", &line]).output().unwrap();
            assert_eq!(said.stdout, bytes, "{quoted}");
        }
    }
}
