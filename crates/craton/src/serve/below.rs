//! What the parts below the doors tell: whether they work, and their gauges for `/_metrics`.

use craton_base::Result;
use craton_doors::{http, metrics};
use craton_gate::Gate;
use craton_store::budget::Budget;

use super::Folder;
use crate::files;

/// The parts.
pub(super) struct Below {
    gate: Gate,
    budgets: [Budget; 2],
}

impl Below {
    pub(super) fn new(folder: &Folder) -> Self {
        Self {
            gate: folder.gate.clone(),
            budgets: folder.budgets.clone(),
        }
    }
}

impl metrics::Gauges for Below {
    fn gauges(&self) -> Vec<metrics::Gauge> {
        let [uploads, downloads] = self.budgets.each_ref().map(Budget::gauges);
        let gauge = |name, help, value: u64| metrics::Gauge {
            name,
            help,
            value: to_f64(value),
        };
        let (copied, failed) = self.gate.copies_made();
        vec![
            gauge(
                "craton_replication_waiting",
                "Copies that wait to be made, counted up to 100,000.",
                self.gate.copies_waiting().unwrap_or_default(),
            ),
            gauge(
                "craton_replication_copied",
                "Copies that were made since the start.",
                copied,
            ),
            gauge(
                "craton_replication_failed",
                "Copies that failed for good since the start.",
                failed,
            ),
            gauge(
                "craton_uploads_used_bytes",
                "Memory that uploads hold.",
                uploads.used,
            ),
            gauge(
                "craton_uploads_total_bytes",
                "Memory that uploads may hold.",
                uploads.total,
            ),
            gauge(
                "craton_uploads_waiting",
                "Uploads that wait for memory.",
                uploads.waiting as u64,
            ),
            gauge(
                "craton_downloads_used_bytes",
                "Memory that downloads hold.",
                downloads.used,
            ),
            gauge(
                "craton_downloads_total_bytes",
                "Memory that downloads may hold.",
                downloads.total,
            ),
            gauge(
                "craton_downloads_waiting",
                "Downloads that wait for memory.",
                downloads.waiting as u64,
            ),
            gauge(
                "craton_ready",
                "Whether requests can be recorded.",
                u64::from(self.gate.ready().is_ok()),
            ),
            gauge(
                "craton_resident_peak_bytes",
                "The most memory that the process ever had in use.",
                files::peak_memory_bytes().unwrap_or_default(),
            ),
        ]
    }
}

impl http::Below for Below {
    fn ready(&self) -> Result<()> {
        self.gate.ready()
    }
}

/// Metrics are floating point; a gauge above 2^53 need not be exact.
#[expect(clippy::cast_precision_loss, reason = "a gauge need not be exact")]
fn to_f64(value: u64) -> f64 {
    value as f64
}
