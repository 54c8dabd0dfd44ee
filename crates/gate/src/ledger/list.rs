//! Finding records: by what they say, newest first, in pages; and by id.
//!
//! Records stand in the tree in the order of rounds, and in a round by time. So the tree's order is the order of time
//! but for what was on its way: a record of a write comes when its commit does.
//!
//! Invariant: a call reads at most [`SCAN_MAX`] records, however few match.

use craton_base::{Error, Kind as ErrorKind, Result, Timestamp};

use super::{
    envelope::Header,
    kinds::{RecordKind, Verdict},
    reader::{Entry, Reader},
    record::{Record, RecordId},
    tree::WIDTH,
};

/// The most records in a listing.
pub const LIST_MAX: usize = 1000;
/// The most records that one call reads.
const SCAN_MAX: usize = 1 << 18;
/// How much later than it was made a record may be integrated, for [`Filter::since`] to find it surely.
const LATE_MICROS_MAX: u64 = 3_600_000_000;
/// How far from where its id lets expect it a record is looked for, in bundles.
const FIND_BUNDLES: u64 = 1024;

/// Which records to list; an empty filter is all of them.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only of this principal.
    pub principal: Option<String>,
    /// Only of this bucket.
    pub bucket: Option<String>,
    /// Only where the resource path begins so.
    pub resource_prefix: Option<String>,
    /// Only with this action, for example `s3:GetObject`; with `*` at the end, the actions that begin so.
    pub action: Option<String>,
    /// Only of this kind.
    pub kind: Option<RecordKind>,
    /// Only with this verdict.
    pub verdict: Option<Verdict>,
    /// Only at or after.
    pub since: Option<Timestamp>,
    /// Only before.
    pub until: Option<Timestamp>,
    /// At most so many; 0 or more than [`LIST_MAX`] is [`LIST_MAX`].
    pub limit: usize,
    /// Only records before this place in the tree: where the last page ended, [`Listing::next`].
    pub after: Option<u64>,
}

/// A page of records, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// The records that match. A record whose subject was erased matches only if the filter asks nothing but time.
    pub entries: Vec<Entry>,
    /// Where to go on, if there may be more.
    pub next: Option<u64>,
}

impl Filter {
    fn limit(&self) -> usize {
        match self.limit {
            0 => LIST_MAX,
            limit => limit.min(LIST_MAX),
        }
    }

    /// Whether the time fits.
    fn takes_time(&self, time_micros: u64) -> bool {
        self.since.is_none_or(|since| time_micros >= since.micros())
            && self.until.is_none_or(|until| time_micros < until.micros())
    }

    fn only_time(&self) -> bool {
        let Self {
            principal,
            bucket,
            resource_prefix,
            action,
            kind,
            verdict,
            ..
        } = self;
        let texts = [principal, bucket, resource_prefix, action];
        texts.iter().all(|text| text.is_none()) && kind.is_none() && verdict.is_none()
    }

    /// Whether a record matches.
    #[must_use]
    pub fn takes(&self, record: &Record) -> bool {
        let is = |wanted: &Option<String>, text: &str| wanted.as_ref().is_none_or(|wanted| wanted == text);
        self.takes_time(record.time_micros)
            && is(&self.principal, &record.principal)
            && is(&self.bucket, &record.bucket)
            && self
                .resource_prefix
                .as_ref()
                .is_none_or(|prefix| record.resource.starts_with(prefix.as_str()))
            && self
                .action
                .as_ref()
                .is_none_or(|wanted| takes_action(wanted, &record.action))
            && self.kind.is_none_or(|kind| record.kind() == kind)
            && self.verdict.is_none_or(|verdict| record.verdict() == verdict)
    }
}

/// A record may name several actions, with spaces between them.
fn takes_action(wanted: &str, actions: &str) -> bool {
    actions.split(' ').any(|action| match wanted.strip_suffix('*') {
        Some(prefix) => action.starts_with(prefix),
        None => action == wanted,
    })
}

impl Reader {
    /// A page of the records that match, newest first.
    ///
    /// # Errors
    /// `Corrupt`; the engine's own.
    pub fn list(&self, filter: &Filter) -> Result<Listing> {
        let size = self.checkpoint()?.1.size;
        let mut end = filter.after.unwrap_or(size).min(size);
        let mut out = Listing::default();
        let mut scanned = 0usize;
        while let Some(last) = end.checked_sub(1) {
            if scanned >= SCAN_MAX {
                out.next = Some(end);
                break;
            }
            let number = last / WIDTH as u64;
            let first = number * WIDTH as u64;
            let bundle = self.bundle(number, size)?;
            let newest = self.list_bundle(filter, first, end, &bundle, &mut out)?;
            if out.next.is_some() || (first == 0) {
                break;
            }
            if filter
                .since
                .is_some_and(|since| newest.saturating_add(LATE_MICROS_MAX) < since.micros())
            {
                break;
            }
            scanned = scanned.saturating_add(WIDTH);
            end = first;
        }
        Ok(out)
    }

