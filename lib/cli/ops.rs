//! Ops and resources that stand side by side.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::aggregate::Op;
use crate::error::{Error, Result};
use crate::format::spec::Spec;

/// The words behind `--reduce`: ops, and resources that stand there as well.
///
/// # Errors
/// `Usage` for a word that is neither, and where there is no op.
pub fn part(words: &[OsString]) -> Result<(Vec<Op>, Vec<OsString>)> {
    let (mut ops, mut resources) = (Vec::new(), Vec::new());
    for word in words {
        match Op::parse(&word.to_string_lossy()) {
            Ok(op) => ops.push(op),
            Err(_) if is_resource(word) => resources.push(word.clone()),
            Err(error) => {
                let text = format!("{error}; resources stand before --reduce");
                return Err(Error::usage(text));
            }
        }
    }
    match ops.is_empty() && !words.is_empty() {
        true => {
            Err(Error::usage("--reduce: there is no OP behind it, such as count or sum:amount"))
        }
        false => Ok((ops, resources)),
    }
}

/// Whether a word that is no op is a file, or looks like a resource and like no mistyped op.
fn is_resource(word: &OsStr) -> bool {
    let Some(text) = word.to_str() else { return true };
    if text == "-" || Path::new(word).exists() {
        return true;
    }
    match text.split_once(':') {
        Some((_, path)) if path.starts_with("//") => true,
        Some((format, _)) => Spec::parse(format).is_ok_and(|spec| spec.is_built_in()),
        None => text.contains(['/', '.']) && !text.contains('='),
    }
}
