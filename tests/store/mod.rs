//! Objects in stores: read, written and refused, against moto behind a server that checks what a real
//! one does (`server.py`), with Amazon's own library for Python at the other end.

mod errors;
mod hosts;
mod others;
mod reading;
mod writing;

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use crate::support::*;

/// What Amazon's library begins with: `c` is its client, `args` are the arguments.
const BOTO: &str = "
import sys, boto3, botocore.config
url, *args = sys.argv[1:]
config = botocore.config.Config(signature_version='s3v4', retries={'max_attempts': 0})
c = boto3.client('s3', endpoint_url=url, aws_access_key_id='id', aws_secret_access_key='secret',
                 region_name='us-east-1', config=config)
";

/// The server, which ends with the process of the tests.
struct Store {
    url: String,
    _child: Child,
    _life: ChildStdin,
}

/// The server of all tests; each has buckets of its own.
fn store() -> &'static Store {
    static STORE: OnceLock<Store> = OnceLock::new();
    STORE.get_or_init(|| {
        let mut child = Command::new(python_program())
            .arg(repository("tests/store/server.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let url = format!("http://127.0.0.1:{}", port.trim());
        assert!(!port.is_empty(), "moto is not installed: scripts/test does it");
        Store { url, _life: child.stdin.take().unwrap(), _child: child }
    })
}

/// The call with nothing in its environment that tells of a store.
fn alone(call: Call) -> Call {
    let names = std::env::vars_os().map(|(name, _)| name);
    let told = names.filter(|name| {
        let name = name.to_string_lossy().to_ascii_lowercase();
        ["aws_", "google_", "azure_", "storage_"].iter().any(|begin| name.starts_with(begin))
            || name.ends_with("_proxy")
    });
    let call = told.fold(call, |call, name| call.env_remove(name));
    let call = call.env("HOME", "/nowhere/at/all").env("NO_PROXY", "127.0.0.1");
    // Whatever goes wrong: no machine is asked who it is.
    call.env("AWS_EC2_METADATA_DISABLED", "true")
}

impl Store {
    /// The call with what it needs to reach the store.
    fn known_to(&self, call: Call) -> Call {
        let call = alone(call).env("AWS_ENDPOINT_URL", &self.url);
        call.env("AWS_ACCESS_KEY_ID", "id").env("AWS_SECRET_ACCESS_KEY", "secret")
    }

    fn mc(&self, tool: &str) -> Call {
        self.known_to(mc(tool))
    }

    fn bash(&self, script: &str) -> Call {
        self.known_to(sh("bash", script))
    }

    /// What `code` prints, which has Amazon's client `c`.
    fn boto(&self, code: &str, args: &[&str]) -> String {
        let args: Vec<&str> =
            std::iter::once(self.url.as_str()).chain(args.iter().copied()).collect();
        String::from_utf8(python(&format!("{BOTO}{code}"), &args, "")).unwrap()
    }

    /// A new bucket that holds these objects.
    fn bucket(&self, name: &str, objects: &[(&str, &[u8])]) {
        let dir = dir();
        let mut args = vec![name.to_string()];
        for (number, (key, bytes)) in objects.iter().enumerate() {
            args.push(key.to_string());
            args.push(write(&dir, &number.to_string(), bytes).display().to_string());
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.boto(
            "c.create_bucket(Bucket=args[0])\nfor key, file in zip(args[1::2], args[2::2]):\n    \
             c.put_object(Bucket=args[0], Key=key, Body=open(file, 'rb').read())",
            &args,
        );
    }

    /// The keys of a bucket with the lengths of its objects, and the uploads that were not ended.
    fn holds(&self, bucket: &str) -> String {
        let code = "for o in c.list_objects_v2(Bucket=args[0]).get('Contents', []):\n    \
             print(o['Key'], o['Size'])\n\
             for u in c.list_multipart_uploads(Bucket=args[0]).get('Uploads', []):\n    \
             print('upload of', u['Key'])";
        self.boto(code, &[bucket])
    }

    /// The bytes of an object.
    fn object(&self, bucket: &str, key: &str) -> Vec<u8> {
        let code =
            "sys.stdout.buffer.write(c.get_object(Bucket=args[0], Key=args[1])['Body'].read())";
        let args = [self.url.as_str(), bucket, key];
        python(&format!("{BOTO}{code}"), &args, "")
    }

    /// Asks the server itself for something.
    fn front(&self, what: &str) -> String {
        let code = "import sys, urllib.request\nprint(urllib.request.urlopen(sys.argv[1]).read().decode(), end='')";
        let url = format!("{}/_front/{what}", self.url);
        String::from_utf8(python(code, &[&url], "")).unwrap()
    }
}