    /// The matches of one bundle before `end`. Gives the newest time in it.
    fn list_bundle(
        &self,
        filter: &Filter,
        first: u64,
        end: u64,
        bundle: &[Vec<u8>],
        out: &mut Listing,
    ) -> Result<u64> {
        let mut newest = 0;
        let inside: Vec<_> = (first..end).zip(bundle).collect();
        for (index, envelope) in inside.into_iter().rev() {
            let time = Header::read(envelope)?.time_micros;
            newest = newest.max(time);
            if !filter.takes_time(time) {
                continue;
            }
            let entry = self.entry(index, envelope)?;
            let takes = match &entry.record {
                Some(record) => filter.takes(record),
                None => filter.only_time(),
            };
            if takes {
                out.entries.push(entry);
            }
            if out.entries.len() >= filter.limit() {
                out.next = (index > 0).then_some(index);
                break;
            }
        }
        Ok(newest)
    }

    /// The records from a place in the tree on, in its order, at most `limit`, and the place after them.
    ///
    /// # Errors
    /// `Corrupt`; the engine's own.
    pub fn list_from(&self, from: u64, limit: usize) -> Result<(Vec<Entry>, u64)> {
        let size = self.checkpoint()?.1.size;
        let mut next = from.min(size);
        let mut out = Vec::new();
        while next < size && out.len() < limit {
            let number = next / WIDTH as u64;
            let skip = usize::try_from(next % WIDTH as u64).unwrap_or_default();
            let bundle = self.bundle(number, size)?;
            let end = size.min(number.saturating_add(1).saturating_mul(WIDTH as u64));
            let wanted = (next..end).zip(bundle.iter().skip(skip));
            for (index, envelope) in wanted.take(limit.saturating_sub(out.len())) {
                out.push(self.entry(index, envelope)?);
                next = index.saturating_add(1);
            }
        }
        Ok((out, next))
    }

    /// The record at a place in the tree.
    ///
    /// # Errors
    /// `NotFound` if the ledger is not that long; `Corrupt`; the engine's own.
    pub fn get(&self, index: u64) -> Result<Entry> {
        let envelope = self.envelope(index, self.checkpoint()?.1.size)?;
        self.entry(index, &envelope)
    }

    pub(super) fn envelope(&self, index: u64, size: u64) -> Result<Vec<u8>> {
        if index >= size {
            let text = format!("the ledger has {size} records, none of number {index}");
            return Err(Error::new(ErrorKind::NotFound, "NoSuchRecord", text));
        }
        let place = usize::try_from(index % WIDTH as u64).unwrap_or(usize::MAX);
        let bundle = self.bundle(index / WIDTH as u64, size)?;
        bundle
            .into_iter()
            .nth(place)
            .ok_or_else(|| Error::corrupt("a bundle of the ledger is cut"))
    }

    /// The record with an id. Looked for around where ids of its size stand.
    ///
    /// # Errors
    /// `NotFound`; `Corrupt`; the engine's own.
    pub fn find(&self, id: RecordId) -> Result<Entry> {
        let size = self.checkpoint()?.1.size;
        let bundles = size.div_ceil(WIDTH as u64);
        let near = self.bundle_near(id, bundles, size)?;
        for step in 0..FIND_BUNDLES {
            let sides = [
                near.checked_sub(step),
                near.checked_add(step).filter(|_| step > 0),
            ];
            for number in sides.into_iter().flatten().filter(|number| *number < bundles) {
                let first = number * WIDTH as u64;
                for (index, envelope) in (first..).zip(self.bundle(number, size)?) {
                    if Header::read(&envelope)?.id() == id {
                        return self.entry(index, &envelope);
                    }
                }
            }
        }
        Err(Error::new(
            ErrorKind::NotFound,
            "NoSuchRecord",
            format!("the ledger has no record {id}"),
        ))
    }

    /// The last bundle whose first id is not after `id`, if ids were in order.
    fn bundle_near(&self, id: RecordId, bundles: u64, size: u64) -> Result<u64> {
        let (mut low, mut high) = (0, bundles);
        while high.saturating_sub(low) > 1 {
            let middle = low + (high - low) / 2;
            let bundle = self.bundle(middle, size)?;
            let first = bundle
                .first()
                .ok_or_else(|| Error::corrupt("a bundle of the ledger is empty"))?;
            match Header::read(first)?.id() <= id {
                true => low = middle,
                false => high = middle,
            }
        }
        Ok(low)
    }
}
