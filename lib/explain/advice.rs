//! What could be done better: only what gives the same records and is never worse. Each rule has a test
//! in `tests/explain`, which runs both ways, but that of file systems that several machines see.

use crate::explain::estimate;
use crate::explain::outline::KeyOutline;
use crate::explain::schema::{PlanWord, ResourcePlan, StagePlan, StreamKind};

/// So many parts for each slot are enough to keep all of them busy.
const PARTS_PER_SLOT: u64 = 2;

/// How many slots a host has where it does not say, at least.
const SLOTS_MIN: u64 = 1;

/// What is to be said of `stage`, which follows the stages `before` it.
pub fn advise(before: &[StagePlan], stage: &StagePlan) -> Vec<String> {
    let mut advice = Vec::new();
    let follows = !matches!(stage.reads.kind, StreamKind::Resources | StreamKind::Nothing);
    if let Some(last) = before.last().filter(|last| follows && !last.foreign) {
        advice.extend(reduced_in_one_step(last, stage));
        advice.extend(in_order_already(last, stage));
        advice.extend(split_instead_of_read(last, stage));
        advice.extend(scattered_first(last, stage));
        advice.extend(gathered_first(last, stage));
        advice.extend(dataset_brought(last, stage));
    }
    advice.extend(packed_whole(stage));
    advice
}

/// The key of a stage as `-k` spells it.
fn key(stage: &StagePlan) -> Option<String> {
    stage.key.as_deref().map(KeyOutline::spelled).filter(|key| !key.is_empty())
}

/// The values of an option as they were given.
fn values(stage: &StagePlan, name: &str) -> String {
    let values = stage.options.get(name).into_iter().flatten();
    values.map(PlanWord::shown).collect::<Vec<_>>().join(" ")
}

/// Groups that are reduced by ops right after they were made: one step makes the results as it goes.
fn reduced_in_one_step(last: &StagePlan, stage: &StagePlan) -> Option<String> {
    let is_order = match last.mode.as_deref() {
        Some("shuffle") => last.ops.is_empty(),
        Some("sort") => !last.reverse && !last.unique,
        _ => false,
    };
    let is_reduce = stage.tool == "mc-reduce" && !stage.ops.is_empty();
    let same = key(last).is_some() && key(last) == key(stage) && last.missing == stage.missing;
    if !is_order || !is_reduce || !same || last.writes.keep.is_some() {
        return None;
    }
    let (tool, key, ops) = (&last.tool, key(last)?, values(stage, "OP"));
    let order_by = match KeyOutline::spelled(&last.order_by) {
        by if by.is_empty() => String::new(),
        by => format!(" --order-by {by}"),
    };
    let gain = match last.reads.lies_on_hosts() {
        true => "sends no more of a group from host to host than its results need",
        false => "holds no more of a group than its results need, and sorts nothing",
    };
    Some(format!(
        "{tool} and mc-reduce in one step: mc-shuffle -k {key}{order_by} --reduce {ops} {gain}"
    ))
}

/// Records that come in the order that they are to be put in.
fn in_order_already(last: &StagePlan, stage: &StagePlan) -> Option<String> {
    let is_order = matches!(stage.mode.as_deref(), Some("shuffle" | "sort"));
    let plain = stage.ops.is_empty() && stage.order_by.is_empty() && !stage.unique;
    let known = last.writes.sorted_by.as_ref()?;
    let same = key(stage)? == known.key && stage.reverse == known.reverse && !known.lacking;
    let whole = last.writes.grouped_by.is_some() && last.writes.kind == StreamKind::Records;
    (is_order && plain && same && whole).then(|| {
        format!("leave {} out: the records come in that order from {}", stage.tool, last.tool)
    })
}

/// Files of this machine whose records go to hosts from here: parts of the files can, too, and are
/// read there.
fn split_instead_of_read(last: &StagePlan, stage: &StagePlan) -> Option<String> {
    let to_hosts = stage.tool == "mc-map" && !stage.place.hosts.is_empty();
    let files = &last.reads.resources;
    let is_cat =
        last.tool == "mc-cat" && last.place.here && last.writes.kind == StreamKind::Records;
    if !to_hosts || !is_cat || files.is_empty() || !files.iter().all(ResourcePlan::is_path) {
        return None;
    }
    if let Some(system) = files.iter().find_map(|file| file.shared_by.as_ref()) {
        return Some(format!(
            "the files lie on {system}: if the hosts see them by the same path, mc-cat -h HOSTS \
             --shared has each host read its part, and nothing goes through this machine"
        ));
    }
    let hosts = stage.place.hosts.iter().map(|host| host.slots.unwrap_or(SLOTS_MIN));
    let parts = estimate::parts(files);
    (parts >= PARTS_PER_SLOT * hosts.sum::<u64>() && stage.command.is_some()).then(|| {
        format!(
            "mc-split in the place of mc-cat has the hosts read the files, in about {parts} parts: \
             this machine sends their bytes, and makes no records of them"
        )
    })
}

/// Records that are put on hosts for a command that would be sent them anyway.
fn scattered_first(last: &StagePlan, stage: &StagePlan) -> Option<String> {
    let plain = last.tool == "mc-scatter"
        && last.reads.kind == StreamKind::Records
        && last.place.replicas.unwrap_or(1) == 1
        && last.writes.keep.is_none();
    (plain && stage.tool == "mc-map" && last.place.hosts == stage.place.hosts).then(|| {
        "leave mc-scatter out: mc-map -h sends records to the hosts itself, and a host begins with \
         the first of them"
            .into()
    })
}

