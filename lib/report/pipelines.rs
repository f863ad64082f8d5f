//! Pipelines: the stages of a file that hang together, by the pipes between them and the shards that they read and
//! make.

use std::collections::{BTreeMap, BTreeSet};

use crate::report::model::{Pipeline, Recorded, StageLink, StageRun};

/// The pipelines, the one that began last first.
pub(super) fn of(recorded: Recorded) -> Vec<Pipeline> {
    let mut stages: Vec<(String, StageRun)> = recorded.stages.into_iter().collect();
    stages.sort_by(|(_, a), (_, b)| a.begin.total_cmp(&b.begin));
    for (_, stage) in &mut stages {
        stage.attempts.sort_by(|a, b| a.begin.total_cmp(&b.begin).then(a.task.cmp(&b.task)));
        stage.shards.sort_by_key(|shard| shard.shard);
    }
    let links = links(&stages);
    let parts = parts(stages.len(), &links);
    let mut pipelines: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for at in in_order(stages.len(), &links) {
        pipelines.entry(parts[at]).or_default().push(at);
    }
    let mut stages: Vec<Option<(String, StageRun)>> = stages.into_iter().map(Some).collect();
    let mut pipelines: Vec<Pipeline> = pipelines
        .into_values()
        .map(|members| {
            let place = |at| members.iter().position(|member| *member == at);
            let inside = links.iter().filter_map(|link| {
                Some(StageLink { from: place(link.from)?, to: place(link.to)?, ..*link })
            });
            let links = inside.collect();
            Pipeline { stages: members.iter().filter_map(|at| stages[*at].take()).collect(), links }
        })
        .collect();
    pipelines.sort_by(|a, b| b.begin().total_cmp(&a.begin()));
    pipelines
}

/// How many seconds a tool may begin after the one that it reads has ended: what was written waits in the pipe.
const LATE_MAX: f64 = 60.0;

/// Which stage reads which. The inode of a pipe is used again after long: its two ends are there at about one time.
fn links(stages: &[(String, StageRun)]) -> Vec<StageLink> {
    let (mut readers, mut users) = (BTreeMap::new(), BTreeMap::new());
    for (to, (_, stage)) in stages.iter().enumerate() {
        stage
            .pipes_read
            .iter()
            .for_each(|pipe| readers.entry(*pipe).or_insert_with(Vec::new).push(to));
        stage.runs_read.iter().for_each(|run| users.entry(run).or_insert_with(Vec::new).push(to));
    }
    let mut links = BTreeSet::new();
    for (from, (_, stage)) in stages.iter().enumerate() {
        let by_runs = stage.run_made.iter().filter_map(|run| users.get(run)).flatten().copied();
        let by_runs: BTreeSet<usize> = by_runs.filter(|to| *to != from).collect();
        let is_there = |to: &usize| {
            let other = &stages[*to].1;
            let is_before =
                |a: &StageRun, b: &StageRun| a.end.is_none_or(|end| b.begin <= end + LATE_MAX);
            *to != from && is_before(stage, other) && is_before(other, stage)
        };
        let by_pipes = stage.pipe_written.iter().filter_map(|pipe| readers.get(pipe)).flatten();
        links.extend(by_runs.iter().map(|to| StageLink { from, to: *to, is_shards: true }));
        let others = by_pipes.copied().filter(is_there).filter(|to| !by_runs.contains(to));
        links.extend(others.map(|to| StageLink { from, to, is_shards: false }));
    }
    links.into_iter().collect()
}

/// The number of the part that each stage belongs to.
fn parts(count: usize, links: &[StageLink]) -> Vec<usize> {
    let mut parts: Vec<usize> = (0..count).collect();
    fn root(parts: &mut [usize], mut at: usize) -> usize {
        while parts[at] != at {
            parts[at] = parts[parts[at]];
            at = parts[at];
        }
        at
    }
    for link in links {
        let (from, to) = (root(&mut parts, link.from), root(&mut parts, link.to));
        parts[from.max(to)] = from.min(to);
    }
    (0..count).map(|at| root(&mut parts, at)).collect()
}

/// The stages, each behind those that it reads; those of a circle, which no pipeline has, at the end.
fn in_order(count: usize, links: &[StageLink]) -> Vec<usize> {
    let (mut order, mut placed) = (Vec::with_capacity(count), vec![false; count]);
    let mut waits_for = vec![0; count];
    links.iter().for_each(|link| waits_for[link.to] += 1);
    let mut ready: BTreeSet<usize> = (0..count).filter(|at| waits_for[*at] == 0).collect();
    while let Some(at) = ready.pop_first() {
        order.push(at);
        placed[at] = true;
        for link in links.iter().filter(|link| link.from == at) {
            waits_for[link.to] -= 1;
            if waits_for[link.to] == 0 {
                ready.insert(link.to);
            }
        }
    }
    order.extend((0..count).filter(|at| !placed[*at]));
    order
}
