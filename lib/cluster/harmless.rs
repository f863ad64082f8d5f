//! What comes from a host, made fit to be shown: no terminal obeys it, no line is broken by it.

/// `said` as one line: control characters, and bytes that are not UTF-8, escaped, white space at
/// its ends dropped.
pub(super) fn harmless(said: &[u8]) -> String {
    let mut shown = String::with_capacity(said.len());
    for chunk in said.trim_ascii().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\t' => shown.push(' '),
                c if c.is_control() => shown.extend(c.escape_default()),
                c => shown.push(c),
            }
        }
        chunk.invalid().iter().for_each(|byte| shown.push_str(&format!("\\x{byte:02x}")));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_commands_the_terminal() {
        assert_eq!(
            harmless(b" a\tb\x1b[31m\r\nc \xff\xc2\x85 \xc3\xa9\r\n"),
            "a b\\u{1b}[31m\\r\\nc \\xff\\u{85} é"
        );
    }
}
