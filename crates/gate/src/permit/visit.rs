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
        let span = self.span(kind, start, end)?;
        self.show(&span, View::At(self.at()), each)
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
        let span = self.span(kind, start, end)?;
        let at = self.at();
        self.show(&span, View::Versions(after), |head| match head.sequence <= at {
            true => each(head),
            false => Ok(Flow::Next),
        })
    }

    pub(super) fn span(&self, kind: Kind, start: &[u8], end: Option<&[u8]>) -> Result<Span> {
        let (start, end) = scope::clip(&self.resource, kind, start, end)?;
        Ok(Span {
            bucket: self.home()?,
            branch: BranchId::MAIN,
            kind,
            start,
            end,
        })
    }

    fn show<E: From<Error>>(
        &self,
        span: &Span,
        view: View<'_>,
        mut each: impl FnMut(Head<'_>) -> Result<Flow, E>,
    ) -> Result<(), E> {
        let mut failed = None;
        self.gate.store.visit(span, view, &mut |head| {
            Ok(each(head).unwrap_or_else(|error| {
                failed = Some(error);
                Flow::Stop
            }))
        })?;
        failed.map_or(Ok(()), Err)
    }
}
