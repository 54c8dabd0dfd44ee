//! Starting, limits, ending.

use std::{
    io::{Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    time::Duration,
};

use crate::server::{Folder, Server, answer, craton, path, text};

#[test]
fn a_first_start_makes_a_private_credential_that_a_later_one_keeps() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let file = folder.data().join("root-credentials");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let first = std::fs::read_to_string(&file).unwrap();
    assert_eq!(server.ask(Some(&server.root()), "PUT", "/kept", b"").0, 200);
    assert_eq!(server.end(), Some(0));
    let server = Server::start(&folder, &[]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), first);
    assert_eq!(server.ask(Some(&server.root()), "HEAD", "/kept", b"").0, 200);
}

#[test]
fn one_process_has_a_data_folder() {
    let folder = Folder::new();
    let _server = Server::start(&folder, &[]);
    let second = craton(&[
        "serve",
        "--address",
        "127.0.0.1:0",
        "--data",
        path(&folder.data()),
    ])
    .output()
    .unwrap();
    assert_eq!(second.status.code(), Some(7));
    assert!(
        text(&second.stderr).contains("another process has this data folder open"),
        "{}",
        text(&second.stderr)
    );
}

#[test]
fn wrong_settings_are_named() {
    let folder = Folder::new();
    let file = folder.0.join("settings.toml");
    std::fs::write(&file, "memroy = \"1GiB\"\n").unwrap();
    let cases = [
        (vec!["--config", path(&file)], "memroy"),
        (vec!["--memory", "1MiB"], "--memory"),
        (vec!["--tls-cert", "cert.pem"], "--tls-key"),
        (vec!["--log", "no[such"], "log filter"),
    ];
    for (settings, word) in cases {
        let data = folder.data();
        let mut arguments = vec!["serve", "--address", "127.0.0.1:0", "--data", path(&data)];
        arguments.extend(&settings);
        let done = craton(&arguments).output().unwrap();
        assert_eq!(done.status.code(), Some(2), "{settings:?}");
        assert!(
            text(&done.stderr).contains(word),
            "{settings:?}: {}",
            text(&done.stderr)
        );
        assert!(!data.exists(), "{settings:?} made a data folder");
    }
}

#[test]
fn a_slow_head_and_an_idle_connection_end() {
    let folder = Folder::new();
    let server = Server::start(&folder, &["--header-timeout", "300ms"]);
    for begin in ["", "P", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nhost: x\r\n"] {
        let mut stream = server.connect();
        stream.write_all(begin.as_bytes()).unwrap();
        let mut rest = Vec::new();
        // An answer or none: what counts is that it ends.
        stream.read_to_end(&mut rest).unwrap();
    }
}

#[test]
fn a_slow_body_is_a_timeout() {
    let folder = Folder::new();
    let server = Server::start(&folder, &["--body-timeout", "300ms"]);
    let mut stream = server.connect();
    let head = server.head(Some(&server.root()), "PUT", "/_api/v1/users/ana", b"abcdefghij");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"abc").unwrap();
    let (status, body) = answer(&mut stream);
    assert_eq!(status, 408, "{body}");
    assert!(body.contains("RequestTimeout"), "{body}");
}

#[test]
fn a_body_that_only_drips_is_a_timeout() {
    let folder = Folder::new();
    let server = Server::start(&folder, &["--body-timeout", "1s"]);
    assert_eq!(server.ask(Some(&server.root()), "PUT", "/kept", b"").0, 200);
    let mut stream = server.connect();
    let body = [b'x'; 200_000];
    let head = server.head(Some(&server.root()), "PUT", "/kept/slow", &body);
    stream.write_all(head.as_bytes()).unwrap();
    for byte in body.chunks(1).take(100) {
        // Never still for the time-out's second; the server may end it while we write.
        if stream.write_all(byte).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(30));
    }
    let (status, answered) = answer(&mut stream);
    assert_eq!(status, 400, "{answered}");
    assert!(answered.contains("RequestTimeout"), "{answered}");
}

#[test]
fn what_is_under_way_ends_before_the_server_does() {
    let folder = Folder::new();
    let server = Server::start(&folder, &["--shutdown-timeout", "10s"]);
    let mut stream = server.connect();
    let head = server.head(Some(&server.root()), "PUT", "/_api/v1/users/ana", b"abcdef");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"abc").unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let ending = std::thread::spawn(move || server.end());
    std::thread::sleep(Duration::from_millis(300));
    stream.write_all(b"def").unwrap();
    let (status, body) = answer(&mut stream);
    assert!((200..300).contains(&status), "{status} {body}");
    assert_eq!(ending.join().unwrap(), Some(0));
}

#[test]
fn tls_serves_who_trusts_its_certificate() {
    let folder = Folder::new();
    // As it is now: a target folder that checkouts share may hold what another one built.
    let tls = format!(
        "{}/tests/binary/tls",
        std::env::var("CARGO_MANIFEST_DIR").unwrap()
    );
    let (cert, key) = (format!("{tls}/cert.pem"), format!("{tls}/key.pem"));
    let server = Server::start(&folder, &["--tls-cert", &cert, "--tls-key", &key]);
    assert!(server.endpoint.starts_with("https://"));
    let done = server.command(&["mb", "data", "--ca-cert", &cert]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let done = server.command(&["mb", "other"]);
    assert_eq!(done.status.code(), Some(10), "{}", text(&done.stderr));
    assert_eq!(server.end(), Some(0));
}
