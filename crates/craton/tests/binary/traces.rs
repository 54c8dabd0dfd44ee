//! Traces: what reaches a collector, and that a broken one disturbs nobody.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use crate::server::{Folder, Server, answer};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

/// A request that the collector got.
struct Export {
    head: String,
    body: Vec<u8>,
}

impl Export {
    fn has(&self, bytes: impl AsRef<[u8]>) -> bool {
        let bytes = bytes.as_ref();
        self.body.windows(bytes.len()).any(|w| w == bytes)
    }
}

/// A collector on a free port: its address, and what it gets.
fn collector() -> (String, Receiver<Export>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (send, got) = channel();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            if send.send(export(stream)).is_err() {
                return;
            }
        }
    });
    (endpoint, got)
}

fn export(mut stream: TcpStream) -> Export {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
    }
    let length = head.lines().find_map(|l| {
        l.to_lowercase()
            .strip_prefix("content-length:")?
            .trim()
            .parse()
            .ok()
    });
    let mut body = vec![0; length.unwrap()];
    reader.read_exact(&mut body).unwrap();
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .unwrap();
    Export { head, body }
}

#[test]
fn a_span_of_each_request_reaches_the_collector_before_the_end() {
    let (endpoint, got) = collector();
    let folder = Folder::new();
    let server = Server::start(&folder, &["--otlp-endpoint", &endpoint]);
    assert_eq!(server.ask(Some(&server.root()), "PUT", "/lake", b"").0, 200);
    let mut stream = server.connect();
    let head = format!(
        "GET /lake/private-name.csv?a=private-query HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         traceparent: 00-{TRACE}-{SPAN}-01\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    assert_eq!(answer(&mut stream).0, 403);
    assert_eq!(server.end(), Some(0));

    let export = got.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(
        export.head.starts_with("POST /v1/traces HTTP/1.1\r\n"),
        "{}",
        export.head
    );
    let head = export.head.to_lowercase();
    assert!(
        head.contains("content-type: application/x-protobuf\r\n"),
        "{head}"
    );
    for word in [
        "CreateBucket",
        "GetObject",
        "root",
        "anonymous",
        "lake",
        "craton.door",
        "craton.request_id",
    ] {
        assert!(export.has(word), "{word} is not in the spans");
    }
    assert!(export.has(hex::decode(TRACE).unwrap()), "the caller's trace");
    assert!(export.has(hex::decode(SPAN).unwrap()), "the caller's span");
    assert!(!export.has("private"), "names and queries stay here");
}

#[test]
fn who_asks_not_to_be_traced_is_not() {
    let (endpoint, got) = collector();
    let folder = Folder::new();
    let server = Server::start(&folder, &["--otlp-endpoint", &endpoint]);
    let mut stream = server.connect();
    let head = format!(
        "GET /_health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntraceparent: 00-{TRACE}-{SPAN}-00\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    assert_eq!(answer(&mut stream).0, 200);
    assert_eq!(server.end(), Some(0));
    assert!(got.try_recv().is_err());
}

#[test]
fn a_collector_that_is_absent_or_hangs_disturbs_nobody() {
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let absent = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for address in [hanging.local_addr().unwrap(), absent] {
        let folder = Folder::new();
        let server = Server::start(&folder, &["--otlp-endpoint", &format!("http://{address}")]);
        for _ in 0..50 {
            assert_eq!(server.ask(None, "GET", "/_health/live", b"").0, 200);
        }
        let start = Instant::now();
        assert_eq!(server.end(), Some(0));
        assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    }
}
