//! Reading over `http://` and `https://`: redirects are followed; a status that is no success, and
//! a body that ends before its length, are errors.

use std::io::Read;
use std::time::Duration;

use super::bytes::lower;
use crate::error::{Error, Kind, Result};
use crate::record::stream::Input;

/// How long a connection, and then the head of the answer, may take to come.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long nothing may come of the body.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(120);

/// The most redirects that are followed.
const MOST_REDIRECTS: u32 = 10;

/// Opens the body at `url`.
///
/// # Errors
/// `Hosts` when the server cannot be reached, `Usage` when it refuses, `Incomplete` when it fails.
pub fn open(url: &str) -> Result<Box<dyn Input>> {
    let config = ureq::Agent::config_builder()
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_recv_response(Some(CONNECT_TIMEOUT))
        .timeout_per_read(Some(SILENCE_TIMEOUT))
        .max_redirects(MOST_REDIRECTS)
        // A connection that the server closes behind a redirect is not to be used again.
        .max_idle_connections(0)
        .user_agent(concat!("mycloud/", env!("CARGO_PKG_VERSION")))
        .build();
    let agent: ureq::Agent = config.into();
    let answer = agent.get(url).call().map_err(|error| failed(url, error))?;
    let body = Box::new(answer.into_body().into_reader());
    Ok(Box::new(Body { body, url: url.to_string() }))
}

fn failed(url: &str, error: ureq::Error) -> Error {
    use ureq::Error as E;
    let (kind, reason) = match error {
        E::StatusCode(status @ 500..) => (Kind::Incomplete, format!("status {status}")),
        E::StatusCode(status) => (Kind::Usage, format!("status {status}")),
        E::BadUri(_) | E::Http(_) => (Kind::Usage, error.to_string()),
        E::HostNotFound | E::ConnectionFailed | E::Timeout(_) => (Kind::Hosts, error.to_string()),
        E::Io(e) => (Kind::Hosts, crate::error::reason(&e)),
        E::TooManyRedirects => (Kind::Incomplete, "too many redirects".to_string()),
        error => (Kind::Incomplete, error.to_string()),
    };
    Error::new(kind, format!("cannot read {url}: {reason}"))
}

/// The body of an answer.
struct Body {
    body: Box<dyn Read + Send>,
    url: String,
}

impl Input for Body {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.body.read(buffer).map_err(|e| {
            let error = lower(&self.url, "read", e);
            Error::new(Kind::Incomplete, format!("{error} (the connection was lost)"))
        })
    }

    fn name(&self) -> &str {
        &self.url
    }
}
