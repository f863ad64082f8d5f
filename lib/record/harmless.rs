//! What others say (hosts, commands, data), made fit to be shown: no terminal obeys it, no line is
//! broken by it.

/// Whether a character does nothing to the terminal that shows it: it is no control character, nor one of those
/// that show the text behind them in another order.
pub fn is_harmless(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Adds `line` to `out`: what is not [harmless](is_harmless) but the tab, and bytes that are not UTF-8, as `\\xNN`.
pub fn push_harmless(out: &mut String, line: &[u8]) {
    for chunk in line.utf8_chunks() {
        let valid = chunk.valid();
        if valid.chars().all(|c| is_harmless(c) || c == '\t') {
            out.push_str(valid);
        } else {
            for c in valid.chars() {
                match c {
                    c if is_harmless(c) || c == '\t' => out.push(c),
                    c => out.push_str(&format!("\\x{:02x}", u32::from(c))),
                }
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
}

/// `said` as one line without white space at its ends.
pub fn harmless(said: &[u8]) -> String {
    let mut shown = String::with_capacity(said.len());
    push_harmless(&mut shown, said.trim_ascii());
    shown.replace('\t', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_commands_the_terminal() {
        assert_eq!(
            harmless("a\u{202e}b\u{2066}c \u{200d}".as_bytes()),
            "a\\x202eb\\x2066c \u{200d}"
        );
        assert_eq!(
            harmless(b" a\tb\x1b[31m\r\nc \xff\xc2\x85 \xc3\xa9\r\n"),
            "a b\\x1b[31m\\x0d\\x0ac \\xff\\x85 é"
        );
    }
}
