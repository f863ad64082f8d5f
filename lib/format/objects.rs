//! Objects in stores such as S3: how one is named, `s3://BUCKET/KEY`, and what a store can be asked
//! for. Who asks is given a store by the tool; what speaks to one lies elsewhere.

use std::ffi::OsStr;
use std::fmt;

use super::ledger::Ledger;
use super::pattern::{self, Inner};
use super::place::ResourcePlace;
use super::resource::Resource;
use super::{ReadOptions, WriteOptions};
use crate::error::{Error, Result};
use crate::record::stream::Input;

/// Who keeps objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectService {
    /// S3, of Amazon or of another that speaks it.
    S3,
    /// Google Cloud Storage.
    Gs,
    /// Azure's blobs; a bucket is called a container there.
    Az,
}

impl ObjectService {
    /// The service that a URL's scheme names.
    pub fn of_scheme(scheme: &str) -> Option<ObjectService> {
        match scheme {
            "s3" => Some(ObjectService::S3),
            "gs" => Some(ObjectService::Gs),
            "az" => Some(ObjectService::Az),
            _ => None,
        }
    }

    /// Whether an argument may name an object: a URL of such a scheme, perhaps behind a format.
    pub fn is_named_in(argument: &OsStr) -> bool {
        let text = argument.to_string_lossy();
        let Some((before, _)) = text.split_once("://") else { return false };
        let scheme = before.rsplit_once(':').map_or(before, |(_, scheme)| scheme);
        ObjectService::of_scheme(&scheme.to_ascii_lowercase()).is_some()
    }

    /// Its scheme.
    pub fn scheme(self) -> &'static str {
        match self {
            ObjectService::S3 => "s3",
            ObjectService::Gs => "gs",
            ObjectService::Az => "az",
        }
    }

    /// What it calls what its objects lie in.
    pub fn bucket(self) -> &'static str {
        match self {
            ObjectService::Az => "container",
            _ => "bucket",
        }
    }
}

/// The name of an object or, for reading, a pattern of such.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectAddress {
    /// Who keeps it.
    pub service: ObjectService,
    /// What it lies in.
    pub bucket: String,
    /// Its name there; nothing in it is encoded.
    pub key: String,
}

impl ObjectAddress {
    /// Reads what stands behind `SCHEME://`.
    ///
    /// # Errors
    /// When it names no object.
    pub fn parse(service: ObjectService, rest: &str) -> Result<ObjectAddress> {
        let scheme = service.scheme();
        let refused = |why: &str| Error::usage(format!("{scheme}://{rest}: {why}"));
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() || key.is_empty() {
            let bucket = service.bucket().to_uppercase();
            return Err(refused(&format!("an object is {scheme}://{bucket}/KEY")));
        }
        if pattern::is_pattern(bucket.as_ref()) {
            return Err(refused(&format!(
                "a pattern is about keys, not about the {}",
                service.bucket()
            )));
        }
        if key.ends_with('/') {
            return Err(refused("it ends in a slash: all below it is KEY/**"));
        }
        if key.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(refused("a key with an empty part, '.' or '..' cannot be reached here"));
        }
        Ok(ObjectAddress { service, bucket: bucket.into(), key: key.into() })
    }

    /// The same with another key.
    pub fn with_key(&self, key: impl Into<String>) -> ObjectAddress {
        ObjectAddress { key: key.into(), ..self.clone() }
    }

    /// The last part of the key.
    pub fn name(&self) -> &str {
        self.key.rsplit_once('/').map_or(&self.key, |(_, name)| name)
    }

    /// Whether it is a pattern.
    pub fn is_pattern(&self) -> bool {
        pattern::is_pattern(self.key.as_ref())
    }
}

impl fmt::Display for ObjectAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/{}", self.service.scheme(), self.bucket, self.key)
    }
}

/// A pattern of keys, in which slashes part names as in paths.
#[derive(Clone, Debug)]
pub struct KeyPattern {
    whole: Inner,
    /// What every key that matches begins with.
    pub prefix: String,
    /// Whether no name behind the prefix goes on behind a slash.
    pub is_flat: bool,
}

