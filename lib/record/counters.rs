//! Counters: numbers that commands count by name, summed over all tasks that count.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// The most counters of a stage.
pub const COUNTERS_MAX: usize = 10_000;

/// The most bytes of their names and groups, all together: they go in one message.
const NAMES_BYTES_MAX: usize = 256 << 10;

/// Counters by group and name.
type ByGroup = BTreeMap<String, BTreeMap<String, i64>>;

/// Counters with what they have come to, in the order of their groups and names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "ByGroup", try_from = "ByGroup")]
pub struct Counters {
    groups: ByGroup,
    count: usize,
    bytes: usize,
}

impl Counters {
    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Adds `amount` to a counter, which begins at 0.
    ///
    /// # Errors
    /// `Command` where there are too many of them, or a sum is beyond 64 bits.
    pub fn add(&mut self, group: &str, name: &str, amount: i64) -> Result<()> {
        if let Some(sum) = self.groups.get_mut(group).and_then(|names| names.get_mut(name)) {
            *sum = sum
                .checked_add(amount)
                .ok_or_else(|| refused(format!("the counter {group},{name} is beyond 64 bits")))?;
            return Ok(());
        }
        let of_group = if self.groups.contains_key(group) { 0 } else { group.len() };
        let bytes = self.bytes + of_group + name.len();
        if self.count == COUNTERS_MAX || bytes > NAMES_BYTES_MAX {
            return Err(refused(format!(
                "too many counters: {group},{name} is one more than {} (at most {COUNTERS_MAX}, \
                 with {NAMES_BYTES_MAX} bytes of names; data is to be printed as records, not \
                 counted by name)",
                self.count
            )));
        }
        (self.count, self.bytes) = (self.count + 1, bytes);
        self.groups.entry(group.into()).or_default().insert(name.into(), amount);
        Ok(())
    }

    /// Adds what others have come to.
    ///
    /// # Errors
    /// As [`Counters::add`].
    pub fn merge(&mut self, others: &Counters) -> Result<()> {
        others.each().try_for_each(|(group, name, sum)| self.add(group, name, sum))
    }

    /// All of them in order: group, name and sum.
    pub fn each(&self) -> impl Iterator<Item = (&str, &str, i64)> {
        self.groups.iter().flat_map(|(group, names)| {
            names.iter().map(move |(name, sum)| (group.as_str(), name.as_str(), *sum))
        })
    }
}

fn refused(text: String) -> Error {
    Error::new(ErrorKind::Command, text)
}

impl From<Counters> for ByGroup {
    fn from(counters: Counters) -> ByGroup {
        counters.groups
    }
}

impl TryFrom<ByGroup> for Counters {
    type Error = Error;

    fn try_from(groups: ByGroup) -> Result<Counters> {
        let mut counters = Counters::default();
        counters.merge(&Counters { groups, count: 0, bytes: 0 })?;
        Ok(counters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_by_group_and_name() {
        let mut counters = Counters::default();
        for (group, name, amount) in [("b", "x", 2), ("a", "y", -1), ("b", "x", 5), ("b", "", 0)] {
            counters.add(group, name, amount).unwrap();
        }
        let mut twice = counters.clone();
        twice.merge(&counters).unwrap();
        let all: Vec<_> = twice.each().collect();
        assert_eq!(all, [("a", "y", -2), ("b", "", 0), ("b", "x", 14)]);
        let text = serde_json::to_string(&twice).unwrap();
        assert_eq!(text, "{\"a\":{\"y\":-2},\"b\":{\"\":0,\"x\":14}}");
        assert_eq!(serde_json::from_str::<Counters>(&text).unwrap(), twice);
    }

    #[test]
    fn they_are_bounded() {
        let mut counters = Counters::default();
        counters.add("g", "n", i64::MAX).unwrap();
        let error = counters.add("g", "n", 1).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::Command, "the counter g,n is beyond 64 bits")
        );
        for n in 1..COUNTERS_MAX {
            counters.add("g", &n.to_string(), 1).unwrap();
        }
        let error = counters.add("g", "one", 1).unwrap_err().to_string();
        assert!(error.starts_with("too many counters: g,one is one more than 10000 ("), "{error}");
        counters.add("g", "7", 1).unwrap();
        // Other machines are held to that, too.
        let mut text = serde_json::to_string(&counters).unwrap();
        text.insert_str(1, "\"more\":{\"x\":1},");
        assert!(serde_json::from_str::<Counters>(&text).is_err());
        let long = "x".repeat(NAMES_BYTES_MAX);
        assert!(Counters::default().add("", &long, 1).is_ok());
        assert!(Counters::default().add("g", &long, 1).is_err());
    }
}
