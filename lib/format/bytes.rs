//! The bytes at a place as an [`Input`], and the way from [`Input`] to [`Read`] and back.

use std::fs::File;
use std::io::{self, Read};

use super::place::{self, ResourcePlace};
use super::{ReadOptions, http, objects};
use crate::error::{Error, ErrorKind, Result, reason};
use crate::pipe::pipe_input::PipeInput;
use crate::record::stream::Input;

/// Opens the bytes at a place for reading.
///
/// # Errors
/// When it is not there, is a directory, or is standard input for the second time.
pub fn open(place: &ResourcePlace, options: &ReadOptions) -> Result<Box<dyn Input>> {
    match place {
        ResourcePlace::Standard => options.stdin.take("standard input"),
        ResourcePlace::Url(url) => {
            place::check_url(url)?;
            http::open(url)
        }
        ResourcePlace::Client(path) => options.client.read(path),
        ResourcePlace::Object(address) => objects::open(address, options),
        ResourcePlace::Path(path) => {
            let file = File::open(path).map_err(|e| Error::path("read", path, &e))?;
            let about = file.metadata().map_err(|e| Error::path("read", path, &e))?;
            if about.is_dir() {
                return Err(Error::usage(format!(
                    "{0} is a directory: say files:{0} or leveldb:{0}",
                    path.display()
                )));
            }
            Ok(Box::new(PipeInput::new(file, path.display().to_string())))
        }
    }
}

/// An [`Input`] as a [`Read`]: its errors travel inside [`io::Error`], and [`lower`] gets them out.
pub struct AsRead(pub Box<dyn Input>);

impl Read for AsRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(io::Error::other)
    }
}

/// The error that `error` is: one of ours that travelled through a [`Read`] or a
/// [`Write`](io::Write), one of the system's, else what a decoder says of its bytes: bad input.
pub fn lower(name: &str, doing: &str, error: io::Error) -> Error {
    let ours = error.get_ref().is_some_and(|inner| inner.is::<Error>());
    if ours || error.raw_os_error().is_some() {
        return Error::io(doing, name, &error);
    }
    let why = match error.kind() {
        io::ErrorKind::UnexpectedEof => "it is cut short".to_string(),
        _ => reason(&error),
    };
    Error::new(ErrorKind::BadInput, format!("cannot {doing} {name}: {why}"))
}

/// Bytes in memory.
pub struct Memory {
    bytes: io::Cursor<Vec<u8>>,
    name: String,
}

impl Memory {
    /// The bytes `bytes`, called `name`.
    pub fn new(name: &str, bytes: &[u8]) -> Memory {
        Memory { bytes: io::Cursor::new(bytes.to_vec()), name: name.to_string() }
    }
}

impl Input for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.bytes.read(buffer).map_err(|e| Error::io("read", &self.name, &e))
    }

    fn name(&self) -> &str {
        &self.name
    }
}
