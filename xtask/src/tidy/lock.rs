//! Cargo.lock: versions below which an advisory applies, and heavy crates that must be there once,
//! because two versions of them do not understand each other's types. `deny.toml` says more, for
//! those who have cargo-deny; this needs nothing and no network.

use std::path::Path;

use super::{Finding, Tree};

const LOCK: &str = "Cargo.lock";

/// The first version without the advisory.
const FLOORS: [(&str, [u64; 3], &str); 10] = [
    ("quick-xml", [0, 41, 0], "RUSTSEC-2026-0194, RUSTSEC-2026-0195"),
    ("h2", [0, 4, 16], "RUSTSEC-2026-0258"),
    ("lru", [0, 18, 2], "RUSTSEC-2026-0253"),
    ("rustls-webpki", [0, 103, 13], "RUSTSEC-2026-0104"),
    ("lz4_flex", [0, 12, 1], "RUSTSEC-2026-0041"),
    ("bytes", [1, 11, 1], "RUSTSEC-2026-0007"),
    ("time", [0, 3, 47], "RUSTSEC-2026-0009"),
    ("tar", [0, 4, 45], "RUSTSEC-2026-0067, RUSTSEC-2026-0068"),
    ("object_store", [0, 10, 2], "RUSTSEC-2024-0358"),
    ("aws-sigv4", [1, 0, 0], "RUSTSEC-2023-0125"),
];

/// Versions below a floor that are accepted, with what makes them harmless here.
const ACCEPTED: [(&str, &str, &str); 1] = [(
    "quick-xml",
    "0.39.4",
    "of object_store 0.13.2: the tour and the tests read the answers of the server they started; tiers bound answers before they are parsed (decision 0016)",
)];

/// One version each.
const SINGLE: [&str; 12] = [
    "arrow",
    "parquet",
    "datafusion",
    "iceberg",
    "object_store",
    "redb",
    "tokio",
    "hyper",
    "http",
    "rustls",
    "aws-lc-rs",
    "prost",
];

pub(super) fn check(tree: &Tree, _root: &Path) -> Vec<Finding> {
    let Some(text) = tree.text(LOCK) else {
        return vec![Finding::new(LOCK, 0, "is missing: builds must repeat")];
    };
    let packages: Vec<Package<'_>> = packages(text).collect();
    let mut found = Vec::new();
    for package in &packages {
        for (name, floor, advisory) in FLOORS {
            if package.name == name && package.number() < floor && !package.is_accepted() {
                let [a, b, c] = floor;
                let message = format!("{name} {} is below {a}.{b}.{c}: {advisory}", package.version);
                found.push(Finding::new(LOCK, package.line, message));
            }
        }
    }
    for (name, version, _) in ACCEPTED {
        if !packages.iter().any(|p| p.name == name && p.version == version) {
            let message = format!("{name} {version} is gone; take it from the accepted ones in xtask");
            found.push(Finding::new(LOCK, 0, message));
        }
    }
    for name in SINGLE {
        let same: Vec<&str> = packages
            .iter()
            .filter(|p| p.name == name)
            .map(|p| p.version)
            .collect();
        if same.len() > 1 {
            found.push(Finding::new(
                LOCK,
                0,
                format!("{name} is there more than once: {}", same.join(", ")),
            ));
        }
    }
    found
}

struct Package<'a> {
    name: &'a str,
    version: &'a str,
    line: usize,
}

impl Package<'_> {
    fn number(&self) -> [u64; 3] {
        let mut parts = self
            .version
            .split(['.', '-', '+'])
            .map(|p| p.parse().unwrap_or(0));
        std::array::from_fn(|_| parts.next().unwrap_or(0))
    }

    fn is_accepted(&self) -> bool {
        ACCEPTED
            .iter()
            .any(|(name, version, _)| (*name, *version) == (self.name, self.version))
    }
}

fn packages(lock: &str) -> impl Iterator<Item = Package<'_>> {
    let mut name = "";
    (1..).zip(lock.lines()).filter_map(move |(line, text)| {
        if let Some(value) = text.strip_prefix("name = ") {
            name = value.trim_matches('"');
        }
        let version = text.strip_prefix("version = ")?.trim_matches('"');
        (!name.is_empty()).then_some(Package { name, version, line })
    })
}

#[cfg(test)]
mod tests {
    use super::super::messages;
    use super::*;

    fn run(packages: &[(&str, &str)]) -> Vec<String> {
        let mut text = "version = 4\n".to_owned();
        let accepted = ACCEPTED.map(|(name, version, _)| (name, version));
        for (name, version) in accepted.iter().chain(packages) {
            text += &format!("\n[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n");
        }
        messages(check, &[(LOCK, &text)])
    }

    #[test]
    fn a_version_below_its_floor_is_found() {
        assert!(run(&[("h2", "0.4.16"), ("lru", "0.18.2"), ("quick-xml", "0.41.0")]).is_empty());
        assert_eq!(run(&[("h2", "0.4.15")]).len(), 1);
        assert_eq!(run(&[("quick-xml", "0.40.0")]).len(), 1);
        assert!(run(&[("h2", "0.10.0")]).is_empty(), "numbers, not text");
    }

    #[test]
    fn heavy_crates_are_there_once() {
        assert!(run(&[("arrow", "58.4.1"), ("syn", "1.0.0"), ("syn", "2.0.0")]).is_empty());
        assert_eq!(run(&[("arrow", "58.4.1"), ("arrow", "57.0.0")]).len(), 1);
    }

    #[test]
    fn an_acceptance_that_is_no_longer_needed_goes() {
        assert_eq!(messages(check, &[(LOCK, "version = 4\n")]).len(), ACCEPTED.len());
    }
}
