//! Running what a portal holds: its columns, its rows, what it is called when it is done.
//!
//! Invariants
//! - a statement that reads begins when its columns are asked for, one that writes only when it is executed;
//! - a statement that writes runs only by itself: in a block it could not be taken back.

use bytes::{BufMut as _, Bytes};
use craton_base::{Error, Kind, Result};
use futures::{FutureExt as _, StreamExt as _};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
};

use super::{
    local::{self, Sort},
    session::{Block, Connection, Portal, cancelled, gone, is_binary, no_such},
    wire::Wire,
};
use crate::sql::{SqlColumn, SqlStatement};

/// A text, by its number in `pg_type`.
const TEXT: u32 = 25;

impl Connection<'_> {
    pub(super) async fn describe_prepared<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &mut self,
        wire: &mut Wire<S>,
        name: &str,
    ) -> Result<()> {
        let prepared = self
            .prepared
            .get(name)
            .ok_or_else(|| no_such("prepared statement", name))?;
        let (text, said) = (prepared.text.clone(), prepared.types.clone());
        let (types, columns) = match local::sort(&text) {
            Sort::Reads => {
                self.may_run(false)?;
                let session = self.inner.identify(&self.client)?;
                let shape = self
                    .inner
                    .engine
                    .describe(&session, &self.statement(&text))
                    .await?;
                (shape.parameters, Some(shape.columns))
            }
            Sort::Show => (
                Vec::new(),
                local::shown(&text).map(|(name, _)| vec![text_column(name)]),
            ),
            _ => (said.clone(), None),
        };
        let types = types.iter().enumerate().map(|(at, found)| match said.get(at) {
            Some(said) if *said != 0 => *said,
            _ => *found,
        });
        let types: Vec<u32> = types.collect();
        wire.message(b't', |out| {
            out.put_u16(u16::try_from(types.len()).unwrap_or(u16::MAX));
            types.iter().for_each(|t| out.put_u32(*t));
        });
        match columns {
            Some(columns) => wire.columns(&columns, |_| false),
            None => wire.message(b'n', |_| {}),
        }
        Ok(())
    }

    /// Says what columns a portal answers, which begins its statement if it reads.
    pub(super) async fn describe<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &mut self,
        wire: &mut Wire<S>,
        portal: &mut Portal,
        says_none: bool,
    ) -> Result<()> {
        match local::sort(&portal.text) {
            Sort::Reads => {
                self.begin(wire, portal).await?;
                let binary = &portal.bound.binary;
                if let Some(rows) = &portal.rows {
                    wire.columns(&rows.columns, |at| is_binary(binary, at));
                }
            }
            Sort::Show => match local::shown(&portal.text) {
                Some((name, _)) => wire.columns(&[text_column(name)], |_| false),
                None => return Err(no_such("setting", &portal.text)),
            },
            _ if says_none => wire.message(b'n', |_| {}),
            _ => {}
        }
        Ok(())
    }

    /// Runs a portal's statement and sends its rows, `most` of them unless that is 0.
    pub(super) async fn execute<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &mut self,
        wire: &mut Wire<S>,
        portal: &mut Portal,
        most: u64,
    ) -> Result<()> {
        let tag = match local::sort(&portal.text) {
            Sort::Empty => {
                wire.message(b'I', |_| {});
                return Ok(());
            }
            Sort::Reads => return self.send(wire, portal, most).await,
            Sort::Writes(tag, counts) => {
                self.may_run(true)?;
                self.begin(wire, portal).await?;
                let changed = self.changed(wire, portal).await?;
                wire.complete(&if counts {
                    format!("{tag} {changed}")
                } else {
                    tag.to_owned()
                });
                return Ok(());
            }
            Sort::Begin => {
                self.may_run(false)?;
                self.block = Block::Open;
                "BEGIN"
            }
            Sort::Commit | Sort::Rollback if self.block == Block::Failed => {
                self.block = Block::None;
                "ROLLBACK"
            }
            Sort::Commit => {
                self.block = Block::None;
                "COMMIT"
            }
            Sort::Rollback => {
                self.block = Block::None;
                "ROLLBACK"
            }
            Sort::Accepted(tag) => {
                self.may_run(false)?;
                tag
            }
            Sort::Show => {
                self.may_run(false)?;
                let (_, value) =
                    local::shown(&portal.text).ok_or_else(|| no_such("setting", &portal.text))?;
                wire.message(b'D', |out| {
                    out.put_u16(1);
                    out.put_u32(u32::try_from(value.len()).unwrap_or_default());
                    out.extend_from_slice(value.as_bytes());
                });
                "SHOW"
            }
        };
        wire.complete(tag);
        Ok(())
    }

    /// Whether a statement may run here.
    fn may_run(&self, writes: bool) -> Result<()> {
        match self.block {
            Block::Failed => {
                let text = "a statement of this block failed; it must be ended with ROLLBACK";
                Err(Error::new(Kind::Invalid, "TransactionFailed", text))
            }
            Block::Open if writes => {
                let text = "a statement that writes runs by itself, not in a block that could be taken back: use autocommit";
                Err(Error::new(Kind::Invalid, "NotSupportedYet", text))
            }
            _ => Ok(()),
        }
    }

    fn statement(&self, text: &str) -> SqlStatement {
        SqlStatement {
            statement: text.to_owned(),
            bucket: self.defaults.bucket.clone(),
            namespace: self.defaults.namespace.clone(),
            seconds: None,
            form: Default::default(),
            bound: Bytes::new(),
        }
    }

    /// Begins a portal's statement, if it has not begun.
    async fn begin<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &mut self,
        wire: &mut Wire<S>,
        portal: &mut Portal,
    ) -> Result<()> {
        self.may_run(false)?;
        if portal.rows.is_some() {
            return Ok(());
        }
        // What was cancelled before this has ended before.
        let _: Option<()> = self.cancelled.notified().now_or_never();
        let session = self.inner.identify(&self.client)?;
        let statement = self.statement(&portal.text);
        let run = self.inner.engine.rows(&session, &statement, &portal.bound);
        portal.rows = Some(tokio::select! {
            biased;
            () = self.cancelled.notified() => return Err(cancelled()),
            done = run => done?,
            () = wire.gone() => return Err(gone()),
        });
        Ok(())
    }

    async fn send<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &mut self,
        wire: &mut Wire<S>,
        portal: &mut Portal,
        most: u64,
    ) -> Result<()> {
        self.begin(wire, portal).await?;
        let mut sent = 0u64;
        loop {
            if portal.left.is_empty() {
                let Some(piece) = more(&self.cancelled, wire, portal).await? else {
                    wire.complete(&format!("SELECT {}", portal.sent));
                    return Ok(());
                };
                portal.left = piece;
            }
            let left = if most == 0 {
                u64::MAX
            } else {
                most.saturating_sub(sent)
            };
            let (rows, count) = first_rows(&mut portal.left, left);
            sent = sent.saturating_add(count);
            portal.sent = portal.sent.saturating_add(count);
            wire.rows(rows).await?;
            if most != 0 && sent >= most {
                wire.message(b's', |_| {});
                return Ok(());
            }
        }
    }

    /// How many rows a statement says that it changed.
    async fn changed<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &mut self,
        wire: &mut Wire<S>,
        portal: &mut Portal,
    ) -> Result<u64> {
        let mut changed = 0;
        while let Some(piece) = more(&self.cancelled, wire, portal).await? {
            // One row of one text: a kind, a length, a number of columns, the text's length, the text.
            let text = piece.get(11..).and_then(|text| std::str::from_utf8(text).ok());
            changed = text.and_then(|text| text.parse().ok()).unwrap_or(changed);
        }
        Ok(changed)
    }
}

