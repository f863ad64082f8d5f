//! Days, times of day and moments as text (ISO 8601), and back: exact, in whatever unit.

/// How many units of time a second has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Micros,
    Nanos,
}

const SECONDS_A_DAY: i64 = 86_400;

impl Unit {
    pub(super) fn per_second(self) -> i64 {
        match self {
            Unit::Millis => 1_000,
            Unit::Micros => 1_000_000,
            Unit::Nanos => 1_000_000_000,
        }
    }

    /// How many digits a second's fraction has.
    fn digits(self) -> usize {
        match self {
            Unit::Millis => 3,
            Unit::Micros => 6,
            Unit::Nanos => 9,
        }
    }
}

/// The year, month and day that lie so many days behind 1 January 1970, in the Gregorian calendar.
fn civil(days: i64) -> (i64, u32, u32) {
    // Years begin in March here, so that a leap day ends one; 400 of them are always as long.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u32, day as u32)
}

/// The days from 1 January 1970 to a day.
fn days(year: i64, month: u32, day: u32) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let march_month = (i64::from(month) + 9) % 12;
    let of_year = (153 * march_month + 2) / 5 + i64::from(day) - 1;
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    era * 146_097 + of_era - 719_468
}

fn days_of_month(year: i64, month: u32) -> u32 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + u32::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A day: `2026-11-30`.
pub(super) fn date(since: i64) -> String {
    let (year, month, day) = civil(since);
    match year {
        0..=9999 => format!("{year:04}-{month:02}-{day:02}"),
        _ => format!("{year:+07}-{month:02}-{day:02}"),
    }
}

/// A time of day: `23:59:58.123`, without a fraction where that is zero.
pub(super) fn time(since: i64, unit: Unit) -> String {
    let per_second = unit.per_second();
    let (seconds, fraction) = (since.div_euclid(per_second), since.rem_euclid(per_second));
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let whole = format!("{hours:02}:{minutes:02}:{:02}", seconds % 60);
    match fraction {
        0 => whole,
        _ => format!("{whole}.{fraction:0digits$}", digits = unit.digits()),
    }
}

/// A moment: `2026-11-30T23:59:58.123Z`, without `Z` where it is not known in which zone.
pub(super) fn moment(since: i64, unit: Unit, is_utc: bool) -> String {
    let per_day = SECONDS_A_DAY * unit.per_second();
    let (day, of_day) = (since.div_euclid(per_day), since.rem_euclid(per_day));
    format!("{}T{}{}", date(day), time(of_day, unit), if is_utc { "Z" } else { "" })
}

/// The days since 1 January 1970 of a text such as [`date`] gives.
pub(super) fn parse_date(text: &str) -> Option<i64> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let mut parts = rest.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let is_short = year.len() == 4 && rest.len() == text.len();
    if parts.next().is_some() || !(is_short || year.len() == 6 && rest.len() < text.len()) {
        return None;
    }
    let year = sign * i64::from(number(year)?);
    let (month, day) = (two(month)?, two(day)?);
    let is_there = (1..=12).contains(&month) && (1..=days_of_month(year, month)).contains(&day);
    is_there.then(|| days(year, month, day))
}

/// The units since midnight of a text such as [`time`] gives.
pub(super) fn parse_time(text: &str, unit: Unit) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = whole.split(':');
    let (hours, minutes) = (two(parts.next()?)?, two(parts.next()?)?);
    let seconds = parts.next().map_or(Some(0), two)?;
    if parts.next().is_some() || hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    if text.contains('.') && fraction.is_empty() || fraction.len() > 18 {
        return None;
    }
    // What is finer than the unit has no place.
    let digits = unit.digits();
    let (kept, finer) = fraction.split_at(digits.min(fraction.len()));
    if finer.bytes().any(|digit| digit != b'0') {
        return None;
    }
    let fraction = match kept {
        "" => 0,
        _ => i64::from(number(kept)?) * 10_i64.pow((digits - kept.len()) as u32),
    };
    Some(i64::from(hours * 3600 + minutes * 60 + seconds) * unit.per_second() + fraction)
}

/// The units since the beginning of 1970 of a text such as [`moment`] gives; with an offset from UTC
/// where that is known, and without one where it is not. A blank may stand for the `T`.
pub(super) fn parse_moment(text: &str, unit: Unit, is_utc: bool) -> Option<i64> {
    let (date, rest) = text.split_once(['T', ' '])?;
    let (time, offset) = match rest.rfind(['Z', '+', '-']) {
        Some(at) if is_utc => (&rest[..at], offset(&rest[at..])?),
        None if !is_utc => (rest, 0),
        _ => return None,
    };
    let day = parse_date(date)?.checked_mul(SECONDS_A_DAY)?.checked_sub(offset)?;
    day.checked_mul(unit.per_second())?.checked_add(parse_time(time, unit)?)
}

/// The seconds of an offset: `Z`, `+01:00`, `-0530`.
fn offset(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = match &text[1..] {
        rest if rest.len() == 5 => rest.split_once(':')?,
        rest if rest.len() == 4 => rest.split_at_checked(2)?,
        rest => (rest, "00"),
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours < 24 && minutes < 60).then(|| sign * i64::from(hours * 3600 + minutes * 60))
}

fn two(text: &str) -> Option<u32> {
    (text.len() == 2).then(|| number(text)).flatten()
}

fn number(digits: &str) -> Option<u32> {
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn days_and_moments_are_those_of_the_calendar() {
        for (days, text) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (20_787, "2026-11-30"),
            (11_016, "2000-02-29"),
            (-719_528, "0000-01-01"),
            (-719_529, "-000001-12-31"),
            (2_932_897, "+010000-01-01"),
        ] {
            assert_eq!(date(days), text);
            assert_eq!(parse_date(text), Some(days));
        }
        assert_eq!(moment(1_500, Unit::Millis, true), "1970-01-01T00:00:01.500Z");
        assert_eq!(moment(-1, Unit::Nanos, false), "1969-12-31T23:59:59.999999999");
        let parse = |text, utc| parse_moment(text, Unit::Millis, utc);
        assert_eq!(parse("1970-01-01T01:00:00.5+01:00", true), Some(500));
        assert_eq!(parse("1970-01-01 00:00-0030", true), Some(1_800_000));
        assert_eq!(parse("1970-01-01T00:00:00", false), Some(0));
        for text in ["1970-01-01T00:00:00", "1970-02-30T00:00:00Z", "1970-01-01T24:00:00Z", "x", ""]
        {
            assert_eq!(parse(text, true), None, "{text}");
        }
        for text in ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00.0001", "1970-1-1T00:00:00"] {
            assert_eq!(parse(text, false), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(since: i64, is_utc: bool, which in 0..3usize) {
            let unit = [Unit::Millis, Unit::Micros, Unit::Nanos][which];
            // Within the years that have a name of six digits.
            let since = if which == 0 { since / 1_000_000 } else { since / 1000 };
            prop_assert_eq!(parse_moment(&moment(since, unit, is_utc), unit, is_utc), Some(since));
        }

        #[test]
        fn no_text_breaks_it(text in "\\PC*") {
            parse_moment(&text, Unit::Nanos, true);
            parse_moment(&text, Unit::Nanos, false);
        }
    }
}
