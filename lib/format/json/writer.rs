//! Records to JSON: a value a line or, with `items`, one array of them, an element a line.

use crate::error::Result;
use crate::format::target::Target;
use crate::format::{Sink, lines};
use crate::record::stream::Facts;

/// Values from records.
pub struct JsonWriter {
    target: Target,
    /// With `items`: whether the array is open still, and whether there is an element.
    items: Option<Array>,
    out: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Array {
    Empty,
    Begun,
    Closed,
}

impl JsonWriter {
    /// Writes values to `target`; with `items`, as one array.
    pub fn new(target: Target, items: bool) -> JsonWriter {
        JsonWriter { target, items: items.then_some(Array::Empty), out: Vec::new() }
    }
}

impl Sink for JsonWriter {
    fn declare(&mut self, facts: &Facts) -> Result<()> {
        if self.items.is_some() { Ok(()) } else { self.target.declare(facts) }
    }

    fn write(&mut self, records: &[u8]) -> Result<()> {
        let Some(array) = &mut self.items else { return self.target.write(records) };
        self.out.clear();
        for record in lines(records) {
            let before: &[u8] = if *array == Array::Empty { b"[\n" } else { b",\n" };
            *array = Array::Begun;
            self.out.extend_from_slice(before);
            self.out.extend_from_slice(record);
        }
        self.target.write(&self.out)
    }

    fn prepare(&mut self) -> Result<()> {
        match self.items.replace(Array::Closed) {
            None => self.items = None,
            Some(Array::Empty) => self.target.write(b"[]\n")?,
            Some(Array::Begun) => self.target.write(b"\n]\n")?,
            Some(Array::Closed) => (),
        }
        self.target.prepare()
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.prepare()?;
        self.target.finish()
    }
}