impl KeyPattern {
    /// The pattern that an address holds.
    ///
    /// # Errors
    /// `Usage` for what is none.
    pub fn of(address: &ObjectAddress) -> Result<KeyPattern> {
        let key = &address.key;
        let whole = Inner::whole(key)
            .map_err(|why| Error::usage(format!("{address}: not a pattern: {why}")))?;
        let begin = key.find(['*', '?', '[']).unwrap_or(key.len());
        let is_flat = !key[begin..].contains('/') && key.get(begin..) != Some("**");
        Ok(KeyPattern { whole, prefix: key[..begin].into(), is_flat })
    }

    /// Whether a key matches.
    pub fn fits(&self, key: &str) -> bool {
        self.whole.fits(key)
    }
}

/// Where objects are kept, reached with what the user's environment says.
pub trait ObjectStores: Send + Sync {
    /// The keys that match a pattern, sorted.
    ///
    /// # Errors
    /// When the store cannot be asked, or refuses.
    fn list(&self, address: &ObjectAddress, pattern: &KeyPattern) -> Result<Vec<String>>;

    /// The bytes of an object, read by ranges, several at once.
    ///
    /// # Errors
    /// When there is none, or it cannot be read; later on, `Incomplete` when it was changed.
    fn read(&self, address: &ObjectAddress) -> Result<Box<dyn Input>>;

    /// Begins an object that appears whole, in the place of any of that name. `ledger` takes note of
    /// what has to go, however the process ends.
    ///
    /// # Errors
    /// When it cannot be.
    fn write(&self, address: &ObjectAddress, ledger: &Ledger) -> Result<Box<dyn ObjectUpload>>;

    /// An address by which anybody can read an object for some hours, and nothing else.
    ///
    /// # Errors
    /// When nobody is there to sign it.
    fn sign(&self, address: &ObjectAddress) -> Result<String>;

    /// Gives up an upload that the ledger has a note of.
    ///
    /// # Errors
    /// When the store cannot be asked, or refuses.
    fn give_up(&self, note: &str) -> Result<()>;
}

/// An object on its way. Dropped before [`ObjectUpload::publish`], it leaves nothing behind.
pub trait ObjectUpload: Send {
    /// Takes bytes.
    ///
    /// # Errors
    /// When they cannot be kept.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;

    /// Sends all that is held back, so that nothing is left but to publish it.
    ///
    /// # Errors
    /// As [`ObjectUpload::write`].
    fn prepare(&mut self) -> Result<()>;

    /// Lets it appear.
    ///
    /// # Errors
    /// As [`ObjectUpload::write`].
    fn publish(self: Box<Self>) -> Result<()>;
}

/// The bytes of an object.
///
/// # Errors
/// As [`ObjectStores::read`]; `Usage` where there are no stores.
pub(super) fn open(address: &ObjectAddress, options: &ReadOptions) -> Result<Box<dyn Input>> {
    match &options.objects {
        Some(stores) => stores.read(address),
        None => Err(lacking(address)),
    }
}

/// Begins an object.
///
/// # Errors
/// As [`ObjectStores::write`]; `Usage` where there are no stores, and for a pattern.
pub(super) fn create(
    address: &ObjectAddress,
    options: &WriteOptions,
) -> Result<Box<dyn ObjectUpload>> {
    check(address)?;
    match &options.objects {
        Some(stores) => stores.write(address, &options.ledger),
        None => Err(lacking(address)),
    }
}

/// Checks that an object of this name can be written; no store is asked.
///
/// # Errors
/// `Usage` for a pattern.
pub(super) fn check(address: &ObjectAddress) -> Result<()> {
    match address.is_pattern() {
        true => Err(Error::usage(format!("{address}: a pattern is for reading only"))),
        false => Ok(()),
    }
}

