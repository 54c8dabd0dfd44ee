//! The ceiling for PUT: threads of this process that write and flush, with no protocol, no encryption and
//! no names beyond those of files.

use std::{
    fs::{self, File},
    io::Write as _,
    mem,
    path::{Path, PathBuf},
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};

use crate::{
    load::Outcome,
    plan::{Bound, Row},
};

/// A way of writing.
pub(crate) enum Raw {
    /// Each object in a file of its own: written, flushed, then its folder flushed.
    File(PathBuf),
    /// All objects in one file: who comes while a flush is under way waits for the next, which is for all.
    Log(PathBuf),
}

impl Raw {
    pub(crate) fn run(&self, row: &Row, bound: Bound, content: &[u8]) -> Result<Outcome> {
        match self {
            Self::File(folder) => {
                let folder = folder.join(format!("{}-{}", row.size, row.clients));
                fs::create_dir_all(&folder)?;
                let outcome = drive(row, bound, |n| write_file(&folder, n, content))?;
                // Room for the others.
                fs::remove_dir_all(&folder)?;
                Ok(outcome)
            }
            Self::Log(folder) => {
                let log = Log::create(&folder.join(format!("{}-{}", row.size, row.clients)))?;
                drive(row, bound, |_| log.append(content))
            }
        }
    }
}

/// As many threads as the row has clients, each writing its next when the last is flushed.
fn drive(row: &Row, bound: Bound, write: impl Fn(u64) -> Result<()> + Sync) -> Result<Outcome> {
    let next = AtomicU64::new(0);
    let began = Instant::now();
    let client = || {
        let mut latencies = Vec::new();
        while began.elapsed() < bound.time {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= bound.requests {
                break;
            }
            let started = Instant::now();
            write(n)?;
            latencies.push(started.elapsed());
        }
        Ok::<Vec<Duration>, anyhow::Error>(latencies)
    };
    let all = thread::scope(|scope| {
        let threads: Vec<_> = (0..row.clients).map(|_| scope.spawn(client)).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| anyhow!("a writer ended"))??);
        }
        Ok::<_, anyhow::Error>(all)
    })?;
    let bytes = all.len() as u64 * row.size;
    Ok(Outcome::of(all, bytes, 0, began.elapsed()))
}

fn write_file(folder: &Path, n: u64, content: &[u8]) -> Result<()> {
    let path = folder.join(n.to_string());
    let mut file = File::create(&path).with_context(|| format!("making {}", path.display()))?;
    file.write_all(content)?;
    file.sync_data()?;
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// One file with group flush.
struct Log {
    file: File,
    state: Mutex<State>,
    flushed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Of the group that `waiting` will be.
    group: u64,
    /// Groups that are on the disk.
    done: u64,
    busy: bool,
}

impl Log {
    fn create(path: &Path) -> Result<Self> {
        Ok(Self {
            file: File::create(path)?,
            state: Mutex::default(),
            flushed: Condvar::new(),
        })
    }

    fn append(&self, record: &[u8]) -> Result<()> {
        let mut state = self.lock();
        state.waiting.extend_from_slice(record);
        let group = state.group;
        while state.done <= group {
            if state.busy {
                state = self.flushed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.busy = true;
            let batch = mem::take(&mut state.waiting);
            state.group += 1;
            drop(state);
            (&self.file).write_all(&batch)?;
            self.file.sync_data()?;
            state = self.lock();
            state.done += 1;
            state.busy = false;
            self.flushed.notify_all();
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
