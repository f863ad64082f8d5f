//! What is said of what cannot be read or written, and with which credentials it can.

use super::{alone, store};
use crate::support::*;

#[test]
fn what_a_store_refuses_is_said_with_its_reason() {
    store().bucket("refused", &[("a.csv", b"a\n1\n")]);
    store().bucket("elsewhere", &[]);
    let cat = |resource: &str| store().mc("cat").arg(resource);
    let gather = |resource: &str| store().mc("gather").args(["-o", resource]).stdin("1\n");
    let none = "mc-cat: cannot read s3://refused/none.csv: there is no such object (NoSuchKey: ";
    cat("s3://refused/none.csv").fails_with(2, none);
    let no_bucket = "s3://no-such-bucket/a.csv: there is no bucket 'no-such-bucket'";
    cat("s3://no-such-bucket/a.csv").fails_with(2, no_bucket);
    cat("s3://no-such-bucket/*.csv").fails_with(2, "there is no bucket 'no-such-bucket'");
    gather("s3://no-such-bucket/a.ndjson").fails_with(2, "there is no bucket 'no-such-bucket'");
    let region = "the bucket is in another region: set AWS_REGION=eu-west-1";
    cat("s3://elsewhere/a.csv").fails_with(2, region);
    let there = cat("s3://elsewhere/a.csv").env("AWS_REGION", "eu-west-1");
    there.fails_with(2, "there is no such object");
    let key = cat("s3://refused/a.csv").env("AWS_SECRET_ACCESS_KEY", "wrong");
    key.fails_with(
        2,
        "the store does not accept the key that signed it (SignatureDoesNotMatch: No)",
    );
    let nobody = cat("s3://refused/a.csv").env("AWS_SKIP_SIGNATURE", "true");
    nobody.fails_with(2, "the store denies it to anonymous requests (AccessDenied: No)");
    store().front("fail?path=/refused/later.csv&status=418&code=Teapot&count=1");
    cat("s3://refused/later.csv").fails_with(2, "the store refuses it (Teapot: No, status 418)");
    for (resource, why) in [
        ("csv:s3://refused", "an object is s3://BUCKET/KEY"),
        ("csv:s3://refused/", "an object is s3://BUCKET/KEY"),
        ("csv:s3://refused/a//b", "an empty part"),
        ("csv:s3://ref*/a", "a pattern is about keys"),
        ("csv:s3://refused/a[", "not a pattern"),
        ("s3://refused/a", "its name does not tell its format: say FORMAT:s3://refused/a"),
        ("files:s3://refused/a", "files:s3://refused/a"),
        ("leveldb:s3://refused/a", "leveldb:s3://refused/a"),
        ("sqlite:s3://refused/a", "this format needs a path"),
    ] {
        cat(resource).fails_with(2, why);
    }
    gather("csv:s3://refused/*.csv").fails_with(2, "a pattern is for reading only");
    let split = store().mc("split").arg("s3://refused/a.csv");
    split.fails_with(2, "only files of this machine can be split");
}

#[test]
fn a_store_that_is_not_there_is_out_of_reach() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let cat = store().mc("cat").arg("s3://bucket/a.csv").env("AWS_ENDPOINT_URL", &url);
    cat.stdout("").fails_with(5, "cannot read s3://bucket/a.csv: the store is out of reach (");
}

#[test]
fn credentials_come_from_where_aws_takes_them() {
    store().bucket("whose", &[("a.csv", b"a\n1\n")]);
    store().bucket("public", &[("a.csv", b"a\n1\n")]);
    let dir = dir();
    write(
        &dir,
        ".aws/credentials",
        "[default]\naws_access_key_id = id\naws_secret_access_key = secret\n",
    );
    let config = format!(
        "[default]\nendpoint_url = {0}\n[profile two]\nendpoint_url = {0}\naws_access_key_id = id2\n\
         aws_secret_access_key = secret2\naws_session_token = token\n[profile sso]\nsso_session = x\n",
        store().url
    );
    write(&dir, ".aws/config", config);
    let cat = |resource: &str| alone(mc("cat")).env("HOME", dir.path()).arg(resource);
    let record = "{\"a\":\"1\"}\n";
    cat("s3://whose/a.csv").stdout(record).succeeds();
    cat("s3://whose/a.csv").env("AWS_PROFILE", "two").stdout(record).succeeds();
    let sso = cat("s3://whose/a.csv").env("AWS_PROFILE", "sso");
    sso.fails_with(2, "eval \"$(aws configure export-credentials --profile sso --format env)\"");
    let none = cat("s3://whose/a.csv").env("AWS_PROFILE", "none");
    none.fails_with(2, "AWS_PROFILE=none: there is no such profile in ");
    let nobody = alone(mc("cat")).env("AWS_ENDPOINT_URL", &store().url);
    let public = nobody.env("AWS_SKIP_SIGNATURE", "true").arg("s3://public/a.csv");
    public.stdout(record).succeeds();
    let nobody = alone(mc("cat")).env("AWS_ENDPOINT_URL", &store().url);
    let lacking = nobody.arg("s3://public/a.csv");
    lacking.fails_with(
        2,
        "mc-cat: s3://public/a.csv: there are no credentials: set AWS_ACCESS_KEY_ID",
    );
    // What a machine in the cloud would say of itself is not to be had at this address.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let machine = alone(mc("cat"))
        .env("AWS_ENDPOINT_URL", &store().url)
        .env_remove("AWS_EC2_METADATA_DISABLED");
    let machine = machine.env("AWS_METADATA_ENDPOINT", format!("http://127.0.0.1:{port}"));
    machine
        .arg("s3://whose/a.csv")
        .fails_with(2, "there are no credentials: set AWS_ACCESS_KEY_ID");
}

#[test]
fn a_plan_asks_no_store() {
    store().bucket("plan", &[("a.csv", b"a\n1\n")]);
    let before = store().front("log?path=/plan/");
    for line in [
        "mc-cat --explain s3://plan/a.csv",
        "mc-cat --explain 's3://plan/*.csv'",
        "mc-gather --explain -o csv:s3://plan/b.csv < /dev/null",
    ] {
        store().bash(line).stderr_any().succeeds();
    }
    assert_eq!(store().front("log?path=/plan/"), before);
    let pattern = store().bash("mc-gather --explain -o 'csv:s3://plan/*.csv' < /dev/null");
    pattern.stderr_any().fails(2);
}
