//! Google's and Azure's stores. Google's is spoken to in XML that is S3's, so that moto can be it; a
//! server of Azure's protocol is there where somebody has installed one.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use super::{alone, store};
use crate::support::*;

/// Reads and writes objects below `at`, which is the beginning of their names; nothing is there yet.
fn reads_and_writes(at: &str, known: &dyn Fn(Call) -> Call) {
    let cat = |name: &str| known(mc("cat")).arg(format!("{at}{name}"));
    let gather = |name: &str| known(mc("gather")).args(["-o", &format!("{at}{name}")]);
    let row = rows![{"a": "1", "b": "2"}];
    gather("a b/\u{e9}+%20.csv").stdin(&row).succeeds();
    cat("a b/\u{e9}+%20.csv").stdout(&row).succeeds();
    gather("a b/c/x.csv.zst").stdin(&row).succeeds();
    gather("empty.ndjson").stdin("").succeeds();
    cat("empty.ndjson").stdout("").succeeds();
    cat("a b/*.csv").stdout(&row).succeeds();
    let all = known(mc("cat")).arg(format!("csv:{at}**/*.csv*"));
    all.stdout(format!("{row}{row}")).succeeds();
    let many: String = (0..3_000_000).map(|n| format!("{n}\n")).collect();
    gather("long.ndjson").stdin(&many).succeeds();
    assert!(
        known(mc("cat")).args(["--raw", &format!("{at}long.ndjson")]).succeeds().stdout
            == many.as_bytes()
    );
    gather("long.ndjson").stdin(format!("{many}{{bad\n")).stderr_any().fails(3);
    // What was there is there.
    cat("long.ndjson").stdout(&many).succeeds();
    cat("none.csv").fails_with(2, "there is no such object");
    cat("none*.csv").fails_with(2, "no object matches");
}

#[test]
fn objects_of_google_are_read_and_written() {
    store().bucket("gsone", &[]);
    let known = |call: Call| alone(call).env("STORAGE_EMULATOR_HOST", &store().url);
    reads_and_writes("gs://gsone/", &known);
    known(mc("cat")).arg("gs://gs-none/a.csv").fails_with(2, "there is no bucket 'gs-none'");
    // Some name the server without its scheme.
    let bare = store().url.trim_start_matches("http://");
    let bare = alone(mc("cat")).env("STORAGE_EMULATOR_HOST", bare).arg("gs://gsone/a b/*.csv");
    bare.stdout(rows![{"a": "1", "b": "2"}]).succeeds();
}

/// A server of Azure's protocol, ended with the test.
struct Azurite(Child);

impl Drop for Azurite {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn objects_of_azure_are_read_and_written() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let Some(program) = std::env::split_paths(&path)
        .map(|dir| dir.join("azurite-blob"))
        .find(|file| file.is_file())
    else {
        return not_tested("az://: there is no azurite-blob (npm install -g azurite)");
    };
    let dir = dir();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = port.to_string();
    let _server = Azurite(
        Command::new(program)
            .args([
                "--silent",
                "--skipApiVersionCheck",
                "--inMemoryPersistence",
                "--blobHost",
                "127.0.0.1",
            ])
            .args(["--blobPort", &port])
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    );
    until("azurite listens", || TcpStream::connect(format!("127.0.0.1:{port}")).is_ok());
    // The account that every such server has, with the key that its documentation gives.
    let key =
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    let url = format!("http://127.0.0.1:{port}/devstoreaccount1");
    make_container(&url, key);
    let string = format!(
        "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={key};BlobEndpoint={url};"
    );
    let known = |call: Call| alone(call).env("AZURE_STORAGE_CONNECTION_STRING", &string);
    reads_and_writes("az://one/", &known);
    known(mc("cat")).arg("az://none/a.csv").fails_with(2, "there is no container 'none'");
    let wrong = string.replace("AccountKey=Eby8", "AccountKey=AAAA");
    let wrong =
        alone(mc("cat")).env("AZURE_STORAGE_CONNECTION_STRING", wrong).arg("az://one/empty.ndjson");
    wrong.fails_with(2, "the store denies it to these credentials (Auth");
}

/// Makes the container `one`.
fn make_container(url: &str, key: &str) {
    let code = r#"
import base64, email.utils, hashlib, hmac, sys, urllib.request
url, key = sys.argv[1:]
date = email.utils.formatdate(usegmt=True)
headers = f"x-ms-date:{date}\nx-ms-version:2021-08-06\n"
text = "PUT" + "\n" * 12 + headers + "/devstoreaccount1/devstoreaccount1/one\nrestype:container"
signature = base64.b64encode(hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()).decode()
request = urllib.request.Request(url + "/one?restype=container", method="PUT", headers={
    "x-ms-date": date, "x-ms-version": "2021-08-06", "Authorization": f"SharedKey devstoreaccount1:{signature}"})
urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request)
"#;
    python(code, &[url, key], "");
}

#[test]
fn who_has_no_credentials_is_told_how_to_get_some() {
    let azure = alone(mc("cat")).arg("az://one/a.csv");
    azure.fails_with(
        2,
        "az://one/a.csv: there are no credentials: set AZURE_STORAGE_CONNECTION_STRING",
    );
    let broken = alone(mc("cat")).env("AZURE_STORAGE_CONNECTION_STRING", "x").arg("az://one/a.csv");
    broken.fails_with(2, "AZURE_STORAGE_CONNECTION_STRING: each part of it is NAME=VALUE");
}
