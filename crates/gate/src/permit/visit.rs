//! Going over many names for what is said of each in brief, as a listing does.
//!
//! Invariant: as all reading through a permit, only under its path, and nothing later than a read permit's snapshot.

use craton_base::{BranchId, Error, Result, Sequence};
use craton_store::{
    namespace::{Flow, Kind, Span, View},
    value::Head,
};

use super::Permit;
use crate::scope;

impl Permit {
    /// Shows the newest version of each name in `[start, end)` under the permit's path, deletions too, by ascending
    /// name, until `each` stops it or there are no more. How many are looked at is for `each` to bound.
    ///
    /// # Errors
    /// `NoSuchBucket`; `OutsidePermit`; the store's own; those of `each`.
    pub fn visit<E: From<Error>>(
        &self,
        kind: Kind,
        (start, end): (&[u8], Option<&[u8]>),
        each: impl FnMut(Head<'_>) -> Result<Flow, E>,
    ) -> Result<(), E> {
        self.show(self.spans(kind, start, end)?, View::At(self.at()), each)
    }

    /// Shows every version of the names in `[start, end)` under the permit's path, newest first within a name, after
    /// the version `after` of a name, until `each` stops it or there are no more.
    ///
    /// # Errors
    /// As [`Permit::visit`].
    pub fn visit_versions<E: From<Error>>(
        &self,
        kind: Kind,
        (start, end): (&[u8], Option<&[u8]>),
        after: Option<(&[u8], Sequence)>,
        mut each: impl FnMut(Head<'_>) -> Result<Flow, E>,
    ) -> Result<(), E> {
        let at = self.at();
        self.show(
            self.spans(kind, start, end)?,
            View::Versions(after),
            |head| match head.sequence <= at {
                true => each(head),
                false => Ok(Flow::Next),
            },
        )
    }

    /// What of `[start, end)` lies under the permit's path, in order.
    pub(super) fn spans(&self, kind: Kind, start: &[u8], end: Option<&[u8]>) -> Result<Vec<Span>> {
        let bucket = self.home()?;
        let span = |(start, end)| Span {
            bucket,
            branch: BranchId::MAIN,
            kind,
            start,
            end,
        };
        let parts = scope::parts(&self.resource, kind, start, end)?;
        Ok(parts.into_iter().map(span).collect())
    }

    fn show<E: From<Error>>(
        &self,
        spans: Vec<Span>,
        view: View<'_>,
        mut each: impl FnMut(Head<'_>) -> Result<Flow, E>,
    ) -> Result<(), E> {
        let mut last = Ok(Flow::Next);
        for mut span in spans {
            match &last {
                // A skip may lead into the next part.
                Ok(Flow::Skip(to)) if *to > span.start => span.start = to.clone(),
                Ok(Flow::Stop) | Err(_) => break,
                Ok(_) => {}
            }
            if span.end.as_ref().is_some_and(|end| *end <= span.start) {
                continue;
            }
            self.gate.store.visit(&span, view, &mut |head| {
                last = each(head);
                Ok(last.as_ref().map_or(Flow::Stop, Flow::clone))
            })?;
        }
        last.map(drop)
    }
}
