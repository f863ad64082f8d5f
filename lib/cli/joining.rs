//! The options of a join: by which key, and which records come out.
// The texts of options are for a terminal: their brackets are no links.
#![expect(rustdoc::broken_intra_doc_links)]

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use crate::error::Result;
use crate::group::join::{Join, JoinKind};
use crate::record::key_pair::KeyPair;

/// How records are joined.
#[derive(Args, Clone, Debug)]
pub struct Joining {
    /// The key: KEY[=KEY][,KEY[=KEY]...], of the left record and, where it is another one, of the
    /// right record; each PATH[:MODS] with n (numbers in strings), i (case ignored) and V
    /// (versions), such as user=id or .user.id:n=id
    #[arg(short, long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    pub key: String,

    /// Print left records without a match too, as they are
    #[arg(long, group = "kind")]
    left: bool,

    /// Print left records without a match too and, at the end, right ones without
    #[arg(long, group = "kind")]
    outer: bool,

    /// Print the left records that have a match, once, as they are
    #[arg(long, group = "kind")]
    semi: bool,

    /// Print the left records that have no match, as they are
    #[arg(long, group = "kind")]
    anti: bool,

    /// Put TEXT before the names of the fields that come from RESOURCE, but those of the key
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    #[arg(conflicts_with_all = ["semi", "anti"])]
    prefix: Option<String>,
}

impl Joining {
    /// What is to be joined, and how.
    ///
    /// # Errors
    /// `Usage`, when `-k` is no key, and for a prefix that is none.
    pub fn join(&self) -> Result<Join> {
        let kinds = [
            (self.left, JoinKind::Left),
            (self.outer, JoinKind::Outer),
            (self.semi, JoinKind::Semi),
            (self.anti, JoinKind::Anti),
        ];
        let kind = kinds.into_iter().find_map(|(said, kind)| said.then_some(kind));
        let join = Join {
            keys: KeyPair::parse(&self.key)?,
            kind: kind.unwrap_or_default(),
            prefix: self.prefix.clone().unwrap_or_default(),
        };
        join.check()?;
        Ok(join)
    }
}
