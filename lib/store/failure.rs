//! What a store refused, or what broke, as a line for a person.

use object_store::client::{HttpError, HttpErrorKind};

use super::connector::{self, NobodyThere};
use super::settings::Asker;
use crate::error::{Error, ErrorKind};
use crate::format::objects::{ObjectAddress, ObjectService};

/// The longest word of a store that is passed on.
const WORDS_MAX: usize = 200;

/// The error that `error` is, which came of `doing` (`read`, `write`, `list`) what is at an address.
pub(super) fn failed(
    doing: &str,
    address: &ObjectAddress,
    asker: Asker,
    error: &object_store::Error,
) -> Error {
    let told = Told::of(error);
    let (kind, reason) = told.judge(doing, address, asker, error);
    Error::new(kind, format!("cannot {doing} {address}: {reason}"))
}

/// What is known of a failure.
struct Told {
    text: String,
    status: Option<u16>,
    code: Option<String>,
    http: Option<HttpErrorKind>,
    /// Whether nobody is there who could be asked, and whether that is the machine itself, which says
    /// who it is where nothing else does.
    is_nowhere: bool,
    nobody: bool,
}

impl Told {
    fn of(error: &object_store::Error) -> Told {
        let text = error.to_string();
        let status = behind(&text, "status code: ").and_then(|rest| rest.get(..3)?.parse().ok());
        let code = element(&text, "Code").map(str::to_string);
        let (mut http, mut is_nowhere, mut nobody) = (None, false, false);
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = source {
            http = http.or(error.downcast_ref::<HttpError>().map(HttpError::kind));
            is_nowhere |= error.downcast_ref().is_some_and(connector::is_nowhere);
            nobody |= error.is::<NobodyThere>();
            source = error.source();
        }
        Told { text, status, code, http, is_nowhere, nobody }
    }

    fn has_code(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    fn judge(
        &self,
        doing: &str,
        address: &ObjectAddress,
        asker: Asker,
        error: &object_store::Error,
    ) -> (ErrorKind, String) {
        use object_store::Error as E;
        let bucket = address.service.bucket();
        let name = &address.bucket;
        if self.nobody {
            return (ErrorKind::Usage, lacking(address.service));
        }
        if self.has_code(&["NoSuchBucket", "ContainerNotFound"]) {
            return (ErrorKind::Usage, format!("there is no {bucket} '{name}'"));
        }
        if let Some(region) = self.region() {
            let set = format!("the {bucket} is in another region: set AWS_REGION={region}");
            return (ErrorKind::Usage, set);
        }
        if self.has_code(&["InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthenticationFailed"]) {
            let why = "the store does not accept the key that signed it";
            return (ErrorKind::Usage, format!("{why} ({})", self.words()));
        }
        if self.has_code(&["ExpiredToken", "TokenRefreshRequired", "InvalidToken"]) {
            return (ErrorKind::Usage, "the session's token has expired: log in again".into());
        }
        match error {
            E::Precondition { .. } | E::NotModified { .. } => {
                (ErrorKind::Incomplete, "it was changed while it was read".into())
            }
            E::NotFound { .. } => {
                let there = if doing == "list" { bucket } else { "object" };
                (ErrorKind::Usage, format!("there is no such {there} ({})", self.words()))
            }
            E::PermissionDenied { .. } | E::Unauthenticated { .. } => {
                let who = match asker {
                    Asker::Nobody => "anonymous requests",
                    Asker::Somebody => "these credentials",
                };
                (ErrorKind::Usage, format!("the store denies it to {who} ({})", self.words()))
            }
            _ => self.judge_by_http(),
        }
    }

    /// What a failure is that is none of the store's own kinds.
    fn judge_by_http(&self) -> (ErrorKind, String) {
        match (self.status, self.http) {
            (Some(status @ 500..), _) => (
                ErrorKind::Incomplete,
                format!("the store fails ({}, status {status})", self.words()),
            ),
            (Some(status), _) => (
                ErrorKind::Usage,
                format!("the store refuses it ({}, status {status})", self.words()),
            ),
            (None, Some(kind))
                if self.is_nowhere
                    || matches!(kind, HttpErrorKind::Connect | HttpErrorKind::Timeout) =>
            {
                (ErrorKind::Hosts, format!("the store is out of reach ({})", self.words()))
            }
            (None, Some(_)) => {
                (ErrorKind::Incomplete, format!("the connection was lost ({})", self.words()))
            }
            (None, None) => (ErrorKind::Usage, self.words()),
        }
    }

    /// The region that the store says a bucket is in.
    fn region(&self) -> Option<String> {
        let is_elsewhere = self.has_code(&[
            "PermanentRedirect",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
        ]);
        if self.text.contains("redirect without LOCATION") {
            return Some("...".into());
        }
        let named = element(&self.text, "Region").map(str::to_string);
        let expected = || Some(behind(&self.text, "expecting '")?.split_once('\'')?.0.to_string());
        is_elsewhere.then(|| named.or_else(expected).unwrap_or_else(|| "...".into()))
    }

    /// What the store, or the connection, says.
    fn words(&self) -> String {
        let message = element(&self.text, "Message").map(|text| text.trim_end_matches('.'));
        let words = match (&self.code, message) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.clone(),
            _ => self.bare(),
        };
        let mut words: String = words.split_whitespace().collect::<Vec<_>>().join(" ");
        if words.len() > WORDS_MAX {
            let end = (0..=WORDS_MAX).rev().find(|&at| words.is_char_boundary(at));
            words.truncate(end.unwrap_or(0));
            words.push_str("...");
        }
        words
    }

