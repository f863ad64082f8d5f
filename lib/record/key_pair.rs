//! The keys of two streams that are joined, as one `-k` says them: `user`, `.user.id=id`,
//! `country,code:i=iso`.

use super::key::{Keys, Sense};
use super::path::{bad_key, split_outside};
use crate::error::Result;

/// The keys by which the records of two streams find each other: as many parts on either side, each
/// of which compares as the one opposite.
///
/// ```
/// use mycloud::record::key_pair::KeyPair;
///
/// # fn main() -> mycloud::Result<()> {
/// let keys = KeyPair::parse("country,.user.id:n=id")?;
/// assert_eq!(keys.left.spelled(), "country,.user.id:n");
/// // What a modifier says, it says of both sides.
/// assert_eq!(keys.right.spelled(), "country,id:n");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPair {
    /// The key of the first stream.
    pub left: Keys,
    /// The key of the second one.
    pub right: Keys,
}

impl KeyPair {
    /// Reads `L[=R][,L[=R]]...`, each side `PATH[:MODS]`; where one side alone is said it is that of
    /// both.
    ///
    /// # Errors
    /// `Usage`, when the text is no such key, for modifiers that contradict each other, and for `r`:
    /// a join has no order.
    pub fn parse(text: &str) -> Result<KeyPair> {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for part in split_outside(text, b',') {
            let (one, other) = match split_outside(part, b'=')[..] {
                [both] => (both, both),
                [one, other] => (one, other),
                _ => {
                    let why = "more than one '=' (a name that has one: .[\"a=b\"])";
                    return Err(bad_key(part, why));
                }
            };
            let (mut ours, mut theirs) = (side(one, part)?, side(other, part)?);
            let sense = sense(ours.sense, theirs.sense, part)?;
            (ours.sense, theirs.sense) = (sense, sense);
            left.push(ours);
            right.push(theirs);
        }
        Ok(KeyPair { left: Keys { parts: left }, right: Keys { parts: right } })
    }
}

/// Reads what `-k` says of one side of `part`.
fn side(text: &str, part: &str) -> Result<super::key::KeyPart> {
    let mut parts = if text.is_empty() { Vec::new() } else { Keys::parse(text)?.parts };
    match (parts.pop(), parts.is_empty()) {
        (Some(side), true) if side.reverse => {
            Err(bad_key(part, "a join keeps the order of its input: leave out the r"))
        }
        (Some(side), true) => Ok(side),
        _ => Err(bad_key(part, "no name")),
    }
}

/// As what both sides of `part` compare.
fn sense(left: Sense, right: Sense, part: &str) -> Result<Sense> {
    match (left, right) {
        (Sense::Plain, said) | (said, Sense::Plain) => Ok(said),
        (left, right) if left == right => Ok(left),
        _ => Err(bad_key(part, "the modifiers of its sides differ: say them on one side")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(text: &str) -> [String; 2] {
        let keys = KeyPair::parse(text).unwrap();
        [keys.left.spelled(), keys.right.spelled()]
    }

    #[test]
    fn either_side_is_a_key() {
        assert_eq!(spelled("id"), ["id", "id"]);
        assert_eq!(spelled("a=x,b=y"), ["a,b", "x,y"]);
        assert_eq!(spelled(r#".["a=b,c"]=.[0]"#), [r#".["a=b,c"]"#, ".[0]"]);
        assert_eq!(spelled("a:i=b"), ["a:i", "b:i"]);
        assert_eq!(spelled("a=b:V,c:n=c:n"), ["a:V,c:n", "b:V,c:n"]);
        assert_eq!(spelled(".=id"), [".", "id"]);
    }

    #[test]
    fn what_is_none_is_told() {
        for (text, why) in [
            ("", "no name"),
            ("a=", "no name"),
            ("=a", "no name"),
            ("a,,b", "no name"),
            ("a=b=c", "more than one '='"),
            ("a:n=b:i", "differ"),
            ("a:r", "leave out the r"),
            ("a=b:nr", "leave out the r"),
            ("a:x", "no modifier"),
        ] {
            let said = KeyPair::parse(text).unwrap_err().to_string();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
