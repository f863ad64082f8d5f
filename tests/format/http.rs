//! Resources at http addresses, from a local server.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::support::*;

const SERVER: &str = r#"
import http.server, gzip
CSV = b'a,b\n1,2\n'
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *args): pass
    def answer(self, status, body=b'', length=None, **headers):
        self.send_response(status)
        for name, value in headers.items(): self.send_header(name, value)
        if length is not False: self.send_header('Content-Length', str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True
    def do_GET(self):
        path = self.path.split('?')[0]
        if path == '/ok.csv': self.answer(200, CSV)
        elif path == '/ok.csv.gz': self.answer(200, gzip.compress(CSV))
        elif path == '/moved': self.answer(302, Location='/ok.csv')
        elif path == '/loop': self.answer(302, Location='/loop')
        elif path == '/short.csv': self.answer(200, CSV, length=1000)
        elif path == '/close.csv': self.answer(200, CSV, length=False, Connection='close')
        elif path == '/chunks.csv':
            self.answer(200, b'8\r\n' + CSV + b'\r\n0\r\n\r\n', length=False, **{'Transfer-Encoding': 'chunked'})
        elif path == '/cut.csv':
            self.answer(200, b'8\r\n' + CSV + b'\r\n8\r\n1,', length=False, **{'Transfer-Encoding': 'chunked'})
        elif path == '/packed.csv': self.answer(200, gzip.compress(CSV), **{'Content-Encoding': 'gzip'})
        elif path == '/twice.csv': self.answer(200, gzip.compress(gzip.compress(CSV)), **{'Content-Encoding': 'x-gzip, GZIP'})
        elif path == '/named.csv.gz': self.answer(200, gzip.compress(CSV), **{'Content-Encoding': 'gzip'})
        elif path == '/both.csv.gz': self.answer(200, gzip.compress(gzip.compress(CSV)), **{'Content-Encoding': 'gzip'})
        elif path == '/same.csv': self.answer(200, CSV, **{'Content-Encoding': 'identity'})
        elif path == '/bare.csv': self.answer(200, gzip.compress(CSV))
        elif path == '/brotli.csv': self.answer(200, CSV, **{'Content-Encoding': 'br'})
        elif path == '/lie.csv': self.answer(200, CSV, **{'Content-Encoding': 'gzip'})
        elif path == '/asked.csv': self.answer(200, b'asked\n' + self.headers['Accept-Encoding'].replace(', ', ' ').encode())
        elif path == '/part.csv': self.answer(206, CSV, **{'Content-Range': 'bytes 0-7/100'})
        elif path == '/nothing.csv': self.answer(204, length=False)
        elif path == '/broken.csv': self.answer(500)
        else: self.answer(404)
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

/// A server on this machine, ended with the test.
struct Server(Child, String);

impl Server {
    fn start() -> Server {
        let mut child = Command::new(python_program())
            .args(["-c", SERVER])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Server(child, format!("http://127.0.0.1:{}", port.trim()))
    }

    fn cat(&self, path: &str) -> Call {
        let call = mc("cat").arg(format!("csv:{}{path}", self.1));
        call.env_remove("http_proxy").env_remove("HTTP_PROXY").env("NO_PROXY", "127.0.0.1")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn bodies_are_read_whole_or_refused() {
    let server = Server::start();
    let record = rows![{"a": "1", "b": "2"}];
    for path in ["/ok.csv", "/ok.csv?q=x.gz", "/ok.csv.gz", "/moved", "/close.csv", "/chunks.csv"] {
        server.cat(path).stdout(&record).succeeds();
    }
    let by_name = mc("cat").arg(format!("{}/ok.csv", server.1)).env("NO_PROXY", "127.0.0.1");
    by_name.stdout(&record).succeeds();
    server.cat("/none.csv").stdout("").stderr_has("/none.csv: status 404").fails(2);
    server.cat("/broken.csv").stdout("").stderr_has("/broken.csv: status 500").fails(4);
    server.cat("/loop").stdout("").stderr_has("too many redirects").fails(4);
    server.cat("/short.csv").stderr_has("the connection was lost").fails(4);
    server.cat("/cut.csv").stderr_has("the connection was lost").fails(4);
}

#[test]
fn what_a_body_was_encoded_in_for_the_way_is_undone() {
    let server = Server::start();
    let record = rows![{"a": "1", "b": "2"}];
    for path in
        ["/packed.csv", "/twice.csv", "/named.csv.gz", "/both.csv.gz", "/same.csv", "/bare.csv"]
    {
        server.cat(path).stdout(&record).succeeds();
    }
    server.cat("/asked.csv").stdout("{\"asked\":\"gzip zstd\"}\n").succeeds();
    server.cat("/brotli.csv").stdout("").stderr_has("its Content-Encoding is br, which").fails(3);
    server.cat("/lie.csv").stdout("").stderr_has("/lie.csv: it is not gzip").fails(3);
    server
        .cat("/nothing.csv")
        .stdout("")
        .stderr_has("/nothing.csv: the server sent no file (status 204)")
        .fails(3);
    server
        .cat("/part.csv")
        .stdout("")
        .stderr_has("/part.csv: the server sent a part of it")
        .fails(3);
}

#[test]
fn a_server_that_is_not_there_is_out_of_reach() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let call = mc("cat").arg(format!("http://127.0.0.1:{port}/x.csv")).env("NO_PROXY", "127.0.0.1");
    call.stdout("").stderr_has(format!("cannot read http://127.0.0.1:{port}/x.csv")).fails(5);
}