/// For a resource in a store those that it stands for, each by an address at which a host can read it
/// without credentials; none for one that is not.
///
/// # Errors
/// As [`each`] and [`ObjectStores::sign`]; `Usage` for a format that is not read by such.
pub fn signed(resource: &Resource, options: &ReadOptions) -> Result<Option<Vec<Resource>>> {
    let ResourcePlace::Object(whole) = &resource.place else { return Ok(None) };
    let stores = options.objects.as_ref().ok_or_else(|| lacking(whole))?;
    let mut found = Vec::new();
    for one in each_of(resource, options)? {
        if let ResourcePlace::Object(address) = &one.place {
            let place = ResourcePlace::Url(stores.sign(address)?);
            found.push(Resource::new(one.spec, place));
        }
    }
    Ok(Some(found))
}

/// The places that one stands for whose store is to be asked for that, in order; else itself.
///
/// # Errors
/// When nothing matches; as [`ObjectStores::list`].
pub fn each(place: &ResourcePlace, options: &ReadOptions) -> Result<Vec<ResourcePlace>> {
    let address = match place {
        ResourcePlace::Object(address) if address.is_pattern() => address,
        _ => return Ok(vec![place.clone()]),
    };
    let pattern = KeyPattern::of(address)?;
    let stores = options.objects.as_ref().ok_or_else(|| lacking(address))?;
    let keys = stores.list(address, &pattern)?;
    if keys.is_empty() {
        return Err(Error::usage(format!("{address}: no object matches")));
    }
    Ok(keys.into_iter().map(|key| ResourcePlace::Object(address.with_key(key))).collect())
}

/// The resources that one stands for, as [`each`].
///
/// # Errors
/// As [`each`].
pub(super) fn each_of(resource: &Resource, options: &ReadOptions) -> Result<Vec<Resource>> {
    let places = each(&resource.place, options)?;
    Ok(places.into_iter().map(|place| Resource::new(resource.spec.clone(), place)).collect())
}

fn lacking(address: &ObjectAddress) -> Error {
    Error::usage(format!(
        "{address}: object stores cannot be reached by this program: read it where the tools were \
         installed with them, and pipe it here"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(rest: &str) -> Result<ObjectAddress> {
        ObjectAddress::parse(ObjectService::S3, rest)
    }

    #[test]
    fn an_address_is_a_bucket_and_a_key() {
        let found = address("b/a b/%20+é.csv").unwrap();
        assert_eq!((found.bucket.as_str(), found.key.as_str()), ("b", "a b/%20+é.csv"));
        assert_eq!(
            (found.name(), found.to_string().as_str()),
            ("%20+é.csv", "s3://b/a b/%20+é.csv")
        );
        for refused in ["", "b", "b/", "/k", "b*/k", "b/k/", "b//k", "b/../k", "b/./k"] {
            assert_eq!(address(refused).unwrap_err().exit_code(), 2, "{refused}");
        }
    }

    #[test]
    fn patterns_of_keys_are_those_of_paths() {
        let pattern = |key: &str| KeyPattern::of(&address(&format!("b/{key}")).unwrap()).unwrap();
        let flat = pattern("2026/a*.csv");
        assert_eq!((flat.prefix.as_str(), flat.is_flat), ("2026/a", true));
        assert!(flat.fits("2026/a.csv") && flat.fits("2026/ab.csv"));
        for other in ["2026/b.csv", "2026/a/b.csv", "x/2026/a.csv", "2026/a.csv.gz", "a.csv"] {
            assert!(!flat.fits(other), "{other}");
        }
        let deep = pattern("**/x?.csv");
        assert_eq!((deep.prefix.as_str(), deep.is_flat), ("", false));
        assert!(deep.fits("x1.csv") && deep.fits("a/b/x1.csv") && !deep.fits("a/x.csv"));
        let all = pattern("logs/**");
        assert!(!all.is_flat && all.fits("logs/a") && all.fits("logs/a/b") && !all.fits("log/a"));
        assert!(!pattern("*").fits(".hidden") && pattern("[*]").fits("*"));
        assert!(!pattern("*").fits("a/b"));
        assert!(KeyPattern::of(&address("b/a[").unwrap()).is_err());
    }
}
