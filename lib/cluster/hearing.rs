//! What a tool makes of each frame that a worker sends: what has come of its requests. It knows no connection and no
//! thread, so that every order of frames can be played to it. No request holds more data than the worker may send.

use std::collections::{HashMap, VecDeque};

use crate::error::Result;
use crate::wire::FrameKind;
use crate::wire::client::ClientAsk;
use crate::wire::exchange::RelayRequest;
use crate::wire::flow::{Allowance, Debt};
use crate::wire::frame::{Frame, broken};
use crate::wire::message::{self, Reply};

/// The most parts that wait to be brought to one merge: one of each host.
const WANTED_MAX: usize = 4096;

/// How many characters of a reason are kept.
const REASON_CHARS: usize = 500;

/// How a connection stands.
#[derive(Default)]
pub(crate) struct ConnectionState {
    /// Requests are numbered from 1.
    pub(crate) last: u32,
    pub(crate) requests: HashMap<u32, Request>,
    /// Why the worker is lost, once it is.
    pub(crate) lost: Option<String>,
    /// How often something came of the worker that is of use.
    pub(crate) heard: u64,
    /// Whether it is lost because nothing came that it owed.
    pub(crate) in_debt: bool,
}

/// A request that is open.
#[derive(Default)]
pub(crate) struct Request {
    pub(crate) allowance: Allowance,
    pub(crate) debt: Debt,
    /// Data that nobody has taken yet: no more than the worker may send.
    pub(crate) data: VecDeque<Vec<u8>>,
    pub(crate) whole: bool,
    /// The parts of a range that the worker wants to be brought.
    pub(crate) wanted: VecDeque<RelayRequest>,
    pub(crate) reply: Option<Reply>,
}

/// What is left to be done about a frame.
#[derive(Debug)]
pub(crate) enum WorkerNews {
    /// Nothing.
    Nothing,
    /// These lines are to be said.
    Said(String),
    /// The worker asks something.
    Asked(ClientAsk),
}

impl ConnectionState {
    /// Hears a frame; what comes for a request that is not wanted any more is dropped.
    ///
    /// # Errors
    /// `Incomplete` for what no worker of ours sends. Nothing good can follow.
    pub(crate) fn hear(&mut self, frame: Frame<'_>) -> Result<WorkerNews> {
        let reply = match frame.kind {
            FrameKind::Beat => return Ok(WorkerNews::Nothing),
            FrameKind::Packed => return Err(broken("packed data that nobody has unpacked")),
            FrameKind::Control => match message::decode(frame.payload)? {
                Reply::Said(lines) => return Ok(WorkerNews::Said(lines)),
                Reply::Client(ask) => return Ok(WorkerNews::Asked(ask)),
                reply => Some(reply),
            },
            _ => None,
        };
        self.heard += 1;
        if let Some(open) = self.requests.get_mut(&frame.request) {
            match reply {
                Some(reply) => open.replied(reply)?,
                None => open.came(frame)?,
            }
        }
        Ok(WorkerNews::Nothing)
    }
}

impl Request {
    fn replied(&mut self, reply: Reply) -> Result<()> {
        match reply {
            Reply::Relay(_) if self.wanted.len() >= WANTED_MAX => {
                return Err(broken("more parts than there are hosts"));
            }
            Reply::Relay(mut wanted) => {
                wanted.why = wanted.why.map(|why| beginning(&why));
                self.wanted.push_back(wanted);
            }
            reply => self.reply = Some(reply),
        }
        Ok(())
    }

    /// Data comes, its end, or a credit.
    fn came(&mut self, Frame { kind, payload, .. }: Frame<'_>) -> Result<()> {
        match kind {
            FrameKind::Data if payload.is_empty() => return Err(broken("data without a byte")),
            FrameKind::Data if !self.debt.came(payload.len() as u64) => {
                return Err(broken("more data than it was allowed to send"));
            }
            FrameKind::Data => self.data.push_back(payload.to_vec()),
            FrameKind::End => self.whole = true,
            FrameKind::Credit => {
                self.allowance.gain(u32::from_le_bytes(payload.try_into().unwrap_or_default()));
            }
            FrameKind::Beat | FrameKind::Control | FrameKind::Packed => (),
        }
        Ok(())
    }
}

/// As much of what a host gives as its reason as is kept.
fn beginning(reason: &str) -> String {
    reason.chars().take(REASON_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(why: &str) -> Vec<u8> {
        message::encode(&Reply::Relay(RelayRequest { source: 0, why: Some(why.into()) }))
    }

    #[test]
    fn what_a_worker_wants_is_bounded_and_so_are_its_reasons() {
        let mut state = ConnectionState::default();
        state.requests.insert(1, Request::default());
        let mut hear = |payload: &[u8]| {
            let heard = state.hear(Frame { kind: FrameKind::Control, request: 1, payload });
            heard.map(|_| state.requests[&1].wanted.back().and_then(|w| w.why.clone()))
        };
        let long = "é".repeat(100_000);
        assert_eq!(hear(&relay(&long)).unwrap(), Some("é".repeat(REASON_CHARS)));
        for _ in 1..WANTED_MAX {
            hear(&relay("far")).unwrap();
        }
        let error = hear(&relay("far")).unwrap_err();
        assert!(error.to_string().ends_with("more parts than there are hosts"), "{error}");
    }
}
