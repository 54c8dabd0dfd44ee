//! What the benchmark of lineage leaves out to see what it costs: in a build for that alone, named by an environment variable. In every other build
//! nothing can be left out, and asking costs nothing.

/// Whether something is left out: `ledger` (and so lineage), or `lineage`.
#[cfg(craton_bench_switches)]
pub(crate) fn left_out(what: &str) -> bool {
    static LEFT_OUT: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let left_out = LEFT_OUT.get_or_init(|| std::env::var("CRATON_BENCH_WITHOUT").ok());
    left_out.as_deref() == Some(what)
}

/// Nothing is.
#[cfg(not(craton_bench_switches))]
pub(crate) const fn left_out(_: &str) -> bool {
    false
}
