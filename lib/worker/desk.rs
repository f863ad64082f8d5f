//! What a worker does about each frame that it hears: which inputs arrive, when what is asked can begin, what is
//! told to stop. It knows no connection, no thread and no disk, so that every order of frames can be played to it.

use std::collections::HashMap;

use crate::error::Result;
use crate::error::broken;
use crate::spool::Spool;
use crate::wire::FrameKind;
use crate::wire::client::OF_WORKER;
use crate::wire::flow::Debt;
use crate::wire::frame::Frame;
use crate::wire::message::{self, Ask};

/// Where the bytes of an input are kept until all of it is here.
pub(crate) trait Keep {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// When they cannot be kept.
    fn keep(&mut self, bytes: &[u8]) -> Result<()>;
}

impl Keep for Spool {
    fn keep(&mut self, bytes: &[u8]) -> Result<()> {
        self.push(bytes)
    }
}

/// What is to be done about a frame.
#[derive(Debug)]
pub(crate) enum FrameDuty<'f, K> {
    /// Nothing.
    Nothing,
    /// What is asked begins, and is to be answered; its input, where it has one, is here.
    Begin(Ask, Option<Result<K>>),
    /// What is told is to be heeded, and not to be answered.
    Heed(Ask),
    /// The request is to stop: nothing more of it is wanted.
    Stop,
    /// The sender of an input may send so many bytes more.
    Allow(u32),
    /// The receiver of our data allows so many bytes more.
    Allowed(u32),
    /// Data of a file of the client, which this worker has asked for.
    OfClient(&'f [u8]),
}

/// An input that arrives.
struct Incoming<K> {
    /// What it is for.
    ask: Ask,
    kept: Result<K>,
    debt: Debt,
}

/// The inputs that arrive, by the requests that they belong to.
pub(crate) struct Desk<K>(HashMap<u32, Incoming<K>>);

impl<K> Default for Desk<K> {
    fn default() -> Desk<K> {
        Desk(HashMap::new())
    }
}

impl<K: Keep> Desk<K> {
    /// Hears a frame; `place` is where an input is to be kept that is about to arrive.
    ///
    /// # Errors
    /// `Incomplete` for what no tool of ours says. Nothing good can follow.
    pub(crate) fn hear<'f>(
        &mut self,
        frame: Frame<'f>,
        place: impl FnOnce() -> K,
    ) -> Result<FrameDuty<'f, K>> {
        let Frame { kind, request, payload } = frame;
        Ok(match kind {
            FrameKind::Beat => FrameDuty::Nothing,
            FrameKind::Control => self.asked(request, message::decode(payload)?, place)?,
            FrameKind::Data if request & OF_WORKER != 0 => FrameDuty::OfClient(payload),
            FrameKind::Data => {
                self.arrived(request, payload)?.map_or(FrameDuty::Nothing, FrameDuty::Allow)
            }
            FrameKind::Packed => return Err(broken("packed data that nobody has unpacked")),
            FrameKind::End => match self.0.remove(&request) {
                // It was cancelled meanwhile.
                None => FrameDuty::Nothing,
                Some(Incoming { ask, kept, .. }) => FrameDuty::Begin(ask, Some(kept)),
            },
            FrameKind::Credit => {
                FrameDuty::Allowed(u32::from_le_bytes(payload.try_into().unwrap_or_default()))
            }
        })
    }

    fn asked<'f>(
        &mut self,
        request: u32,
        ask: Ask,
        place: impl FnOnce() -> K,
    ) -> Result<FrameDuty<'f, K>> {
        let follows = match &ask {
            Ask::Task(task) => task.input.follows(),
            Ask::Deliver(_) => true,
            _ => false,
        };
        Ok(match ask {
            Ask::Hello(_) => return Err(broken("a second greeting")),
            Ask::Job(_) | Ask::Exchange(_) | Ask::Over(_) | Ask::Client(_) => FrameDuty::Heed(ask),
            Ask::Cancel => {
                self.0.remove(&request);
                FrameDuty::Stop
            }
            ask if follows => {
                let incoming = Incoming { ask, kept: Ok(place()), debt: Debt::default() };
                match self.0.insert(request, incoming) {
                    None => FrameDuty::Nothing,
                    Some(_) => return Err(broken("a request twice")),
                }
            }
            ask => FrameDuty::Begin(ask, None),
        })
    }

    /// Takes some of an input; gives the credit that is due.
    fn arrived(&mut self, request: u32, bytes: &[u8]) -> Result<Option<u32>> {
        // What was cancelled may still be on its way.
        let Some(incoming) = self.0.get_mut(&request) else { return Ok(None) };
        if !incoming.debt.came(bytes.len() as u64) {
            return Err(broken("more data than it was allowed to send"));
        }
        if let Ok(kept) = &mut incoming.kept
            && let Err(error) = kept.keep(bytes)
        {
            // Only this request fails; its data is let pass by.
            incoming.kept = Err(error);
        }
        Ok(incoming.debt.dealt_with(bytes.len() as u64))
    }

    /// Whether no input is on its way.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::exchange::RelayedPart;
    use crate::wire::flow::WINDOW_BYTES;

    /// How much was kept.
    struct Count(usize);

    impl Keep for Count {
        fn keep(&mut self, bytes: &[u8]) -> Result<()> {
            self.0 += bytes.len();
            Ok(())
        }
    }

    #[test]
    fn no_more_of_an_input_is_kept_than_was_allowed() {
        let ask = message::encode(&Ask::Deliver(RelayedPart { merge: 1, source: 0 }));
        let mut desk = Desk::default();
        let asked = Frame { kind: FrameKind::Control, request: 2, payload: &ask };
        desk.hear(asked, || Count(0)).unwrap();
        let piece = vec![0; WINDOW_BYTES as usize / 2];
        for _ in 0..5 {
            // What is kept is dealt with.
            let data = Frame { kind: FrameKind::Data, request: 2, payload: &piece };
            let duty = desk.hear(data, || Count(0)).unwrap();
            assert!(matches!(duty, FrameDuty::Allow(bytes) if bytes as usize == piece.len()));
        }
        let whole = vec![0; WINDOW_BYTES as usize + 1];
        let much = Frame { kind: FrameKind::Data, request: 2, payload: &whole };
        assert_eq!(desk.hear(much, || Count(0)).err().unwrap().exit_code(), 4);
    }
}
