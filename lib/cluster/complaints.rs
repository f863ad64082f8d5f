//! What ssh, and the worker behind it, say on standard error: always read, so that it blocks
//! nothing; kept while a link is made, passed on by whole lines while it lives.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::cluster::Settings;
use crate::parallel::lock;
use crate::record::harmless::harmless;

/// How many of the last lines are kept.
const LINES: usize = 20;

/// The longest line that is kept or passed on; the rest of a longer one is dropped.
const LINE_BYTES: usize = 1024;

/// What was said on a standard error.
pub(super) struct Complaints {
    host: String,
    settings: Settings,
    said: Mutex<Said>,
}

#[derive(Default)]
struct Said {
    /// The last lines from while the link was made.
    early: VecDeque<String>,
    /// The last lines.
    last: VecDeque<String>,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    /// Whether lines are passed on.
    aloud: bool,
}

impl Complaints {
    /// Nothing yet, of the host of this name.
    pub(super) fn new(host: String, settings: &Settings) -> Arc<Complaints> {
        let said = Said::default();
        Arc::new(Complaints { host, settings: settings.clone(), said: Mutex::new(said) })
    }

    /// Takes all that `stream` says, until its end.
    pub(super) fn drain(&self, mut stream: impl Read) {
        let mut block = [0; 4096];
        loop {
            match stream.read(&mut block) {
                Ok(0) => break,
                Ok(read) => self.take(&block[..read]),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.take(b"\n");
    }

    /// Takes what was said next.
    pub(super) fn take(&self, bytes: &[u8]) {
        let mut said = self.said();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE_BYTES.saturating_sub(said.line.len());
            said.line.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                self.end_line(&mut said);
            }
        }
    }

    fn end_line(&self, said: &mut Said) {
        let line = harmless(&std::mem::take(&mut said.line));
        if line.is_empty() {
            return;
        }
        if said.aloud {
            (self.settings.say)(&format!("{}: {line}", self.host));
        }
        if said.last.len() == LINES {
            said.last.pop_front();
        }
        said.last.push_back(line);
    }

    /// From now on lines are passed on; what was said before is worth saying only under `-v`.
    pub(super) fn aloud(&self) {
        let mut said = self.said();
        said.early = std::mem::take(&mut said.last);
        for line in &said.early {
            (self.settings.explain)(&format!("{}: {line}", self.host));
        }
        said.aloud = true;
    }

    /// From now on nothing is passed on.
    pub(super) fn hush(&self) {
        self.said().aloud = false;
    }

    /// The last lines: while the link is made, all of them.
    pub(super) fn last(&self) -> Vec<String> {
        self.said().last.iter().cloned().collect()
    }

    /// The last line while the link was made.
    pub(super) fn early(&self) -> Option<String> {
        self.said().early.back().cloned()
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        lock(&self.said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn whole_lines_are_passed_on_once_the_link_lives() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let to = |name: &'static str| {
            let heard = Arc::clone(&heard);
            Arc::new(move |line: &str| heard.lock().unwrap().push(format!("{name} {line}")))
        };
        let settings = Settings {
            worker: Arc::new(crate::cluster::WorkerBinary::new("w".into())),
            library: None,
            ssh: None,
            ssh_config: None,
            environment: Vec::new(),
            home: None,
            agent: None,
            say: to("say"),
            explain: to("explain"),
        };
        let complaints = Complaints::new("n1".into(), &settings);
        complaints.take(b"banner\r\n\r\n");
        complaints.aloud();
        complaints.take(b"a\x1b");
        complaints.take(b"b\nc");
        complaints.drain(&b"d"[..]);
        complaints.hush();
        complaints.take(&[b'x'; 3 * LINE_BYTES]);
        complaints.take(b"\n");
        let heard = heard.lock().unwrap();
        assert_eq!(*heard, ["explain n1: banner", "say n1: a\\x1bb", "say n1: cd"]);
        let last = complaints.last();
        assert_eq!((last.len(), last[2].len()), (3, LINE_BYTES));
        assert_eq!(complaints.early().as_deref(), Some("banner"));
    }
}
