//! How whoever reads shards asks their owner to make one again that is lost: lines of JSON on a socket beside
//! the owner's lock, in the private directory of this user.

use std::io::BufReader;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::client::talk;
use crate::cluster::Failed;
use crate::error::{Error, Result};
use crate::record::digest::Contents;

/// How long the owner waits when it cannot take a call: too many descriptors are open, say.
const PAUSE: Duration = Duration::from_millis(50);

/// A shard that is to be made again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LostShard {
    /// Its number.
    pub(crate) shard: u64,
    /// The hosts where it could not be had.
    pub(crate) hosts: Vec<String>,
    /// What it holds.
    pub(crate) contents: Contents,
}

/// What the owner answers.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum OwnerAnswer {
    /// The hosts that it lies on now.
    Hosts(Vec<String>),
    /// It cannot be made again.
    Failed(Failed),
}

/// What makes lost shards again.
pub(crate) trait Rebuild: Send + Sync {
    /// Makes a shard again. Returns the hosts that it lies on.
    ///
    /// # Errors
    /// Why it cannot be made.
    fn rebuild(&self, lost: &LostShard) -> Result<Vec<String>>;

    /// All that are lost with their hosts.
    fn lost(&self) -> Vec<LostShard>;
}

/// An owner that listens. Dropped, it does not any more.
pub(crate) struct RebuildRequests {
    path: PathBuf,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl RebuildRequests {
    /// Has requests that come to `path` answered by `rebuild`.
    ///
    /// # Errors
    /// `Storage`, when nobody can listen there.
    pub(crate) fn listen(path: &Path, rebuild: Arc<dyn Rebuild>) -> Result<RebuildRequests> {
        let listener = talk::listen(path).map_err(|e| Error::path("listen at", path, &e))?;
        let ended = Arc::new(AtomicBool::new(false));
        let ending = Arc::clone(&ended);
        let listening = thread::Builder::new().spawn(move || serve(&listener, &ending, &rebuild));
        let thread = listening.map_err(|e| Error::io("start", "a thread", &e))?;
        Ok(RebuildRequests { path: path.into(), ended, thread: Some(thread) })
    }
}

impl Drop for RebuildRequests {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // So that it looks.
        let woken = talk::connect(&self.path).is_ok();
        let _ = std::fs::remove_file(&self.path);
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
    }
}

fn serve(listener: &UnixListener, ended: &AtomicBool, rebuild: &Arc<dyn Rebuild>) {
    loop {
        let call = listener.accept();
        if ended.load(Ordering::SeqCst) {
            return;
        }
        let Ok((call, _)) = call else {
            thread::sleep(PAUSE);
            continue;
        };
        let rebuild = Arc::clone(rebuild);
        // Without a thread the caller sees that its call ended.
        let _ = thread::Builder::new().spawn(move || {
            let answer = match answer(&call, &*rebuild) {
                Ok(hosts) => OwnerAnswer::Hosts(hosts),
                Err(error) => OwnerAnswer::Failed(Failed::of(&error)),
            };
            // Who has gone needs no answer.
            let _ = talk::say(&call, &answer);
        });
    }
}

fn answer(call: &UnixStream, rebuild: &dyn Rebuild) -> Result<Vec<String>> {
    match talk::hear::<LostShard>(&mut BufReader::new(call))? {
        Some(lost) => rebuild.rebuild(&lost),
        None => Err(Error::incomplete("nothing was asked")),
    }
}

/// Asks the owner that listens at `path` to make a shard again, and waits for that. The hosts that it lies on.
///
/// # Errors
/// Why it cannot be made; `Incomplete` when the owner does not answer.
pub(crate) fn ask(path: &Path, lost: &LostShard) -> Result<Vec<String>> {
    let silent = || Error::incomplete("whoever made it does not answer");
    let call = talk::connect(path).map_err(|_| silent())?;
    talk::say(&call, lost).map_err(|_| silent())?;
    match talk::hear(&mut BufReader::new(&call))?.ok_or_else(silent)? {
        OwnerAnswer::Hosts(hosts) => Ok(hosts),
        OwnerAnswer::Failed(failed) => Err(failed.error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Odd;

    impl Rebuild for Odd {
        fn rebuild(&self, lost: &LostShard) -> Result<Vec<String>> {
            match lost.shard % 2 {
                1 => Ok(vec![format!("n{}", lost.shard)]),
                _ => Err(Error::usage("not odd")),
            }
        }

        fn lost(&self) -> Vec<LostShard> {
            Vec::new()
        }
    }

    #[test]
    fn whoever_asks_is_answered_until_the_owner_ends() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("x".repeat(120));
        std::fs::create_dir(&deep).unwrap();
        let path = deep.join("run.ask");
        let lost =
            |shard| LostShard { shard, hosts: vec!["n1".into()], contents: Contents::default() };
        assert!(ask(&path, &lost(1)).is_err());
        let requests = RebuildRequests::listen(&path, Arc::new(Odd)).unwrap();
        std::thread::scope(|scope| {
            for shard in 0..20 {
                let (path, lost) = (&path, lost(shard));
                scope.spawn(move || match (shard % 2, ask(path, &lost)) {
                    (1, Ok(hosts)) => assert_eq!(hosts, [format!("n{shard}")]),
                    (0, Err(error)) => assert_eq!(error.exit_code(), 2),
                    (_, result) => panic!("{result:?}"),
                });
            }
        });
        drop(requests);
        assert!(ask(&path, &lost(1)).is_err());
        assert_eq!(std::fs::read_dir(&deep).unwrap().count(), 0);
    }
}
