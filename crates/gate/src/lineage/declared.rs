//! Declared lineage: what a client says that a run reads and writes, beside what the ledger saw of it.
//!
//! Invariants
//! - what is declared is kept under the principal who says it, and never becomes an edge that was observed;
//! - how it stands is told when it is asked for, from the edges that there are then.
//!
//! Deliberately absent: the events that say it (the doors).

use craton_base::{BucketName, Error, Kind as ErrorKind, ResourcePath, Result, Sequence};
use craton_store::{namespace::Change, store::Transaction};
use prost::Message;

use super::{
    follow::Lineage,
    rows::{self, EdgeKey, Id, Touch},
};
use crate::{
    ask::Ask,
    gate::{Gate, Verdicts},
    session::Session,
    tables,
};

/// The most that is declared of one run.
pub const DECLARED_MAX: usize = 10_000;

/// The longest name of a data set, or its namespace, in bytes.
const NAME_BYTES_MAX: usize = 1200;

/// That a run reads or writes a data set, as somebody says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Whether it reads it or writes it.
    pub touch: Touch,
    /// The data set's namespace: `s3://data`.
    pub namespace: String,
    /// Its name there: `raw/a.csv`.
    pub name: String,
    /// The job that the run is of, if it is said.
    pub job: String,
}

/// How what was declared stands beside what was observed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// The ledger has it.
    Observed,
    /// The ledger has nothing of it, and may not: it lies elsewhere, or the run goes on.
    DeclaredOnly,
    /// It lies here, the run is over, and the ledger has nothing of it.
    Contradicted,
}

impl Standing {
    /// As words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::DeclaredOnly => "declared only",
            Self::Contradicted => "contradicted",
        }
    }
}

/// What was declared (`D`).
#[derive(Clone, PartialEq, Message)]
struct DeclaredRow {
    #[prost(string, tag = "1")]
    namespace: String,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "3")]
    job: String,
    #[prost(uint64, tag = "4")]
    time_micros: u64,
}

/// A run as its events say (`O`).
#[derive(Clone, PartialEq, Message)]
struct SaidRow {
    /// It is over.
    #[prost(bool, tag = "1")]
    over: bool,
}

/// Where a data set lies here: its path as records have it, or what such paths begin with.
fn place(gate: &Gate, namespace: &str, name: &str) -> Result<Option<String>> {
    let Some((bucket, path)) = written(namespace, name) else {
        return Ok(None);
    };
    let Some(table) = path.strip_prefix(&format!("/{bucket}/tables/")) else {
        return Ok(Some(path));
    };
    let mut levels: Vec<String> = table.split('.').map(str::to_owned).collect();
    let called = levels.pop().unwrap_or_default();
    let folder = gate.table_named(&bucket, &tables::name_row(&levels, &called))?;
    Ok(Some(folder.to_string().trim_end_matches("/*").to_owned()))
}

/// The same, as it is written: a table by its name.
fn written(namespace: &str, name: &str) -> Option<(BucketName, String)> {
    let (scheme, bucket) = namespace.split_once("://")?;
    let bucket = BucketName::new(bucket.trim_end_matches('/')).ok()?;
    let name = name.trim_start_matches('/');
    let path = match scheme {
        "s3" | "s3a" | "s3n" => format!("/{bucket}/objects/{name}"),
        "craton" => format!("/{bucket}/{name}"),
        _ => return None,
    };
    Some((bucket, path))
}

