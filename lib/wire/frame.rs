//! Frames: how they are written into bytes, and found again in a stream of them.

pub(crate) use crate::error::broken;
use crate::error::{Error, Result};

/// The most bytes that a payload has.
pub(crate) const PAYLOAD_MAX: usize = 1 << 20;

/// How much data a sender puts into one frame: small enough that a beat is soon through.
pub(crate) const DATA_BYTES: usize = 128 * 1024;

/// The bytes before a payload.
pub(crate) const HEAD_BYTES: usize = 9;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// A message.
    Control,
    /// Bytes of a stream.
    Data,
    /// The good end of a stream.
    End,
    /// Leave to send more bytes.
    Credit,
    /// A sign of life.
    Beat,
    /// Bytes of a stream, packed.
    Packed,
}

impl FrameKind {
    fn byte(self) -> u8 {
        match self {
            FrameKind::Control => 0,
            FrameKind::Data => 1,
            FrameKind::End => 2,
            FrameKind::Credit => 3,
            FrameKind::Beat => 4,
            FrameKind::Packed => 5,
        }
    }

    fn of(byte: u8) -> Option<FrameKind> {
        match byte {
            0 => Some(FrameKind::Control),
            1 => Some(FrameKind::Data),
            2 => Some(FrameKind::End),
            3 => Some(FrameKind::Credit),
            4 => Some(FrameKind::Beat),
            5 => Some(FrameKind::Packed),
            _ => None,
        }
    }
}

/// A frame, its payload borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// What it carries.
    pub kind: FrameKind,
    /// The request that it belongs to.
    pub request: u32,
    /// What it carries, at most [`PAYLOAD_MAX`] bytes.
    pub payload: &'a [u8],
}

impl Frame<'_> {
    /// Appends the frame to `out`.
    ///
    /// # Errors
    /// `Usage` when the payload is too long for a frame.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        if self.payload.len() > PAYLOAD_MAX {
            return Err(Error::usage(format!(
                "a message of {} bytes, which is more than {PAYLOAD_MAX} (are the arguments that long?)",
                self.payload.len()
            )));
        }
        out.extend_from_slice(&head(self.kind, self.request, self.payload.len()));
        out.extend_from_slice(self.payload);
        Ok(())
    }
}

/// The head of a frame with a payload of `length` bytes, which is at most [`PAYLOAD_MAX`].
pub(crate) fn head(kind: FrameKind, request: u32, length: usize) -> [u8; HEAD_BYTES] {
    let (length, request) = ((length as u32).to_le_bytes(), request.to_le_bytes());
    let [a, b, c, d] = length;
    let [e, f, g, h] = request;
    [a, b, c, d, kind.byte(), e, f, g, h]
}

/// Finds the frames in a stream of bytes, however it is cut.
#[derive(Debug, Default)]
pub(crate) struct FrameDecoder {
    bytes: Vec<u8>,
    /// Where the next frame begins.
    at: usize,
}

impl FrameDecoder {
    /// Takes the next bytes of the stream.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.at == self.bytes.len() {
            self.bytes.clear();
            self.at = 0;
        } else if self.at >= PAYLOAD_MAX {
            self.bytes.drain(..self.at);
            self.at = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next frame, if all of it is there.
    ///
    /// # Errors
    /// `Incomplete` for bytes that no peer of ours sends. Nothing good can follow.
    pub(crate) fn frame(&mut self) -> Result<Option<Frame<'_>>> {
        let rest = &self.bytes[self.at..];
        let Some((head, behind)) = rest.split_at_checked(HEAD_BYTES) else { return Ok(None) };
        let word =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (length, request) = (word(0) as usize, word(5));
        let Some(kind) = FrameKind::of(head[4]) else {
            return Err(broken(format!("a frame of kind {}", head[4])));
        };
        let fits = match kind {
            FrameKind::Control | FrameKind::Data | FrameKind::Packed => length <= PAYLOAD_MAX,
            FrameKind::End | FrameKind::Beat => length == 0,
            FrameKind::Credit => length == 4,
        };
        if !fits {
            return Err(broken(format!("a frame of kind {} with {length} bytes", head[4])));
        }
        let Some(payload) = behind.get(..length) else { return Ok(None) };
        self.at += HEAD_BYTES + length;
        Ok(Some(Frame { kind, request, payload }))
    }

    /// Whether the stream ends between two frames here.
    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(frames: &[(u8, u32, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, request, payload) in frames {
            let kind = FrameKind::of(*kind).unwrap();
            Frame { kind, request: *request, payload }.encode(&mut bytes).unwrap();
        }
        bytes
    }

    fn decoded(bytes: &[u8], step: usize) -> Result<Vec<(u8, u32, Vec<u8>)>> {
        let mut decoder = FrameDecoder::default();
        let mut frames = Vec::new();
        for part in bytes.chunks(step) {
            decoder.push(part);
            while let Some(frame) = decoder.frame()? {
                frames.push((frame.kind.byte(), frame.request, frame.payload.to_vec()));
            }
        }
        Ok(frames)
    }

    proptest! {
        #[test]
        fn frames_come_back_however_the_stream_is_cut(
            frames in proptest::collection::vec((0u8..2, any::<u32>(), proptest::collection::vec(any::<u8>(), 0..300)), 0..20),
            step in 1usize..400,
        ) {
            prop_assert_eq!(decoded(&encoded(&frames), step).unwrap(), frames);
        }

        #[test]
        fn no_bytes_make_it_panic_or_hold_more_than_came(
            bytes in proptest::collection::vec(any::<u8>(), 0..2000), step in 1usize..100,
        ) {
            let _ = decoded(&bytes, step);
        }

        #[test]
        fn damage_is_an_error_or_another_frame_never_a_panic(
            frames in proptest::collection::vec((0u8..2, any::<u32>(), proptest::collection::vec(any::<u8>(), 0..50)), 1..8),
            at in any::<prop::sample::Index>(), value in any::<u8>(), step in 1usize..60,
        ) {
            let mut bytes = encoded(&frames);
            let place = at.index(bytes.len());
            bytes[place] = value;
            if let Ok(found) = decoded(&bytes, step) {
                prop_assert!(found.iter().map(|f| f.2.len() + 9).sum::<usize>() <= bytes.len());
            }
        }
    }

    #[test]
    fn lengths_are_bounded_before_the_payload_comes() {
        let mut head = ((PAYLOAD_MAX + 1) as u32).to_le_bytes().to_vec();
        head.extend([1, 0, 0, 0, 0]);
        assert!(decoded(&head, 1).is_err());
        assert!(decoded(&[0, 0, 0, 0, 9, 0, 0, 0, 0], 9).is_err());
        assert!(decoded(&[1, 0, 0, 0, 4, 0, 0, 0, 0], 9).is_err());
        assert!(decoded(&[0, 0, 0, 0, 3, 0, 0, 0, 0], 9).is_err());
        let payload = vec![0; PAYLOAD_MAX + 1];
        let frame = Frame { kind: FrameKind::Data, request: 1, payload: &payload };
        assert!(frame.encode(&mut Vec::new()).is_err());
    }
}
