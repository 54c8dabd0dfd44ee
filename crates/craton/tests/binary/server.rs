//! A server of its own for a test: a process on a fresh folder and a free port, ended with the test.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use craton_base::{Secret, Timestamp};
use craton_gate::identify::{
    Service,
    sign::{Body, Signer},
};
use http::{Method, Request};

const BINARY: &str = env!("CARGO_BIN_EXE_craton");

/// A fresh folder, removed with the value.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "craton-binary-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.0.join("data")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left for the system to clean if it can not be removed now.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A command of the binary, without the settings of whoever runs the tests.
pub(crate) fn craton(arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("CRATON_") || n.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.args(arguments);
    command
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    out: BufReader<ChildStdout>,
    pub(crate) endpoint: String,
    data: PathBuf,
}

impl Server {
    pub(crate) fn start(folder: &Folder, settings: &[&str]) -> Self {
        let data = folder.data();
        let mut command = craton(&[
            "serve",
            "--address",
            "127.0.0.1:0",
            "--memory",
            "64MiB",
            "--log",
            "warn",
        ]);
        command.arg("--data").arg(&data).args(settings);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let endpoint = loop {
            let mut line = String::new();
            assert_ne!(
                out.read_line(&mut line).unwrap(),
                0,
                "the server ended before it listened"
            );
            if let Some(endpoint) = line.trim().strip_prefix("listening on ") {
                break endpoint.to_owned();
            }
        };
        Self {
            child,
            out,
            endpoint,
            data,
        }
    }

    /// The signer of the root credential.
    pub(crate) fn root(&self) -> Signer {
        let text = std::fs::read_to_string(self.data.join("root-credentials")).unwrap();
        let field = |name: &str| {
            let line = text.lines().find_map(|l| l.strip_prefix(name)).unwrap();
            line.trim_start_matches([' ', '=']).to_owned()
        };
        signer(&field("aws_access_key_id"), &field("aws_secret_access_key"))
    }

    /// Sends a signed request, or one without a signature; its status and body.
    pub(crate) fn ask(
        &self,
        signer: Option<&Signer>,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> (u16, String) {
        let mut stream = self.connect();
        stream
            .write_all(self.head(signer, method, path, body).as_bytes())
            .unwrap();
        stream.write_all(body).unwrap();
        answer(&mut stream)
    }

    /// The head of a request with this body, as text.
    pub(crate) fn head(&self, signer: Option<&Signer>, method: &str, path: &str, body: &[u8]) -> String {
        let host = self.endpoint.trim_start_matches("http://");
        let request = Request::builder()
            .method(method.parse::<Method>().unwrap())
            .uri(path)
            .header("host", host)
            .header("content-length", body.len())
            .header("connection", "close")
            .body(())
            .unwrap();
        let (mut parts, ()) = request.into_parts();
        if let Some(signer) = signer {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            signer
                .sign(
                    &mut parts,
                    &Body::of(body),
                    Timestamp::from_seconds(now.as_secs()),
                )
                .unwrap();
        }
        let mut text = format!("{method} {path} HTTP/1.1\r\n");
        for (name, value) in &parts.headers {
            text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
        }
        text.push_str("\r\n");
        text
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.endpoint.trim_start_matches("http://")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Runs a client command as root.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        let mut command = craton(arguments);
        command
            .args(["--endpoint", &self.endpoint])
            .arg("--data")
            .arg(&self.data);
        command.output().unwrap()
    }

    /// Tells it to end, as a service manager does; its exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn signer(id: &str, secret: &str) -> Signer {
    Signer {
        access_key_id: id.to_owned(),
        secret: Secret::from(secret),
        session_token: None,
        region: "us-east-1".to_owned(),
        service: Service::S3,
    }
}

/// Reads an answer to the end of the connection.
pub(crate) fn answer(stream: &mut TcpStream) -> (u16, String) {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|s| s.parse().ok())
        .unwrap_or_default();
    (
        status,
        text.split_once("\r\n\r\n")
            .map(|(_, body)| body.to_owned())
            .unwrap_or_default(),
    )
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
