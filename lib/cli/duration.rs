//! Lengths of time as options spell them: `90`, `1.5s`, `10m`, `2h`, `1d`, as `sleep` and
//! `timeout` do.

use std::time::Duration;

/// Longer than anybody waits; it keeps sums of times from overflowing.
const LONGEST_SECONDS: f64 = 1e9;

/// Parses a length of time: seconds, or a number with a unit (ms, s, m, h, d).
///
/// # Errors
/// What is wrong with it, for people.
pub fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        unit => return Err(format!("'{unit}' is no unit of time: say ms, s, m, h or d")),
    };
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match digits.parse::<f64>() {
        Ok(number) if plain && number > 0.0 && number * unit <= LONGEST_SECONDS => {
            Ok(Duration::from_secs_f64(number * unit))
        }
        _ => Err("say a length of time such as 90, 1.5s, 10m or 2h".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;
    use std::time::Duration;

    #[test]
    fn lengths_of_time() {
        assert_eq!(parse("90"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(parse("2h"), Ok(Duration::from_secs(7200)));
        for bad in ["", "s", "0", "-1", "1e3", "nan", "inf", "1y", "1 s", "99999999999d"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
