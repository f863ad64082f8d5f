//! The two ways of a connection: frames as bytes, which come in pieces; and what a hostile worker makes of its own.

use crate::fuzz::random::Random;
use crate::wire::FrameKind;
use crate::wire::frame::{DATA_BYTES, Frame, FrameDecoder};

/// One way.
#[derive(Default)]
pub(super) struct Wire {
    /// What was sent, and how much of it has come.
    sent: Vec<u8>,
    came: usize,
    pub(super) decoder: FrameDecoder,
}

impl Wire {
    pub(super) fn send(&mut self, kind: FrameKind, request: u32, payload: &[u8]) {
        Frame { kind, request, payload }.encode(&mut self.sent).unwrap();
    }

    /// Some of what is on the way comes.
    pub(super) fn deliver(&mut self, random: &mut Random) {
        let most = (self.sent.len() - self.came) as u64;
        let count = match random.below(3) {
            0 => most,
            1 => random.below(most + 1),
            _ => random.below(20).min(most),
        };
        self.decoder.push(&self.sent[self.came..][..count as usize]);
        self.came += count as usize;
        if self.is_empty() {
            (self.sent, self.came) = (Vec::new(), 0);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.came == self.sent.len()
    }
}

/// Sends a frame of a hostile worker: mostly as it is.
pub(super) fn send_harmed(
    wire: &mut Wire,
    random: &mut Random,
    (kind, request, payload): (FrameKind, u32, &[u8]),
) {
    if random.below(20) > 0 {
        return wire.send(kind, request, payload);
    }
    let other = random.below(12) as u32;
    match random.below(9) {
        // It is lost.
        0 => (),
        1 => (0..2).for_each(|_| wire.send(kind, request, payload)),
        2 => wire.send(kind, other, payload),
        3 => {
            wire.send(kind, other, payload);
            wire.send(kind, request, payload);
        }
        4 => (0..9).for_each(|_| wire.send(FrameKind::Data, request, &[7; DATA_BYTES])),
        5 => wire.send(FrameKind::Data, request, b""),
        6 => wire.send(FrameKind::End, request, b""),
        7 => wire.send(FrameKind::Credit, request, &u32::MAX.to_le_bytes()),
        _ => {
            let mut payload = payload.to_vec();
            if !payload.is_empty() {
                let at = random.below(payload.len() as u64) as usize;
                payload[at] ^= 1 << random.below(8);
            }
            wire.send(kind, request, &payload);
        }
    }
}
