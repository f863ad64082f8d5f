//! An object that is read: by ranges, some of which are on their way while one is worked on. All are of
//! one state of the object.

use std::collections::VecDeque;
use std::sync::Arc;

use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta};
use tokio::task::JoinHandle;

use super::buckets::Bucket;
use super::wheel::{REQUESTS, Wheel};
use crate::error::{Error, Result};
use crate::format::objects::ObjectAddress;
use crate::record::stream::Input;

/// How long a range is.
const RANGE_BYTES: u64 = 8 << 20;

/// What a range came to.
type Range = object_store::Result<(ObjectMeta, Vec<u8>)>;

/// An object that is read.
pub(super) struct ObjectReader {
    bucket: Arc<Bucket>,
    wheel: Arc<Wheel>,
    address: ObjectAddress,
    name: String,
    path: Path,
    /// What it was when its first range was read; none of an empty one.
    state: Option<ObjectMeta>,
    /// Where what was not asked for yet begins.
    next: u64,
    /// Ranges that were asked for, with their lengths.
    asked: VecDeque<(u64, JoinHandle<Range>)>,
    /// How many ranges came: the more, the more are asked for at once.
    came: usize,
    piece: Vec<u8>,
    at: usize,
}

impl ObjectReader {
    /// Reads the first range of an object.
    ///
    /// # Errors
    /// When there is no such object, or it cannot be read.
    pub(super) fn open(
        bucket: Arc<Bucket>,
        wheel: Arc<Wheel>,
        address: &ObjectAddress,
    ) -> Result<ObjectReader> {
        let path = bucket.path(address)?;
        let first = wheel.wait(get(Arc::clone(&bucket), path.clone(), 0..RANGE_BYTES, None))?;
        let (state, piece) = match first {
            Ok((state, piece)) => (Some(state), piece),
            // Of an empty object there is no range.
            Err(error) if is_empty(&bucket, &wheel, &path, &error)? => (None, Vec::new()),
            Err(error) => return Err(bucket.failed("read", address, &error)),
        };
        let next = piece.len() as u64;
        let mut reader = ObjectReader {
            bucket,
            wheel,
            address: address.clone(),
            name: address.to_string(),
            path,
            state,
            next,
            asked: VecDeque::new(),
            came: 1,
            piece,
            at: 0,
        };
        reader.check_length(RANGE_BYTES.min(reader.size()), next)?;
        Ok(reader)
    }

    fn size(&self) -> u64 {
        self.state.as_ref().map_or(0, |state| state.size)
    }

    fn check_length(&mut self, wanted: u64, got: u64) -> Result<()> {
        match got == wanted {
            true => Ok(()),
            false => Err(Error::incomplete(format!(
                "{}: the store sent {got} bytes of a range of {wanted}",
                self.name
            ))),
        }
    }

    /// Asks for the ranges that may be on their way.
    fn ask(&mut self) -> Result<()> {
        let size = self.size();
        while self.next < size && self.asked.len() < REQUESTS.min(self.came) {
            let end = size.min(self.next + RANGE_BYTES);
            let task = get(
                Arc::clone(&self.bucket),
                self.path.clone(),
                self.next..end,
                self.state.as_ref(),
            );
            self.asked.push_back((end - self.next, self.wheel.begin(task)?));
            self.next = end;
        }
        Ok(())
    }

    /// Takes the next range.
    fn turn(&mut self) -> Result<()> {
        let Some((length, task)) = self.asked.pop_front() else { return Ok(()) };
        let range = self.wheel.end(task)?;
        let (state, piece) =
            range.map_err(|error| self.bucket.failed("read", &self.address, &error))?;
        let is_same = |then: &ObjectMeta| {
            (then.size, &then.e_tag) == (state.size, &state.e_tag)
                && (then.e_tag.is_some() || then.last_modified == state.last_modified)
        };
        if !self.state.as_ref().is_some_and(is_same) {
            let text = format!("cannot read {}: it was changed while it was read", self.name);
            return Err(Error::incomplete(text));
        }
        self.check_length(length, piece.len() as u64)?;
        (self.piece, self.at, self.came) = (piece, 0, self.came + 1);
        Ok(())
    }
}

/// A range of an object, if it is still as it was.
fn get(
    bucket: Arc<Bucket>,
    path: Path,
    range: std::ops::Range<u64>,
    state: Option<&ObjectMeta>,
) -> impl Future<Output = Range> + Send + 'static {
    // A tag that says no more than that the meaning is the same matches nothing.
    let tag = state.and_then(|state| state.e_tag.clone()).filter(|tag| !tag.starts_with("W/"));
    let options = GetOptions {
        if_match: tag,
        range: Some(GetRange::Bounded(range)),
        ..GetOptions::default()
    };
    async move {
        let result = bucket.objects.get_opts(&path, options).await?;
        let state = result.meta.clone();
        Ok((state, result.bytes().await?.into()))
    }
}

/// Whether a range could not be had because the object is empty.
fn is_empty(
    bucket: &Bucket,
    wheel: &Wheel,
    path: &Path,
    error: &object_store::Error,
) -> Result<bool> {
    if !error.to_string().contains("416") {
        return Ok(false);
    }
    let options = GetOptions { head: true, ..GetOptions::default() };
    let found = wheel.wait(bucket.objects.get_opts(path, options))?;
    Ok(found.is_ok_and(|found| found.meta.size == 0))
}

impl Input for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.ask()?;
        if self.at == self.piece.len() {
            self.turn()?;
            self.ask()?;
        }
        let rest = &self.piece[self.at..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }

    fn name(&self) -> &str {
        &self.name
    }
}
