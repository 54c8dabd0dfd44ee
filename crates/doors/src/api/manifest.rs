//! The manifest of a run: every version that it read, with SHA-256, licence, labels and size, for others to check.
//!
//! ```text
//! edges of the run ──▶ for each version a permit ──▶ its row, its digest (stored, kept, or computed now) ──▶ a document
//! ```
//!
//! Invariants
//! - it names what the run's edges name and nothing else; what the caller may not see is counted;
//! - every version is asked for by a permit of its own: reading it for a digest is recorded, as of another run, so that a run is not changed by
//!   looking at it;
//! - a digest is of the content; where there is none to be had, it is said why;
//! - memory is a part of at most [`PART_MAX`] versions, or a statement of at most [`STATEMENT_MAX`].
//!
//! Deliberately absent: what a run is (the gate), formats ([`croissant`], [`statement`]).

use craton_base::{Error, Kind, Result};
use craton_gate::{RunSummary, Session, Touch};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::{Call, Query};

mod croissant;
mod items;
mod statement;

use items::{Item, Items};

/// The most versions of a part.
const PART_MAX: usize = 1000;

/// The most versions of a statement, read and written.
const STATEMENT_MAX: usize = 5000;

/// Edges that are looked at together.
const AT_ONCE: usize = 250;

/// When so many bytes were read for digests, a part ends.
const PART_BYTES: u64 = 4 << 30;

/// The most bytes that are read for digests of one statement.
const STATEMENT_BYTES: u64 = 16 << 30;

/// Manifests that are made at once; others wait.
static TURNS: Semaphore = Semaphore::const_new(4);

/// What is known of a part of a run.
struct Part {
    run: RunSummary,
    read: Vec<Item>,
    written: Vec<Item>,
    /// Versions that the caller may not see.
    hidden: u64,
    /// Where the next begins.
    next: Option<String>,
}

pub(super) async fn get(call: &mut Call<'_>) -> Result<Value> {
    let mut query = std::mem::replace(&mut call.query, Query::parse(None)?);
    let format = query.text("format").unwrap_or_else(|| "croissant".to_owned());
    let principal = query
        .text("principal")
        .unwrap_or_else(|| call.session.principal().to_owned());
    let _turn = TURNS
        .acquire()
        .await
        .map_err(|e| Error::internal("manifests are not made any more").with_source(e))?;
    let run = call
        .gate
        .run_info(call.session, &principal, call.part(0)?)
        .await?;
    match format.as_str() {
        "croissant" => {
            let (after, limit) = query.page(PART_MAX)?;
            croissant::document(&part(call, run, after, limit).await?)
        }
        "in-toto" => {
            query.end()?;
            statement::envelope(call, &whole(call, run).await?)
        }
        other => Err(Error::invalid(format!(
            "the format {other:?} is neither croissant nor in-toto"
        ))),
    }
}

/// The session of the reads that a manifest takes: they are of a run of their own.
fn reader(call: &Call<'_>, run: &RunSummary) -> Session {
    let mut name = format!("manifest-{}", run.run);
    let end = (0..=128.min(name.len()))
        .rev()
        .find(|end| name.is_char_boundary(*end));
    name.truncate(end.unwrap_or_default());
    call.session.of_run(&name)
}

/// At most `limit` versions that the run touched, those of them that it read.
async fn part(call: &Call<'_>, run: RunSummary, mut after: Option<String>, limit: usize) -> Result<Part> {
    let mut items = Items::new(call, reader(call, &run), PART_BYTES);
    let (mut read, mut seen, mut hidden) = (Vec::new(), 0_usize, 0_u64);
    let next = loop {
        let at_once = AT_ONCE.min(limit.saturating_sub(seen));
        let page = call
            .gate
            .run_edges(call.session, &run, after.as_deref(), at_once)
            .await?;
        // Between edges that are not told there is no place that could be named.
        let can_end = page.hidden == 0;
        seen = seen
            .saturating_add(page.edges.len())
            .saturating_add(usize::try_from(page.hidden).unwrap_or(limit));
        hidden = hidden.saturating_add(page.hidden);
        let mut ended = None;
        let last = page.edges.len().saturating_sub(1);
        for (n, edge) in page.edges.into_iter().enumerate() {
            let place = edge.place();
            if edge.touch == Touch::Read {
                read.extend(items.find(edge).await?);
            }
            if can_end && items.is_enough() && n < last {
                ended = Some(place);
                break;
            }
        }
        match ended.or(page.next) {
            None => break None,
            Some(place) if seen >= limit || items.is_enough() => break Some(place),
            Some(place) => after = Some(place),
        }
    };
    call.gate.write_digests().await?;
    Ok(Part {
        run,
        read,
        written: Vec::new(),
        hidden: hidden.saturating_add(items.hidden),
        next,
    })
}

/// All versions that the run read, wrote and deleted.
async fn whole(call: &Call<'_>, run: RunSummary) -> Result<Part> {
    let mut items = Items::new(call, reader(call, &run), STATEMENT_BYTES);
    let (mut read, mut written, mut hidden) = (Vec::new(), Vec::new(), 0_u64);
    let mut after: Option<String> = None;
    loop {
        let page = call
            .gate
            .run_edges(call.session, &run, after.as_deref(), AT_ONCE)
            .await?;
        hidden = hidden.saturating_add(page.hidden);
        if read
            .len()
            .saturating_add(written.len())
            .saturating_add(page.edges.len())
            > STATEMENT_MAX
        {
            return Err(too_large(format!(
                "a statement names at most {STATEMENT_MAX} versions; ask for croissant, which comes in parts"
            )));
        }
        for edge in page.edges {
            if items.is_enough() {
                call.gate.write_digests().await?;
                return Err(too_large(format!(
                    "more than {STATEMENT_BYTES} bytes have to be read for a statement; what was read now is kept: ask again, or ask for \
                     croissant, which comes in parts"
                )));
            }
            match edge.touch {
                Touch::Read => read.extend(items.find(edge).await?),
                Touch::Write => written.extend(items.find(edge).await?),
                // There is nothing to it that could have a digest.
                Touch::Delete => {}
            }
        }
        match page.next {
            Some(place) => after = Some(place),
            None => break,
        }
    }
    call.gate.write_digests().await?;
    Ok(Part {
        run,
        read,
        written,
        hidden: hidden.saturating_add(items.hidden),
        next: None,
    })
}

fn too_large(text: String) -> Error {
    Error::new(Kind::TooLarge, "ManifestTooLarge", text)
}

#[cfg(test)]
mod tests;
