//! The tools before this one in a pipe, as the registry knows them: who writes what is read here, who
//! writes what those read, and so on up to the first.

use std::time::Duration;

use crate::pipe::entry::Status;
use crate::pipe::gauge::Gauge;
use crate::pipe::pipe_id::PipeId;
use crate::pipe::plumbing::Plumbing;
use crate::pipe::registry::{self, WatchedWriter};

/// More stages fit no screen.
const STAGES_MAX: usize = 64;

/// For how long a tool that is drawn for draws nothing itself.
const CLAIM: Duration = Duration::from_secs(3);

/// How a stage stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Works,
    /// It has ended with this status.
    Ended(u8),
    /// It has vanished.
    Gone,
}

/// The tools before this one.
#[derive(Debug, Default)]
pub(super) struct PipeChain {
    /// All that were ever found, each with the pipe that it writes to.
    found: Vec<(PipeId, Upstream)>,
    /// Pipes that filters of others write to, each with one that they read.
    through: Vec<(PipeId, PipeId)>,
}

/// One of them.
#[derive(Debug)]
struct Upstream {
    writer: WatchedWriter,
    gauge: Gauge,
    standing: Standing,
}

impl Upstream {
    fn new(writer: WatchedWriter) -> Upstream {
        let gauge = Gauge { tool: writer.entry().tool, ..Gauge::default() };
        Upstream { writer, gauge, standing: Standing::Works }
    }

    /// Looks how far it is.
    fn look(&mut self) {
        if self.standing != Standing::Works {
            return;
        }
        // In this order, so that who has ended has said all.
        let gone = self.gauge.is_locked && self.writer.is_gone();
        let status = self.writer.entry().status;
        if let Some(gauge) = self.writer.gauge() {
            self.gauge = gauge;
        }
        self.standing = match status {
            Status::Ended(code) => Standing::Ended(code),
            Status::Open if gone => Standing::Gone,
            Status::Open => Standing::Works,
        };
    }
}

impl PipeChain {
    /// Looks for tools that were not seen yet, and tells all that they are drawn for. Behind filters of
    /// others only if `plumbing` has them.
    pub(super) fn walk(&mut self, inputs: &[PipeId], plumbing: Option<&Plumbing>) {
        let (mut open, mut seen) = (inputs.to_vec(), Vec::new());
        while let Some(pipe) = open.pop() {
            if seen.contains(&pipe) {
                continue;
            }
            seen.push(pipe);
            for writer in registry::of_process().watch(&pipe) {
                let is_known = self.found.iter().any(|(_, one)| one.writer.name == writer.name);
                if !is_known && self.found.len() < STAGES_MAX {
                    let mut upstream = Upstream::new(writer);
                    upstream.look();
                    self.found.push((pipe, upstream));
                }
            }
            let writers = self.found.iter().filter(|(written, _)| *written == pipe);
            let ours: Vec<_> =
                writers.flat_map(|(_, one)| one.gauge.inputs.iter().copied()).collect();
            if ours.is_empty() && !self.found.iter().any(|(written, _)| *written == pipe) {
                let before = plumbing.into_iter().flat_map(|plumbing| plumbing.before(&pipe));
                let new: Vec<_> = before.map(|before| (pipe, before)).collect();
                let new = new.into_iter().filter(|new| !self.through.contains(new));
                self.through.extend(new.collect::<Vec<_>>());
            }
            open.extend(ours);
            let others = self.through.iter().filter(|(written, _)| *written == pipe);
            open.extend(others.map(|(_, read)| *read));
        }
        for (_, one) in self.found.iter().filter(|(_, one)| one.standing == Standing::Works) {
            one.writer.claim(CLAIM);
        }
    }

    /// How far all of them are, the first one first, and `own` last.
    pub(super) fn stages(&mut self, own: Gauge) -> Vec<(Gauge, Standing)> {
        self.found.iter_mut().for_each(|(_, one)| one.look());
        let mut stages = Vec::new();
        let mut left: Vec<usize> = (0..self.found.len()).collect();
        self.before(&own.inputs, &mut left, &mut stages, 0);
        stages.push((own, Standing::Works));
        stages
    }

    /// Puts those that write to `inputs`, and all before them, into `stages`.
    fn before(
        &self,
        inputs: &[PipeId],
        left: &mut Vec<usize>,
        stages: &mut Vec<(Gauge, Standing)>,
        depth: usize,
    ) {
        for pipe in inputs.iter().filter(|_| depth < STAGES_MAX) {
            let others = self.through.iter().filter(|(written, _)| written == pipe);
            let read: Vec<PipeId> = others.map(|(_, read)| *read).collect();
            self.before(&read, left, stages, depth + 1);
            while let Some(at) = left.iter().position(|one| self.found[*one].0 == *pipe) {
                let one = &self.found[left.remove(at)].1;
                self.before(&one.gauge.inputs, left, stages, depth + 1);
                stages.push((one.gauge.clone(), one.standing));
            }
        }
    }
}
