//! A data folder of a test's own, gone when the test is over.

use std::sync::Arc;

use craton_base::{ByteSize, clock::SystemClock};
use craton_crypto::SystemRandom;
use craton_gate::{Gate, Settings};
use craton_store::{Options, Store, disk::real::RealDisk};

pub(crate) struct Folder(pub(crate) std::path::PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("craton-gate-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn open(&self) -> Gate {
        let store = Store::open(Options {
            disk: Arc::new(RealDisk::open(&self.0).unwrap()),
            memory: ByteSize::mib(128),
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(SystemRandom),
            inline_commits: false,
        });
        Gate::open(store.unwrap(), Settings::default(), "boot-1").unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
