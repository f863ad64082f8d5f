//! Stores of objects: S3, Google Cloud Storage and Azure, as the crate `object_store` speaks to them.
//! The only room that names it, and an asynchronous runtime.
//!
//! - [`settings`], [`profile`]: what the environment says of where a store is and who asks.
//! - [`buckets`]: one bucket, ready to be asked; [`connector`]: its requests, by the HTTP of `http://`
//!   resources; [`wheel`]: the threads that they run on.
//! - [`ranges`]: an object that is read. [`upload`]: one that is written. [`failure`]: what went wrong,
//!   for a person.
//!
//! A program that does not name [`OPEN`] is linked without all this.

use std::sync::Arc;

use crate::format::objects::ObjectStores;

#[cfg(feature = "object-store")]
mod buckets;
#[cfg(feature = "object-store")]
mod connector;
#[cfg(feature = "object-store")]
mod failure;
#[cfg(feature = "object-store")]
mod profile;
#[cfg(feature = "object-store")]
mod ranges;
#[cfg(feature = "object-store")]
mod settings;
#[cfg(feature = "object-store")]
mod upload;
#[cfg(feature = "object-store")]
mod wheel;

/// The stores that these variables of the environment tell of. None is asked for anything yet, and no
/// thread is started.
pub type OpenStores = fn(Vec<(String, String)>) -> Arc<dyn ObjectStores>;

/// The way to stores of objects, where there is one.
pub const OPEN: Option<OpenStores> = {
    #[cfg(feature = "object-store")]
    let open: Option<OpenStores> = Some(buckets::open);
    #[cfg(not(feature = "object-store"))]
    let open: Option<OpenStores> = None;
    open
};
