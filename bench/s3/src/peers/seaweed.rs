//! SeaweedFS: master, volume server, filer and S3 gateway in one process, `weed server`.
//!
//! By default it flushes nothing. With the filer's rule `fsync` for the bucket, each object's content is
//! flushed by the volume server before the answer (many at once); the names, in the filer's LevelDB, are
//! not, so that this is still less than Craton and the raw writers do.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::http::{BUCKET, HttpPeer, Stored};
use crate::{
    options::Options,
    process::{Server, free_address},
    sign::Key,
};

/// How long it may take from listening to serving.
const READY_TIME_MAX: Duration = Duration::from_secs(60);

const KEY_ID: &str = "benchbenchbenchbench";
const KEY_SECRET: &str = "benchbenchbenchbenchbenchbenchbenchbench";

/// The server's options for its ports, in the order in which it is given addresses.
const PORTS: [&str; 8] = [
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "s3.port",
    "s3.port.grpc",
];

pub(super) fn start(options: &Options, folder: &Path, flush: bool) -> Result<HttpPeer> {
    let data = folder.join("data");
    fs::create_dir_all(&data)?;
    let identities = write_identities(folder)?;
    let [
        master,
        master_grpc,
        volume,
        volume_grpc,
        filer,
        filer_grpc,
        s3,
        s3_grpc,
    ] = addresses()?;
    let mut command = command(options, folder, &data, &identities);
    let ports = [
        master,
        master_grpc,
        volume,
        volume_grpc,
        filer,
        filer_grpc,
        s3,
        s3_grpc,
    ];
    for (name, address) in PORTS.iter().zip(ports) {
        command.arg(format!("-{name}={}", address.port()));
    }
    let mut server = Server::start(&mut command, &folder.join("log"))?;
    server.wait_for(s3)?;
    let key = Key {
        id: KEY_ID.to_owned(),
        secret: KEY_SECRET.to_owned(),
        token: None,
    };
    let peer = HttpPeer {
        server,
        address: s3,
        key,
        files: None,
        own: None,
        stored: Stored::default(),
    };
    until_ready(|| peer.make_bucket())?;
    if flush {
        let place = |a: SocketAddr, grpc: SocketAddr| format!("127.0.0.1:{}.{}", a.port(), grpc.port());
        let shell = [
            format!("-master={}", place(master, master_grpc)),
            format!("-filer={}", place(filer, filer_grpc)),
        ];
        switch_flush_on(options, folder, &shell)?;
    }
    // The first writes fail, or take seconds, while volumes are made for them.
    until_ready(|| peer.put_first())?;
    Ok(peer)
}

/// `weed server` without its ports.
fn command(options: &Options, folder: &Path, data: &Path, identities: &Path) -> Command {
    let mut command = Command::new(&options.weed);
    command
        .current_dir(folder)
        .args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"])
        .args([
            "-master.telemetry=false",
            // As many volumes as the disk has room for: of 30 GB, its default, that would be too few for two buckets.
            "-volume.max=0",
            "-master.volumeSizeLimitMB=1024",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
        ])
        .arg(format!("-dir={}", data.display()))
        .arg(format!("-s3.config={}", identities.display()))
        .arg(format!(
            "-filer.localSocket={}",
            folder.join("filer.sock").display()
        ));
    command
}

/// The file of access keys.
fn write_identities(folder: &Path) -> Result<PathBuf> {
    let identities = folder.join("s3.json");
    fs::write(
        &identities,
        format!(
            r#"{{"identities":[{{"name":"bench","actions":["Admin","Read","Write","List"],
                "credentials":[{{"accessKey":"{KEY_ID}","secretKey":"{KEY_SECRET}"}}]}}]}}"#
        ),
    )?;
    Ok(identities)
}

/// Tries until it succeeds: the gateway listens before it can serve.
fn until_ready(attempt: impl Fn() -> Result<()>) -> Result<()> {
    let began = Instant::now();
    loop {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(error) if began.elapsed() > READY_TIME_MAX => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(500)),
        }
    }
}

fn switch_flush_on(options: &Options, folder: &Path, arguments: &[String]) -> Result<()> {
    let mut shell = Command::new(&options.weed)
        .current_dir(folder)
        .arg("shell")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("starting weed shell")?;
    if let Some(mut input) = shell.stdin.take() {
        writeln!(
            input,
            "lock\nfs.configure -locationPrefix=/buckets/{BUCKET}/ -fsync -apply\nfs.configure\nunlock"
        )?;
    }
    let output = shell.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !text.contains("\"fsync\"") {
        bail!("weed shell did not switch flushing on: {text}");
    }
    Ok(())
}

fn addresses() -> Result<[SocketAddr; 8]> {
    let first = free_address()?;
    let mut out = [first; 8];
    for address in &mut out {
        *address = free_address()?;
    }
    Ok(out)
}
