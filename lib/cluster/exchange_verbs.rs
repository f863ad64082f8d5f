//! What is asked of a worker in an exchange, a call each.
//!
//! That a worker is lost, which takes with it what it has sorted, is told apart from what it says: an
//! [`Answer`] is the one inside of a result that is the other.

use crate::cluster::connection::Connection;
use crate::error::Result;
use crate::wire::exchange::{
    Exchange, HostOffer, MergeTask, Merged, Peers, Reduce, RelayRequest, RelayedPart, SortResult,
    SortTask,
};
use crate::wire::message::{Ask, Listening, Part, Reply};

/// What a worker says to what it was asked; none where the answer was not waited for, since it is
/// not wanted any more.
pub type Answer<T> = Option<Result<T>>;

/// News of a merge.
#[derive(Debug)]
pub enum MergeNews {
    /// A part is to be brought.
    RelayRequest(RelayRequest),
    /// It has ended.
    Ended(Result<Merged>),
}

type Stop<'a> = &'a dyn Fn() -> bool;

impl Connection {
    /// Makes an exchange known there.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost.
    pub fn begin_exchange(&self, exchange: &Exchange) -> Result<()> {
        self.tell(&Ask::Exchange(exchange.clone()))
    }

    /// The exchange of this number is over there.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost.
    pub fn end_exchange(&self, number: u32) -> Result<()> {
        self.tell(&Ask::Over(number))
    }

    /// Has shards that lie there sorted.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost.
    pub fn sort(&self, sort: SortTask, stop: Stop<'_>) -> Result<Answer<SortResult>> {
        self.answer(&Ask::Sort(sort), stop, |reply| match reply {
            Reply::Sorted(sorted) => Ok(sorted),
            other => Err(Box::new(other)),
        })
    }

    /// Has a shard that lies there reduced.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost.
    pub fn reduce(&self, reduce: Reduce, stop: Stop<'_>) -> Result<Answer<Merged>> {
        self.answer(&Ask::Reduce(reduce), stop, |reply| match reply {
            Reply::Merged(merged) => Ok(merged),
            other => Err(Box::new(other)),
        })
    }

    /// How much of which keys was sorted there in the exchange of this number.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost.
    pub fn weigh(&self, number: u32, stop: Stop<'_>) -> Result<Answer<HostOffer>> {
        self.answer(&Ask::Weigh(number), stop, |reply| match reply {
            Reply::Weighed(weighed) => Ok(weighed),
            other => Err(Box::new(other)),
        })
    }

    /// Has the worker listen for its peers: where they find it, or why it cannot, in words.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost.
    pub fn listen(
        &self,
        number: u32,
        stop: Stop<'_>,
    ) -> Result<Answer<std::result::Result<Listening, String>>> {
        self.answer(&Ask::Listen(number), stop, |reply| match reply {
            Reply::Listening(listening) => Ok(Ok(listening)),
            Reply::Failed(failed) => Ok(Err(failed.error().to_string())),
            other => Err(Box::new(other)),
        })
    }

    /// Tells the worker of its peers.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost.
    pub fn introduce(&self, peers: Peers, stop: Stop<'_>) -> Result<Answer<()>> {
        self.answer(&Ask::Peers(peers), stop, done)
    }

    /// Begins a merge there, of whose request the number is given.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost.
    pub fn begin_merge(&self, merge: MergeTask) -> Result<u32> {
        self.ask(&Ask::Merge(merge))
    }

    /// The next news of a merge; none, and the merge is not wanted any more, once `stop` says so.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost.
    pub fn merge_news(&self, request: u32, stop: Stop<'_>) -> Result<Option<MergeNews>> {
        let news = self.look(request, stop, |open| match open.wanted.pop_front() {
            Some(wanted) => Some(Ok(wanted)),
            None => open.reply.take().map(Err),
        })?;
        Ok(match news {
            None => None,
            Some(Ok(wanted)) => Some(MergeNews::RelayRequest(wanted)),
            Some(Err(reply)) => {
                self.close(request);
                Some(MergeNews::Ended(match reply {
                    Reply::Merged(merged) => Ok(merged),
                    other => Err(self.refusal(other)),
                }))
            }
        })
    }

    /// Asks for a part of a range, which comes as the data of the request that is given.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost.
    pub fn fetch_part(&self, part: Part) -> Result<u32> {
        self.ask(&Ask::Part(part))
    }

    /// Begins to bring a part to a merge, as the data of the request that is given.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost.
    pub fn begin_delivery(&self, deliver: RelayedPart) -> Result<u32> {
        self.ask(&Ask::Deliver(deliver))
    }

    /// All of a part was brought: waits until the worker has taken it.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost.
    pub fn end_delivery(&self, request: u32) -> Result<Result<()>> {
        self.sent_all(request)?;
        Ok(done(self.reply(request)?).map_err(|other| self.refusal(*other)))
    }

    /// Asks and waits for the reply, of which `of` makes the answer, or gives it back.
    fn answer<T>(
        &self,
        ask: &Ask,
        stop: Stop<'_>,
        of: impl FnOnce(Reply) -> std::result::Result<T, Box<Reply>>,
    ) -> Result<Answer<T>> {
        let reply = self.reply_unless(self.ask(ask)?, stop)?;
        Ok(reply.map(|reply| of(reply).map_err(|other| self.refusal(*other))))
    }
}

fn done(reply: Reply) -> std::result::Result<(), Box<Reply>> {
    match reply {
        Reply::Done(_) => Ok(()),
        other => Err(Box::new(other)),
    }
}
