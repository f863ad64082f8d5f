//! How much memory there is to use: the machine's, or less where a control group (version 1 or 2) or
//! a limit of the process (`ulimit -v`) allows less.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

/// Assumed where the system does not say: small enough for any machine.
const UNKNOWN: u64 = 1 << 30;

/// What of a limit on addresses goes to programs, stacks, and room that is reserved and never used, for
/// which the kernel counts them as if it were.
const ADDRESSES_SHARE: u64 = 3;

/// What the C library reserves for a thread that allocates, such as the one that shows progress.
const RESERVED: u64 = 64 << 20;

/// The bytes of memory that this process may use with all others of its control group.
pub fn allowed() -> u64 {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = group_files(&groups, Path::new("/sys/fs/cgroup")).into_iter();
    let limits = limits.filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok());
    limits.chain(machine()).chain(of_process()).min().unwrap_or(UNKNOWN)
}

/// The limits of the process.
fn of_process() -> impl Iterator<Item = u64> {
    let limits = [Resource::RLIMIT_AS, Resource::RLIMIT_DATA].into_iter();
    let limits = limits.filter_map(|limit| Some(getrlimit(limit).ok()?.0));
    let limits = limits.filter(|limit| *limit != RLIM_INFINITY);
    limits.map(|limit| limit.saturating_sub(RESERVED).max(limit / 2) / ADDRESSES_SHARE)
}

/// The memory of the machine.
fn machine() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// The files that may hold a limit, given the text of `/proc/self/cgroup`: those of the group and
/// of every group around it. Inside a container the path may be one of the host's, so the root,
/// which then is the container's own group, always counts.
fn group_files(groups: &str, root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (_, Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let (root, name) = match controllers {
            "" => (root.to_path_buf(), "memory.max"),
            c if c.split(',').any(|c| c == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let group = root.join(path.trim_start_matches('/'));
        let around = group.ancestors().take_while(|dir| dir.starts_with(&root));
        files.extend(around.map(|dir| dir.join(name)));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_both_versions_are_looked_for_up_to_the_root() {
        let groups = "5:cpu,cpuacct:/x\n4:memory:/a/b\n0::/c\nodd";
        let files = group_files(groups, Path::new("/r"));
        let want = [
            "/r/memory/a/b/memory.limit_in_bytes",
            "/r/memory/a/memory.limit_in_bytes",
            "/r/memory/memory.limit_in_bytes",
            "/r/c/memory.max",
            "/r/memory.max",
        ];
        assert_eq!(files, want.map(PathBuf::from));
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(allowed() > 1 << 20);
    }
}
