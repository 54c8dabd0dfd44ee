//! What tests through the whole gate share: a data folder of a test's own, gone when the test is over, and where its requests come
//! from.

use std::{net::IpAddr, sync::Arc};

use craton_base::{ByteSize, Clock as _, clock::SystemClock};
use craton_crypto::SystemRandom;
use craton_gate::{Gate, Origin, Settings};
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

/// A request of now, from this machine, to the S3 door.
pub(crate) fn origin() -> Origin {
    Origin {
        door: "s3",
        source_ip: IpAddr::from([127, 0, 0, 1]),
        tls: None,
        request_id: "R1".into(),
        lease: None,
        run: None,
        trace: None,
        purse: Default::default(),
        user_agent: None,
        referer: None,
        time: SystemClock::new().now(),
    }
}
