//! Records that are kept until it is known how many bytes they are, and shown again in parts.

use super::FILL_BYTES;
use crate::error::{Error, Result};
use crate::record::bad::{Bad, Policy};
use crate::record::block::Blocks;
use crate::spool::Spool;

/// How much of the records that are kept is kept in memory.
pub(crate) const MEMORY_BYTES: usize = 1 << 20;

/// Shows all records of `kept`, in order, in `count` contiguous parts of about the same number of
/// bytes: a record belongs to the part that its first byte lies in.
///
/// # Errors
/// When the records cannot be read again; what `show` says.
pub(crate) fn show_parts(
    kept: &Spool,
    count: usize,
    mut show: impl FnMut(usize, &[u8]) -> Result<()>,
) -> Result<()> {
    let bad = Bad::new(Policy::Fail)?;
    let mut blocks = Blocks::new(kept.stream("a temporary file"), usize::MAX - 1);
    let (mut start, mut part) = (0u64, 0);
    let mut spare = Vec::new();
    while let Some(block) = blocks.next(FILL_BYTES, spare, &bad)? {
        let mut records = block.bytes.as_slice();
        while !records.is_empty() {
            let boundary = boundary(kept.len(), part + 1, count);
            let here = match boundary.checked_sub(start) {
                None | Some(0) => 0,
                Some(left) if left > records.len() as u64 => records.len(),
                // The record that the boundary cuts belongs to this part still.
                Some(left) => {
                    let from = left as usize - 1;
                    memchr::memchr(b'\n', &records[from..])
                        .map_or(records.len(), |end| from + end + 1)
                }
            };
            if here == 0 {
                part += 1;
                continue;
            }
            show(part, &records[..here])?;
            start += here as u64;
            records = &records[here..];
        }
        spare = block.bytes;
    }
    if start == kept.len() {
        Ok(())
    } else {
        Err(Error::incomplete(format!(
            "of {} bytes of records that were kept only {start} came back",
            kept.len()
        )))
    }
}

/// Where part `part` of `count` begins in so many bytes.
fn boundary(bytes: u64, part: usize, count: usize) -> u64 {
    let at = u128::from(bytes) * part as u128;
    u64::try_from(at.div_ceil(count.max(1) as u128)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn parts_are_contiguous_cover_all_and_follow_the_first_byte() {
        for count in [1, 2, 3, 7, 100] {
            let lines: Vec<String> = (0..40).map(|n| format!("{}\n", "x".repeat(n % 13))).collect();
            let whole = lines.concat();
            // Some of it in memory, some in a file.
            let mut kept = Spool::new(Vec::new(), whole.len() / 3, Path::new("/tmp"));
            lines.iter().for_each(|line| kept.push(line.as_bytes()).unwrap());
            assert!(kept.spilled() > 0 && kept.spilled() < kept.len());
            let mut parts = vec![Vec::new(); count];
            show_parts(&kept, count, |part, records| {
                parts[part].extend_from_slice(records);
                Ok(())
            })
            .unwrap();
            assert_eq!(parts.concat(), whole.as_bytes());
            let (mut want, mut at) = (vec![Vec::new(); count], 0);
            for line in &lines {
                want[at * count / whole.len()].extend_from_slice(line.as_bytes());
                at += line.len();
            }
            assert_eq!(parts, want, "{count}");
        }
    }

    #[test]
    fn that_not_all_comes_back_is_an_error() {
        // As text, it begins with a mark that is no part of the first record.
        let kept = Spool::holding("\u{feff}1\n2\n".into(), usize::MAX, Path::new("/tmp"));
        let error = show_parts(&kept, 2, |_, _| Ok(())).unwrap_err();
        assert_eq!(error.to_string(), "of 7 bytes of records that were kept only 4 came back");
    }
}
