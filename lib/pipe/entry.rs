//! An entry of the registry: what one writer of a pipe says of itself, as text of a fixed length.
//!
//! It lies in a file that its writer changes in place: at every moment the file holds a whole
//! entry, and a full disk cannot keep the writer from saying how it ended.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::pipe::gauge::GAUGE_ROOM;
use crate::record::stream::Facts;

/// The length of an entry.
pub(crate) const ENTRY_BYTES: usize = 1024;

/// Where it is noted how the writer's output came to be: behind what others show of the writer.
const LINEAGE_AT: u64 = ENTRY_BYTES as u64 + GAUGE_ROOM;

/// The most bytes of that.
const LINEAGE_MAX: usize = 16 << 20;

const HEAD: &str = "mycloud pipe 1\n";
const STATUS_DIGITS: usize = 4;
const BYTES_DIGITS: usize = 20;
const TOOL_BYTES: usize = 32;
const STATUS_AT: usize = HEAD.len() + "status ".len();
const BYTES_AT: usize = STATUS_AT + STATUS_DIGITS + "\nbytes ".len();
const FACTS_AT: usize = BYTES_AT + BYTES_DIGITS + "\ntool ".len() + TOOL_BYTES + "\nfacts ".len();

/// How the writer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is at work; or, once the pipe is at its end, it has vanished.
    Open,
    /// It has ended with this exit status.
    Ended(u8),
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// How the writer stands.
    pub status: Status,
    /// How many bytes it wrote; 0 until its end.
    pub bytes: u64,
    /// The name of the tool.
    pub tool: String,
    /// What it says of the stream.
    pub facts: Facts,
}

impl Entry {
    /// The text of the entry of a tool that begins.
    pub(crate) fn begin(tool: &str) -> Vec<u8> {
        let tool: String = tool.chars().filter(char::is_ascii_graphic).take(TOOL_BYTES).collect();
        let text = format!(
            "{HEAD}status {:<STATUS_DIGITS$}\nbytes {:0BYTES_DIGITS$}\ntool {tool:<TOOL_BYTES$}\nfacts ",
            "open", 0
        );
        let mut text = text.into_bytes();
        text.resize(ENTRY_BYTES - 1, b' ');
        text.push(b'\n');
        text
    }

    /// Reads an entry; anything that is none speaks of a writer that vanished.
    pub(crate) fn read(file: &File) -> Entry {
        let mut text = [0; ENTRY_BYTES];
        let whole = file.read_exact_at(&mut text, 0).ok();
        let parsed = whole.and_then(|()| Entry::parse(std::str::from_utf8(&text).ok()?));
        parsed.unwrap_or(Entry {
            status: Status::Open,
            bytes: 0,
            tool: "tool".into(),
            facts: Facts::default(),
        })
    }

    fn parse(text: &str) -> Option<Entry> {
        let mut lines = text.strip_prefix(HEAD)?.lines();
        let mut value = |name| Some(lines.next()?.strip_prefix(name)?.trim_end());
        let status = match value("status ")? {
            "open" => Status::Open,
            code => Status::Ended(code.parse().ok()?),
        };
        let bytes = value("bytes ")?.parse().ok()?;
        let tool = value("tool ")?.to_string();
        let facts = match value("facts ")? {
            "" => Facts::default(),
            json => serde_json::from_str(json).ok()?,
        };
        Some(Entry { status, bytes, tool, facts })
    }
}

/// Notes `facts` in the entry of `file`; facts that do not fit are not noted.
pub(crate) fn note_facts(file: &File, facts: &Facts) -> io::Result<()> {
    let mut text = serde_json::to_string(facts).unwrap_or_default();
    let room = ENTRY_BYTES - 1 - FACTS_AT;
    if text.len() > room {
        text.clear();
    }
    file.write_all_at(format!("{text:<room$}").as_bytes(), FACTS_AT as u64)
}

/// Notes, behind the entry, how the writer's output came to be. To be followed by [`note_status`].
pub(crate) fn note_lineage(file: &File, lineage: &[u8]) -> io::Result<()> {
    file.write_all_at(lineage, LINEAGE_AT)
}

/// What [`note_lineage`] has noted; none where nothing is, or more than anybody notes.
pub(crate) fn lineage(file: &File) -> Option<Vec<u8>> {
    let length = file.metadata().ok()?.len().checked_sub(LINEAGE_AT)?;
    let length =
        usize::try_from(length).ok().filter(|length| (1..=LINEAGE_MAX).contains(length))?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, LINEAGE_AT).ok()?;
    Some(bytes)
}

/// Notes how many bytes the writer wrote. To be followed by [`note_status`].
pub(crate) fn note_bytes(file: &File, bytes: u64) -> io::Result<()> {
    file.write_all_at(format!("{bytes:0BYTES_DIGITS$}").as_bytes(), BYTES_AT as u64)
}

/// Notes that the writer ends with `status`: the last word of an entry.
pub(crate) fn note_status(file: &File, status: u8) -> io::Result<()> {
    file.write_all_at(format!("{status:0STATUS_DIGITS$}").as_bytes(), STATUS_AT as u64)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn begun() -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&Entry::begin("mc-sort")).unwrap();
        file
    }

    #[test]
    fn every_step_leaves_a_whole_entry() {
        let file = begun();
        let mut want = Entry {
            status: Status::Open,
            bytes: 0,
            tool: "mc-sort".into(),
            facts: Facts::default(),
        };
        assert_eq!(Entry::read(&file), want);
        want.facts.key = Some("a,.[\"é\\n\"]:nr".into());
        note_facts(&file, &want.facts).unwrap();
        assert_eq!(Entry::read(&file), want);
        want.bytes = u64::MAX;
        note_bytes(&file, want.bytes).unwrap();
        assert_eq!(Entry::read(&file), want);
        want.status = Status::Ended(141);
        note_status(&file, 141).unwrap();
        assert_eq!(Entry::read(&file), want);
        assert_eq!(file.metadata().unwrap().len(), ENTRY_BYTES as u64);
    }

    #[test]
    fn facts_that_do_not_fit_are_dropped() {
        let file = begun();
        for length in 800..1100 {
            let facts = Facts { key: Some("é".repeat(length / 2)), ..Facts::default() };
            note_facts(&file, &facts).unwrap();
            note_status(&file, 0).unwrap();
            let entry = Entry::read(&file);
            assert_eq!(entry.status, Status::Ended(0));
            assert!(entry.facts == facts || (length > 900 && entry.facts == Facts::default()));
        }
    }

    #[test]
    fn what_is_no_entry_counts_as_vanished() {
        for text in ["", "mycloud pipe 2\nstatus 0000\n", &" ".repeat(ENTRY_BYTES)] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            assert_eq!(Entry::read(&file).status, Status::Open);
        }
    }
}
