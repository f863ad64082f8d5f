//! The hosts that a batch system has given to a job: Slurm's compressed lists, and the files of
//! PBS. Nothing here reads the environment or a file.

use std::collections::HashMap;

use crate::cluster::Host;
use crate::cluster::host::SLOTS_MAX;
use crate::cluster::host_list::{self, HOSTS_MAX};
use crate::error::{Error, Result};

/// The hosts of Slurm's list, such as `node[01-04,07],gpu1`, with the slots of `cpus`, such as
/// `8(x3),4`, which stand in the same order.
///
/// # Errors
/// `Usage` when one of both is none, or they do not agree.
pub fn slurm(nodes: &str, cpus: Option<&str>) -> Result<Vec<Host>> {
    let mut hosts = host_list::parse(nodes).map_err(|e| e.at("SLURM_JOB_NODELIST"))?;
    let Some(cpus) = cpus else { return Ok(hosts) };
    let wrong = || Error::usage(format!("SLURM_JOB_CPUS_PER_NODE: {cpus:?} is not understood"));
    let counts = counts(cpus).ok_or_else(wrong)?;
    if counts.len() != hosts.len() {
        return Err(Error::usage(format!(
            "SLURM_JOB_CPUS_PER_NODE speaks of {} hosts, SLURM_JOB_NODELIST of {}",
            counts.len(),
            hosts.len()
        )));
    }
    for (host, count) in hosts.iter_mut().zip(counts) {
        host.slots = Some(count);
    }
    Ok(hosts)
}

/// The numbers of `8(x3),4`: 8, 8, 8, 4.
fn counts(text: &str) -> Option<Vec<u32>> {
    let mut counts = Vec::new();
    for part in text.split(',') {
        let (count, times) = match part.split_once("(x") {
            Some((count, times)) => (count, times.strip_suffix(')')?.parse().ok()?),
            None => (part, 1),
        };
        let count: u32 = count.parse().ok().filter(|count| *count > 0)?;
        if times > HOSTS_MAX - counts.len() {
            return None;
        }
        counts.resize(counts.len() + times, count.min(SLOTS_MAX));
    }
    Some(counts)
}

/// The hosts of PBS's file called `name`, which has a line for each slot.
///
/// # Errors
/// `Usage` for a line that is no host.
pub fn pbs(text: &str, name: &str) -> Result<Vec<Host>> {
    let mut lines: Vec<(&str, u32)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let place = *places.entry(line).or_insert(lines.len());
        match lines.get_mut(place) {
            Some((_, count)) => *count = count.saturating_add(1).min(SLOTS_MAX),
            None => lines.push((line, 1)),
        }
    }
    let words: Vec<String> = lines.iter().map(|(host, count)| format!("{count}/{host}")).collect();
    host_list::parse_file(&words.join("\n"), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(hosts: &[Host]) -> Vec<String> {
        hosts.iter().map(|host| format!("{:?} {host}", host.slots.unwrap_or(0))).collect()
    }

    #[test]
    fn slurms_lists_are_understood() {
        let hosts = slurm("node[01-03,07],gpu1", Some("8(x3),4,2000")).unwrap();
        assert_eq!(words(&hosts), ["8 node01", "8 node02", "8 node03", "4 node07", "1024 gpu1"]);
        assert_eq!(words(&slurm("a,b", None).unwrap()), ["0 a", "0 b"]);
        // Several brackets in a name, text behind one, leading zeros over a change of digits.
        let hosts =
            slurm("r[1-2]n[098-100],c1-ib[3,5]x,tux", Some("36(x4),72(x2),1(x2),4")).unwrap();
        let expected = [
            "36 r1n098",
            "36 r1n099",
            "36 r1n100",
            "36 r2n098",
            "72 r2n099",
            "72 r2n100",
            "1 c1-ib3x",
            "1 c1-ib5x",
            "4 tux",
        ];
        assert_eq!(words(&hosts), expected);
        for (nodes, cpus) in
            [("a,b", "8"), ("a", "8(x2)"), ("a", "x"), ("a", "0"), ("a", "8(x99999)"), ("-a", "1")]
        {
            assert!(slurm(nodes, Some(cpus)).is_err(), "{nodes} {cpus}");
        }
    }

    #[test]
    fn a_line_of_pbs_is_a_slot() {
        let hosts = pbs("n1\nn1\nn2.lan\n\nn1\n", "nodes").unwrap();
        assert_eq!(words(&hosts), ["3 n1", "1 n2.lan"]);
        // The lines of a host need not stand together.
        let hosts = pbs("n2\r\nn1\r\nn2\r\n", "nodes").unwrap();
        assert_eq!(words(&hosts), ["2 n2", "1 n1"]);
        assert!(pbs("-x\n", "nodes").unwrap_err().to_string().starts_with("nodes: line 1"));
        assert!(pbs("", "nodes").is_err());
    }
}
