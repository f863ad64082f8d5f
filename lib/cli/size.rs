//! Sizes as options spell them: `64M`, `1G`, `512K`, `10b`, plain bytes, `50%` of the memory.

use std::str::FromStr;

/// A number of bytes, or a part of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// So many bytes.
    Bytes(u64),
    /// So many hundredths of the memory.
    Percent(u64),
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        if let Some(number) = text.strip_suffix('%') {
            return match number.parse() {
                Ok(percent @ 1..=100) => Ok(Size::Percent(percent)),
                _ => Err("say 1% to 100%".into()),
            };
        }
        bytes(text).map(Size::Bytes)
    }
}

/// Parses a size that is no part of something: a number of bytes, or one with a unit (b, K, M, G,
/// T; a K is 1024).
///
/// # Errors
/// What is wrong with it, for people.
pub fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match &text[digits.len()..] {
        "" | "b" | "B" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        "t" | "T" => 40,
        _ => return Err("say a number with b, K, M, G or T, such as 64M".into()),
    };
    let number: u64 = match digits.parse() {
        Ok(number) if digits.as_bytes()[0].is_ascii_digit() => number,
        _ => return Err("say a number of bytes, or one with a unit, such as 64M".into()),
    };
    match number.checked_mul(1 << shift) {
        None => Err("it is too large".into()),
        Some(0) => Err("it cannot be 0".into()),
        Some(bytes) => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        let cases =
            [("10b", 10), ("7", 7), ("512K", 512 << 10), ("64m", 64 << 20), ("1G", 1 << 30)];
        for (text, bytes) in cases {
            assert_eq!(text.parse(), Ok(Size::Bytes(bytes)), "{text}");
        }
        assert_eq!("50%".parse(), Ok(Size::Percent(50)));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "M", "-1", "+1", "1.5G", "0", "0%", "101%", "1X", "1Mi", "99999999999T"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
