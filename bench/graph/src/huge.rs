//! Facts larger than memory: made as they are loaded, so that no text is stored; then a two-hop whose result fits the disk; beside what
//! the disk itself can write and read.

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
    time::Instant,
};

use craton_base::Result;
use tokio::runtime::Builder;

use crate::{
    craton::open,
    measure::{Start, peak_mib},
};

/// One of so many vertices is where the two-hop begins.
const SELECTED: u64 = 4096;
/// The disk is measured with so many MiB.
const DISK_MIB: usize = 2048;

/// Edges as text, as they are read: uniform, the same each time.
struct Edges {
    left: u64,
    vertices: u64,
    state: u64,
    text: Vec<u8>,
    at: usize,
    made: u64,
}

impl Edges {
    fn new(bytes: u64) -> Self {
        // About three edges a vertex, as long as a line of them is.
        Self {
            left: bytes,
            vertices: bytes / 21 / 3 + 1,
            state: 0x9E37_79B9_7F4A_7C15,
            text: Vec::new(),
            at: 0,
            made: 0,
        }
    }

    fn random(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    fn fill(&mut self) {
        self.text.clear();
        self.at = 0;
        while self.text.len() < 1 << 20 && (self.text.len() as u64) < self.left {
            let (a, b) = (self.random() % self.vertices, self.random() % self.vertices);
            // Writing to a vector does not fail.
            let _ = match a % SELECTED {
                0 => writeln!(self.text, "(edge {a} {b})\n(start {a})"),
                _ => writeln!(self.text, "(edge {a} {b})"),
            };
        }
        self.left = self.left.saturating_sub(self.text.len() as u64);
        self.made += self.text.len() as u64;
    }
}

impl Read for Edges {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.at >= self.text.len() {
            if self.left == 0 {
                return Ok(0);
            }
            self.fill();
        }
        let count = out.len().min(self.text.len() - self.at);
        out[..count].copy_from_slice(&self.text[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// MB/s of the disk itself: written and flushed, then read.
fn disk(folder: &Path) -> Result<(f64, f64)> {
    let file = folder.join("disk-itself");
    let block = vec![0xA5u8; 1 << 20];
    let start = Instant::now();
    let mut out = File::create(&file)?;
    for _ in 0..DISK_MIB {
        out.write_all(&block)?;
    }
    out.sync_all()?;
    let written = start.elapsed().as_secs_f64();
    // Not from the page cache, where the machine lets us.
    let _ = std::fs::write("/proc/sys/vm/drop_caches", "1");
    let start = Instant::now();
    let (mut input, mut buffer) = (File::open(&file)?, block);
    while input.read(&mut buffer)? > 0 {}
    let read = start.elapsed().as_secs_f64();
    std::fs::remove_file(&file)?;
    let megabytes = DISK_MIB as f64 * 1.048_576;
    Ok((megabytes / written, megabytes / read))
}

pub(crate) fn run(folder: &Path, gigabytes: u64, memory: u64) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let (write, read) = disk(folder)?;
    println!("the disk itself: {write:.0} MB/s written and flushed, {read:.0} MB/s read");
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let _in_runtime = runtime.enter();
    let server = open(folder, memory, &runtime)?;
    println!("| step | wall s | CPU s | facts | MB of text | MB/s | MB stored | peak MiB |");
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    let start = Start::now();
    let mut edges = Edges::new(gigabytes * 1_000_000_000);
    let (facts, bytes) = server.load(&mut edges, &runtime)?;
    let (wall, cpu) = start.elapsed();
    let text = edges.made as f64 / 1e6;
    println!(
        "| load | {wall:.0} | {cpu:.0} | {facts} | {text:.0} | {:.0} | {:.0} | {:.0} |",
        text / wall,
        bytes as f64 / 1e6,
        peak_mib()
    );
    let start = Start::now();
    let program = "(exec 0 (, (start $x) (edge $x $y) (edge $y $z)) (, (two $x $z)))";
    let added = server.program(program, &runtime)?;
    let (wall, cpu) = start.elapsed();
    // It goes through the stored edges twice.
    let read = 2.0 * bytes as f64 / 1e6;
    println!(
        "| two-hop from 1 in {SELECTED} | {wall:.0} | {cpu:.0} | {added} | | {:.0} | {read:.0} read | {:.0} |",
        read / wall,
        peak_mib()
    );
    Ok(())
}