    /// The last cause, of what no document of the store's tells.
    fn bare(&self) -> String {
        let text =
            behind(&self.text, "status code: ").or_else(|| behind(&self.text, "HTTP error: "));
        let text = text.or_else(|| Some(self.text.rsplit_once(" - ")?.1)).unwrap_or(&self.text);
        let text = match text.split_once('<') {
            Some((before, _)) => before,
            None => text,
        };
        let text = text.trim().trim_start_matches("io: ").trim_end_matches(':');
        match text.find(" (os error ") {
            Some(end) => text[..end].to_string(),
            None => text.to_string(),
        }
    }
}

/// What stands behind the last `mark` in a text.
fn behind<'t>(text: &'t str, mark: &str) -> Option<&'t str> {
    text.rfind(mark).map(|at| &text[at + mark.len()..])
}

/// The text of the first element of this name.
fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once("</").map(|(inner, _)| inner)
}

/// What to do where nothing says who asks.
pub(super) fn lacking(service: ObjectService) -> String {
    match service {
        ObjectService::S3 => {
            "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; \
             what everybody may read is read with AWS_SKIP_SIGNATURE=true"
        }
        ObjectService::Gs => {
            "there are no credentials: set GOOGLE_APPLICATION_CREDENTIALS, or call 'gcloud auth \
             application-default login'; what everybody may read is read with GOOGLE_SKIP_SIGNATURE=true"
        }
        ObjectService::Az => {
            "there are no credentials: set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT and \
             AZURE_STORAGE_KEY; what everybody may read is read with AZURE_SKIP_SIGNATURE=true"
        }
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(error: &object_store::Error) -> (u8, String) {
        let address = ObjectAddress::parse(ObjectService::S3, "b/k").unwrap();
        let error = failed("read", &address, Asker::Somebody, error);
        (error.exit_code(), error.to_string())
    }

    fn generic(text: &str) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: text.into() }
    }

    #[test]
    fn what_a_store_says_is_told_in_a_line() {
        let denied = "Error performing GET http://h/b/k in 1ms - Server returned non-2xx status code: 403 \
             Forbidden: <?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>Access \
             Denied.</Message></Error>";
        let path = "k".to_string();
        let denied = object_store::Error::PermissionDenied { path, source: denied.into() };
        let want = "cannot read s3://b/k: the store denies it to these credentials (AccessDenied: Access \
             Denied)";
        assert_eq!(said(&denied), (2, want.into()));
        for (text, code, part) in [
            ("status code: 404 Not Found: <Code>NoSuchBucket</Code>", 2, "there is no bucket 'b'"),
            (
                "status code: 503 Slow: <Code>SlowDown</Code>",
                4,
                "the store fails (SlowDown, status 503)",
            ),
            (
                "status code: 400 Bad: <Code>X</Code><Message>y</Message>",
                2,
                "refuses it (X: y, status",
            ),
            (
                "status code: 400 Bad: <Code>AuthorizationHeaderMalformed</Code><Message>the region 'a' \
                 is wrong; expecting 'eu-west-1'</Message>",
                2,
                "set AWS_REGION=eu-west-1",
            ),
            ("status code: 403 F: <Code>InvalidAccessKeyId</Code>", 2, "does not accept the key"),
        ] {
            let (exit, said) = said(&generic(text));
            assert!(exit == code && said.contains(part), "{text}: {exit} {said}");
        }
    }

    #[test]
    fn a_store_that_is_out_of_reach_is_a_host_that_is() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let error = HttpError::new(HttpErrorKind::Unknown, ureq::Error::Io(refused));
        let error = object_store::Error::Generic { store: "S3", source: Box::new(error) };
        let (code, said) = said(&error);
        assert_eq!((code, said.contains("out of reach (connection refused)")), (5, true), "{said}");
    }
}
