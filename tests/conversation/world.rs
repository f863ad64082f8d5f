//! The tool, the worker and the wires between them, step by step.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::wire::{Wire, send_harmed};
use crate::cluster::hearing::{ConnectionState, Request};
use crate::engine::simulation::driver::Log;
use crate::error::{Error, ErrorKind, Result};
use crate::fuzz::random::Random;
use crate::record::digest::Contents;
use crate::wire::FrameKind;
use crate::wire::flow::{Flows, WINDOW_BYTES};
use crate::wire::frame::DATA_BYTES;
use crate::wire::message::{self, Ask, Done, Failed, Reply, Task, TaskSource};
use crate::worker::desk::{Desk, FrameDuty, Keep};
use crate::worker::requests::Requests;

/// More steps than any of these conversations takes, and after how many it is quiet where a worker is hostile.
const STEPS_MAX: usize = 200_000;
const HOSTILE_STEPS: usize = 400;

/// What the tool has asked.
pub(super) struct Talk {
    /// The input; none where it lies on the host.
    pub(super) input: Option<Vec<u8>>,
    sent: usize,
    has_ended: bool,
    pub(super) got: Vec<u8>,
    pub(super) end: Option<TalkEnd>,
}

/// How it ended for the tool.
pub(super) enum TalkEnd {
    GivenUp,
    Replied(Reply),
}

/// What the worker has begun.
pub(super) struct Work {
    /// What it works on; none where that could not be kept.
    pub(super) input: Option<Vec<u8>>,
    pub(super) output: Vec<u8>,
    sent: usize,
    stop: Arc<AtomicBool>,
    pub(super) reply: Option<Reply>,
}

/// An input as it is kept on a host, where there is room for so much.
pub(super) struct Kept {
    bytes: Vec<u8>,
    room: usize,
}