/// More of a portal's rows; `None` after the last.
async fn more<S: AsyncRead + AsyncWrite + Unpin + Send>(
    told: &Notify,
    wire: &mut Wire<S>,
    portal: &mut Portal,
) -> Result<Option<Bytes>> {
    let rows = portal
        .rows
        .as_mut()
        .ok_or_else(|| no_such("portal", "that runs"))?;
    tokio::select! {
        biased;
        () = told.notified() => Err(cancelled()),
        piece = rows.rows.next() => piece.transpose(),
        () = wire.gone() => Err(gone()),
    }
}

fn text_column(name: &str) -> SqlColumn {
    SqlColumn {
        name: name.to_owned(),
        type_id: TEXT,
        size: -1,
        modifier: -1,
    }
}

/// At most `most` of the messages that rows are, and how many these are.
fn first_rows(rows: &mut Bytes, most: u64) -> (Bytes, u64) {
    let (mut end, mut count) = (0usize, 0u64);
    while count < most {
        let length = rows.get(end.saturating_add(1)..end.saturating_add(5));
        let Some(Ok(length)) = length.map(<[u8; 4]>::try_from) else {
            break;
        };
        end = end
            .saturating_add(1)
            .saturating_add(u32::from_be_bytes(length) as usize);
        count = count.saturating_add(1);
    }
    (rows.split_to(end.min(rows.len())), count)
}
