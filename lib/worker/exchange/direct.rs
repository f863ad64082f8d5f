//! The direct road: from the other hosts to this one, and from this one to them.

use std::sync::{Arc, OnceLock};

use crate::error::broken;
use crate::error::{Error, Result};
use crate::parallel::lock;
use crate::peer::{self, Identity, Listener, PartFailure, PeerSet};
use crate::record::bytes::Bytes;
use crate::spool::Spool;
use crate::wire::exchange::Peer;
use crate::wire::exchange::token;
use crate::wire::message::{Listening, Part};
use crate::worker::exchange::ExchangeState;
use crate::worker::exchange::road::{Road, Want};

/// This host's end of the direct roads.
pub(super) struct Direct {
    identity: Identity,
    listener: Listener,
    /// The others, once they are known.
    peers: OnceLock<PeerSet>,
}

impl ExchangeState {
    /// Makes ready to send parts to peers, whoever they will be; says where they can ask for them.
    /// `ssh_connection` is what tells by which address this host was reached.
    pub(crate) fn listen(&self, ssh_connection: Option<&str>) -> Result<Listening> {
        let identity = Identity::new()?;
        let listener = Listener::open(&identity, &peer::addresses(ssh_connection))?;
        let addresses = listener.addresses();
        let public_key = Bytes(identity.public_key().to_vec());
        let direct = Direct { identity, listener, peers: OnceLock::new() };
        *lock(&self.direct) = Some(Arc::new(direct));
        Ok(Listening { addresses, public_key })
    }

    /// From now on sends parts to these peers, of ranges for which they show a token that was made
    /// with `secret`, and asks them for theirs.
    pub(crate) fn meet(self: &Arc<ExchangeState>, peers: Vec<Peer>, secret: String) -> Result<()> {
        let Some(direct) = lock(&self.direct).clone() else {
            return Err(broken("peers for who does not listen"));
        };
        // The listener belongs to the exchange: it must not keep it.
        let exchange = Arc::downgrade(self);
        let send = move |part: &Part, take: &mut dyn FnMut(&[u8]) -> Result<()>| {
            let exchange = exchange.upgrade().filter(|e| e.spec.number == part.exchange);
            let exchange = exchange.ok_or_else(|| Error::incomplete("the exchange is over"))?;
            if part.token != Some(token(&secret, &part.from, &part.to)) {
                return Err(Error::incomplete("a range was asked for that is another's to merge"));
            }
            exchange.part(part, take)
        };
        direct.listener.serve(&peers, Arc::new(send))?;
        let met = PeerSet::new(&direct.identity, peers)?;
        direct.peers.set(met).map_err(|_| broken("peers a second time"))
    }

    /// Nobody listens any more.
    pub(super) fn close(&self) {
        if let Some(direct) = lock(&self.direct).take() {
            direct.listener.close();
        }
        lock(&self.sorted).clear();
    }
}

impl Road for Direct {
    fn bring(&self, want: &Want<'_>, mut to: Spool) -> std::result::Result<Spool, PartFailure> {
        let Some(peers) = self.peers.get() else {
            return Err(PartFailure::Road(Error::incomplete("no peers are known")));
        };
        let brought = peers.part(want.peer, want.part, want.stopped, &mut |bytes| to.push(bytes));
        brought.map(|()| to).map_err(|failure| match failure {
            PartFailure::Failed(error) => PartFailure::Failed(error.at(want.peer)),
            failure => failure,
        })
    }
}
