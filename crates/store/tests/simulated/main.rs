//! The parts of the store on a disk that loses, reorders and tears what was not flushed.
//!
//! They are here and not beside the code because the simulated disk is made against the store's public traits.
//! `CRATON_CUTS` sets the number of power cuts (default: enough for a second or two).
#![expect(clippy::expect_used, reason = "helpers of tests")]

mod blob;
mod collect;
mod entries;
mod journal;
mod keyring;
mod tiers;

/// How many power cuts to try; `share` parts of a thousand of `CRATON_CUTS`.
fn cuts(share: u64) -> u64 {
    let all = std::env::var("CRATON_CUTS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(2000);
    u64::max(all * share / 1000, 20)
}