/// Shards that are brought here for a tool that works where they lie.
fn gathered_first(last: &StagePlan, stage: &StagePlan) -> Option<String> {
    let brings = last.tool == "mc-gather"
        && last.reads.lies_on_hosts()
        && last.writes.kind == StreamKind::Records
        && last.options.is_empty();
    (brings && could_work_there(stage)).then(|| {
        format!("leave mc-gather out before {}, which works where the shards lie", stage.tool)
    })
}

/// Whether a stage that works here would work on the same shards where they lie.
fn could_work_there(stage: &StagePlan) -> bool {
    let is_able = match stage.tool.as_str() {
        "mc-shuffle" => true,
        "mc-sort" => stage.mode.as_deref() == Some("sort"),
        "mc-map" => stage.command.as_ref().is_some_and(|command| command.per != "all"),
        _ => false,
    };
    let is_plain = stage.bad.as_deref().is_none_or(|bad| bad == "fail");
    let is_here = ["jobs", "temporary-directory", "block"];
    is_able
        && is_plain
        && stage.place.here
        && !is_here.iter().any(|name| stage.options.contains_key(*name))
}

/// Shards that are kept on hosts and are brought here for a tool that works where they lie.
fn dataset_brought(last: &StagePlan, stage: &StagePlan) -> Option<String> {
    let [dataset] = last.reads.resources.as_slice() else { return None };
    let is_cat = last.tool == "mc-cat" && dataset.format == "shards" && last.options.len() == 1;
    (is_cat && could_work_there(stage)).then(|| {
        let (tool, file) = (&stage.tool, &dataset.shown);
        format!("{tool} < {file} in the place of mc-cat works where the shards lie")
    })
}

/// Files that are split and cannot be, for they are packed.
fn packed_whole(stage: &StagePlan) -> Option<String> {
    if stage.tool != "mc-split" || stage.writes.kind != StreamKind::Shards {
        return None;
    }
    let is_large = |file: &&ResourcePlan| {
        file.parts.is_none() && file.bytes.is_some_and(|bytes| bytes > LARGE_BYTES)
    };
    let packed = stage.reads.resources.iter().filter(|file| file.packed.is_some() || file.zipped);
    let file = packed.into_iter().find(is_large)?;
    let how = file.packed.clone().unwrap_or_else(|| "a Zip".into());
    Some(format!(
        "{} is {how} and cannot be cut: one slot has to read all of it. mc-cat {} | mc-scatter -h \
         HOSTS unpacks it here and spreads its records",
        file.shown, file.shown
    ))
}

/// A packed file that is smaller is read by one slot in no time.
const LARGE_BYTES: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::outline::CommandOutline;
    use crate::explain::schema::{HostPlan, PartsPlan, StreamPlan, WherePlan};

    fn file(count: u64) -> ResourcePlan {
        let parts = (count > 0).then(|| PartsPlan { count, ..PartsPlan::default() });
        ResourcePlan { place: "path".into(), shown: "a".into(), parts, ..ResourcePlan::default() }
    }

    fn cat(file: ResourcePlan) -> StagePlan {
        StagePlan {
            tool: "mc-cat".into(),
            reads: StreamPlan {
                resources: vec![file],
                ..StreamPlan::of_kind(StreamKind::Resources)
            },
            writes: StreamPlan::of_kind(StreamKind::Records),
            place: WherePlan { here: true, ..WherePlan::default() },
            ..StagePlan::default()
        }
    }

    fn map(slots: Option<u64>) -> StagePlan {
        let host = |name: &str| HostPlan { name: name.into(), slots };
        StagePlan {
            tool: "mc-map".into(),
            reads: StreamPlan::of_kind(StreamKind::Records),
            place: WherePlan { hosts: vec![host("a"), host("b")], ..WherePlan::default() },
            command: Some(CommandOutline::default()),
            ..StagePlan::default()
        }
    }

    #[test]
    fn many_parts_are_read_on_hosts_and_few_are_not() {
        let said = |count, slots| advise(&[cat(file(count))], &map(slots));
        assert_eq!(said(4, None).len(), 1);
        assert_eq!((said(3, None).len(), said(4, Some(2)).len()), (0, 0));
        assert!(said(8, Some(2))[0].contains("mc-split in the place of mc-cat"));
        let elsewhere = ResourcePlan { place: "url".into(), ..file(100) };
        assert_eq!(advise(&[cat(elsewhere)], &map(None)), [""; 0]);
    }

    #[test]
    fn files_that_others_see_are_read_by_them() {
        let on_nfs = ResourcePlan { shared_by: Some("NFS".into()), ..file(1) };
        assert!(advise(&[cat(on_nfs)], &map(None))[0].contains("lie on NFS"));
    }

    #[test]
    fn a_large_packed_file_is_one_part() {
        let packed = |bytes| StagePlan {
            tool: "mc-split".into(),
            writes: StreamPlan::of_kind(StreamKind::Shards),
            ..cat(ResourcePlan { packed: Some("gzip".into()), bytes: Some(bytes), ..file(0) })
        };
        assert!(advise(&[], &packed(LARGE_BYTES + 1))[0].contains("cannot be cut"));
        assert_eq!(advise(&[], &packed(LARGE_BYTES)), [""; 0]);
    }

    #[test]
    fn of_a_foreign_program_nothing_is_concluded() {
        let foreign = StagePlan { foreign: true, ..cat(file(100)) };
        assert_eq!(advise(&[foreign], &map(None)), [""; 0]);
    }
}
