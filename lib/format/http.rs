//! Reading over `http://` and `https://`: redirects are followed, and what the body was encoded in
//! for the way is undone; a status that is no success, and a body that ends before its length, are
//! errors.

use std::io::Read;
use std::time::Duration;

use super::bytes::lower;
use super::compression::Codec;
use super::decompression::decode;
use super::place::{ResourcePlace, without_signature};
use crate::error::{Error, ErrorKind, Result};
use crate::record::stream::Input;

/// How long a connection, and then the head of the answer, may take to come.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long nothing may come of the body.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(120);

/// The most redirects that are followed.
const MOST_REDIRECTS: u32 = 10;

/// The codings of a body that can be undone.
const ENCODINGS: &str = "gzip, zstd";

/// Opens the body at `url`.
///
/// # Errors
/// `BadInput` when the server sends a part only, or encodes it in a way that is not known here;
/// `Hosts` when the server cannot be reached, `Usage` when it refuses, `Incomplete` when it fails.
pub fn open(url: &str) -> Result<Box<dyn Input>> {
    let shown = without_signature(url);
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
    let request = agent.get(url).header("Accept-Encoding", ENCODINGS);
    let answer = request.call().map_err(|error| failed(shown, error))?;
    if answer.status() == 206 {
        let why = "the server sent a part of it, which nobody asked for (status 206)";
        return Err(Error::input(format!("{shown}: {why}")));
    }
    if answer.status() != 200 {
        let why = format!("the server sent no file (status {})", answer.status().as_u16());
        return Err(Error::input(format!("{shown}: {why}")));
    }
    let headers = answer.headers().get_all("content-encoding").iter();
    let headers: Vec<String> =
        headers.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
    let body = Box::new(answer.into_body().into_reader());
    let mut input: Box<dyn Input> = Box::new(Body { body, url: shown.to_string() });
    for coding in codings(shown, &headers.join(","))?.into_iter().rev() {
        input = decode(coding, input)?;
    }
    Ok(input)
}

/// What is to be undone, in the order in which it was done: the codings that `header` lists. Of a
/// file that is called `.gz`, many servers say that it is encoded in gzip, and mean the file; then
/// its name is enough.
fn codings(url: &str, header: &str) -> Result<Vec<Codec>> {
    let mut codings = Vec::new();
    for name in header.split(',').map(|name| name.trim().to_ascii_lowercase()) {
        match name.as_str() {
            "" | "identity" => (),
            "gzip" | "x-gzip" => codings.push(Codec::Gzip),
            "zstd" => codings.push(Codec::Zstd),
            _ => {
                return Err(Error::input(format!(
                    "{url}: its Content-Encoding is {name}, which cannot be undone here ({ENCODINGS} \
                     can): curl --compressed URL | mc-cat FORMAT:-"
                )));
            }
        }
    }
    let named = Codec::of(&ResourcePlace::Url(url.to_string()).name()).1;
    if named.is_some() && codings.last().copied() == named {
        codings.pop();
    }
    Ok(codings)
}

fn failed(url: &str, error: ureq::Error) -> Error {
    use ureq::Error as E;
    let (kind, reason) = match error {
        E::StatusCode(status @ 500..) => (ErrorKind::Incomplete, format!("status {status}")),
        E::StatusCode(status) => (ErrorKind::Usage, format!("status {status}")),
        E::BadUri(_) | E::Http(_) => (ErrorKind::Usage, error.to_string()),
        E::HostNotFound | E::ConnectionFailed | E::Timeout(_) => {
            (ErrorKind::Hosts, error.to_string())
        }
        E::Io(e) => (ErrorKind::Hosts, crate::error::reason(&e)),
        E::TooManyRedirects => (ErrorKind::Incomplete, "too many redirects".to_string()),
        error => (ErrorKind::Incomplete, error.to_string()),
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
            Error::new(ErrorKind::Incomplete, format!("{error} (the connection was lost)"))
        })
    }

    fn name(&self) -> &str {
        &self.url
    }
}
