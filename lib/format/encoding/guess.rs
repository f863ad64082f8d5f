//! What a file looks like that does not say how it is written down: only to name it, never to read
//! it so.

/// How many characters must look alike.
const LEAST: usize = 6;

/// The name of the encoding that bytes without a byte order mark look like, when that is not UTF-8:
/// of text in UTF-16 and UTF-32, most bytes at some places are zero (or as low, for scripts such as
/// Greek and Cyrillic), and at the others none is.
pub(super) fn looks_like(head: &[u8]) -> Option<&'static str> {
    let low = |byte: &u8| matches!(byte, 0..=8 | 14..=31);
    let lows =
        |from: usize, step: usize| head[from..].iter().step_by(step).filter(|b| low(b)).count();
    let quads = head.len() / 4;
    let zeros = |place: usize| head.chunks_exact(4).filter(|quad| quad[place] == 0).count();
    if quads >= LEAST {
        let zeros = [0, 1, 2, 3].map(zeros);
        match zeros {
            [0, _, high, highest] if high == quads && highest == quads => return Some("utf-32le"),
            [highest, high, _, 0] if high == quads && highest == quads => return Some("utf-32be"),
            _ => (),
        }
    }
    let pairs = head.len() / 2;
    if pairs < LEAST {
        return None;
    }
    let enough = |count: usize| count * 4 >= pairs * 3 && count >= LEAST;
    match (lows(0, 2), lows(1, 2)) {
        (0, odd) if enough(odd) => Some("utf-16le"),
        (even, 0) if enough(even) => Some("utf-16be"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_a_mark_is_named_for_what_it_looks_like() {
        for text in
            ["id;name\r\n1;Zo\u{eb}\r\n", "\u{43f}\u{440}\u{438}\u{432}\u{435}\u{442}!\n1\n"]
        {
            let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            assert_eq!(looks_like(&little), Some("utf-16le"), "{text}");
            assert_eq!(looks_like(&big), Some("utf-16be"), "{text}");
            let little: Vec<u8> = text.chars().flat_map(|c| (c as u32).to_le_bytes()).collect();
            let big: Vec<u8> = text.chars().flat_map(|c| (c as u32).to_be_bytes()).collect();
            assert_eq!(looks_like(&little), Some("utf-32le"), "{text}");
            assert_eq!(looks_like(&big), Some("utf-32be"), "{text}");
            assert_eq!(looks_like(text.as_bytes()), None, "{text}");
        }
        for other in
            ["", "a\0", "a\0b\0", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "1\t2\t3\t4\t5\t6\t7\t"]
        {
            assert_eq!(looks_like(other.as_bytes()), None, "{other:?}");
        }
    }
}
