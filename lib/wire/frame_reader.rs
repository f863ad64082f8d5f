//! Hearing frames on a stream, and noticing that nothing is to be heard any more.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::error::{Error, Result};
use crate::wire::frame::{Frame, FrameDecoder};
use crate::wire::pack::Unpacker;
use crate::wire::{FrameKind, SILENCE_MAX};

/// A stream that frames come from.
pub(crate) struct FrameReader {
    stream: File,
    decoder: FrameDecoder,
    unpacker: Unpacker,
    /// When something came last.
    heard: Instant,
    /// How many bytes came.
    came: u64,
}

impl FrameReader {
    /// Hears what comes from `stream`, from now on.
    pub(crate) fn new(stream: File) -> FrameReader {
        let (decoder, unpacker) = (FrameDecoder::default(), Unpacker::new());
        FrameReader { stream, decoder, unpacker, heard: Instant::now(), came: 0 }
    }

    /// How many bytes came so far.
    pub(crate) fn came(&self) -> u64 {
        self.came
    }

    /// Whether a frame has begun whose end has not come.
    pub(crate) fn is_amid(&self) -> bool {
        !self.decoder.is_at_end()
    }

    /// The next frame that is here whole; one of packed data as one of data.
    ///
    /// # Errors
    /// As [`FrameDecoder::frame`] and [`Unpacker::unpack`].
    pub(crate) fn frame(&mut self) -> Result<Option<Frame<'_>>> {
        match self.decoder.frame()? {
            Some(Frame { kind: FrameKind::Packed, request, payload }) => {
                let payload = self.unpacker.unpack(payload)?;
                Ok(Some(Frame { kind: FrameKind::Data, request, payload }))
            }
            frame => Ok(frame),
        }
    }

    /// Waits for the first frame that is no beat; `None` when the stream ends before it.
    ///
    /// # Errors
    /// As [`FrameReader::frame`] and [`FrameReader::fill`].
    pub(crate) fn first(&mut self) -> Result<Option<(FrameKind, Vec<u8>)>> {
        let mut buffer = vec![0; 4096];
        loop {
            while let Some(frame) = self.decoder.frame()? {
                if frame.kind != FrameKind::Beat {
                    return Ok(Some((frame.kind, frame.payload.to_vec())));
                }
            }
            if !self.fill(&mut buffer)? {
                return Ok(None);
            }
        }
    }

    /// Waits for some bytes, with `buffer` to read into; `false` at the end of the stream.
    ///
    /// # Errors
    /// `Incomplete` after a silence of [`SILENCE_MAX`], or an end in the middle of a frame.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> Result<bool> {
        loop {
            let silent = self.heard.elapsed();
            let left = SILENCE_MAX.saturating_sub(silent);
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut fds = [PollFd::new(self.stream.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, timeout) {
                // It may be us who did not listen: silent is who has nothing to be heard now.
                Ok(0) if left.is_zero() => {
                    let seconds = silent.as_secs();
                    let text = format!("nothing was heard from it for {seconds} s");
                    return Err(Error::incomplete(text));
                }
                Ok(0) | Err(Errno::EINTR) => continue,
                Ok(_) => (),
                Err(e) => return Err(Error::io("read", "the connection", &e.into())),
            }
            let count = match self.stream.read(buffer) {
                Ok(count) => count,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                // A reset, which is an end too.
                Err(_) => 0,
            };
            self.heard = Instant::now();
            self.came += count as u64;
            self.decoder.push(&buffer[..count]);
            if count == 0 && !self.decoder.is_at_end() {
                return Err(Error::incomplete("its connection broke in the middle of a message"));
            }
            return Ok(count > 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::OwnedFd;

    use super::*;

    #[test]
    fn frames_are_heard_and_so_is_a_broken_end() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut frames = FrameReader::new(File::from(OwnedFd::from(reader)));
        let mut bytes = Vec::new();
        Frame { kind: FrameKind::Beat, request: 0, payload: b"" }.encode(&mut bytes).unwrap();
        Frame { kind: FrameKind::Data, request: 3, payload: b"abc" }.encode(&mut bytes).unwrap();
        writer.write_all(&bytes).unwrap();
        writer.write_all(&bytes[..5]).unwrap();
        drop(writer);
        assert_eq!(frames.first().unwrap(), Some((FrameKind::Data, b"abc".to_vec())));
        assert!(frames.first().unwrap_err().to_string().contains("middle of a message"));
    }
}
