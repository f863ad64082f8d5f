//! The records of a source in pieces, which several threads read, make of what was read, and take, each in its turn.

use std::sync::Arc;

use super::ahead::Ahead;
use super::{Source, Unmade};
use crate::error::Result;
use crate::parallel::{BufferPool, ByteLimit, HeldBytes, by_turns};
use crate::record::fields::Checker;

/// How many threads make records at most: more than these give, one that reads and one that writes do not get rid of.
const JOBS_MAX: usize = 4;

/// How many bytes the pieces may be together that were read, and are not taken yet.
const IN_FLIGHT: usize = 16 << 20;

/// Records of a source that follow one another.
pub struct RecordPiece {
    /// The records, each on a line that ends with LF.
    pub records: Vec<u8>,
    /// How many they are.
    pub count: u64,
}

/// What was read of a source.
enum Parcel {
    Records(Vec<u8>),
    Unmade(Box<dyn Unmade>),
}

/// Gives the pieces of `source` to `take`, in order, on at most `jobs` threads that read, make and take them. What came
/// before a failure is given before it is told; `taker` is returned.
///
/// # Errors
/// What the source and `take` say.
pub fn each<C: Send + 'static>(
    source: Box<dyn Source>,
    jobs: usize,
    taker: C,
    take: impl Fn(&mut C, &RecordPiece) -> Result<()> + Send + Sync + 'static,
) -> Result<C> {
    let (limit, spares) = (ByteLimit::new(IN_FLIGHT), Arc::new(BufferPool::new(IN_FLIGHT / 4)));
    let (for_reading, for_making) = (Arc::clone(&spares), Arc::clone(&spares));
    let mut reading = Reading::Here { source, made: 0, end: None };
    let read = move || {
        let parcel = reading.next(for_reading.take())?;
        Ok(parcel.map(|parcel| {
            let held = limit.hold(parcel.bytes());
            (parcel, held)
        }))
    };
    let make = move |checker: &mut Checker, (parcel, held): (Parcel, HeldBytes)| {
        let (mut records, mut spare) = (for_making.take(), Vec::new());
        let made = parcel.push_records(checker, &mut records, &mut spare);
        for_making.give(spare);
        let count = memchr::memchr_iter(b'\n', &records).count() as u64;
        Ok((RecordPiece { records, count }, made, held))
    };
    let take = move |taker: &mut C, (piece, made, _held): (RecordPiece, Result<()>, HeldBytes)| {
        if piece.count > 0 {
            take(taker, &piece)?;
        }
        spares.give(piece.records);
        made
    };
    by_turns(jobs.min(JOBS_MAX), read, Checker::default, make, taker, take)
}

/// How a source is read.
enum Reading {
    /// By whoever asks for the next of it. So many parcels in a row were records already; if that is known, how it ends.
    Here { source: Box<dyn Source>, made: usize, end: Option<Result<()>> },
    /// On a thread of its own, as it makes its records one after the other: others would wait for one another.
    Ahead(Ahead),
    /// There is no more.
    Ended,
}

/// After so many parcels that were records a source is taken for one that gives no others.
const MADE_IN_A_ROW: usize = 4;

impl Reading {
    /// The next parcel. `buffer` gives its memory.
    fn next(&mut self, buffer: Vec<u8>) -> Result<Option<Parcel>> {
        if matches!(self, Reading::Here { made: MADE_IN_A_ROW, end: None, .. })
            && let Reading::Here { mut source, .. } = std::mem::replace(self, Reading::Ended)
        {
            *self = Reading::Ahead(Ahead::new(move |piece| source.fill(piece))?);
        }
        match self {
            Reading::Here { source, made, end } => next_here(source.as_mut(), (made, end), buffer),
            Reading::Ahead(ahead) => Ok(ahead.next(buffer)?.map(Parcel::Records)),
            Reading::Ended => Ok(None),
        }
    }
}

/// The next parcel of what is not at its end; else that.
fn next_here(
    source: &mut dyn Source,
    (made, end): (&mut usize, &mut Option<Result<()>>),
    mut buffer: Vec<u8>,
) -> Result<Option<Parcel>> {
    if let Some(end) = end.take() {
        return end.map(|()| None);
    }
    if let Some(unmade) = source.unmade(&mut buffer)? {
        *made = 0;
        return Ok(Some(Parcel::Unmade(unmade)));
    }
    buffer.clear();
    // What came before a failure is shown before it.
    *end = match source.fill(&mut buffer) {
        Ok(true) => None,
        Ok(false) => Some(Ok(())),
        Err(error) => Some(Err(error)),
    };
    *made += 1;
    match end.take_if(|_| buffer.is_empty()) {
        Some(end) => end.map(|()| None),
        None => Ok(Some(Parcel::Records(buffer))),
    }
}

impl Parcel {
    /// About how many bytes its records are.
    fn bytes(&self) -> usize {
        match self {
            Parcel::Records(records) => records.len(),
            Parcel::Unmade(unmade) => unmade.length(),
        }
    }

