//! The rest of a line: what room there is decides how it is said.

/// How wide the inside of a bar is, at least and at most.
const BAR_LEAST: usize = 4;
const BAR_MOST: usize = 20;

/// What is to be said.
#[derive(Clone, Debug)]
pub(super) struct Rest {
    /// How much is done of how much, if that is known and shown as a bar.
    bar: Option<(u64, u64)>,
    /// The words, first at length.
    words: Vec<String>,
}

impl Rest {
    /// These words, first at length.
    pub(super) fn words(words: &[&str]) -> Rest {
        Rest { bar: None, words: words.iter().map(ToString::to_string).collect() }
    }

    /// It is done, and took so many milliseconds.
    pub(super) fn done(took: Option<u64>) -> Rest {
        match took {
            Some(took) => Rest::words(&[&format!("done in {}", clock(took)), "done"]),
            None => Rest::words(&["done"]),
        }
    }

    /// So much of a whole is done, for which it took so many milliseconds.
    pub(super) fn part(done: u64, total: u64, took: Option<u64>) -> Rest {
        let (many, all) = (u128::from(done), u128::from(total.max(1)));
        let percent = format!("{:>2} %", many * 100 / all);
        let left = took.filter(|took| done > 0 && *took > 0).map(|took| {
            let left = u128::from(took) * (all - many.min(all)) / many;
            clock(u64::try_from(left).unwrap_or(u64::MAX))
        });
        let mut words = Vec::new();
        if let Some(left) = left {
            words.push(format!("{percent}  {left} left"));
        }
        words.push(percent);
        Rest { bar: Some((done, total)), words }
    }

    /// The width of the shortest way to say it that says all that matters.
    pub(super) fn least(&self) -> usize {
        let of_part = self.bar.is_some() && self.words.len() > 1;
        let words = if of_part { self.words.first() } else { self.words.last() };
        words.map_or(0, String::len)
    }

    /// What fits into so many columns.
    pub(super) fn within(&self, columns: usize) -> String {
        let words = self.words.iter().find(|words| words.len() <= columns).or(self.words.last());
        let words = words.map_or("", String::as_str);
        let room = columns.saturating_sub(words.len() + "[>]  ".len());
        match self.bar {
            Some((done, total)) if room >= BAR_LEAST => {
                let width = room.min(BAR_MOST);
                let part = u128::from(done.min(total)) * width as u128 / u128::from(total.max(1));
                let full = usize::try_from(part).unwrap_or(width);
                let (done, to_do) = ("#".repeat(full), " ".repeat(width - full));
                format!("[{done}>{to_do}]  {words}")
            }
            _ => words.to_string(),
        }
    }
}

/// Milliseconds as minutes and seconds.
fn clock(ms: u64) -> String {
    let seconds = ms / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_takes_what_room_there_is() {
        let half = Rest::part(1, 2, Some(61_000));
        assert_eq!(half.within(80), "[##########>          ]  50 %  1:01 left");
        assert_eq!(half.within(23), "50 %  1:01 left");
        assert_eq!(half.within(25), "[##>   ]  50 %  1:01 left");
        assert_eq!(half.within(9), "50 %");
        assert_eq!(half.least(), 15);
        assert_eq!(Rest::part(0, 0, None).within(20), "[>           ]   0 %");
        assert_eq!(Rest::part(7, 7, Some(9)).within(4), "100 %");
    }

    #[test]
    fn times_are_those_of_a_clock() {
        assert_eq!([0, 59_999, 60_000, 3_600_000].map(clock), ["0:00", "0:59", "1:00", "1:00:00"]);
    }
}
