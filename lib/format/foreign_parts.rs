//! Parts that a format of others tells: its program is asked for them, and each is read by a word that it says.

use std::path::Path;
use std::sync::Arc;

use super::Warn;
use super::place::ResourcePlace;
use super::plugin::Program;
use super::resource::Resource;
use crate::error::{Error, ErrorKind, Result};

/// The line that says that parts are told, which no record is, and the most that may be said of them.
const PARTS: &[u8] = b"#parts\n";
const PARTS_BYTES: usize = 1 << 20;

/// The option by which a part is read.
const PART: &str = "part";

/// The longest word for a part.
const WORD_MAX: usize = 64;

/// Whether a word may stand for a part. It may come of a host that is hostile, and others read by it: it is no
/// path, and nothing that a program would do more with.
pub fn is_part(word: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=WORD_MAX).contains(&word.len()) && word.bytes().all(fits)
}

/// Whether `part` is a format that reads a part of what `whole` reads, both as text.
pub fn is_of(whole: &str, part: &str) -> bool {
    let word = part.strip_prefix(whole).and_then(|rest| rest.strip_prefix(",part="));
    word.is_some_and(is_part)
}

/// The parts of about `bytes` bytes that a program tells of what a resource names. None where it tells none: it
/// refuses to, or prints something else than the line `#parts` and a word for each.
///
/// # Errors
/// When there is no such program; `Command` for a line that is no word for a part.
pub(super) fn parts(resource: &Resource, bytes: u64) -> Result<Option<Vec<Resource>>> {
    let ResourcePlace::Path(path) = &resource.place else { return Ok(None) };
    let asked = resource.spec.clone().with("parts", &bytes.to_string());
    let asked = Resource { spec: asked, place: resource.place.clone() };
    let nobody: Warn = Arc::new(|_| ());
    let mut program = Program::start(&asked, "read", path, &nobody)?;
    let Some(told) = told(&mut program, path)? else { return Ok(None) };
    let part = |word: &str| match is_part(word) {
        true => {
            let spec = resource.spec.clone().with(PART, word);
            Ok(Resource { spec, place: resource.place.clone() })
        }
        false => {
            let why = format!("{}: '{word}' is no word for a part", program.name);
            Err(Error::new(ErrorKind::Command, why))
        }
    };
    told.lines().map(part).collect::<Result<Vec<Resource>>>().map(Some)
}

/// What a program tells of parts, if it does, and ends well.
fn told(program: &mut Program, path: &Path) -> Result<Option<String>> {
    let nobody: Warn = Arc::new(|_| ());
    let mut told = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let got = program.read(&mut buffer, &nobody).map_err(|e| Error::path("read", path, &e))?;
        told.extend_from_slice(&buffer[..got]);
        let shown = told.len().min(PARTS.len());
        if told[..shown] != PARTS[..shown] || told.len() > PARTS_BYTES {
            return Ok(None);
        }
        if got == 0 {
            break;
        }
    }
    if told.len() <= PARTS.len() || program.finish().is_err() {
        return Ok(None);
    }
    Ok(String::from_utf8(told.split_off(PARTS.len())).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_told_by_a_word_and_nothing_else_of_it_may_differ() {
        for word in ["0..3-00ff", "a", "A_b.c-9", &"x".repeat(WORD_MAX)] {
            assert!(is_part(word) && is_of("x,o=v", &format!("x,o=v,part={word}")), "{word}");
        }
        for word in
            ["", "a/b", "a,like=b", "a=b", "%2Ca", "a b", "\u{e9}", &"x".repeat(WORD_MAX + 1)]
        {
            assert!(!is_part(word) && !is_of("x", &format!("x,part={word}")), "{word}");
        }
        for part in ["x", "x,part", "xy,part=a", "x,groups=a", "x,part=a,part=b", "y,part=a"] {
            assert!(!is_of("x", part), "{part}");
        }
    }
}
