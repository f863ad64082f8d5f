//! What lies on hosts: a list of it, and its removal.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::columns::{Columns, size};
use super::{HostPlace, Lost, id, visit};
use crate::cluster::Connection;
use crate::dataset::RunId;
use crate::dataset::manifest::run_of;
use crate::dataset::run_dir::{RunHost, RunRecord};
use crate::engine::host_access::HostAccess;
use crate::error::{Error, ErrorKind, Result};
use crate::record::bytes::Bytes;
use crate::record::stream::Output;

/// What is to be removed.
#[derive(Clone, Debug)]
pub enum RemovalTarget {
    /// The dataset of this run.
    Run(RunId),
    /// That of the manifest in this file.
    File(PathBuf),
}

impl RemovalTarget {
    /// The target that `word` is: a run, or else a file.
    pub fn of(word: &Path) -> RemovalTarget {
        let run = word.to_str().and_then(|text| text.parse().ok());
        run.map_or_else(|| RemovalTarget::File(word.into()), RemovalTarget::Run)
    }
}

fn places_of(record: &RunRecord, reach: &HostAccess) -> Result<Vec<HostPlace>> {
    let place = |host| {
        let (found, settings) = reach.to_host(host)?;
        Ok(HostPlace { host: found, name: host.name.clone(), settings })
    };
    record.hosts.iter().map(place).collect()
}

/// The hosts of all runs that are known, each once.
pub(super) fn places(reach: &HostAccess) -> Result<Vec<HostPlace>> {
    let (mut all, mut seen) = (Vec::new(), HashSet::new());
    for (_, record) in reach.runs.list()? {
        let places = places_of(&record, reach)?;
        all.extend(places.into_iter().filter(|place| seen.insert(place.host.clone())));
    }
    Ok(all)
}

/// `places`, this machine but once: however many workers it has, they share one directory.
fn each_once(places: &[HostPlace]) -> Vec<HostPlace> {
    let first = places.iter().position(|place| place.host.is_local());
    let other = |(at, place): &(usize, &HostPlace)| !place.host.is_local() || Some(*at) == first;
    places.iter().enumerate().filter(other).map(|(_, place)| place.clone()).collect()
}

/// Writes what lies on the hosts, and what is known of it here.
pub(super) fn list(
    places: &[HostPlace],
    reach: &HostAccess,
    output: &mut dyn Output,
    say: &dyn Fn(&str),
) -> Result<Lost> {
    let known: BTreeMap<RunId, RunRecord> = reach.runs.list()?.into_iter().collect();
    let heads = ["RUN", "HOST", ">SHARDS", ">BYTES", "STATE", ">AGE", "BY", "FILE"];
    let mut columns = Columns::new(&heads);
    let places = each_once(places);
    let mut lost = Lost { count: 0, of: places.len() };
    for (place, found) in places.iter().zip(visit(&places, Connection::list)) {
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                say(&error.to_string());
                lost.count += 1;
                continue;
            }
        };
        for kept in found {
            let Some(run) = id(&kept.run) else { continue };
            let record = known.get(&run);
            let of = |what: Option<String>| what.unwrap_or_else(|| "-".into());
            columns.row([
                run.to_string(),
                place.name.clone(),
                kept.shards.to_string(),
                size(kept.bytes),
                if kept.for_good { "kept" } else { "in use" }.into(),
                of(record.map(|record| age(record.started))),
                of(record.map(|record| record.tool.clone())),
                of(record.and_then(RunRecord::manifest).map(|path| path.display().to_string())),
            ]);
        }
    }
    output.write(columns.text().as_bytes())?;
    Ok(lost)
}

/// How long ago a time is, in seconds since 1970, in its largest unit.
fn age(then: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let seconds = now.saturating_sub(then);
    let units = [("d", 24 * 3600), ("h", 3600), ("m", 60)];
    match units.iter().find(|(_, length)| seconds >= *length) {
        Some((unit, length)) => format!("{}{unit}", seconds / length),
        None => format!("{seconds}s"),
    }
}

/// Removes datasets from `hosts`, or from those that they were made on; then what is known of them
/// here, and the files of their manifests. Both stay as long as any of the data may lie on another
/// host, or on one out of reach, unless by `force`. One that cannot be removed does not hold up the others: the error
/// is the first that there was.
pub(super) fn remove(
    targets: &[RemovalTarget],
    (hosts, force): (Option<&[HostPlace]>, bool),
    reach: &HostAccess,
    say: &dyn Fn(&str),
) -> Result<Lost> {
    let (mut all, mut first) = (Lost::default(), None);
    for target in targets {
        match remove_one(target, (hosts, force), reach, say) {
            Ok(lost) => all = Lost { count: all.count + lost.count, of: all.of + lost.of },
            Err(error) if first.is_none() && all.count == 0 => first = Some(error),
            Err(error) => say(&error.to_string()),
        }
    }
    first.map_or(Ok(all), Err)
}

