//! Copies of shards that are no good, for they are damaged or gone: others take their place, which
//! is said; and where there is no other, what is wrong with each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cluster::host::shown;
use crate::engine::Shard;
use crate::error::{Error, Result};

/// How many copies of one host are named one by one.
const NAMED_MAX: usize = 10;

/// The copies that were passed over.
pub(crate) struct Copies {
    say: Arc<dyn Fn(&str) + Send + Sync>,
    /// How many there were on each host.
    passed_over: Mutex<BTreeMap<String, usize>>,
}

impl Copies {
    /// None so far; `say` takes what is to be said of them.
    pub(crate) fn new(say: Arc<dyn Fn(&str) + Send + Sync>) -> Copies {
        Copies { say, passed_over: Mutex::default() }
    }

    /// Takes note that the copy of `shard` on `host` is no good, for the reason `why`, which names
    /// the host: from now on it lies on its other hosts only.
    ///
    /// # Errors
    /// `Incomplete` when it has no others; it says what is wrong with each.
    pub(crate) fn pass_over(&self, shard: &mut Shard, host: &str, why: &Error) -> Result<()> {
        shard.hosts.retain(|name| name != host);
        shard.flaws.push(why.to_string());
        if shard.hosts.is_empty() {
            return Err(none_is_good(shard));
        }
        let mut all = self.passed_over.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(host.to_string()).or_default();
        *count += 1;
        let count = *count;
        drop(all);
        if count <= NAMED_MAX {
            (self.say)(&format!("{why}; another copy takes its place"));
        } else if count == NAMED_MAX + 1 {
            let host = shown(host);
            (self.say)(&format!(
                "{host}: more of its shards are so; other copies take their place"
            ));
        }
        Ok(())
    }
}

fn none_is_good(shard: &Shard) -> Error {
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

    fn shard(number: u64, hosts: &[&str]) -> Shard {
        Shard {
            run: String::new(),
            number,
            hosts: hosts.iter().map(ToString::to_string).collect(),
            flaws: Vec::new(),
            contents: Contents::default(),
            split: None,
        }
    }

    fn copies() -> (Copies, Arc<Mutex<Vec<String>>>) {
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        (Copies::new(Arc::new(move |line| heard.lock().unwrap().push(line.into()))), said)
    }

    #[test]
    fn each_copy_is_tried_and_each_flaw_is_told_in_the_end() {
        let (copies, said) = copies();
        let mut shard = shard(7, &["n1", "n2"]);
        let why = |host| Error::incomplete(format!("{host}: shard 7 is damaged"));
        copies.pass_over(&mut shard, "n1", &why("n1")).unwrap();
        assert_eq!(shard.hosts, ["n2"]);
        let error = copies.pass_over(&mut shard, "n2", &why("n2")).unwrap_err();
        assert_eq!(error.exit_code(), 4);
        assert_eq!(
            error.to_string(),
            "no copy of shard 7 is good: n1: shard 7 is damaged; n2: shard 7 is damaged"
        );
        let said = said.lock().unwrap();
        assert_eq!(*said, ["n1: shard 7 is damaged; another copy takes its place"]);
    }

    #[test]
    fn a_host_that_has_lost_all_is_no_flood() {
        let (copies, said) = copies();
        for number in 1..100 {
            let mut shard = shard(number, &["n1", "n2"]);
            let why = Error::incomplete(format!("n1: shard {number} is gone"));
            copies.pass_over(&mut shard, "n1", &why).unwrap();
        }
        let said = said.lock().unwrap();
        assert_eq!(said.len(), NAMED_MAX + 1);
        assert!(said[NAMED_MAX].starts_with("n1: more of its shards are so"), "{said:?}");
    }
}
