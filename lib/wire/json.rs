//! Messages as JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Result, broken};

/// The message as the payload of a control frame.
pub(crate) fn encode(message: &impl Serialize) -> Vec<u8> {
    // Messages have string keys only, which is all that could fail here.
    serde_json::to_vec(message).unwrap_or_default()
}

/// The message in the payload of a control frame.
///
/// # Errors
/// `Incomplete` for what is no such message.
pub(crate) fn decode<M: DeserializeOwned>(payload: &[u8]) -> Result<M> {
    serde_json::from_slice(payload).map_err(|e| broken(format!("a message that is none: {e}")))
}