impl Gate {
    /// Notes what somebody says that a run of theirs reads and writes; `over` if they say that it is over.
    ///
    /// # Errors
    /// `Denied`; `TooLarge`, `LimitExceeded`; the store's own.
    pub async fn declare(&self, session: &Session, run: &str, over: bool, all: &[Declared]) -> Result<()> {
        let ask = Ask::new(
            "DeclareLineage",
            "craton:DeclareLineage",
            ResourcePath::System("lineage".into()),
        );
        let permit = self.write(session, ask).await?;
        let is_long = |declared: &Declared| {
            let texts = [&declared.namespace, &declared.name, &declared.job];
            texts.iter().any(|text| text.len() > NAME_BYTES_MAX)
        };
        let id = rows::run_id(session.principal(), run);
        let known = self.inner.lineage.count(&[b"D", &id])?;
        if known.saturating_add(all.len()) > DECLARED_MAX || all.iter().any(is_long) {
            let text = format!(
                "of a run at most {DECLARED_MAX} data sets are declared, with names of {NAME_BYTES_MAX} bytes"
            );
            return Err(Error::new(ErrorKind::TooLarge, "LimitExceeded", text));
        }
        let mut transaction = Transaction::default();
        for declared in all {
            let row = DeclaredRow {
                namespace: declared.namespace.clone(),
                name: declared.name.clone(),
                job: declared.job.clone(),
                time_micros: permit.now().micros(),
            };
            let set = rows::resource_id(&format!("{}\0{}", declared.namespace, declared.name));
            let key = rows::key(&[b"D", &id, &set, &[declared.touch as u8]]);
            transaction.plain.push(Change::Put(key, rows::encode(&row)));
        }
        if over {
            let row = rows::encode(&SaidRow { over });
            transaction.plain.push(Change::Put(rows::key(&[b"O", &id]), row));
        }
        permit.commit_transaction(transaction).await.map(drop)
    }

    /// What was declared of a run, and how each stands.
    ///
    /// # Errors
    /// `Denied` for others' without `craton:ListRuns`; the store's own.
    pub async fn declared(
        &self,
        session: &Session,
        principal: &str,
        run: &str,
    ) -> Result<Vec<(Declared, Standing)>> {
        let ask = Ask::new(
            "GetDeclaredLineage",
            "craton:ListRuns",
            ResourcePath::System(format!("runs/{run}")),
        );
        let _permit = match principal == session.principal() {
            true => self.read_decided(session, ask, Verdicts::always())?,
            false => self.read(session, ask).await?,
        };
        let id = rows::run_id(principal, run);
        self.blocking(move |gate| {
            let lineage = &gate.inner.lineage;
            lineage.settle()?;
            let said = lineage.namespace.get(&rows::key(&[b"O", &id]), Sequence::MAX)?;
            let said: SaidRow = said.map_or_else(|| Ok(SaidRow::default()), |e| rows::decode(&e.value))?;
            let mut out = Vec::new();
            lineage.each(&[b"D", &id], |name, value| {
                let row: DeclaredRow = rows::decode(value)?;
                let touch = Touch::of(*name.last().ok_or_else(|| Error::corrupt("a row has no name"))?)?;
                let declared = Declared {
                    touch,
                    namespace: row.namespace,
                    name: row.name,
                    job: row.job,
                };
                let place = place(gate, &declared.namespace, &declared.name)?;
                let standing = lineage.standing(&id, (&declared, place), said.over)?;
                out.push((declared, standing));
                Ok(true)
            })?;
            Ok(out)
        })
        .await
    }
}

impl Lineage {
    /// How something stands that was declared of a run.
    fn standing(
        &self,
        run: &Id,
        (declared, path): (&Declared, Option<String>),
        over: bool,
    ) -> Result<Standing> {
        let Some(path) = path else {
            return Ok(Standing::DeclaredOnly);
        };
        let folder = format!("{}/", path.trim_end_matches('/'));
        let mut seen = false;
        self.each(&[b"E", run], |name, value| {
            let key = EdgeKey::read(name)?;
            let is_same = (key.touch == Touch::Read) == (declared.touch == Touch::Read);
            if is_same {
                let resource = rows::resource_of(value)?;
                seen = resource == path || resource.starts_with(&folder);
            }
            Ok(!seen)
        })?;
        Ok(match (seen, over) {
            (true, _) => Standing::Observed,
            (false, true) => Standing::Contradicted,
            (false, false) => Standing::DeclaredOnly,
        })
    }
}
