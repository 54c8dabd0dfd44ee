//! Starting and ending peers, and what the kernel says about them: CPU time and peak memory of a process
//! with all its descendants.

use std::{
    collections::HashMap,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// The unit of CPU time in `/proc`: `USER_HZ`, 100 on every Linux of today.
const TICK: Duration = Duration::from_millis(10);

/// How long a peer may take to start.
const START_TIME_MAX: Duration = Duration::from_secs(60);

/// How long a peer may take to end before it is killed.
const END_TIME_MAX: Duration = Duration::from_secs(20);

/// A peer's process; killed if it is dropped.
pub(crate) struct Server {
    child: Child,
}

impl Server {
    /// Starts `command`, with its output in `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let log = fs::File::create(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command
            .spawn()
            .with_context(|| format!("starting {:?}", command.get_program()))?;
        Ok(Self { child })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until something listens at `address`.
    pub(crate) fn wait_for(&mut self, address: SocketAddr) -> Result<()> {
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("ended at once: {status}");
            }
            if began.elapsed() > START_TIME_MAX {
                bail!("did not listen within {START_TIME_MAX:?}");
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Asks it to end, and kills it if it does not.
    pub(crate) fn end(mut self) -> Result<()> {
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        let began = Instant::now();
        while asked.as_ref().is_ok_and(std::process::ExitStatus::success) && began.elapsed() < END_TIME_MAX {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address on the loopback interface that nobody listens on.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Writes what the operating system still holds back, so that it weighs on nobody's measurement.
pub(crate) fn flush_disks() -> Result<()> {
    let status = Command::new("sync").status().context("running sync")?;
    if !status.success() {
        bail!("sync failed");
    }
    Ok(())
}

/// The CPU time of a process and its living descendants.
pub(crate) fn cpu_tree(pid: u32) -> Result<Duration> {
    Ok(tree(pid)?
        .into_iter()
        .filter_map(|pid| Some(stat(pid)?.cpu))
        .sum())
}

/// Our own CPU time.
pub(crate) fn cpu_self() -> Result<Duration> {
    let own = stat(std::process::id()).context("reading our own CPU time")?;
    Ok(own.cpu)
}

/// Makes [`peak_tree`] begin anew.
pub(crate) fn reset_peak(pid: u32) {
    for pid in tree(pid).unwrap_or_default() {
        // Where the kernel does not allow it, the peak is that of all rows so far.
        let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
    }
}

/// The sum of the peaks of a process and its living descendants, in bytes.
pub(crate) fn peak_tree(pid: u32) -> u64 {
    tree(pid).unwrap_or_default().into_iter().filter_map(peak).sum()
}

fn peak(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// What the files of a folder take of the disk, in bytes.
pub(crate) fn disk_bytes(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // A server at work removes files too.
        let Ok(about) = entry.metadata() else { continue };
        sum += if about.is_dir() {
            disk_bytes(&entry.path()).unwrap_or_default()
        } else {
            about.blocks() * 512
        };
    }
    Ok(sum)
}

struct Stat {
    parent: u32,
    cpu: Duration,
}

/// Of `proc_pid_stat(5)`: the fields after the name, which may itself hold spaces and brackets.
fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after) = text.rsplit_once(')')?;
    let fields: Vec<&str> = after.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u32>().ok();
    let cpu = TICK.checked_mul(number(11)?.checked_add(number(12)?)?)?;
    Some(Stat {
        parent: number(1)?,
        cpu,
    })
}

fn tree(root: u32) -> Result<Vec<u32>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(stat) = stat(pid) {
            children.entry(stat.parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut at = 0;
    while let Some(pid) = found.get(at).copied() {
        found.extend(children.remove(&pid).unwrap_or_default());
        at += 1;
    }
    Ok(found)
}