impl Keep for Kept {
    fn keep(&mut self, bytes: &[u8]) -> Result<()> {
        if self.bytes.len() + bytes.len() > self.room {
            return Err(Error::new(ErrorKind::Storage, "no room"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

pub(super) struct World {
    random: Random,
    /// How many requests there will be, and how large their data is at most.
    requests: u32,
    most: u64,
    pub(super) is_hostile: bool,
    /// After so many steps the connection is cut, if it is.
    cut_at: Option<usize>,
    pub(super) tool: ConnectionState,
    pub(super) talks: BTreeMap<u32, Talk>,
    pub(super) desk: Desk<Kept>,
    pub(super) open: Requests,
    pub(super) flows: Flows,
    pub(super) works: BTreeMap<u32, Work>,
    to_worker: Wire,
    to_tool: Wire,
    /// Why the tool, or the worker, hears no more.
    pub(super) broken: [Option<Error>; 2],
    pub(super) is_cut: bool,
}

impl World {
    pub(super) fn of(seed: u64) -> World {
        let mut random = Random::of(seed);
        let most = match random.below(200) {
            0 => 5 * WINDOW_BYTES / 2,
            1 => 300_000,
            _ => 300,
        };
        let requests = 1 + random.below(9) as u32;
        let is_hostile = random.below(2) == 0;
        let cut_at = (random.below(4) == 0).then(|| random.below(200) as usize);
        World {
            random,
            requests,
            most,
            is_hostile,
            cut_at,
            tool: ConnectionState::default(),
            talks: BTreeMap::new(),
            desk: Desk::default(),
            open: Requests::default(),
            flows: Flows::default(),
            works: BTreeMap::new(),
            to_worker: Wire::default(),
            to_tool: Wire::default(),
            broken: [None, None],
            is_cut: false,
        }
    }

    pub(super) fn play(&mut self, log: &mut Log) {
        for step in 0..if self.is_hostile { HOSTILE_STEPS } else { STEPS_MAX } {
            if self.cut_at == Some(step) || self.broken.iter().any(Option::is_some) {
                self.cut();
            }
            if self.is_over() {
                log.say(|| format!("over after {step} steps"));
                return;
            }
            let pick = self.random.below(8);
            log.say(|| format!("{step}: {pick}"));
            match pick {
                0 => self.ask(),
                1 => self.send(),
                2 | 3 => self.take(),
                4 => self.give_up(),
                5 => self.worker_hears(),
                6 => self.tool_hears(),
                _ => self.work(),
            }
            self.holds_no_more_than_may_come();
        }
        // Who is lied to may wait for ever: whoever looks at what is owed does not.
        assert!(self.is_hostile, "it does not end");
    }

    fn is_over(&self) -> bool {
        let is_worked = self.works.values().all(|work| work.reply.is_some());
        if self.is_cut {
            return is_worked;
        }
        let is_told = self.talks.values().all(|talk| talk.end.is_some());
        let is_quiet = self.to_tool.is_empty() && self.to_worker.is_empty();
        let is_asked = self.talks.len() == self.requests as usize;
        is_asked && is_quiet && is_worked && is_told
    }

    /// The connection ends, for both.
    fn cut(&mut self) {
        if !std::mem::replace(&mut self.is_cut, true) {
            self.open.stop_all();
            self.tool.lost = Some("cut".into());
        }
    }

    /// One of the requests of which `is_it` is so.
    fn some(&mut self, is_it: impl Fn(u32, &Talk, Option<&Request>) -> bool) -> Option<u32> {
        let all = self.talks.iter().filter(|(number, talk)| {
            talk.end.is_none() && is_it(**number, talk, self.tool.requests.get(number))
        });
        let all: Vec<u32> = all.map(|(number, _)| *number).collect();
        let at = self.random.below(all.len().max(1) as u64) as usize;
        all.get(at).copied()
    }

    fn ask(&mut self) {
        if self.is_cut || self.talks.len() == self.requests as usize {
            return;
        }
        self.tool.last += 1;
        let number = self.tool.last;
        self.tool.requests.insert(number, Request::default());
        let length = self.random.below(self.most + 1) as usize;
        let input = (self.random.below(3) > 0)
            .then(|| (0..length).map(|at| (at as u32 * 31 + number) as u8).collect::<Vec<u8>>());
        let ask = match input {
            Some(_) => Ask::Task(Task {
                job: 1,
                task: number.into(),
                attempt: 1,
                input: TaskSource::Stream,
                part: None,
                bisect: false,
            }),
            None => Ask::List,
        };
        self.to_worker.send(FrameKind::Control, number, &message::encode(&ask));
        let (sent, has_ended) = (0, input.is_none());
        self.talks.insert(number, Talk { input, sent, has_ended, got: Vec::new(), end: None });
    }

    /// Some of an input is sent, or its end.
    fn send(&mut self) {
        let Some(number) = self.some(|_, talk, _| !talk.has_ended) else { return };
        let (Some(talk), Some(open)) =
            (self.talks.get_mut(&number), self.tool.requests.get_mut(&number))
        else {
            return;
        };
        let left = &talk.input.as_deref().unwrap_or_default()[talk.sent..];
        // What was replied to wants no more.
        if left.is_empty() || open.reply.is_some() {
            talk.has_ended = true;
            return self.to_worker.send(FrameKind::End, number, &[]);
        }
        let some = 1 + self.random.below(DATA_BYTES as u64) as usize;
        let count = some.min(left.len()).min(open.allowance.left() as usize);
        if count > 0 {
            open.allowance.spend(count as u64);
            self.to_worker.send(FrameKind::Data, number, &left[..count]);
            talk.sent += count;
        }
    }

    /// Some data of a request is taken, or the reply to it.
    fn take(&mut self) {
        let has_some = |open: &Request| !open.data.is_empty() || open.reply.is_some();
        let Some(number) = self.some(|_, _, open| open.is_some_and(has_some)) else { return };
        let (Some(talk), Some(open)) =
            (self.talks.get_mut(&number), self.tool.requests.get_mut(&number))
        else {
            return;
        };
        if let Some(data) = open.data.pop_front() {
            talk.got.extend_from_slice(&data);
            if let Some(credit) = open.debt.dealt_with(data.len() as u64) {
                self.to_worker.send(FrameKind::Credit, number, &credit.to_le_bytes());
            }
        } else if let Some(reply) = open.reply.take() {
            talk.end = Some(TalkEnd::Replied(reply));
            if !std::mem::replace(&mut talk.has_ended, true) {
                self.to_worker.send(FrameKind::End, number, &[]);
            }
            self.tool.requests.remove(&number);
        }
    }

    fn give_up(&mut self) {
        if self.random.below(30) > 0 {
            return;
        }
        let Some(number) = self.some(|_, _, _| true) else { return };
        self.tool.requests.remove(&number);
        self.to_worker.send(FrameKind::Control, number, &message::encode(&Ask::Cancel));
        if let Some(talk) = self.talks.get_mut(&number) {
            talk.end = Some(TalkEnd::GivenUp);
        }
    }

    fn worker_hears(&mut self) {
        if self.is_cut {
            return;
        }
        self.to_worker.deliver(&mut self.random);
        loop {
            let frame = match self.to_worker.decoder.frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => return,
                Err(error) => return self.broken[1] = Some(error),
            };
            let number = frame.request;
            let room = if self.random.below(8) == 0 { 100 } else { usize::MAX };
            let place = || Kept { bytes: Vec::new(), room };
            match self.desk.hear(frame, place) {
                Ok(FrameDuty::Nothing | FrameDuty::Heed(_)) => (),
                Ok(FrameDuty::Begin(_, input)) => {
                    if let Err(error) = self.begin(number, input) {
                        return self.broken[1] = Some(error);
                    }
                }
                Ok(FrameDuty::Stop) => {
                    self.open.stop(number);
                    self.flows.end(number);
                }
                Ok(FrameDuty::Allow(bytes)) => {
                    self.worker_says(FrameKind::Credit, number, &bytes.to_le_bytes());
                }
                Ok(FrameDuty::Allowed(bytes)) => self.flows.gain(number, bytes),
                Ok(FrameDuty::OfClient(_)) => panic!("nothing was asked of the tool"),
                Err(error) => return self.broken[1] = Some(error),
            }
        }
    }

    fn begin(&mut self, number: u32, input: Option<Result<Kept>>) -> Result<()> {
        self.flows.open(number);
        let stop = self.open.begin(number)?;
        let length = self.random.below(self.most + 1) as usize;
        let output = (0..length).map(|at| (at as u32 * 17 + number) as u8).collect();
        let input = match input {
            Some(Ok(kept)) => Some(kept.bytes),
            Some(Err(_)) => None,
            None => Some(Vec::new()),
        };
        let work = Work { input, output, sent: 0, stop, reply: None };
        assert!(self.works.insert(number, work).is_none(), "request {number} begins twice");
        Ok(())
    }

    fn tool_hears(&mut self) {
        if self.is_cut {
            return;
        }
        self.to_tool.deliver(&mut self.random);
        loop {
            let heard = match self.to_tool.decoder.frame() {
                Ok(Some(frame)) => self.tool.hear(frame),
                Ok(None) => return,
                Err(error) => Err(error),
            };
            if let Err(error) = heard {
                return self.broken[0] = Some(error);
            }
        }
    }

    fn worker_says(&mut self, kind: FrameKind, number: u32, payload: &[u8]) {
        match self.is_hostile {
            true => send_harmed(&mut self.to_tool, &mut self.random, (kind, number, payload)),
            false => self.to_tool.send(kind, number, payload),
        }
    }

    /// Some work goes on: it sends something, or ends.
    fn work(&mut self) {
        let open: Vec<u32> = self
            .works
            .iter()
            .filter(|(_, work)| work.reply.is_none())
            .map(|(number, _)| *number)
            .collect();
        let at = self.random.below(open.len().max(1) as u64) as usize;
        let Some((number, work)) = open.get(at).and_then(|n| Some((*n, self.works.get_mut(n)?)))
        else {
            return;
        };
        let failed = |text: &str| Reply::Failed(Failed::of(&Error::incomplete(text)));
        let left = work.output.len() - work.sent;
        let reply = if work.stop.load(Ordering::SeqCst) {
            failed("stopped")
        } else if work.input.is_none() {
            failed("no room")
        } else if left > 0 {
            let some = 1 + self.random.below(DATA_BYTES as u64) as usize;
            match self.flows.take(number, some.min(left)) {
                None => failed("not wanted any more"),
                Some(0) => return,
                Some(count) => {
                    let data = work.output[work.sent..][..count].to_vec();
                    work.sent += count;
                    return self.worker_says(FrameKind::Data, number, &data);
                }
            }
        } else {
            let records = work.output.len() as u64;
            let contents = Contents { records, ..Contents::default() };
            Reply::Done(Done { contents, ..Done::default() })
        };
        if matches!(reply, Reply::Done(_)) {
            self.worker_says(FrameKind::End, number, &[]);
        }
        self.open.end(number);
        self.flows.end(number);
        self.worker_says(FrameKind::Control, number, &message::encode(&reply));
        if let Some(work) = self.works.get_mut(&number) {
            work.reply = Some(reply);
        }
    }

    /// That of no request more is held here than its worker may send.
    fn holds_no_more_than_may_come(&self) {
        for (number, open) in &self.tool.requests {
            let held: usize = open.data.iter().map(Vec::len).sum();
            assert!(held as u64 <= WINDOW_BYTES, "{held} bytes of request {number}");
            assert!(open.data.iter().all(|data| !data.is_empty()));
        }
    }
}
