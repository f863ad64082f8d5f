//! Copies of shards that are no good, for they are damaged or gone: others take their place, which
//! is to be said; and where there is no other, what is wrong with each.

use std::collections::BTreeMap;

use crate::cluster::host::shown;
use crate::engine::HostedShard;
use crate::error::{Error, Result};

/// How many copies of one host are named one by one.
const NAMED_MAX: usize = 10;

/// The copies that were passed over.
#[derive(Default)]
pub(crate) struct Copies {
    /// How many there were on each host.
    passed_over: BTreeMap<String, usize>,
}

impl Copies {
    /// Takes note that the copy of `shard` on `host` is no good, for the reason `why`, which names
    /// the host: from now on it lies on its other hosts only. Gives what is to be said of it.
    ///
    /// # Errors
    /// `Incomplete` when it has no others; it says what is wrong with each.
    pub(crate) fn pass_over(
        &mut self,
        shard: &mut HostedShard,
        host: &str,
        why: &Error,
    ) -> Result<Option<String>> {
        shard.hosts.retain(|name| name != host);
        shard.flaws.push(why.to_string());
        if shard.hosts.is_empty() {
            return Err(none_is_good(shard));
        }
        let count = self.passed_over.entry(host.to_string()).or_default();
        *count += 1;
        let said = match *count {
            ..=NAMED_MAX => format!("{why}; another copy takes its place"),
            count if count == NAMED_MAX + 1 => {
                let host = shown(host);
                format!("{host}: more of its shards are so; other copies take their place")
            }
            _ => return Ok(None),
        };
        Ok(Some(said))
    }
}

fn none_is_good(shard: &HostedShard) -> Error {
    match shard.flaws.as_slice() {
        [why] => Error::incomplete(why),
        all => {
            let (number, all) = (shard.number, all.join("; "));
            Error::incomplete(format!("no copy of shard {number} is good: {all}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::digest::Contents;

    fn shard(number: u64, hosts: &[&str]) -> HostedShard {
        HostedShard {
            run: String::new(),
            number,
            hosts: hosts.iter().map(ToString::to_string).collect(),
            flaws: Vec::new(),
            contents: Contents::default(),
            split: None,
            made_again: None,
        }
    }

    #[test]
    fn each_copy_is_tried_and_each_flaw_is_told_in_the_end() {
        let mut copies = Copies::default();
        let mut shard = shard(7, &["n1", "n2"]);
        let why = |host| Error::incomplete(format!("{host}: shard 7 is damaged"));
        let said = copies.pass_over(&mut shard, "n1", &why("n1")).unwrap();
        assert_eq!(said.unwrap(), "n1: shard 7 is damaged; another copy takes its place");
        assert_eq!(shard.hosts, ["n2"]);
        let error = copies.pass_over(&mut shard, "n2", &why("n2")).unwrap_err();
        assert_eq!(error.exit_code(), 4);
        assert_eq!(
            error.to_string(),
            "no copy of shard 7 is good: n1: shard 7 is damaged; n2: shard 7 is damaged"
        );
    }

    #[test]
    fn a_host_that_has_lost_all_is_no_flood() {
        let (mut copies, mut said) = (Copies::default(), Vec::new());
        for number in 1..100 {
            let mut shard = shard(number, &["n1", "n2"]);
            let why = Error::incomplete(format!("n1: shard {number} is gone"));
            said.extend(copies.pass_over(&mut shard, "n1", &why).unwrap());
        }
        assert_eq!(said.len(), NAMED_MAX + 1);
        assert!(said[NAMED_MAX].starts_with("n1: more of its shards are so"), "{said:?}");
    }
}
