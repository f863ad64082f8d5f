//! How this tool reaches hosts and the runs of its user: from the environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::surroundings::{self, variable};
use crate::cli::{Session, environment, message, options};
use crate::cluster::{Settings, WorkerBinary};
use crate::dataset::ownership::Locks;
use crate::dataset::run_dir::Runs;
use crate::engine::host_access::HostAccess;
use crate::error::{Error, Result};

/// The variable that names the worker to send to hosts.
const WORKER_VARIABLE: &str = "MC_WORKER";

/// The variable that names ssh's configuration, as `--ssh-config` does.
const CONFIG_VARIABLE: &str = "MC_SSH_CONFIG";

/// Where the worker lies, as seen from the tools.
const WORKER_PLACES: [&str; 2] = ["mc-worker", "../libexec/mycloud/mc-worker"];

/// How `session`'s tool reaches hosts and runs. `ssh` and `ssh_config` are what the options say.
///
/// # Errors
/// `Usage` when there is no worker, or no home for the runs.
pub fn access(
    session: &Session,
    ssh: Option<Vec<OsString>>,
    ssh_config: Option<PathBuf>,
) -> Result<HostAccess> {
    let (tool, verbose) = (session.tool(), session.is_verbose());
    let settings = Settings {
        worker: Arc::new(worker()?),
        library: session.library(),
        ssh,
        ssh_config: ssh_config.or_else(|| variable(CONFIG_VARIABLE).map(PathBuf::from)),
        environment: environment::of_login(),
        home: variable("HOME").map(PathBuf::from),
        agent: variable("SSH_AUTH_SOCK").map(PathBuf::from),
        say: Arc::new(move |line| message::say(tool, line)),
        explain: Arc::new(move |line| {
            if verbose {
                message::say(tool, line);
            }
        }),
    };
    let state = surroundings::state_directory().ok_or_else(|| {
        Error::usage("neither HOME nor XDG_STATE_HOME says where to keep what is known of runs")
    })?;
    Ok(HostAccess {
        tool,
        settings,
        runs: Runs::new(&state),
        locks: Locks::new(surroundings::runtime_directories()?),
        lineage: Arc::clone(session.lineage()),
        again: session.again().cloned(),
        tools: std::env::current_exe().ok().and_then(|tool| Some(tool.parent()?.into())),
        directory: options::default_directory(),
        observer: session.observer().clone(),
    })
}

/// The worker to send.
fn worker() -> Result<WorkerBinary> {
    if let Some(path) = variable(WORKER_VARIABLE) {
        return Ok(WorkerBinary::new(path.into()));
    }
    let tool = std::env::current_exe().map_err(|e| Error::io("find", "this program", &e))?;
    let directory = tool.parent().unwrap_or(Path::new("/"));
    let mut places = WORKER_PLACES.iter().map(|place| directory.join(place));
    places.find(|path| path.is_file()).map(WorkerBinary::installed).ok_or_else(|| {
        let directory = directory.display();
        Error::usage(format!(
            "there is no mc-worker in {directory}, which is what runs on hosts: install the tools \
             with scripts/install, or name it in MC_WORKER"
        ))
    })
}
