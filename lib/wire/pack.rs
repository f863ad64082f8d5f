//! Packed data: what a stream of data is, where it goes over a network, to have less of it encrypted
//! and sent. Each frame is packed for itself, by Zstandard.

use std::io::ErrorKind;
use std::sync::{Mutex, PoisonError};

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::compress_bound;

use crate::error::{Error, Result};
use crate::wire::frame::{DATA_BYTES, FrameKind, broken};

/// The fastest level that is worth it for text: higher ones cost more than encryption does.
const LEVEL: i32 = 1;

/// Data that is not a tenth smaller when packed goes as it is.
const WORTH: (usize, usize) = (9, 10);

/// Packs the data of a connection, for many threads.
pub(crate) struct Packer {
    /// Packers that nobody uses now, none at all where data goes as it is. There are never more than
    /// threads that send at once, so nothing here is bounded as a pool of buffers is.
    idle: Option<Mutex<Vec<Packing>>>,
}

struct Packing {
    compressor: Compressor<'static>,
    packed: Vec<u8>,
}

impl Packer {
    /// A packer that packs if `packs`, and gives data as it is otherwise.
    pub(crate) fn new(packs: bool) -> Packer {
        Packer { idle: packs.then(Mutex::default) }
    }

    /// Gives `send` the kind and the payload of a frame of `bytes`, at most [`DATA_BYTES`].
    ///
    /// # Errors
    /// What `send` says.
    pub(crate) fn data<T>(
        &self,
        bytes: &[u8],
        send: impl FnOnce(FrameKind, &[u8]) -> Result<T>,
    ) -> Result<T> {
        let Some(idle) = &self.idle else { return send(FrameKind::Data, bytes) };
        let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut packing = taken.map_or_else(Packing::new, Ok)?;
        let sent = match packing.pack(bytes) {
            Some(packed) => send(FrameKind::Packed, packed),
            None => send(FrameKind::Data, bytes),
        };
        idle.lock().unwrap_or_else(PoisonError::into_inner).push(packing);
        sent
    }
}

impl Packing {
    fn new() -> Result<Packing> {
        let compressor = Compressor::new(LEVEL).map_err(|e| Error::io("start", "Zstandard", &e))?;
        Ok(Packing { compressor, packed: Vec::with_capacity(compress_bound(DATA_BYTES)) })
    }

    /// `bytes` packed, if that is worth it.
    fn pack(&mut self, bytes: &[u8]) -> Option<&[u8]> {
        let (share, of) = WORTH;
        // What cannot be packed goes as it is: that is no failure.
        let length = self.compressor.compress_to_buffer(bytes, &mut self.packed).ok()?;
        (length * of < bytes.len() * share).then_some(&self.packed)
    }
}

/// Unpacks data, one frame after the other.
pub(crate) struct Unpacker {
    /// Made when the first packed frame comes.
    decompressor: Option<Decompressor<'static>>,
    bytes: Vec<u8>,
}

impl Unpacker {
    /// One that has unpacked nothing.
    pub(crate) fn new() -> Unpacker {
        Unpacker { decompressor: None, bytes: Vec::new() }
    }

    /// The data that `packed` holds.
    ///
    /// # Errors
    /// `Incomplete` for what no [`Packer`] makes, such as more than [`DATA_BYTES`].
    pub(crate) fn unpack(&mut self, packed: &[u8]) -> Result<&[u8]> {
        let decompressor = match &mut self.decompressor {
            Some(decompressor) => decompressor,
            none => {
                self.bytes.reserve_exact(DATA_BYTES);
                let new = Decompressor::new().map_err(|e| Error::io("start", "Zstandard", &e))?;
                none.insert(new)
            }
        };
        match decompressor.decompress_to_buffer(packed, &mut self.bytes) {
            Ok(length) if length <= DATA_BYTES => Ok(&self.bytes),
            Ok(length) => Err(broken(format!("packed data of {length} bytes"))),
            Err(e) if e.kind() == ErrorKind::OutOfMemory => {
                Err(Error::io("unpack", "what came", &e))
            }
            Err(_) => Err(broken("packed data that cannot be unpacked")),
        }
    }
}

impl Default for Unpacker {
    fn default() -> Unpacker {
        Unpacker::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sent(packer: &Packer, bytes: &[u8]) -> (FrameKind, Vec<u8>) {
        packer.data(bytes, |kind, payload| Ok((kind, payload.to_vec()))).unwrap()
    }

    #[test]
    fn text_is_packed_and_what_is_not_worth_it_goes_as_it_is() {
        let packer = Packer::new(true);
        let text = "{\"name\":\"a record\"}\n".repeat(5000);
        let (kind, packed) = sent(&packer, text.as_bytes());
        assert!(kind == FrameKind::Packed && packed.len() * 10 < text.len(), "{}", packed.len());
        assert_eq!(Unpacker::new().unpack(&packed).unwrap(), text.as_bytes());
        let noise: Vec<u8> = (0..DATA_BYTES as u64)
            .map(|n| xxhash_rust::xxh3::xxh3_64(&n.to_le_bytes()) as u8)
            .collect();
        assert_eq!(sent(&packer, &noise), (FrameKind::Data, noise));
        let plain = (FrameKind::Data, text.clone().into_bytes());
        assert_eq!(sent(&Packer::new(false), text.as_bytes()), plain);
    }

    #[test]
    fn what_unpacks_to_more_than_a_frame_is_refused() {
        let bomb = zstd::bulk::compress(&vec![0; DATA_BYTES + 1], LEVEL).unwrap();
        let mut unpacker = Unpacker::new();
        assert!(unpacker.unpack(&bomb).is_err());
        let larger = zstd::bulk::compress(&vec![0; 100 << 20], LEVEL).unwrap();
        assert!(unpacker.unpack(&larger).is_err());
        // It is none the worse for it.
        let packed = zstd::bulk::compress(b"good", LEVEL).unwrap();
        assert_eq!(unpacker.unpack(&packed).unwrap(), b"good");
    }

    proptest! {
        #[test]
        fn whatever_is_sent_comes_back(
            frames in proptest::collection::vec(proptest::collection::vec(0u8..4, 0..5000), 1..5),
        ) {
            let (packer, mut unpacker) = (Packer::new(true), Unpacker::new());
            for bytes in frames {
                let (kind, payload) = sent(&packer, &bytes);
                match kind {
                    FrameKind::Packed => prop_assert_eq!(unpacker.unpack(&payload).unwrap(), &bytes),
                    _ => prop_assert_eq!(payload, bytes),
                }
            }
        }

        #[test]
        fn no_bytes_make_it_panic(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..300), real in any::<bool>(),
        ) {
            if real {
                // Damage behind a head that is in order.
                let mut head = zstd::bulk::compress(&[7; 1000], LEVEL).unwrap();
                head.truncate(9);
                bytes.splice(0..0, head);
            }
            let _ = Unpacker::new().unpack(&bytes);
        }
    }
}
