//! Buckets, each made ready when something in it is asked for, and the stores as the formats see them.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::signer::{Method, Signer};
use object_store::{BackoffConfig, ObjectStore, RetryConfig};

use super::connector::Connector;
use super::failure::{self, lacking};
use super::ranges::ObjectReader;
use super::settings::{Asker, StoreSettings, StoreVariables};
use super::upload::{PartedUpload, give_up, noted};
use super::wheel::Wheel;
use crate::error::{Error, Result};
use crate::format::ledger::Ledger;
use crate::format::objects::{
    KeyPattern, ObjectAddress, ObjectService, ObjectStores, ObjectUpload,
};
use crate::format::place::ResourcePlace;
use crate::parallel::lock;
use crate::record::stream::Input;

/// How often what failed is asked for again, and for how long: some 20 seconds of a store that is busy.
const RETRIES: usize = 7;
const RETRY_MAX: Duration = Duration::from_secs(120);
const BACKOFF: (Duration, Duration) = (Duration::from_millis(150), Duration::from_secs(10));

/// How long a signed address holds.
const SIGNED_FOR: Duration = Duration::from_secs(12 * 3600);

/// The stores that the variables tell of.
pub(super) fn open(variables: Vec<(String, String)>) -> Arc<dyn ObjectStores> {
    Arc::new(RemoteStores {
        variables: StoreVariables::new(variables),
        wheel: Mutex::default(),
        buckets: Mutex::default(),
    })
}

/// The stores that can be reached.
struct RemoteStores {
    variables: StoreVariables,
    wheel: Mutex<Option<Arc<Wheel>>>,
    buckets: Mutex<BTreeMap<(ObjectService, String), Arc<Bucket>>>,
}

/// A bucket.
pub(super) struct Bucket {
    pub(super) objects: Arc<dyn ObjectStore>,
    pub(super) parts: Arc<dyn MultipartStore>,
    pages: Arc<dyn PaginatedListStore>,
    signer: Arc<dyn Signer>,
    asker: Asker,
}

impl Bucket {
    fn new<T>(store: T, asker: Asker) -> Bucket
    where
        T: ObjectStore + MultipartStore + PaginatedListStore + Signer,
    {
        let store = Arc::new(store);
        let (objects, parts) = (Arc::clone(&store), Arc::clone(&store));
        Bucket { objects, parts, pages: Arc::clone(&store) as _, signer: store, asker }
    }

    /// The crate's name of an object.
    ///
    /// # Errors
    /// `Usage` for what has none.
    pub(super) fn path(&self, address: &ObjectAddress) -> Result<Path> {
        Path::parse(&address.key).map_err(|e| Error::usage(format!("{address}: {e}")))
    }

    /// The error that `error` is.
    pub(super) fn failed(
        &self,
        doing: &str,
        address: &ObjectAddress,
        error: &object_store::Error,
    ) -> Error {
        failure::failed(doing, address, self.asker, error)
    }
}

impl RemoteStores {
    fn wheel(&self) -> Result<Arc<Wheel>> {
        let mut wheel = lock(&self.wheel);
        if let Some(wheel) = &*wheel {
            return Ok(Arc::clone(wheel));
        }
        Ok(Arc::clone(wheel.insert(Arc::new(Wheel::start()?))))
    }

    /// The bucket that an object is in.
    fn bucket(&self, address: &ObjectAddress) -> Result<Arc<Bucket>> {
        let mut buckets = lock(&self.buckets);
        let name = (address.service, address.bucket.clone());
        if let Some(bucket) = buckets.get(&name) {
            return Ok(Arc::clone(bucket));
        }
        let bucket = Arc::new(self.make(address).map_err(|e| e.at(address))?);
        buckets.insert(name, Arc::clone(&bucket));
        Ok(bucket)
    }

    fn make(&self, address: &ObjectAddress) -> Result<Bucket> {
        let settings = self.variables.of(address.service)?;
        let connector = Connector::new(self.variables.get("AWS_CA_BUNDLE"))?;
        make(address, settings, connector)
    }
}

/// What a builder of the crate takes as settings: those that it knows, of its own and of its requests.
fn known<K: FromStr>(settings: &StoreSettings) -> impl Iterator<Item = (K, &String)> {
    settings.config.iter().filter_map(|(name, value)| Some((name.parse().ok()?, value)))
}

