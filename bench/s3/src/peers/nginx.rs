//! nginx as the ceiling for GET: static files, no log, one worker for each core. It checks no signature,
//! decrypts nothing and records nothing.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, process::Command};

use anyhow::Result;

use super::http::{BUCKET, HttpPeer, Stored};
use crate::{
    options::Options,
    process::{Server, free_address},
    sign::Key,
};

/// The kernel sends the file's pages.
pub(super) const SENDFILE: &str = "sendfile on; tcp_nopush on;";

/// nginx reads the file and writes what it read.
pub(super) const COPY: &str = "sendfile off; output_buffers 2 512k;";

pub(super) fn start(options: &Options, folder: &Path, sending: &str) -> Result<HttpPeer> {
    let address = free_address()?;
    let files = folder.join("files");
    fs::create_dir_all(files.join(BUCKET))?;
    let config = folder.join("nginx.conf");
    // Root's workers would change to a user who cannot read the folder.
    let is_root = fs::metadata("/proc/self")?.uid() == 0;
    let user = if is_root { "user root;" } else { "" };
    fs::write(
        &config,
        format!(
            "daemon off; {user} worker_processes auto; pid {folder}/pid; error_log {folder}/error.log;
             events {{ worker_connections 1024; }}
             http {{
               access_log off; default_type application/octet-stream; etag on;
               {sending} tcp_nodelay on; keepalive_requests 100000000;
               open_file_cache max=4096 inactive=60s; open_file_cache_valid 60s;
               client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
               fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
               server {{ listen {address}; root {files}; }}
             }}\n",
            folder = folder.display(),
            files = files.display(),
        ),
    )?;
    let mut command = Command::new(&options.nginx);
    command.arg("-c").arg(&config).arg("-p").arg(folder);
    let mut server = Server::start(&mut command, &folder.join("log"))?;
    server.wait_for(address)?;
    let key = Key {
        id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret: "any".to_owned(),
        token: None,
    };
    Ok(HttpPeer {
        server,
        address,
        key,
        files: Some(files),
        own: None,
        stored: Stored::default(),
    })
}