fn remove_one(
    target: &RemovalTarget,
    (hosts, force): (Option<&[HostPlace]>, bool),
    reach: &HostAccess,
    say: &dyn Fn(&str),
) -> Result<Lost> {
    let run = match target {
        RemovalTarget::Run(run) => *run,
        RemovalTarget::File(path) => run_of(path).map_err(|error| gone(path, reach, error))?,
    };
    let (record, places) = match (hosts, reach.runs.load(run)) {
        (Some(hosts), record) => (record.ok(), hosts.to_vec()),
        (None, record) => {
            let record = record?;
            let places = places_of(&record, reach)?;
            (Some(record), places)
        }
    };
    let (asked, lost) = remove_from(&places, run, say)?;
    let Some(mut record) = record else {
        // Nobody here knows where the rest of it lies, if there is any: what its file says stays.
        if !asked.iter().any(|asked| asked.found) && lost.count == 0 {
            return Err(Error::usage(format!("nothing of run {run} lies on these hosts")));
        }
        if let RemovalTarget::File(path) = target {
            let path = path.display();
            say(&format!(
                "run {run} is not known here: {path} stays, for other hosts may have more"
            ));
        }
        return Ok(lost);
    };
    record.hosts.retain(|host| !asked.iter().any(|asked| asked.is(host)));
    if force && lost.count > 0 {
        let left: Vec<&str> = record.hosts.iter().map(|host| host.name.as_str()).collect();
        say(&format!("run {run}: what may lie on {} is forgotten", left.join(", ")));
        forget(run, target, &record, reach)?;
        return Ok(Lost::default());
    }
    if record.hosts.is_empty() {
        forget(run, target, &record, reach)?;
    } else {
        reach.runs.keep(run, &record)?;
        // Those out of reach are said already.
        if hosts.is_some() || lost.count == 0 {
            let left: Vec<&str> = record.hosts.iter().map(|host| host.name.as_str()).collect();
            say(&format!("run {run}: what lies on {} stays", left.join(", ")));
        }
    }
    Ok(lost)
}

/// What it means that there is no manifest at `path`: that of a dataset may have been removed by hand.
fn gone(path: &Path, reach: &HostAccess, error: Error) -> Error {
    let full = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let runs = reach.runs.list().unwrap_or_default();
    let is_its = |record: &RunRecord| record.manifest().is_some_and(|kept| kept == full);
    match runs.iter().rev().find(|(_, record)| is_its(record)) {
        Some((run, _)) if !path.exists() => Error::usage(format!(
            "{} is gone, and its data is not: mc-hosts --rm {run}",
            path.display()
        )),
        _ => error,
    }
}

/// A host where nothing of a run is any more.
struct Asked {
    word: String,
    /// The directories where files of workers may lie there.
    directories: Vec<Bytes>,
    /// Whether there was something.
    found: bool,
}

impl Asked {
    /// Whether it is this host of a run.
    fn is(&self, host: &RunHost) -> bool {
        self.word == host.word
            && (self.directories.contains(&host.directory) || host.directory == Bytes::default())
    }
}

/// Removes the shards of `run`: the hosts where that was done, and those out of reach.
fn remove_from(places: &[HostPlace], run: RunId, say: &dyn Fn(&str)) -> Result<(Vec<Asked>, Lost)> {
    let mut lost = Lost { count: 0, of: places.len() };
    let removed = visit(places, |connection| {
        // That the host was reached, and then how it went.
        match connection.remove(&run.to_string()) {
            Ok(found) => {
                let welcome = connection.welcome();
                let directories =
                    [vec![welcome.directory.clone()], welcome.others.clone()].concat();
                Ok(Ok(Asked { word: connection.host().to_string(), directories, found }))
            }
            Err(error) if error.kind() == ErrorKind::Hosts => Err(error),
            Err(error) => Ok(Err(error)),
        }
    });
    let (mut all, mut refused) = (Vec::new(), None);
    for result in removed {
        match result {
            Ok(Ok(asked)) => all.push(asked),
            Ok(Err(error)) => refused = refused.or(Some(error)),
            Err(error) => {
                say(&error.to_string());
                lost.count += 1;
            }
        }
    }
    refused.map_or(Ok((all, lost)), Err)
}

/// Removes what is here of a run whose data is gone.
fn forget(
    run: RunId,
    target: &RemovalTarget,
    record: &RunRecord,
    reach: &HostAccess,
) -> Result<()> {
    let file = match target {
        RemovalTarget::File(path) => Some(path.clone()),
        RemovalTarget::Run(_) => record.manifest(),
    };
    // By now the file may be the manifest of another run.
    if let Some(path) = file.filter(|path| run_of(path).is_ok_and(|found| found == run)) {
        std::fs::remove_file(&path).map_err(|e| Error::path("remove", &path, &e))?;
    }
    reach.runs.remove(run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::manifest::ManifestWriter;

    #[test]
    fn a_target_is_a_run_or_a_file() {
        let run = RunId::random().unwrap();
        assert!(
            matches!(RemovalTarget::of(Path::new(&run.to_string())), RemovalTarget::Run(r) if r == run)
        );
        assert!(matches!(RemovalTarget::of(Path::new("x.mc")), RemovalTarget::File(_)));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.mc");
        std::fs::write(&path, ManifestWriter::begin(run).1).unwrap();
        assert_eq!(run_of(&path).unwrap(), run);
        std::fs::write(&path, "{}\n").unwrap();
        assert!(run_of(&path).is_err());
        assert!(
            run_of(&dir.path().join("no")).unwrap_err().to_string().contains("no: No such file")
        );
    }

    #[test]
    fn ages_have_one_unit() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        for (seconds, shown) in [(0, "0s"), (90, "1m"), (7200, "2h"), (200_000, "2d")] {
            assert_eq!(age(now - seconds), shown);
        }
        assert_eq!(age(now + 1000), "0s");
    }
}
