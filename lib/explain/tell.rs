//! What a stage does, in lines for people.

mod verbs;

use crate::explain::schema::{
    HostPlan, NetworkPlan, ResourcePlan, StagePlan, StreamKind, TemporaryPlan, WherePlan,
};
use crate::explain::wrap::{counted, said, size};

/// So many hosts or files are named; of more, how many there are.
const NAMED_MAX: usize = 4;

/// The lines of a stage; `follows` says whether it stands behind another one.
pub(super) fn stage(stage: &StagePlan, follows: bool) -> Vec<String> {
    if stage.foreign {
        let call = stage.argv.first().map(|call| call.shown()).unwrap_or_default();
        return vec![call, "none of ours: what it makes of its input is not known".into()];
    }
    let mut lines = verbs::lines(stage);
    if let (StreamKind::Records, [file]) = (stage.reads.kind, stage.reads.resources.as_slice()) {
        lines.push(format!("reads {}", resource(file)));
    }
    if !follows && stage.reads.kind == StreamKind::Unknown {
        lines.push("reads standard input, of which nothing is known".into());
    }
    lines.push(place(stage));
    lines.extend(stage.network.iter().map(network));
    if stage.reads.lies_on_hosts() && !stage.place.here && stage.network.is_empty() {
        lines.push("network: nothing, for the shards are worked on where they lie".into());
    }
    lines.extend(written(stage));
    lines.extend(stage.notes.iter().map(|note| format!("note: {note}")));
    lines.extend(stage.advice.iter().map(|advice| format!("better: {advice}")));
    lines
}

/// Where it works, and with what.
fn place(stage: &StagePlan) -> String {
    let WherePlan { here, cores, hosts, .. } = &stage.place;
    let mut line = match (here, cores) {
        (true, Some(cores)) => format!("here, {}", counted(*cores, "core", "cores")),
        (true, None) => "here".into(),
        (false, _) if hosts.is_empty() => "where the shards lie".into(),
        (false, _) => format!("on {}", hosts_named(hosts)),
    };
    if let Some(least) = stage.place.min_hosts {
        line += &format!(", {least} of which are enough");
    }
    match (stage.memory, here) {
        (Some(memory), true) => line += &format!("; memory up to {}", said(memory)),
        (Some(memory), false) => line += &format!("; memory up to {} on each", said(memory)),
        (None, false) => line += "; memory up to a quarter of each host's",
        (None, true) => (),
    }
    if let Some(temporary) = &stage.temporary {
        line += &format!("; {}", temporary_files(temporary));
    }
    line
}

/// Temporary files, in a few words.
fn temporary_files(TemporaryPlan { dir, bytes }: &TemporaryPlan) -> String {
    let place = dir.as_ref().map_or(" on the hosts".into(), |dir| format!(" in {}", dir.shown()));
    match bytes {
        Some(0) => "no temporary files: it fits".into(),
        Some(bytes) => format!("temporary files{place}, about {}", size(*bytes)),
        None => format!("temporary files{place} for what does not fit"),
    }
}

/// Hosts by their names, with their slots where these are said.
pub(super) fn hosts_named(hosts: &[HostPlan]) -> String {
    let named = |host: &HostPlan| {
        // The colon of a list says little to a reader.
        let name = match host.name.strip_prefix(':') {
            Some(number) => format!("localhost{number}"),
            None => host.name.clone(),
        };
        match host.slots {
            Some(slots) => format!("{name} ({})", counted(slots, "slot", "slots")),
            None => name,
        }
    };
    if hosts.len() > NAMED_MAX {
        let (first, last) = (named(&hosts[0]), hosts.last().map(named).unwrap_or_default());
        return format!("{} hosts, {first} to {last}", hosts.len());
    }
    hosts.iter().map(named).collect::<Vec<_>>().join(", ")
}

/// What crosses the network.
fn network(NetworkPlan { way, bytes, what }: &NetworkPlan) -> String {
    let way = match way.as_str() {
        "to-hosts" => "from here to the hosts",
        "from-hosts" => "from the hosts to here",
        "between-hosts" => "from host to host",
        "from-url" => "from the network to here",
        other => other,
    };
    match bytes {
        Some(bytes) => format!("network: about {} {way}: {what}", size(*bytes)),
        None => format!("network: {what}, {way}"),
    }
}

/// What is written, where more is to be said than that it is records.
fn written(stage: &StagePlan) -> Option<String> {
    let writes = &stage.writes;
    let known = writes.sorted_by.as_ref().map(|key| {
        let how = match (writes.grouped_by.is_some(), key.reverse) {
            (true, false) => "grouped by, and in the order of,",
            (true, true) => "grouped by, and in the reverse order of,",
            (false, false) => "in the order of",
            (false, true) => "in the reverse order of",
        };
        format!("{how} {}", verbs::key_named(&key.key))
    });
    if writes.kind != StreamKind::Shards {
        return known.map(|known| format!("known then: records are {known}"));
    }
    let count = match writes.shards {
        Some(count) => format!("about {}", counted(count, "shard", "shards")),
        None => "shards".into(),
    };
    let mut line = format!("makes {count}");
    if let Some(file) = &writes.keep {
        line += &format!(", kept as {}", file.shown());
    }
    if let Some(known) = known {
        line += &format!("; known then: records are {known}");
    }
    Some(line)
}

/// What is read, resource by resource where there are few.
pub(super) fn resources(resources: &[ResourcePlan]) -> String {
    if resources.len() <= NAMED_MAX {
        return resources.iter().map(resource).collect::<Vec<_>>().join("; ");
    }
    let first = &resources[0];
    let alike = resources.iter().all(|one| one.spec == first.spec && one.packed == first.packed);
    let what = if alike { format_named(first) } else { "several formats".into() };
    let last = resources.last().map(|last| last.shown.as_str()).unwrap_or_default();
    let bytes: Option<u64> = resources.iter().map(|one| one.bytes).sum();
    let bytes = bytes.map_or(String::new(), |bytes| format!(", {} in all", size(bytes)));
    format!("{} files, {} to {last}: {what}{bytes}", resources.len(), first.shown)
}

/// A resource with its format and its size.
fn resource(resource: &ResourcePlan) -> String {
    let name = match (resource.place.as_str(), resource.shown.as_str()) {
        ("standard", _) => "standard input",
        (_, shown) => shown,
    };
    let mut line = name.to_string();
    let format = format_named(resource);
    if !format.is_empty() {
        line += &format!(": {format}");
    }
    if let Some(bytes) = resource.bytes {
        line += &format!(", {}", size(bytes));
    }
    match (resource.members, resource.format.as_str()) {
        (Some(count), "files") => line += &format!(", {}", counted(count, "file", "files")),
        (Some(count), "leveldb") => line += &format!(" in {}", counted(count, "file", "files")),
        (Some(count), _) => line += &format!(", {}", counted(count, "member", "members")),
        (None, _) => (),
    }
    match (resource.unpacked_bytes, resource.format.as_str()) {
        (Some(bytes), "shards") => line += &format!(" on hosts, {} of records", size(bytes)),
        (Some(bytes), _) => line += &format!(", {} unpacked", size(bytes)),
        (None, _) => (),
    }
    line
}

/// The format as it is written, and how it is packed.
fn format_named(resource: &ResourcePlan) -> String {
    let mut line = resource.spec.clone();
    if resource.zipped {
        line += " in a Zip";
    }
    match &resource.packed {
        Some(codec) if line.is_empty() => line = codec.clone(),
        Some(codec) => line += &format!(", {codec}"),
        None => (),
    }
    line
}
