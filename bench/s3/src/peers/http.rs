//! What all peers that speak HTTP have in common: requests are signed the same for each, whether or not it
//! looks at signatures.

use std::{collections::BTreeSet, fs, net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Result, bail};
use bytes::Bytes;

use super::content;
use crate::{
    clock,
    load::{Answer, Load, Outcome},
    options::Options,
    plan::{Bound, Row, Verb},
    process::Server,
    sign::{Key, Signer},
};

/// The bucket of all objects.
pub(super) const BUCKET: &str = "bench";

/// Clients that store the objects which GET reads.
const PREPARE_CLIENTS: usize = 8;

/// How long storing them may take.
const PREPARE_TIME: Duration = Duration::from_secs(300);

/// A server that has been started.
pub(crate) struct HttpPeer {
    pub(super) server: Server,
    pub(super) address: SocketAddr,
    pub(super) key: Key,
    /// Where objects are put as files, if the server has no PUT.
    pub(super) files: Option<PathBuf>,
    /// Sizes whose objects are stored.
    pub(super) stored: BTreeSet<u64>,
}

impl HttpPeer {
    /// Makes the bucket.
    pub(super) fn make_bucket(&self) -> Result<()> {
        let head = self.signer()?.head("PUT", &format!("/{BUCKET}"), 0, None);
        self.all(vec![head], Bytes::new(), Answer::Length(0), 1)
    }

    /// Writes as many small objects at once as a row does at most, outside of any row.
    pub(super) fn put_first(&self) -> Result<()> {
        let paths: Vec<_> = (0..64).map(|n| format!("/{BUCKET}/first-{n}")).collect();
        let body = content(4 << 10)?;
        let heads = self.heads("PUT", &paths, body.len() as u64)?;
        self.all(heads, body, Answer::Length(0), 16)
    }

    pub(super) fn prepare(&mut self, row: &Row, options: &Options) -> Result<()> {
        if !self.stored.insert(row.size) {
            return Ok(());
        }
        let body = content(row.size)?;
        let paths = get_paths(row, options);
        match &self.files {
            Some(folder) => {
                for path in &paths {
                    fs::write(folder.join(path.trim_start_matches('/')), &body)?;
                }
            }
            None => self.all(
                self.heads("PUT", &paths, row.size)?,
                body.clone(),
                Answer::Length(0),
                PREPARE_CLIENTS,
            )?,
        }
        self.all(
            self.heads("GET", &paths, 0)?,
            Bytes::new(),
            Answer::Exactly(body),
            PREPARE_CLIENTS,
        )
    }

    pub(super) fn run(&self, row: &Row, options: &Options) -> Result<Outcome> {
        let bound = row.bound(options);
        let (paths, body, answer) = match row.verb {
            Verb::Get => (get_paths(row, options), Bytes::new(), Answer::Length(row.size)),
            Verb::Put => (
                put_paths(row, bound.requests),
                content(row.size)?,
                Answer::Length(0),
            ),
        };
        let heads = self.heads(row.verb.method(), &paths, body.len() as u64)?;
        Load {
            address: self.address,
            heads,
            body,
            answer,
            clients: row.clients,
            bound,
        }
        .run(row.size)
    }

    /// Sends all of `heads`; any failure is an error.
    fn all(&self, heads: Vec<String>, body: Bytes, answer: Answer, clients: usize) -> Result<()> {
        let bound = Bound {
            time: PREPARE_TIME,
            requests: heads.len() as u64,
        };
        let outcome = Load {
            address: self.address,
            heads,
            body,
            answer,
            clients,
            bound,
        }
        .run(0)?;
        if outcome.failed > 0 || outcome.requests < bound.requests {
            bail!("{} of {} requests succeeded", outcome.requests, bound.requests);
        }
        Ok(())
    }

    fn heads(&self, method: &str, paths: &[String], length: u64) -> Result<Vec<String>> {
        let signer = self.signer()?;
        Ok(paths
            .iter()
            .map(|path| signer.head(method, path, length, None))
            .collect())
    }

    fn signer(&self) -> Result<Signer> {
        Ok(Signer::new(
            &self.key,
            &self.address.to_string(),
            &clock::amz_date()?,
        ))
    }
}

fn get_paths(row: &Row, options: &Options) -> Vec<String> {
    (0..row.objects(options))
        .map(|n| format!("/{BUCKET}/get-{}-{n:05}", row.size))
        .collect()
}

fn put_paths(row: &Row, count: u64) -> Vec<String> {
    (0..count)
        .map(|n| format!("/{BUCKET}/put-{}-{}-{n:06}", row.size, row.clients))
        .collect()
}
