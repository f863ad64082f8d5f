//! Requests to stores, by the same HTTP that reads `http://` resources: each on a thread of its own, its
//! answer read whole, so that one that breaks off is asked for again.

use std::fmt;
use std::fs;
use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http_body::Body;
use object_store::ClientOptions;
use object_store::client::{
    ClientConfigKey, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest,
    HttpRequestBody, HttpResponse, HttpResponseBody, HttpService,
};
use ureq::http::{Method, Request};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::error::{Error, Result};

/// How long a connection may take to come. That of the machine itself, which is asked who it is, is
/// there at once or not at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
const OWN_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the head of an answer may take, and how long nothing may come of its body.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest answer that is taken: more than any range or list that is asked for.
const ANSWER_MAX: u64 = 256 << 20;

/// What a service says when it asks the machine itself: `connect_timeout` of the crate.
const OF_MACHINE: &str = "1s";

/// Makes clients.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    tls: TlsConfig,
}

/// One client.
#[derive(Debug)]
struct Client {
    agent: ureq::Agent,
    /// Whether it asks the machine itself who it is: what is not there at once is not asked again.
    of_machine: bool,
}

/// That the machine does not say who it is.
#[derive(Debug)]
pub(super) struct NobodyThere(HttpError);

impl fmt::Display for NobodyThere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for NobodyThere {}

impl Connector {
    /// With the certificates of authorities in the file `bundle`, or those of Mozilla.
    ///
    /// # Errors
    /// When there are none in it.
    pub(super) fn new(bundle: Option<&str>) -> Result<Connector> {
        let roots = bundle.map(roots).transpose()?.unwrap_or(RootCerts::WebPki);
        Ok(Connector { tls: TlsConfig::builder().root_certs(roots).build() })
    }
}

/// The certificates in a file.
fn roots(path: &str) -> Result<RootCerts> {
    let text = fs::read(path).map_err(|e| Error::io("read", path, &e))?;
    let certificates: Vec<_> = parse_pem(&text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    match certificates.is_empty() {
        true => Err(Error::usage(format!("{path} (AWS_CA_BUNDLE): there is no certificate in it"))),
        false => Ok(RootCerts::Specific(Arc::new(certificates))),
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let told = options.get_config_value(&ClientConfigKey::ConnectTimeout);
        let of_machine = told.as_deref() == Some(OF_MACHINE);
        let connect = if of_machine { OWN_CONNECT_TIMEOUT } else { CONNECT_TIMEOUT };
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(connect))
            .timeout_recv_response(Some(SILENCE_TIMEOUT))
            .timeout_per_read(Some(SILENCE_TIMEOUT))
            .timeout_per_write(Some(SILENCE_TIMEOUT))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("mycloud/", env!("CARGO_PKG_VERSION")))
            .tls_config(self.tls.clone())
            .build();
        Ok(HttpClient::new(Client { agent: config.into(), of_machine }))
    }
}

impl HttpService for Client {
    fn call<'s, 'f>(
        &'s self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = std::result::Result<HttpResponse, HttpError>> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        let (agent, of_machine) = (self.agent.clone(), self.of_machine);
        Box::pin(async move {
            let called = tokio::task::spawn_blocking(move || call(&agent, request)).await;
            let called = called.unwrap_or_else(|e| Err(HttpError::new(HttpErrorKind::Unknown, e)));
            called.map_err(|error| match of_machine {
                true => HttpError::new(HttpErrorKind::Unknown, NobodyThere(error)),
                false => error,
            })
        })
    }
}

/// Sends a request, and reads what comes back.
fn call(agent: &ureq::Agent, request: HttpRequest) -> std::result::Result<HttpResponse, HttpError> {
    let (head, body) = request.into_parts();
    let is_bare = body.content_length() == 0
        && matches!(head.method, Method::GET | Method::HEAD | Method::DELETE);
    let answer = match is_bare {
        true => agent.run(Request::from_parts(head, ())),
        false => agent.run(Request::from_parts(head, bytes(body))),
    };
    let (head, body) = answer.map_err(failed)?.into_parts();
    let mut taken = Vec::new();
    let mut reader = body.into_reader().take(ANSWER_MAX);
    let read = reader.read_to_end(&mut taken);
    read.map_err(|e| HttpError::new(HttpErrorKind::Interrupted, e))?;
    Ok(HttpResponse::from_parts(head, HttpResponseBody::from(taken)))
}

/// What a request sends: pieces, all of which are there.
fn bytes(body: HttpRequestBody) -> Vec<u8> {
    let mut taken = Vec::with_capacity(body.content_length());
    let mut body = Box::pin(body);
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut context) {
        if let Ok(data) = frame.into_data() {
            taken.extend_from_slice(&data);
        }
    }
    taken
}

/// Whether nobody is there to be asked: to ask again would be no use.
pub(super) fn is_nowhere(error: &ureq::Error) -> bool {
    use std::io::ErrorKind as K;
    match error {
        ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => true,
        ureq::Error::Io(e) => {
            matches!(e.kind(), K::ConnectionRefused | K::HostUnreachable | K::NetworkUnreachable)
        }
        _ => false,
    }
}

/// An error of HTTP, as it tells whether to ask again.
fn failed(error: ureq::Error) -> HttpError {
    use ureq::Error as E;
    let kind = match &error {
        error if is_nowhere(error) => HttpErrorKind::Unknown,
        E::Timeout(_) => HttpErrorKind::Timeout,
        E::Tls(_) => HttpErrorKind::Connect,
        E::Io(_) => HttpErrorKind::Interrupted,
        E::Rustls(_) | E::BadUri(_) | E::Http(_) => HttpErrorKind::Unknown,
        _ => HttpErrorKind::Request,
    };
    HttpError::new(kind, error)
}