    /// Appends its records to `out`, or puts its own memory there; what is left of it becomes `spare`.
    fn push_records(
        self,
        checker: &mut Checker,
        out: &mut Vec<u8>,
        spare: &mut Vec<u8>,
    ) -> Result<()> {
        match self {
            Parcel::Records(records) => {
                *spare = std::mem::replace(out, records);
                Ok(())
            }
            Parcel::Unmade(unmade) => unmade.push_records(checker, out, spare),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::format::resource::Resource;
    use crate::format::{ReadOptions, read};
    use crate::record::bad::Policy;

    /// What is made of a file: its records, and how it ended.
    type Made = (Vec<u8>, Option<String>, u64);

    fn open(
        format: &str,
        file: &tempfile::NamedTempFile,
        options: &ReadOptions,
    ) -> Box<dyn Source> {
        let argument = format!("{format}:{}", file.path().display());
        read::open(&[Resource::parse(argument.as_ref(), None).unwrap()], options).unwrap()
    }

    /// As one thread makes it.
    fn filled(mut source: Box<dyn Source>, options: &ReadOptions) -> Made {
        let mut records = Vec::new();
        loop {
            match source.fill(&mut records) {
                Ok(true) => (),
                Ok(false) => return (records, None, options.bad.count()),
                Err(error) => return (records, Some(error.to_string()), options.bad.count()),
            }
        }
    }

    /// As several do.
    fn in_pieces(source: Box<dyn Source>, jobs: usize, options: &ReadOptions) -> Made {
        let records = Arc::new(std::sync::Mutex::new(Vec::new()));
        let taken = each(source, jobs, Arc::clone(&records), |records, piece| {
            assert_eq!(memchr::memchr_iter(b'\n', &piece.records).count() as u64, piece.count);
            records.lock().unwrap().extend_from_slice(&piece.records);
            Ok(())
        });
        let records = records.lock().unwrap().clone();
        (records, taken.err().map(|e| e.to_string()), options.bad.count())
    }

    fn assert_same(format: &str, text: &[u8], skip: bool) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        let options = || ReadOptions::new(if skip { Policy::Skip } else { Policy::Fail }).unwrap();
        let alone = options();
        let due = filled(open(format, &file, &alone), &alone);
        for jobs in [1, 3] {
            let options = options();
            let made = in_pieces(open(format, &file, &options), jobs, &options);
            assert!(made.0 == due.0, "{format}: {} bytes, not {}", made.0.len(), due.0.len());
            assert_eq!((&made.1, made.2), (&due.1, due.2), "{format}");
        }
    }

    /// Lines of CSV, and what may stand between them.
    const ROWS: [&str; 14] = [
        "1,two,3\n",
        "some more text,in the,row\n",
        "\"in, quotes\",\"a \"\"word\"\"\",\n",
        "\"two\nlines\",x,\"three\r\n\r\nmore\"\n",
        "é,ü,𝄞\n",
        "5,\"\",-0\r\n",
        ",,\n",
        "\\,\t,\u{1}\n",
        "\n",
        "a\"b,c,d\n",
        "a,b\n",
        "\"a\"b,c,d\n",
        "a\rb,c,d\n",
        "\"",
    ];

    /// JSON, and what may stand between it.
    const LINES: [&str; 8] = [
        "{\"a\":1,\"b\":\"x\"}\n",
        "{\"a\":22,\"b\":\"yy\"}\n",
        " [1, 2]\n",
        "\n",
        "\"é\"\r\n",
        "1e400\n",
        "{\"a\":}\n",
        "nul\n",
    ];

    /// Many of the first of `words`, and a few of all of them.
    fn text(words: &'static [&'static str], usual: usize) -> impl Strategy<Value = String> {
        let word = prop_oneof![300 => 0..usual, 1 => 0..words.len()];
        let some = prop::collection::vec(word, 1..4000);
        (some, 1usize..12).prop_map(|(some, times)| {
            let once: String = some.iter().map(|at| words[*at]).collect();
            once.repeat(times)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn several_threads_make_what_one_makes(
            rows in text(&ROWS, 8),
            lines in text(&LINES, 3),
            skip in prop::bool::weighted(0.2),
        ) {
            for format in ["csv", "csv,typed", "csv,header=no", "csv,quote='", "text"] {
                assert_same(format, rows.as_bytes(), skip);
            }
            assert_same("ndjson", lines.as_bytes(), skip);
        }
    }

    #[test]
    fn a_bad_record_far_into_a_file_is_told_as_it_is_by_one_thread() {
        for (format, row, bad) in [("csv", ROWS[3], "a,b\n"), ("ndjson", LINES[0], "nul\n")] {
            let text = row.repeat(40_000) + bad + &row.repeat(40_000);
            assert_same(format, text.as_bytes(), false);
            assert_same(format, text.as_bytes(), true);
        }
        let bytes = [ROWS[1].repeat(40_000).as_bytes(), b"\xff,b,c\n"].concat();
        assert_same("csv", &bytes, false);
    }

    #[test]
    fn many_small_files_and_a_long_one_behind_them_are_all_there() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..100 {
            let text = if number % 3 == 0 { String::new() } else { format!("{number}\n") };
            std::fs::write(folder.path().join(format!("{number:03}.ndjson")), text).unwrap();
        }
        std::fs::write(folder.path().join("long.ndjson"), "1\n".repeat(200_000)).unwrap();
        for last in ["2\n", "nul\n"] {
            std::fs::write(folder.path().join("long.ndjson.1.ndjson"), last).unwrap();
            let pattern = format!("ndjson:{}/*.ndjson", folder.path().display());
            let options = ReadOptions::new(Policy::Fail).unwrap();
            let resources = [Resource::parse(pattern.as_ref(), None).unwrap()];
            let due = filled(read::open(&resources, &options).unwrap(), &options);
            assert_eq!(due.1.is_some(), last == "nul\n");
            let made = in_pieces(read::open(&resources, &options).unwrap(), 3, &options);
            assert!(made == due, "{} bytes, not {}: {:?}", made.0.len(), due.0.len(), made.1);
        }
    }
}
