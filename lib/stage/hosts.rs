//! `mc-hosts`: what the hosts of a list are, what lies on them, and the end of what is kept there.

mod columns;
mod kept;

use std::time::Instant;

use crate::cluster::Welcome;
use crate::cluster::{Connection, Greeting, Host, Settings};
use crate::dataset::RunId;
use crate::engine::fleet::{self, CONNECT_AT_ONCE};
use crate::engine::host_access::HostAccess;
use crate::error::{Error, ErrorKind, Result};
use crate::parallel;
use crate::record::stream::{Output, Summary};
use crate::stage::hosts::columns::{Columns, size};

pub use kept::RemovalTarget;

/// What is asked.
#[derive(Clone, Debug)]
pub enum HostsRequest {
    /// What the hosts are.
    Table,
    /// What lies on them.
    Kept,
    /// To remove what is kept.
    Remove(Vec<RemovalTarget>),
}

/// What `mc-hosts` is to do.
pub struct HostsOptions {
    /// The hosts; without them those of the runs that are asked for.
    pub hosts: Option<Vec<Host>>,
    /// What is asked.
    pub what: HostsRequest,
    /// Whether what cannot be removed, for its host is out of reach, is forgotten.
    pub force: bool,
}

/// Asks the hosts, and writes a table to `output`. `say` takes why a host is out of reach.
///
/// # Errors
/// `Hosts` when any host is out of reach, after all that can be said of the others; `Usage` for
/// runs that are not known.
pub fn run(
    options: &HostsOptions,
    reach: &HostAccess,
    output: &mut dyn Output,
    say: &dyn Fn(&str),
) -> Result<Summary> {
    let hosts = options.hosts.as_deref().map(|hosts| places(hosts, reach));
    let lost = match (&options.what, hosts) {
        (HostsRequest::Table, Some(hosts)) => table(&hosts, output, say)?,
        (HostsRequest::Table, None) => return Err(Error::usage("which hosts? say -h HOSTS")),
        (HostsRequest::Kept, hosts) => {
            let hosts = hosts.map_or_else(|| kept::places(reach), Ok)?;
            kept::list(&hosts, reach, output, say)?
        }
        (HostsRequest::Remove(targets), hosts) => {
            kept::remove(targets, (hosts.as_deref(), options.force), reach, say)?
        }
    };
    output.flush()?;
    match lost {
        Lost { count: 0, .. } => Ok(Summary::default()),
        Lost { count: 1, of } => Err(out_of_reach(format!("1 of {of} hosts is out of reach"))),
        Lost { count, of } => Err(out_of_reach(format!("{count} of {of} hosts are out of reach"))),
    }
}

fn out_of_reach(text: String) -> Error {
    Error::new(ErrorKind::Hosts, text)
}

/// How many hosts are out of reach, of so many.
#[derive(Clone, Copy, Default)]
struct Lost {
    count: usize,
    of: usize,
}

/// A host, and how it is reached.
#[derive(Clone)]
struct HostPlace {
    host: Host,
    name: String,
    settings: Settings,
}

fn places(hosts: &[Host], reach: &HostAccess) -> Vec<HostPlace> {
    let names = fleet::names(hosts);
    let place = |(host, name): (&Host, String)| HostPlace {
        host: host.clone(),
        name,
        settings: reach.settings.clone(),
    };
    hosts.iter().zip(names).map(place).collect()
}

/// Does `work` with a worker on each host, on several at once; the results in the order of the hosts.
fn visit<T: Send>(
    places: &[HostPlace],
    work: impl Fn(&Connection) -> Result<T> + Sync,
) -> Vec<Result<T>> {
    parallel::each(places, CONNECT_AT_ONCE, |place| {
        let greeting = Greeting::default();
        let connection = Connection::open(&place.host, &place.name, &place.settings, &greeting)?;
        let result = work(&connection);
        connection.hang_up();
        connection.wait_for_end();
        result
    })
}

/// What a host is.
struct Seen {
    welcome: Welcome,
    road: &'static str,
    trip_ms: f64,
    kept_bytes: u64,
}

fn look(connection: &Connection) -> Result<Seen> {
    let began = Instant::now();
    let kept = connection.list()?;
    let trip_ms = began.elapsed().as_secs_f64() * 1000.0;
    let kept_bytes = kept.iter().map(|kept| kept.bytes).fold(0, u64::saturating_add);
    Ok(Seen { welcome: connection.welcome().clone(), road: connection.road(), trip_ms, kept_bytes })
}

fn table(places: &[HostPlace], output: &mut dyn Output, say: &dyn Fn(&str)) -> Result<Lost> {
    let mut columns = Columns::new(&[
        "HOST", "REACHED", "ROAD", ">SLOTS", ">CORES", ">MEMORY", ">DISK", "ARCH", ">TRIP",
        ">SHARDS",
    ]);
    let mut lost = Lost { count: 0, of: places.len() };
    for (place, seen) in places.iter().zip(visit(places, look)) {
        match seen {
            Ok(Seen { welcome, road, trip_ms, kept_bytes }) => columns.row([
                place.name.clone(),
                "yes".into(),
                road.into(),
                welcome.slots.to_string(),
                welcome.cores.to_string(),
                size(welcome.memory),
                size(welcome.disk),
                welcome.arch,
                format!("{trip_ms:.1} ms"),
                size(kept_bytes),
            ]),
            Err(error) => {
                say(&error.to_string());
                lost.count += 1;
                columns.row([place.name.clone(), "no".into()]);
            }
        }
    }
    output.write(columns.text().as_bytes())?;
    Ok(lost)
}

/// Whether `run` is one that hosts may name: what they say is not relied on.
fn id(run: &str) -> Option<RunId> {
    run.parse().ok()
}
