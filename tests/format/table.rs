//! Tables: aligned columns, in a file and on a terminal.

use crate::support::*;

fn gather(dir: &tempfile::TempDir, resource: &str) -> Call {
    mc("gather").current_dir(dir.path()).args(["-o", resource])
}

#[test]
fn records_become_aligned_lines() {
    let dir = dir();
    let records = "{\"name\":\"Zürich\",\"people\":436551}\n{\"name\":\"東京\",\"people\":14094034,\"in\":{\"land\":\"日本\"}}\n\
                   {\"name\":\"a\\tb\",\"people\":null}\n";
    let want = "name    people  in\nZürich  436551\n東京  14094034  {\"land\":\"日本\"}\n";
    // What a person sees: the columns begin and end at the same places.
    let shown = gather(&dir, "table:-").stdin(records).succeeds().text();
    let expected = "name      people  in\n\
                    Zürich    436551\n\
                    東京    14094034  {\"land\":\"日本\"}\n\
                    a\\tb        null\n";
    assert_eq!(shown, expected);
    assert_ne!(shown, want);
    gather(&dir, "table:out.txt").stdin(records).succeeds();
    assert_eq!(std::fs::read_to_string(dir.path().join("out.txt")).unwrap(), expected);
    gather(&dir, "table:out.txt.gz").stdin(records).succeeds();
    Call::new("gzip")
        .current_dir(dir.path())
        .args(["-dc", "out.txt.gz"])
        .stdout(expected)
        .succeeds();
    gather(&dir, "table:-").stdin("").stdout("").succeeds();
    gather(&dir, "table:-")
        .stdin("[\"a\",1]\n[\"bcd\",10]\n")
        .stdout("a     1\nbcd  10\n")
        .succeeds();
    gather(&dir, "table:-").stdin("5\n\"x\"\n").stdout("5\nx\n").succeeds();
    gather(&dir, "table,digits=1:-").stdin("[1.25,7]\n").stdout("1.2  7\n").succeeds();
}

#[test]
fn what_is_no_table_is_refused_and_nothing_is_written() {
    let dir = dir();
    let call = gather(&dir, "table:out").stdin("{\"a\":1}\n[1]\n");
    call.stderr_has("out: record 2 does not fit in the table: it is an array").fails(3);
    gather(&dir, "table,wide:-").stdin("").stderr_has("no option 'wide'").fails(2);
    gather(&dir, "table,digits=x:-").stdin("").stderr_has("not a positive whole number").fails(2);
    write(&dir, "x", "");
    for resource in ["table:x", "table:x.zip"] {
        let cat = mc("cat").current_dir(dir.path()).arg(resource);
        cat.stderr_has("format table is for writing only").fails(2);
    }
    let call = sh("bash", "mc-cat text:nowhere | mc-gather -o table:out").current_dir(dir.path());
    call.stderr_any().fails(4);
    assert_eq!(names(&dir), ["x"]);
}

#[test]
fn a_long_table_goes_through_a_file_and_a_long_cell_stays_whole() {
    let dir = dir();
    let wide = "w".repeat(3000);
    let lines = (0..60_000).map(|n| format!("{{\"n\":{n},\"text\":\"{}\"}}\n", "t".repeat(n % 90)));
    let records: String =
        lines.chain([format!("{{\"n\":1,\"text\":\"{wide}\",\"late\":true}}\n")]).collect();
    let shown = gather(&dir, "table:-").stdin(&records).succeeds().text();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 60_002);
    assert_eq!(lines[0], format!("    n  text{}  late", " ".repeat(2996)));
    assert_eq!(lines[1], "    0");
    assert_eq!(lines[12_346], format!("12345  {}", "t".repeat(12_345 % 90)));
    assert_eq!(lines[60_001], format!("    1  {wide}  true"));
}

#[test]
fn on_a_terminal_lines_fit() {
    let dir = dir();
    let text = "word ".repeat(40);
    write(&dir, "in", format!("{{\"n\":12345,\"text\":\"{text}\",\"word\":\"end\"}}\n"));
    // A terminal of 50 columns, which turns line ends into CR and LF.
    let code = "
import fcntl, os, pty, struct, sys, termios
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 50, 0, 0))
    os.execvp('sh', ['sh', '-c', sys.argv[1]])
shown = b''
while True:
    try: piece = os.read(terminal, 65536)
    except OSError: break
    if not piece: break
    shown += piece
assert os.waitpid(pid, 0)[1] == 0, shown
sys.stdout.buffer.write(shown.replace(b'\\r\\n', b'\\n'))
";
    let file = dir.path().join("in");
    let far =
        format!("mc-gather -o table:- < {0}; mc-gather -o table:- < {0} | cat", file.display());
    let shown = String::from_utf8(python(code, &[&far], "")).unwrap();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 4, "{shown}");
    assert_eq!(lines[1], "12345  word word word word word word word w…  end");
    assert!(lines[..2].iter().all(|line| line.chars().count() <= 50), "{shown}");
    assert_eq!(lines[3], format!("12345  {text}  end"));
}
