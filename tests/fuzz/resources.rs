//! Words of the command line that are small languages: resources, options of formats, keys, ops.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::{Outcome, Target};
use crate::aggregate::Op;
use crate::format::csv::Dialect;
use crate::format::json::JsonLayout;
use crate::format::ndjson::Leniency;
use crate::format::place::ResourcePlace;
use crate::format::range::Range;
use crate::format::resource::Resource;
use crate::format::spec::Spec;
use crate::format::text::Shape;
use crate::format::zip::ZipOptions;
use crate::format::{Source, leveldb};
use crate::record::key::Keys;

const WORDS: &[&[u8]] = &[
    b":",
    b",",
    b"=",
    b"%2C",
    b"%3A",
    b"%",
    b"%00",
    b"%ff",
    b"client://",
    b"http://",
    b"file:///",
    b"csv",
    b"text",
    b"zip",
    b"range",
    b"ndjson",
    b",delim=",
    b",quote=",
    b",null=",
    b",encoding=",
    b",members=",
    b",ratio=",
    b"tab",
    b"-",
    b"..",
    b".gz",
    b".zip",
    b".csv",
    b"*",
    b"[",
    b"]",
    b"{",
    b"}",
    b"\\",
    b"\xff",
    b"\n",
    b"shards",
    b".mc",
    b",skip=",
    b",col=",
    b"none",
    b"space",
    b"18446744073709551616",
    b"\xc3\xa9",
];

#[test]
fn resources() {
    let seeds = [
        "csv,header=no,delim=tab:data/a.tsv.gz",
        "csv,null=N/A,col=a,col=b,quote=':x.csv",
        "client:///a/b.csv",
        "https://h/a.csv?x=1#y",
        "zip,members=*.csv,ratio=10:a.zip",
        "range:0..1000",
        "text,words,encoding=latin1:-",
        "a.json.zst",
        "mine,x=1:thing",
        "leveldb,comparator=ignore:db",
    ];
    // Names are looked up there, where nothing is.
    let nowhere = tempfile::tempdir().unwrap();
    let target = Target { memory: (1 << 20, 100), ..Target::new("resources", &seeds, WORDS) };
    target.run(|input| {
        let climbs = input.contains(&b'/') && input.iter().any(|byte| b"*?[{".contains(byte));
        if climbs
            || input.contains(&0)
            || input.windows(2).any(|two| two == b"..") && !input.contains(&b':')
        {
            return Outcome::Refused;
        }
        if let Ok(text) = std::str::from_utf8(input) {
            specs(text);
        }
        let argument = OsStr::from_bytes(input);
        match Resource::parse_all_in(nowhere.path(), argument, None, &|_| ()) {
            Err(error) => {
                assert!(!error.to_string().is_empty());
                Outcome::Refused
            }
            Ok(resources) => {
                let [resource] = resources.as_slice() else { panic!("{resources:?}") };
                // The same once more, with the format by itself.
                assert_eq!(Spec::parse(&resource.spec.text()).unwrap(), resource.spec);
                if let ResourcePlace::Client(path) = &resource.place {
                    assert!(path.is_absolute());
                }
                let _ = (resource.packing(), resource.to_string());
                Outcome::Taken
            }
        }
    });
}

/// The options of all formats: none makes a panic, and what is refused is said.
fn specs(text: &str) {
    let Ok(spec) = Spec::parse(text.split(':').next().unwrap_or_default()) else { return };
    assert_eq!(Spec::parse(&spec.text()).unwrap(), spec);
    let _ = (Dialect::parse(&spec), JsonLayout::parse(&spec), Leniency::parse(&spec));
    let _ = (Shape::parse(&spec), ZipOptions::parse(&spec), leveldb::parse(&spec));
    if let Some((_, rest)) = text.split_once(':')
        && let Ok(mut range) = Range::parse(rest)
    {
        let mut out = Vec::new();
        let _ = range.fill(&mut out);
    }
}

#[test]
fn keys_and_ops() {
    let seeds = ["region,.user.id:n", ".[0]:r,.[\"odd: name\"]:iV", "a:nr", "."];
    let words: &[&[u8]] = &[
        b".",
        b"[",
        b"]",
        b"\"",
        b":",
        b",",
        b":n",
        b":r",
        b":iV",
        b".[18446744073709551615]",
        b"\\u0041",
        b"\\",
        b"p95:",
        b"sum:",
        b"x=",
        b"count",
        b"[\"a\"]",
        b"\xc3\xa9",
        b"p99.9",
        b"top",
        b"first:",
        b"-1",
        b"0",
    ];
    Target::new("keys-and-ops", &seeds, words).run(|input| {
        let Ok(text) = std::str::from_utf8(input) else { return Outcome::Refused };
        // What was meant is looked for among all ops: that takes the longer, the longer a word is.
        if text.len() < 200 {
            let _ = Op::parse(text);
        }
        match Keys::parse(text) {
            Err(error) => {
                assert_eq!(error.exit_code(), 2);
                Outcome::Refused
            }
            Ok(keys) => {
                assert_eq!(Keys::parse(&keys.spelled()).unwrap(), keys, "{}", keys.spelled());
                Outcome::Taken
            }
        }
    });
}
