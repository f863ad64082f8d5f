//! Zip, against Python's zipfile, zip and unzip.

use crate::support::*;

/// Runs Python code that makes archives in the current directory.
#[track_caller]
pub(super) fn make(dir: &tempfile::TempDir, code: &str) {
    let code = format!(
        "import io, os, sys, warnings, zipfile\nfrom zipfile import *\nwarnings.simplefilter('ignore')\nos.chdir(sys.argv[1])\n{code}"
    );
    python(&code, &[dir.path().to_str().unwrap()], "");
}

pub(super) fn cat(dir: &tempfile::TempDir, resource: &str) -> Call {
    mc("cat").current_dir(dir.path()).arg(resource)
}

#[test]
fn reads_every_method_python_writes() {
    let dir = dir();
    make(&dir, "
for name, method in [('stored', ZIP_STORED), ('deflated', ZIP_DEFLATED), ('bzip2', ZIP_BZIP2), ('lzma', ZIP_LZMA)]:
    with ZipFile(name + '.zip', 'w', method) as z:
        z.writestr('text', 'hello ' * 1000)
        z.writestr('bytes', bytes(range(256)))
        z.writestr('empty', '')
");
    let want = cat(&dir, "stored.zip").succeeds().stdout;
    assert_eq!(jq(&["-r", ".[0]"], &want), b"text\nbytes\nempty\n");
    assert!(want.windows(10).any(|w| w == b"{\"$base64\""));
    for name in ["deflated.zip", "bzip2.zip", "lzma.zip"] {
        cat(&dir, name).stdout(&want).succeeds();
    }
}

#[test]
fn reads_zip64_streamed_duplicates_directories_and_odd_names() {
    let dir = dir();
    make(&dir, "
class Pipe(io.RawIOBase):
    def __init__(self, f): self.f = f
    def writable(self): return True
    def write(self, b): return self.f.write(b)
with open('odd.zip', 'wb') as f, ZipFile(Pipe(f), 'w', ZIP_DEFLATED) as z:
    with z.open('zip64', 'w', force_zip64=True) as m: m.write(b'1')
    z.writestr('twice', '2'); z.writestr('twice', '3')
    z.writestr('../../evil', '4'); z.writestr('/abs', '5'); z.writestr('d\\u00e9/', ''); z.writestr('a\\nb', '6')
");
    let want = rows![
        ["zip64", "1"],
        ["twice", "2"],
        ["twice", "3"],
        ["../../evil", "4"],
        ["/abs", "5"],
        ["dé/", ""],
        ["a\nb", "6"]
    ];
    cat(&dir, "odd.zip").stdout(&want).succeeds();
    // Standard input cannot be searched.
    let bytes = std::fs::read(dir.path().join("odd.zip")).unwrap();
    mc("cat").arg("zip:-").stdin(&bytes).stdout(&want).succeeds();
    assert_eq!(names(&dir), ["odd.zip"]);
}

#[test]
fn many_members_need_zip64_and_none_is_lost() {
    let dir = dir();
    make(
        &dir,
        "
with ZipFile('many.zip', 'w') as z:
    for i in range(70000): z.writestr(str(i), '')
data = bytearray(open('many.zip', 'rb').read())
at = data.rfind(b'PK\\x05\\x06')
del data[at - 76:at]  # the Zip64 records
at -= 76
data[at + 8:at + 12] = (70000 % 65536).to_bytes(2, 'little') * 2
start = data.find(b'PK\\x01\\x02')
data[at + 16:at + 20] = start.to_bytes(4, 'little')
open('short.zip', 'wb').write(data)
",
    );
    let out = cat(&dir, "many.zip").succeeds();
    assert_eq!(out.lines().len(), 70000);
    let again = mc("gather").current_dir(dir.path()).args(["-o", "again.zip"]);
    again.stdin(&out.stdout).succeeds();
    let code = "import sys, zipfile; print(len(zipfile.ZipFile(sys.argv[1]).namelist()))";
    let path = dir.path().join("again.zip");
    assert_eq!(python(code, &[path.to_str().unwrap()], ""), b"70000\n");
    cat(&dir, "short.zip").stderr_has("has more members than it says").fails(3);
}

#[test]
fn bombs_are_refused_by_name_and_blanks_are_none() {
    let dir = dir();
    make(
        &dir,
        "
with ZipFile('blanks.csv.zip', 'w', ZIP_DEFLATED) as z: z.writestr('b.csv', 'x\\n' + ' ' * 60_000_000)
with ZipFile('bomb.zip', 'w', ZIP_DEFLATED) as z:
    z.writestr('good', 'x')
    with z.open('zeros', 'w') as m:
        for i in range(11): m.write(b' ' * 10_000_000)
with ZipFile('one.zip', 'w', ZIP_DEFLATED) as z: z.writestr('a', 'x' * 1000)
data = bytearray(open('one.zip', 'rb').read())
central = data.find(b'PK\\x01\\x02'); end = data.find(b'PK\\x05\\x06')
entry = data[central:end]
data[end:end] = entry * 2
end += 2 * len(entry)
data[end + 8:end + 12] = (3).to_bytes(2, 'little') * 2
data[end + 12:end + 16] = (3 * len(entry)).to_bytes(4, 'little')
open('overlap.zip', 'wb').write(data)
",
    );
    let blanks = cat(&dir, "zip:blanks.csv.zip").succeeds().stdout;
    assert_eq!(jq(&[".[1] | length"], &blanks), b"60000002\n");
    let bomb = |args: &[&str]| mc("cat").current_dir(dir.path()).args(args).stderr_any();
    let good = "[\"good\",\"x\"]\n";
    let ratio = "bomb.zip: member zeros unpacks to more than 250 times";
    bomb(&["bomb.zip"]).stdout(good).stderr_has(ratio).fails(3);
    // It is no bad record, of which there may be more.
    bomb(&["--bad", "skip", "bomb.zip"]).stdout(good).stderr_has(ratio).fails(3);
    let size = bomb(&["zip,ratio=2000,size=1000000:bomb.zip"]).stdout(good);
    size.stderr_has("more than 1000000 bytes (size=N allows more)").fails(3);
    let all = bomb(&["--max-record", "200M", "zip,ratio=2000:bomb.zip"]).succeeds();
    assert_eq!(all.lines().len(), 2);
    let text = bomb(&["--max-record", "200M", "text:bomb.zip"]).stdout("\"x\"\n");
    text.stderr_has(ratio).fails(3);
    bomb(&["overlap.zip"]).stderr_has("overlaps another, as in a Zip bomb").fails(3);
}

#[test]
fn damage_and_truncation_are_never_a_shorter_answer() {
    let dir = dir();
    make(
        &dir,
        "
with ZipFile('whole.zip', 'w', ZIP_DEFLATED) as z:
    for i in range(3): z.writestr(str(i), os.urandom(30) * 3)
",
    );
    let whole = std::fs::read(dir.path().join("whole.zip")).unwrap();
    let want = cat(&dir, "whole.zip").succeeds().stdout;
    for cut in (0..whole.len()).step_by(7) {
        mc("cat").arg("zip:-").stdin(&whole[..cut]).stderr_any().fails(3);
    }
    let mut hurt = 0;
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        let out = mc("cat").arg("zip:-").stdin(&damaged).stderr_any().spawn().wait();
        // Names, times and the like are not protected by any checksum; data is.
        let data = |bytes: &[u8]| jq(&["-c", ".[1]"], bytes);
        match out.code {
            0 => assert!(data(&out.stdout) == data(&want), "byte {at}"),
            3 => hurt += 1,
            code => panic!("byte {at}: exit {code}"),
        }
    }
    assert!(hurt > 100, "{hurt}");
}

#[test]
fn writes_what_python_zip_and_unzip_read() {
    let dir = dir();
    let records = rows![
        ["text", "hello hello hello hello"], ["../up", {"$base64": "/wA="}], ["é€", ""],
        ["text", "again"], ["dir/", ""]
    ];
    let gather = |name: &str| {
        let call = mc("gather").current_dir(dir.path()).args(["-o", name]);
        call.stdin(&records).succeeds();
        std::fs::read(dir.path().join(name)).unwrap()
    };
    let bytes = gather("a.zip");
    assert_eq!(bytes, gather("b.zip"), "the same records make the same bytes");
    cat(&dir, "a.zip").stdout(&records).succeeds();
    need("unzip", "apt-get install unzip");
    Call::new("unzip").current_dir(dir.path()).args(["-tq", "a.zip"]).succeeds();
    Call::new("zip").current_dir(dir.path()).args(["-Tq", "a.zip"]).succeeds();
    let code = "import json,sys,zipfile
z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None
for i in z.infolist(): print(json.dumps([i.filename, z.read(i).decode('latin-1'), i.date_time[0]], ensure_ascii=False))";
    let listed = python(code, &[dir.path().join("a.zip").to_str().unwrap()], "");
    let want = "[\"text\", \"hello hello hello hello\", 1980]\n[\"../up\", \"ÿ\\u0000\", 1980]\n\
                [\"é€\", \"\", 1980]\n[\"text\", \"again\", 1980]\n[\"dir/\", \"\", 1980]\n";
    assert_eq!(String::from_utf8(listed).unwrap(), want);
    assert_eq!(names(&dir), ["a.zip", "b.zip"]);
}

#[test]
fn what_zip_cannot_hold_is_refused_by_record() {
    let refused = |record: &str, why: &str| {
        let call = mc("gather").args(["-o", "zip:-"]).stdin(format!("[\"a\",\"b\"]\n{record}\n"));
        call.stderr_has(format!("record 2 is no member: {why}")).fails(3);
    };
    refused("1", "it is no [name, data] pair");
    refused("[\"a\",\"b\",1]", "it is no [name, data] pair");
    refused("[1,\"b\"]", "its name: not a string");
    refused("[\"a\",1]", "its data: not a string");
    refused("[\"\",\"b\"]", "its name has not 1 to 65535 bytes");
    refused("[{\"$base64\":\"/w==\"},\"b\"]", "its name is not UTF-8");
}

#[test]
fn a_format_over_a_zip_reads_and_writes_members() {
    let dir = dir();
    make(&dir, "
import gzip
with ZipFile('t.csv.zip', 'w', ZIP_DEFLATED) as z:
    z.writestr('1.csv', 'a,b\\n1,2\\n'); z.writestr('sub/', ''); z.writestr('sub/2.csv', 'b,a\\n3,4')
    z.writestr('3.csv.gz', gzip.compress(b'a,b\\n5,6\\n'))
");
    let want = rows![{"a": "1", "b": "2"}, {"b": "3", "a": "4"}, {"a": "5", "b": "6"}];
    cat(&dir, "t.csv.zip").stdout(&want).succeeds();
    cat(&dir, "csv:t.csv.zip").stdout(&want).succeeds();
    make(
        &dir,
        "
with ZipFile('bad.csv.zip', 'w') as z: z.writestr('x.csv', 'a\\n1,2\\n')
",
    );
    cat(&dir, "bad.csv.zip").stderr_has("bad.csv.zip: x.csv: row 1 (line 2)").fails(3);
    let call = mc("gather").current_dir(dir.path()).args(["-o", "w.csv.zip"]);
    call.stdin(rows![{"a": 1}]).succeeds();
    let unzip = Call::new("unzip").current_dir(dir.path()).args(["-p", "w.csv.zip", "w.csv"]);
    unzip.stdout("a\n1\n").succeeds();
    make(&dir, "assert ZipFile('w.csv.zip').testzip() is None");
    cat(&dir, "w.csv.zip").stdout("{\"a\":\"1\"}\n").succeeds();
}
