//! Numbers, sizes and times for people.

/// A whole number, its digits in groups of three.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A number of bytes.
pub(super) fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if number < 1000 {
        return format!("{number} B");
    }
    let (mut value, mut unit) = (number as f64 / 1000.0, 0);
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{} {}", three_digits(value), UNITS[unit])
}

/// A time in seconds.
pub(super) fn seconds(time: f64) -> String {
    match time {
        t if t < 0.0005 => format!("{:.0} µs", t * 1e6),
        t if t < 0.9995 => format!("{} ms", three_digits(t * 1e3)),
        t if t < 99.95 => format!("{} s", three_digits(t)),
        t if t < 3600.0 => format!("{:.0} min {:02.0} s", (t / 60.0).floor(), (t % 60.0).floor()),
        t => format!("{:.0} h {:02.0} min", (t / 3600.0).floor(), (t % 3600.0 / 60.0).floor()),
    }
}

fn three_digits(value: f64) -> String {
    match value {
        v if v >= 99.95 => format!("{v:.0}"),
        v if v >= 9.995 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

/// How many times as much.
pub(super) fn times(factor: f64) -> String {
    format!("{}×", three_digits(factor))
}

/// A moment in seconds since the epoch, as date and time of UTC.
pub(super) fn moment(time: f64) -> String {
    let whole = time.max(0.0).floor() as u64;
    let (days, rest) = (whole / 86_400, whole % 86_400);
    let (year, month, day) = date(days);
    let (hours, minutes) = (rest / 3600, rest / 60 % 60);
    format!("{year:04}-{month:02}-{day:02} {hours:02}:{minutes:02}:{:02} UTC", rest % 60)
}

/// The date so many days after 1970-01-01, of years that begin in March: so the day that leap years have more is the
/// last one.
fn date(days: u64) -> (u64, u64, u64) {
    /// From 0000-03-01 to 1970-01-01.
    const BEFORE: u64 = 719_468;
    /// The days of 400 years.
    const ERA: u64 = 146_097;
    let days = days + BEFORE;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + later, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        let shown = [0, 999, 1000, 12_345, 999_499, 999_500, u64::MAX].map(bytes);
        assert_eq!(shown, ["0 B", "999 B", "1.00 kB", "12.3 kB", "999 kB", "1.00 MB", "18.4 EB"]);
        let shown = [0.0, 0.00025, 0.0123, 0.5, 1.0, 12.34, 99.96, 3599.9, 7384.0].map(seconds);
        let due = ["0 µs", "250 µs", "12.3 ms", "500 ms", "1.00 s", "12.3 s"];
        assert_eq!(shown[..6], due);
        assert_eq!(shown[6..], ["1 min 39 s", "59 min 59 s", "2 h 03 min"]);
        assert_eq!([1.0, 12.5, 340.2].map(times), ["1.00×", "12.5×", "340×"]);
    }

    #[test]
    fn moments_are_dates() {
        for (time, shown) in [
            (0.0, "1970-01-01 00:00:00 UTC"),
            (951_782_399.9, "2000-02-28 23:59:59 UTC"),
            (951_782_400.0, "2000-02-29 00:00:00 UTC"),
            (951_868_800.0, "2000-03-01 00:00:00 UTC"),
            (1_735_689_599.0, "2024-12-31 23:59:59 UTC"),
            (4_107_542_400.0, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(moment(time), shown);
        }
    }
}
