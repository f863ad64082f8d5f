//! Whose files are read on hosts, and what becomes of the shards that are made of them.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use crate::cli::hosts::host_options::HostOptions;
use crate::cli::size;
use crate::error::{Error, Result};
use crate::format::ReadOptions;
use crate::format::objects::{self, ObjectService};
use crate::format::place::ResourcePlace;
use crate::format::resource::Resource;
use crate::format::spec::Spec;

/// How large the parts of a file that all hosts see are, where nothing says.
const BLOCK_BYTES: u64 = 64 << 20;

/// The hosts whose files are read.
#[derive(Args, Clone, Debug)]
pub struct FileHosts {
    /// The hosts.
    #[command(flatten)]
    pub hosts: HostOptions,

    /// With -h: all hosts see the same files, so read each of them once, its parts on any of them
    #[arg(long, requires = "hosts")]
    shared: bool,

    /// With --shared: cut files into parts of about SIZE [default: 64M]
    #[arg(long, value_name = "SIZE", value_parser = size::bytes, requires = "shared")]
    block: Option<u64>,

    /// With --shared: go on without hosts that cannot be used, as long as N of them can [default: half must
    /// be in reach, and none refuse]
    #[arg(long, value_name = "N", requires = "shared")]
    pub min_hosts: Option<NonZeroUsize>,

    /// With -h: keep the shards on the hosts, and their manifest in FILE (FILE.mc)
    #[arg(short, long, value_name = "FILE", requires = "hosts")]
    pub output: Option<PathBuf>,
}

/// The argument that names a resource at an address.
fn argument(resource: &Resource, has_format: bool) -> OsString {
    match &resource.place {
        ResourcePlace::Url(url) if has_format => url.into(),
        ResourcePlace::Url(url) => format!("{}:{url}", resource.spec.text()).into(),
        place => place.to_string().into(),
    }
}

impl FileHosts {
    /// What is to be read on the hosts, where objects in stores are among it: these by addresses that are
    /// signed here, so that no host needs credentials. What is no object is left to the hosts.
    ///
    /// # Errors
    /// `Usage` without `--shared`: each host would read all of them; what the stores say.
    pub fn with_objects(
        &self,
        words: Vec<OsString>,
        format: Option<&str>,
        options: &ReadOptions,
    ) -> Result<Vec<OsString>> {
        let spec = format.map(Spec::parse).transpose()?;
        let mut all = Vec::with_capacity(words.len());
        for word in words {
            let resource = match ObjectService::is_named_in(&word) {
                true => Some(Resource::parse(&word, spec.as_ref())?),
                false => None,
            };
            let signed = resource.as_ref().map(|resource| objects::signed(resource, options));
            match signed.transpose()?.flatten() {
                Some(_) if !self.shared => {
                    let why = "all hosts see the same objects: say --shared, and each is read once";
                    return Err(Error::usage(format!("{}: {why}", word.display())));
                }
                Some(found) => all.extend(found.iter().map(|one| argument(one, spec.is_some()))),
                None => all.push(word),
            }
        }
        Ok(all)
    }

    /// About how large the parts are of files that all hosts see, if they do.
    pub fn parts(&self) -> Option<u64> {
        self.shared.then(|| self.block.unwrap_or(BLOCK_BYTES))
    }
}
