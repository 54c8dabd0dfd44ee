//! Where log lines go, and what happens when the program itself is at fault.
//!
//! Invariant: log lines go to standard error, so that standard output is only answers.

use craton_base::{Error, Result};
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Starts logging.
///
/// # Errors
/// `Invalid` if the filter does not parse.
pub(crate) fn start(filter: &str, format: LogFormat) -> Result<()> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|e| Error::invalid(format!("the log filter {filter:?} does not parse")).with_source(e))?;
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours);
    let started = match format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    started.map_err(|e| Error::internal("logging was started before").with_source(e))
}

/// A panic is a fault of ours after which nothing in memory can be trusted: it is logged, and the
/// process ends at once, as after a power cut. What was acknowledged is on the disk.
///
/// One on a thread of SQL ends its statement alone: those run other people's code on the files of clients, and hold nothing of ours.
pub(crate) fn end_on_panic() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        let message = info.payload_as_str().unwrap_or("no message");
        if craton_sql::is_ours(&std::thread::current()) {
            tracing::error!(place, message, "a fault of SQL; its statement ends");
            return;
        }
        tracing::error!(place, thread, message, "a fault of the program; it ends");
        std::process::abort();
    }));
}
