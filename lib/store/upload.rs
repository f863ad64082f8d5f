//! An object that is written: in one request where it is small, else in parts, some of which are on
//! their way at once; it appears when all are there.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{PutOptions, PutPayload};
use tokio::task::JoinHandle;

use super::buckets::Bucket;
use super::wheel::{REQUESTS, Wheel};
use crate::error::{Error, Result};
use crate::format::ledger::Ledger;
use crate::format::objects::{ObjectAddress, ObjectUpload};

/// How long the first parts are. Each [`LONGER_EVERY`] parts they become longer by that, for a store
/// takes no more than [`PARTS_MAX`].
const PART_BYTES: usize = 8 << 20;
const LONGER_EVERY: usize = 500;
const PARTS_MAX: usize = 10_000;

/// How long giving up may take.
const GIVE_UP_MAX: Duration = Duration::from_secs(8);

/// What stands between an address and the number of an upload in its note.
const BEHIND_ADDRESS: char = '\n';

/// An upload.
pub(super) struct PartedUpload {
    bucket: Arc<Bucket>,
    wheel: Arc<Wheel>,
    ledger: Ledger,
    address: ObjectAddress,
    path: Path,
    /// What was not sent yet.
    held: Vec<u8>,
    /// Its number at the store, once it is there; none where one request will do.
    number: Option<String>,
    /// Parts on their way, and those that are there.
    sent: VecDeque<JoinHandle<object_store::Result<PartId>>>,
    parts: Vec<PartId>,
    is_published: bool,
}

impl PartedUpload {
    /// Begins one; nothing is sent yet.
    ///
    /// # Errors
    /// When there can be no object of that name.
    pub(super) fn begin(
        bucket: Arc<Bucket>,
        wheel: Arc<Wheel>,
        address: &ObjectAddress,
        ledger: &Ledger,
    ) -> Result<PartedUpload> {
        Ok(PartedUpload {
            path: bucket.path(address)?,
            bucket,
            wheel,
            ledger: ledger.clone(),
            address: address.clone(),
            held: Vec::new(),
            number: None,
            sent: VecDeque::new(),
            parts: Vec::new(),
            is_published: false,
        })
    }

    fn failed(&self, error: &object_store::Error) -> Error {
        self.bucket.failed("write", &self.address, error)
    }

    /// How many parts were begun.
    fn count(&self) -> usize {
        self.parts.len() + self.sent.len()
    }

    /// How long the next part is.
    fn part_bytes(&self) -> usize {
        PART_BYTES * (1 + self.count() / LONGER_EVERY)
    }

    /// The number of the upload, which begins with it.
    fn number(&mut self) -> Result<String> {
        if let Some(number) = &self.number {
            return Ok(number.clone());
        }
        let made = self.wheel.wait(self.bucket.parts.create_multipart(&self.path))?;
        let number = made.map_err(|error| self.failed(&error))?;
        self.number = Some(number.clone());
        self.ledger.promise_upload(&note(&self.address, &number))?;
        Ok(number)
    }

    /// Sends what is held as the next part.
    fn send(&mut self) -> Result<()> {
        let number = self.number()?;
        while self.sent.len() >= REQUESTS {
            self.settle_one()?;
        }
        let index = self.count();
        if index == PARTS_MAX {
            let text = format!("cannot write {}: it has more than {PARTS_MAX} parts", self.address);
            return Err(Error::usage(text));
        }
        let part = PutPayload::from(std::mem::take(&mut self.held));
        let (bucket, path) = (Arc::clone(&self.bucket), self.path.clone());
        let task = async move { bucket.parts.put_part(&path, &number, index, part).await };
        self.sent.push_back(self.wheel.begin(task)?);
        Ok(())
    }

    /// Waits for the part that is on its way for the longest.
    fn settle_one(&mut self) -> Result<()> {
        if let Some(task) = self.sent.pop_front() {
            let part = self.wheel.end(task)?.map_err(|error| self.failed(&error))?;
            self.parts.push(part);
        }
        Ok(())
    }
}

impl ObjectUpload for PartedUpload {
    fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let room = self.part_bytes() - self.held.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.held.extend_from_slice(now);
            if now.len() == room {
                self.send()?;
            }
            bytes = later;
        }
        Ok(())
    }

    fn prepare(&mut self) -> Result<()> {
        if self.number.is_some() && !self.held.is_empty() {
            self.send()?;
        }
        while !self.sent.is_empty() {
            self.settle_one()?;
        }
        Ok(())
    }

    fn publish(mut self: Box<Self>) -> Result<()> {
        self.prepare()?;
        let put = match self.number.clone() {
            None => {
                let whole = PutPayload::from(std::mem::take(&mut self.held));
                let put = self.bucket.objects.put_opts(&self.path, whole, PutOptions::default());
                self.wheel.wait(put)?
            }
            Some(number) => {
                let parts = std::mem::take(&mut self.parts);
                self.wheel.wait(self.bucket.parts.complete_multipart(&self.path, &number, parts))?
            }
        };
        put.map_err(|error| self.failed(&error))?;
        self.is_published = true;
        if let Some(number) = &self.number {
            self.ledger.settle_upload(&note(&self.address, number));
        }
        Ok(())
    }
}

impl Drop for PartedUpload {
    fn drop(&mut self) {
        let Some(number) = self.number.take().filter(|_| !self.is_published) else { return };
        self.sent.iter().for_each(JoinHandle::abort);
        // What cannot be given up now is in the ledger still.
        if give_up(&self.bucket, &self.wheel, &self.path, &number).is_ok() {
            self.ledger.settle_upload(&note(&self.address, &number));
        }
    }
}

/// The note of an upload.
fn note(address: &ObjectAddress, number: &str) -> String {
    format!("{address}{BEHIND_ADDRESS}{number}")
}

/// The address and the number in a note.
pub(super) fn noted(note: &str) -> Option<(&str, &str)> {
    note.rsplit_once(BEHIND_ADDRESS)
}

/// Has the store forget an upload.
///
/// # Errors
/// When it does not answer, or refuses.
pub(super) fn give_up(bucket: &Bucket, wheel: &Wheel, path: &Path, number: &str) -> Result<()> {
    let number = number.to_string();
    let given_up = wheel.wait_at_most(GIVE_UP_MAX, bucket.parts.abort_multipart(path, &number))?;
    given_up.map_err(|e| Error::incomplete(e.to_string()))
}
