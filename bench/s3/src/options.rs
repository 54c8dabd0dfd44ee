//! The command line.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use lexopt::{Arg, Parser, ValueExt};

use crate::{
    peers::Peer,
    plan::{self, KIB, MIB, Verb},
};

pub(crate) const USAGE: &str = "\
usage: bench-s3 [options]
  --peers A,B,...    craton, always-yes, no-lineage, no-ledger, nginx, nginx-copy, seaweedfs, seaweedfs-flush,
                     raw-file, raw-log (default: all but those that begin with always and no)
  --craton FILE      the craton binary (default: craton)
  --always-yes FILE  the same, as `cargo xtask bench gate` builds it (default: craton-always-yes)
  --switches FILE    the same, as `cargo xtask bench lineage` builds it (default: craton-switches)
  --weed FILE        SeaweedFS's binary (default: weed)
  --nginx FILE       nginx's binary (default: nginx)
  --folder FOLDER    where the data goes, on the disk to be measured (default: target/bench-data)
  --verbs get,put    what to measure: get, put, run-get, held-get, held-put, user-get, revoke, mixed, epoch,
                     ranges, multipart, list, list-prefix, list-deep, group, versions, calm, expiry (default: all)
  --sizes 4K,1M,64M  sizes of objects (default: these)
  --clients 1,16,64  clients at once (default: these)
  --keys N           keys of the bucket that Craton lists and expires (default: 1000000)
  --peer-keys N      keys of the bucket that everyone lists (default: 100000)
  --seconds N        the longest a row sends requests (default: 5)
  --rounds N         times that everything is measured; the table has medians (default: 3)
  --label TEXT       said in the report, such as the commit measured
  --out FILE         also write the report there
  --smoke            a few requests of each kind against craton alone
  --help             this
";

/// What to do.
pub(crate) struct Options {
    pub(crate) peers: Vec<Peer>,
    pub(crate) craton: PathBuf,
    pub(crate) always_yes: PathBuf,
    pub(crate) switches: PathBuf,
    pub(crate) weed: PathBuf,
    pub(crate) nginx: PathBuf,
    pub(crate) folder: PathBuf,
    pub(crate) verbs: Vec<Verb>,
    pub(crate) sizes: Vec<u64>,
    pub(crate) clients: Vec<usize>,
    pub(crate) keys: u64,
    pub(crate) peer_keys: u64,
    pub(crate) time: Duration,
    pub(crate) rounds: u32,
    pub(crate) label: String,
    pub(crate) out: Option<PathBuf>,
    pub(crate) smoke: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            peers: Peer::ALL.into_iter().filter(|p| p.is_usual()).collect(),
            craton: "craton".into(),
            always_yes: "craton-always-yes".into(),
            switches: "craton-switches".into(),
            weed: "weed".into(),
            nginx: "nginx".into(),
            folder: "target/bench-data".into(),
            verbs: Verb::ALL.to_vec(),
            sizes: plan::SIZES.to_vec(),
            clients: plan::CLIENTS.to_vec(),
            keys: 1_000_000,
            peer_keys: 100_000,
            time: Duration::from_secs(5),
            rounds: 3,
            label: String::new(),
            out: None,
            smoke: false,
        }
    }
}

impl Options {
    /// `None` if only help was asked for.
    pub(crate) fn parse() -> Result<Option<Self>> {
        let mut options = Self::default();
        let mut parser = Parser::from_env();
        while let Some(argument) = parser.next()? {
            let Arg::Long(name) = argument else {
                return Err(argument.unexpected().into());
            };
            let name = name.to_owned();
            match name.as_str() {
                "help" => return Ok(None),
                "smoke" => options.smoke(),
                _ => {
                    let value = parser.value()?.string()?;
                    options
                        .set(&name, &value)
                        .with_context(|| format!("--{name} {value}"))?;
                }
            }
        }
        // Peers run with other working folders than ours.
        options.folder = std::path::absolute(&options.folder)?;
        Ok(Some(options))
    }

    fn smoke(&mut self) {
        self.smoke = true;
        self.peers = vec![Peer::Craton];
        self.clients = vec![1, 4];
        self.sizes = vec![4 * KIB, MIB, 8 * MIB];
        self.keys = 3 * plan::PAGE_KEYS;
        self.peer_keys = self.keys;
        self.time = Duration::from_millis(200);
        self.rounds = 1;
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "peers" => self.peers = list(value, Peer::parse)?,
            "craton" => self.craton = binary(value)?,
            "always-yes" => self.always_yes = binary(value)?,
            "switches" => self.switches = binary(value)?,
            "weed" => self.weed = binary(value)?,
            "nginx" => self.nginx = binary(value)?,
            "folder" => self.folder = value.into(),
            "verbs" => self.verbs = list(value, verb)?,
            "sizes" => self.sizes = list(value, size)?,
            "clients" => self.clients = list(value, |text| Ok(text.parse()?))?,
            "keys" => self.keys = value.parse()?,
            "peer-keys" => self.peer_keys = value.parse()?,
            "seconds" => self.time = Duration::try_from_secs_f64(value.parse()?)?,
            "rounds" => self.rounds = value.parse()?,
            "label" => value.clone_into(&mut self.label),
            "out" => self.out = Some(value.into()),
            _ => bail!("not an option; see --help"),
        }
        Ok(())
    }
}

fn list<T>(text: &str, one: impl Fn(&str) -> Result<T>) -> Result<Vec<T>> {
    text.split(',').map(|part| one(part.trim())).collect()
}

/// A path stays good when the working folder changes; a bare name is looked up by the shell's rules.
fn binary(text: &str) -> Result<PathBuf> {
    if text.contains('/') {
        Ok(std::path::absolute(text)?)
    } else {
        Ok(text.into())
    }
}

fn verb(text: &str) -> Result<Verb> {
    let named = |verb: &Verb| verb.name().eq_ignore_ascii_case(text);
    match Verb::ALL.into_iter().find(named) {
        Some(verb) => Ok(verb),
        None => bail!("no verb of that name"),
    }
}

fn size(text: &str) -> Result<u64> {
    let (number, unit) = match text.as_bytes().last() {
        Some(b'K') => (text.trim_end_matches('K'), KIB),
        Some(b'M') => (text.trim_end_matches('M'), MIB),
        _ => bail!("a size is a number followed by K or M"),
    };
    Ok(number.parse::<u64>()? * unit)
}
