//! The name of a run: 128 random bits, which nobody can guess and no two runs share.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::record::digest::hex;

/// Where random bits come from.
const SOURCE: &str = "/dev/urandom";

/// The name of a run, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(#[serde(with = "hex")] u128);

impl RunId {
    /// A name that no run has.
    ///
    /// # Errors
    /// When there are no random bits to be had.
    pub fn random() -> Result<RunId> {
        let mut bits = [0; 16];
        let read = File::open(SOURCE).and_then(|mut file| file.read_exact(&mut bits));
        read.map_err(|e| Error::io("read", SOURCE, &e))?;
        Ok(RunId(u128::from_ne_bytes(bits)))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RunId {
    type Err = Error;

    /// Reads a name, in the one spelling that there is.
    ///
    /// # Errors
    /// `Usage`.
    fn from_str(text: &str) -> Result<RunId> {
        hex::parse(text).map(RunId).ok_or_else(|| {
            let shown: String = text.chars().take(40).collect();
            Error::usage(format!("{shown:?} names no run: a run is 32 hexadecimal digits"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_come_back() {
        let (one, other) = (RunId::random().unwrap(), RunId::random().unwrap());
        assert_ne!(one, other);
        let text = one.to_string();
        assert_eq!((text.len(), text.parse::<RunId>().unwrap()), (32, one));
        let json = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<RunId>(&json).unwrap(), one);
    }

    #[test]
    fn no_other_spelling_is_a_name() {
        let good = "0123456789abcdef0123456789abcdef";
        assert!(good.parse::<RunId>().is_ok());
        for bad in [
            "",
            "../../../etc",
            &good[1..],
            &good.to_uppercase(),
            "+123456789abcdef0123456789abcdef",
        ] {
            assert!(bad.parse::<RunId>().is_err(), "{bad}");
        }
        assert!(format!("{good}0").parse::<RunId>().is_err());
    }
}