/// A bucket with these settings.
fn make(address: &ObjectAddress, settings: StoreSettings, connector: Connector) -> Result<Bucket> {
    let failed = |error: object_store::Error| {
        // Who has no account has no credentials.
        let text = error.to_string();
        match text.contains("Account must be specified") {
            true => Error::usage(lacking(address.service)),
            false => Error::usage(text),
        }
    };
    let (init_backoff, max_backoff) = BACKOFF;
    let retry = RetryConfig {
        backoff: BackoffConfig { init_backoff, max_backoff, base: 2.0 },
        max_retries: RETRIES,
        retry_timeout: RETRY_MAX,
    };
    let (name, asker) = (&address.bucket, settings.asker);
    match address.service {
        ObjectService::S3 => {
            let builder = known::<AmazonS3ConfigKey>(&settings)
                .fold(AmazonS3Builder::new(), |builder, (key, value)| {
                    builder.with_config(key, value)
                });
            let builder = builder.with_bucket_name(name).with_retry(retry);
            let store = builder.with_http_connector(connector).build();
            store.map(|store| Bucket::new(store, asker)).map_err(failed)
        }
        ObjectService::Gs => {
            let builder = known::<GoogleConfigKey>(&settings)
                .fold(GoogleCloudStorageBuilder::new(), |builder, (key, value)| {
                    builder.with_config(key, value)
                });
            let builder = builder.with_bucket_name(name).with_retry(retry);
            let store = builder.with_http_connector(connector).build();
            store.map(|store| Bucket::new(store, asker)).map_err(failed)
        }
        ObjectService::Az => {
            let builder = known::<AzureConfigKey>(&settings)
                .fold(MicrosoftAzureBuilder::new(), |builder, (key, value)| {
                    builder.with_config(key, value)
                });
            let builder = builder.with_container_name(name).with_retry(retry);
            let store = builder.with_http_connector(connector).build();
            store.map(|store| Bucket::new(store, asker)).map_err(failed)
        }
    }
}

impl ObjectStores for RemoteStores {
    fn list(&self, address: &ObjectAddress, pattern: &KeyPattern) -> Result<Vec<String>> {
        let (bucket, wheel) = (self.bucket(address)?, self.wheel()?);
        let prefix = Some(pattern.prefix.as_str()).filter(|prefix| !prefix.is_empty());
        let (mut keys, mut page_token) = (Vec::new(), None);
        loop {
            let options = PaginatedListOptions {
                delimiter: pattern.is_flat.then(|| "/".into()),
                page_token,
                ..PaginatedListOptions::default()
            };
            let page = wheel.wait(bucket.pages.list_paginated(prefix, options))?;
            let page = page.map_err(|error| bucket.failed("list", address, &error))?;
            let found = page.result.objects.into_iter().map(|found| String::from(found.location));
            keys.extend(found.filter(|key| pattern.fits(key)));
            page_token = page.page_token;
            if page_token.is_none() {
                break;
            }
        }
        keys.sort_unstable();
        // A key that ends in a slash, as some make in place of a directory, and one that does not.
        keys.dedup();
        Ok(keys)
    }

    fn read(&self, address: &ObjectAddress) -> Result<Box<dyn Input>> {
        Ok(Box::new(ObjectReader::open(self.bucket(address)?, self.wheel()?, address)?))
    }

    fn write(&self, address: &ObjectAddress, ledger: &Ledger) -> Result<Box<dyn ObjectUpload>> {
        Ok(Box::new(PartedUpload::begin(self.bucket(address)?, self.wheel()?, address, ledger)?))
    }

    fn sign(&self, address: &ObjectAddress) -> Result<String> {
        let (bucket, wheel) = (self.bucket(address)?, self.wheel()?);
        if bucket.asker == Asker::Nobody {
            let why =
                "anonymous requests cannot be signed for hosts: name its https:// address instead";
            return Err(Error::usage(format!("{address}: {why}")));
        }
        let path = bucket.path(address)?;
        let signed = wheel.wait(bucket.signer.signed_url(Method::GET, &path, SIGNED_FOR))?;
        signed.map(String::from).map_err(|error| bucket.failed("sign", address, &error))
    }

    fn give_up(&self, note: &str) -> Result<()> {
        let broken = || Error::incomplete("internal error: a note that is none");
        let (address, number) = noted(note).ok_or_else(broken)?;
        let ResourcePlace::Object(address) = ResourcePlace::parse(address.as_ref())? else {
            return Err(broken());
        };
        let bucket = self.bucket(&address)?;
        give_up(&bucket, &*self.wheel()?, &bucket.path(&address)?, number)
    }
}
