//! Craton, with its defaults.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::http::{HttpPeer, Own, Stored};
use crate::{
    process::{Server, free_address},
    sign::Key,
};

/// Starts it; `without` is what a build that can leave something out is to leave out.
pub(super) fn start(binary: &Path, folder: &Path, without: Option<&str>) -> Result<HttpPeer> {
    let address = free_address()?;
    let data = folder.join("data");
    let mut command = Command::new(binary);
    command
        .arg("serve")
        .arg("--data")
        .arg(&data)
        .arg("--address")
        .arg(address.to_string())
        .args(["--log", "warn"]);
    if let Some(without) = without {
        command.env("CRATON_BENCH_WITHOUT", without);
    }
    let mut server = Server::start(&mut command, &folder.join("log"))?;
    server.wait_for(address)?;
    wait_until_ready(address)?;
    let peer = HttpPeer {
        server,
        address,
        key: credentials(&data.join("root-credentials"))?,
        files: None,
        own: Some(Own {
            binary: binary.to_owned(),
            data,
        }),
        stored: Stored::default(),
    };
    peer.make_bucket()?;
    Ok(peer)
}

/// It listens before its folder is open; a request waits for that.
fn wait_until_ready(address: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /_health/ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if !answer.starts_with("HTTP/1.1 200 ") {
        bail!("craton is not ready: {answer}");
    }
    Ok(())
}

/// The key that the first start makes, in the form of an AWS credentials file.
fn credentials(path: &Path) -> Result<Key> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let value = |name: &str| {
        let line = text
            .lines()
            .find_map(|l| l.strip_prefix(name)?.trim_start().strip_prefix('='));
        line.map(|v| v.trim().to_owned())
            .with_context(|| format!("{} has no {name}", path.display()))
    };
    Ok(Key {
        id: value("aws_access_key_id")?,
        secret: value("aws_secret_access_key")?,
        token: None,
    })
}
