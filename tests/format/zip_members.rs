//! Which members of a Zip are read: by name, with a password, and beside those that are damaged.

use mycloud::format::resource::Resource;
use mycloud::format::zip::ArchiveWriter;
use mycloud::format::{ReadOptions, read};
use mycloud::record::bad::Policy;

use super::zip::{cat, make};
use crate::support::*;

/// Makes `aes128.zip` and `aes256.zip` by the description of WinZip (AE-2, and AE-1 with its CRC),
/// with Python's key derivation and the ciphers of openssl.
const AES: &str = r"
import hashlib, hmac, struct, subprocess, zlib
def encrypt(key, data):
    counters = b''.join((i + 1).to_bytes(16, 'little') for i in range(len(data) // 16 + 1))
    cipher = ['openssl', 'enc', '-aes-%d-ecb' % (len(key) * 8), '-K', key.hex(), '-nopad']
    stream = subprocess.run(cipher, input=counters, stdout=subprocess.PIPE, check=True).stdout
    return bytes(a ^ b for a, b in zip(data, stream))
def archive(path, names, length, version):
    with open(path, 'wb') as f:
        directory = b''
        for name in names:
            plain = open(name, 'rb').read()
            packer = zlib.compressobj(wbits=-15)
            packed = packer.compress(plain) + packer.flush()
            salt = os.urandom(length // 2)
            keys = hashlib.pbkdf2_hmac('sha1', b'open sesame', salt, 1000, 2 * length + 2)
            secret = encrypt(keys[:length], packed)
            code = hmac.new(keys[length:2 * length], secret, 'sha1').digest()[:10]
            data = salt + keys[2 * length:] + secret + code
            extra = struct.pack('<HHH2sBH', 0x9901, 7, version, b'AE', length // 8 - 1, 8)
            crc = zlib.crc32(plain) if version == 1 else 0
            shared = struct.pack('<HHHHHIIIHH', 51, 1, 99, 0, 33, crc, len(data), len(plain), len(name), len(extra))
            start = f.tell()
            f.write(b'PK\x03\x04' + shared + name.encode() + extra + data)
            directory += b'PK\x01\x02' + struct.pack('<H', 51) + shared + struct.pack('<HHHII', 0, 0, 0, 0, start) + name.encode() + extra
        start = f.tell()
        f.write(directory + b'PK\x05\x06' + struct.pack('<HHHHIIH', 0, 0, len(names), len(names), len(directory), start, 0))
archive('aes128.zip', ['a.csv', 'b.csv'], 16, 2)
archive('aes256.zip', ['a.csv', 'b.csv'], 32, 1)
";

/// Archives of the members `a.csv` and `b.csv`, encrypted as of old (`old.zip`), by AES of 128 and
/// 256 bits (`aes128.zip`, `aes256.zip`), and of one that is and one that is not (`half.zip`), all
/// by the password `open sesame`.
fn encrypted() -> tempfile::TempDir {
    let dir = dir();
    need("zip", "apt-get install zip");
    need("openssl", "apt-get install openssl");
    write(&dir, "a.csv", "x\n1\n");
    write(&dir, "b.csv", "x\n2\n");
    let run = |program: &str, args: &[&str]| {
        Call::new(program).current_dir(dir.path()).args(args).succeeds();
    };
    run("zip", &["-q", "-P", "open sesame", "old.zip", "a.csv", "b.csv"]);
    make(&dir, AES);
    run("zip", &["-q", "half.zip", "a.csv"]);
    run("zip", &["-q", "-P", "open sesame", "half.zip", "b.csv"]);
    dir
}

#[test]
fn encrypted_members_are_read_with_their_password() {
    let dir = encrypted();
    let open = |password: &str, args: &[&str]| {
        mc("cat").current_dir(dir.path()).env("MC_ZIP_PASSWORD", password).args(args)
    };
    let both = rows![{"x": "1"}, {"x": "2"}];
    for archive in ["old.zip", "aes128.zip", "aes256.zip", "half.zip"] {
        let over = format!("csv:{archive}");
        open("open sesame", &[&over]).stdout(&both).succeeds();
        open("open sesame", &[archive])
            .stdout(rows![["a.csv", "x\n1\n"], ["b.csv", "x\n2\n"]])
            .succeeds();
        let member = if archive == "half.zip" { "b.csv" } else { "a.csv" };
        // The check lets one in 256 pass, or one in 65536: then the data tells.
        for password in ["sesame", "Open Sesame", "x", "y", "z"] {
            let wrong = open(password, &[&over])
                .stderr_has("another password than that in MC_ZIP_PASSWORD");
            let said = wrong.stderr_has(format!("{archive}: member {member}")).fails(3);
            assert_eq!(String::from_utf8(said.stderr).unwrap().lines().count(), 1);
        }
        let missing = format!(
            "{archive}: member {member} is encrypted: give its password in MC_ZIP_PASSWORD"
        );
        open("", &[&over]).stderr_has(missing).fails(3);
        let skip = open("wrong", &["--bad", "skip", &over]).stderr_has("passed over");
        let rest = if archive == "half.zip" { rows![{"x": "1"}] } else { String::new() };
        let count =
            if archive == "half.zip" { "1 bad record dropped" } else { "2 bad records dropped" };
        skip.stderr_has(count).stdout(rest).succeeds();
    }
}

#[test]
fn no_password_goes_to_hosts() {
    let dir = encrypted();
    let path = dir.path().join("old.zip");
    let far = |before: &str| {
        let line = format!("set -o pipefail; {before} | mc-gather");
        sh("bash", &line).env("A", &path).env("MC_ZIP_PASSWORD", "open sesame")
    };
    let refused = far("mc-cat -h : \"csv:$A\"")
        .stderr_has("a.csv is encrypted: no password is sent to hosts");
    refused.stdout("").fails(4);
    // What is read here may be worked on there.
    let line = "mc-cat \"csv:$A\" | mc-map -h : cat";
    far(line).stdout(rows![{"x": "1"}, {"x": "2"}]).succeeds();
}

#[test]
fn a_format_over_a_zip_reads_what_names_tell_and_refuses_the_rest() {
    let dir = dir();
    make(&dir, "
import gzip
def put(archive, **members):
    with ZipFile(archive, 'w', ZIP_DEFLATED) as z:
        for name, data in members.items(): z.writestr(name.replace('__', '/').replace('_', '.'), data)
put('mixed.zip', a_csv='x\\n1\\n', sub__B_CSV='x\\n2\\n', README_txt='Read me', sub__c_csv_gz=gzip.compress(b'x\\n3\\n'))
put('plain.zip', a_csv='x\\n1\\n', part='x\\n2\\n')
put('part.zip', part='x\\n1\\n')
put('notes.zip', a_log='one', NOTES='two', b_md='three')
put('lines.zip', a_jsonl='1\\n', b_json='2\\n')
with ZipFile('mac.zip', 'w') as z:
    z.writestr('d/', ''); z.writestr('d/a.csv', 'x\\n1\\n')
    z.writestr('__MACOSX/d/._a.csv', b'\\x00\\x05\\x16\\x07'); z.writestr('d/.DS_Store', b'\\x00'); z.writestr('._b.csv', b'\\xff')
with ZipFile('none.zip', 'w') as z: z.writestr('d/', '')
");
    let x = |numbers: &[&str]| -> String {
        numbers.iter().map(|n| format!("{{\"x\":\"{n}\"}}\n")).collect()
    };
    let refused = |resource: &str, member: &str| {
        let why = format!("the name of member {member} does not tell the format");
        cat(&dir, resource).stdout("").stderr_has(why).stderr_has("members=GLOB").fails(3);
    };
    refused("csv:mixed.zip", "README.txt");
    cat(&dir, "csv,members=*.csv,members=*.CSV*,members=*.gz:mixed.zip")
        .stdout(x(&["1", "2", "3"]))
        .succeeds();
    cat(&dir, "csv,members=sub/*:mixed.zip").stdout(x(&["2", "3"])).succeeds();
    cat(&dir, "zip,members=*.txt:mixed.zip").stdout(rows![["README.txt", "Read me"]]).succeeds();
    cat(&dir, "text,members=**:mixed.zip")
        .stdout(rows!["x", "1", "x", "2", "Read me", "x", "3"])
        .succeeds();
    refused("text:mixed.zip", "a.csv");
    refused("csv:plain.zip", "part");
    cat(&dir, "csv,members=*:plain.zip").stdout(x(&["1", "2"])).succeeds();
    // The one that is called as the archive is.
    cat(&dir, "csv:part.zip").stdout(x(&["1"])).succeeds();
    cat(&dir, "text:notes.zip").stdout(rows!["one", "two", "three"]).succeeds();
    cat(&dir, "ndjson:lines.zip").stdout("1\n2\n").succeeds();
    cat(&dir, "csv:mac.zip").stdout(x(&["1"])).succeeds();
    cat(&dir, "csv,members=*:mac.zip").stdout(x(&["1"])).succeeds();
    let said = mc("cat").current_dir(dir.path()).args(["-v", "csv:mac.zip"]).stdout(x(&["1"]));
    let names =
        "mac.zip: passed over: 4 of 5 members: d/, __MACOSX/d/._a.csv, d/.DS_Store, ._b.csv";
    said.stderr_has(names).succeeds();
    assert_eq!(cat(&dir, "mac.zip").succeeds().lines().len(), 5);
    cat(&dir, "zip,members=*.csv:mac.zip").stdout(rows![["d/a.csv", "x\n1\n"]]).succeeds();
    cat(&dir, "csv:none.zip").stdout("").succeeds();
    cat(&dir, "csv,members=*.tsv:mixed.zip").stderr_has("no member matches").fails(3);
    cat(&dir, "zip,members=[:mixed.zip").stderr_has("members=[: not a pattern").fails(2);
    // What was written comes back, whatever its name.
    for name in ["csv:out.zip", "csv:out.txt.zip", "text:out.csv.zip", "out.ndjson.zip"] {
        let record = if name.starts_with("text") { rows!["{}"] } else { rows![{"x": "1"}] };
        let gather = mc("gather").current_dir(dir.path()).args(["-o", name]);
        gather.stdin(&record).succeeds();
        cat(&dir, name).stdout(&record).succeeds();
    }
}

#[test]
fn a_damaged_member_does_not_hide_the_others() {
    let dir = dir();
    make(
        &dir,
        "
with ZipFile('three.zip', 'w', ZIP_DEFLATED) as z:
    for name in 'abc': z.writestr(name + '.csv', 'x\\n' + ''.join('%s%d\\n' % (name, i) for i in range(20000)))
data = bytearray(open('three.zip', 'rb').read())
second = data.find(b'PK\\x03\\x04', 1)
data[data.find(b'PK\\x03\\x04', second + 1) - 20] ^= 0x40
open('hurt.zip', 'wb').write(data)
",
    );
    let whole = cat(&dir, "csv:three.zip").succeeds().stdout;
    let rest: String = String::from_utf8(whole)
        .unwrap()
        .lines()
        .filter(|l| !l.contains("\"b"))
        .map(|l| format!("{l}\n"))
        .collect();
    cat(&dir, "csv:hurt.zip").stderr_has("hurt.zip: member b.csv").fails(3);
    let skip = |policy: &str, resource: &str| {
        mc("cat").current_dir(dir.path()).args(["--bad", policy, resource])
    };
    let said = |call: Call| {
        let call = call.stderr_has("hurt.zip: member b.csv").stderr_has("; passed over");
        call.stderr_has("mc-cat: 1 bad record dropped")
    };
    // Not one record of the member that is damaged, though its beginning can be unpacked.
    said(skip("skip", "csv:hurt.zip")).stdout(&rest).succeeds();
    let members = said(skip("file=kept", "hurt.zip")).succeeds().stdout;
    assert_eq!(jq(&["-r", ".[0]"], members), b"a.csv\nc.csv\n");
    assert_eq!(std::fs::read(dir.path().join("kept")).unwrap(), b"\"b.csv\"\n");
    skip("limit=0", "hurt.zip").stderr_has("more than 0 bad records").fails(3);
    let far = "mc-cat -h : --bad skip \"csv:$PWD/hurt.zip\" | mc-gather";
    let far = sh("bash", far).current_dir(dir.path()).stderr_has("member b.csv");
    far.stderr_has("mc-cat: 1 bad record dropped").stdout(&rest).succeeds();
}

#[test]
fn whatever_bytes_change_no_member_is_made_up_and_those_that_go_are_counted() {
    let dir = dir();
    make(
        &dir,
        "
with ZipFile('whole.zip', 'w', ZIP_DEFLATED) as z:
    for i in range(4): z.writestr(str(i), os.urandom(40) * 3)
",
    );
    let whole = std::fs::read(dir.path().join("whole.zip")).unwrap();
    let members = |bytes: &[u8]| read_skipping(bytes, "zip");
    let (want, _) = members(&whole).unwrap();
    assert_eq!(want.len(), 4);
    let (mut passed, mut refused) = (0, 0);
    for at in 0..whole.len() {
        for mask in [0x01, 0x80, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] ^= mask;
            let Ok((got, bad)) = members(&damaged) else {
                refused += 1;
                continue;
            };
            // Names, times and the like are not protected by any checksum; data is.
            let data = |record: &String| record.split_once(',').unwrap().1.to_string();
            let known: Vec<String> = want.iter().map(data).collect();
            assert!(got.iter().all(|record| known.contains(&data(record))), "byte {at}");
            assert!(got.len() as u64 + bad == 4, "byte {at}: {} and {bad}", got.len());
            passed += bad;
        }
    }
    assert!(passed > 500 && refused > 100, "{passed} {refused}");
}

/// The records of an archive in memory, damaged members passed over, and how many those were.
fn read_skipping(bytes: &[u8], format: &str) -> mycloud::Result<(Vec<String>, u64)> {
    let mut file = tempfile::NamedTempFile::with_suffix(".zip").unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
    let name = format!("{format}:{}", file.path().display());
    let resource = Resource::parse(name.as_ref(), None)?;
    let options = ReadOptions::new(Policy::Skip)?;
    let mut source = read::open(&[resource], &options)?;
    let mut out = Vec::new();
    while source.fill(&mut out)? {}
    let records = String::from_utf8(out).unwrap().lines().map(str::to_string).collect();
    Ok((records, options.bad.count()))
}

proptest::proptest! {
    #[test]
    fn an_archive_of_any_bytes_is_read_or_refused(
        flips in proptest::collection::vec((0usize..1000, 0u8..=255), 0..6),
        cut in 0usize..400,
        over in proptest::bool::ANY,
    ) {
        let mut archive = ArchiveWriter::new(Vec::new());
        archive.add("a.csv", "x\n1\n2\n".repeat(9).as_bytes(), true).unwrap();
        archive.add("b.csv", b"x\n3\n", false).unwrap();
        let mut bytes = archive.finish().unwrap();
        let length = bytes.len();
        for (at, byte) in flips {
            bytes[at % length] = byte;
        }
        bytes.truncate(length.saturating_sub(cut / 100 * cut));
        match read_skipping(&bytes, if over { "csv,members=*" } else { "zip" }) {
            Ok((records, _)) => proptest::prop_assert!(records.len() <= 27),
            Err(error) => proptest::prop_assert_eq!(error.exit_code(), 3),
        }
    }
}
