//! Which hosts can be asked for their parts by the others.

use std::sync::Arc;

use crate::cluster::Connection;
use crate::engine::exchange::{NUMBER, Roads, lost, refused};
use crate::error::{Error, Kind, Result};
use crate::run::run_id::RunId;
use crate::wire::exchange::Peers;
use crate::wire::message::{Ask, Peer, Reply};

/// Has the hosts listen for one another, where `roads` asks for that; gives the secret of each that
/// does. `most` says of each how many bytes it may send to each of the others.
///
/// # Errors
/// `Hosts` when one is lost, or cannot listen though there is no other road.
pub(super) fn open(
    hosts: &[Arc<Connection>],
    roads: Roads,
    most: &[u64],
) -> Result<Vec<Option<String>>> {
    if roads == Roads::Relay || hosts.len() < 2 {
        return Ok(vec![None; hosts.len()]);
    }
    let (mut peers, mut listening) = (Vec::new(), Vec::new());
    for ((host, most), reply) in hosts.iter().zip(most).zip(all(hosts, &Ask::Listen(NUMBER))?) {
        match reply {
            Reply::Listening(found) => {
                let (name, addresses) = (host.name().to_string(), found.addresses);
                peers.push(Peer { name, addresses, certificate: found.certificate, most: *most });
                listening.push(Some(RunId::random()?.to_string()));
            }
            Reply::Failed(failed) if roads == Roads::Direct => {
                return Err(Error::new(Kind::Hosts, failed.error().to_string()).at(host.shown()));
            }
            Reply::Failed(_) => listening.push(None),
            reply => return Err(refused(host, reply)),
        }
    }
    let met: Vec<(&Arc<Connection>, &String)> = hosts
        .iter()
        .zip(&listening)
        .filter_map(|(host, secret)| Some((host, secret.as_ref()?)))
        .collect();
    let asked: Vec<u32> = met
        .iter()
        .map(|(host, secret)| {
            let (peers, secret) = (peers.clone(), secret.to_string());
            host.ask(&Ask::Peers(Peers { exchange: NUMBER, peers, secret }))
        })
        .collect::<Result<_>>()?;
    for ((host, _), request) in met.iter().zip(asked) {
        match host.reply(request).map_err(lost)? {
            Reply::Done(_) => (),
            reply => return Err(refused(host, reply)),
        }
    }
    Ok(listening)
}

/// What all hosts reply to a question.
fn all(hosts: &[Arc<Connection>], ask: &Ask) -> Result<Vec<Reply>> {
    let asked: Vec<u32> = hosts.iter().map(|host| host.ask(ask)).collect::<Result<_>>()?;
    let replies = hosts.iter().zip(asked).map(|(host, request)| host.reply(request));
    replies.map(|reply| reply.map_err(lost)).collect()
}
