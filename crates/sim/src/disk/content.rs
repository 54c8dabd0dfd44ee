//! One file: what the cache holds, what the platter holds, and what lies between.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicBool},
};

use parking_lot::Mutex;

use crate::random::SplitMix;

/// The unit that is lost or kept as a whole, in bytes.
pub const SECTOR: usize = 512;

/// How many of the writes to one sector since the last flush may be what a power cut leaves.
pub const IMAGES_MAX: usize = 8;

const PAGE: usize = 4096;

type Page = Arc<[u8; PAGE]>;

/// The bytes of a file in shared pages, so that a copy costs a pointer for each 4 KiB.
/// An absent page is zeros; so is everything beyond `len`.
#[derive(Clone, Default)]
struct Content {
    pages: Vec<Option<Page>>,
    len: u64,
}

/// Where a run of bytes lies: the page and the range in it.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> {
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let end = offset.saturating_add(len);
    let mut at = offset;
    std::iter::from_fn(move || {
        (at < end).then(|| {
            let (page, from) = (at / PAGE, at % PAGE);
            let until = PAGE.min(from + (end - at));
            at += until - from;
            (page, from..until)
        })
    })
}

impl Content {
    fn read(&self, offset: u64, mut out: &mut [u8]) {
        for (page, range) in pieces(offset, out.len()) {
            let (now, rest) = out.split_at_mut(range.len());
            match self
                .pages
                .get(page)
                .and_then(Option::as_ref)
                .and_then(|p| p.get(range))
            {
                Some(from) => now.copy_from_slice(from),
                None => now.fill(0),
            }
            out = rest;
        }
    }

    /// Puts bytes without a change of the length.
    fn put(&mut self, offset: u64, mut data: &[u8]) {
        for (page, range) in pieces(offset, data.len()) {
            let (now, rest) = data.split_at(range.len());
            if self.pages.len() <= page {
                self.pages.resize(page + 1, None);
            }
            if let Some(slot) = self.pages.get_mut(page)
                && let Some(to) =
                    Arc::make_mut(slot.get_or_insert_with(|| Arc::new([0; PAGE]))).get_mut(range)
            {
                to.copy_from_slice(now);
            }
            data = rest;
        }
    }

    fn set_len(&mut self, len: u64) {
        if len < self.len {
            let keep = usize::try_from(len).unwrap_or(usize::MAX);
            self.pages.truncate(keep.div_ceil(PAGE));
            let tail = keep % PAGE;
            if tail != 0
                && let Some(Some(page)) = self.pages.get_mut(keep / PAGE)
                && let Some(rest) = Arc::make_mut(page).get_mut(tail..)
            {
                rest.fill(0);
            }
        }
        self.len = len;
    }

    fn image(&self, sector: u64) -> Image {
        let mut out = Box::new([0; SECTOR]);
        self.read(sector * SECTOR as u64, out.as_mut_slice());
        out
    }
}

type Image = Box<[u8; SECTOR]>;

/// What was written to each sector, oldest first.
type Images = BTreeMap<u64, Vec<Image>>;

/// A file's bytes.
#[derive(Default)]
pub(super) struct Data {
    cache: Content,
    platter: Content,
    /// Written since the last flush; the next one flushes it.
    dirty: Images,
    lens: Vec<u64>,
    /// Written before a flush that failed; no flush flushes it any more.
    lost: Images,
    lost_lens: Vec<u64>,
}

/// A file without its name.
#[derive(Default)]
pub(super) struct Inode {
    pub(super) data: Mutex<Data>,
    pub(super) locked: AtomicBool,
    /// Whether others than the owner may read it.
    pub(super) public: AtomicBool,
}

impl Data {
    pub(super) fn len(&self) -> u64 {
        self.cache.len
    }

    /// False if the file ends before.
    pub(super) fn read(&self, offset: u64, out: &mut [u8]) -> bool {
        let inside = offset.saturating_add(out.len() as u64) <= self.cache.len;
        if inside {
            self.cache.read(offset, out);
        }
        inside
    }

    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let end = offset + data.len() as u64;
        self.cache.put(offset, data);
        if end > self.cache.len {
            self.cache.len = end;
            self.lens.push(end);
        }
        self.touch(offset / SECTOR as u64, end.div_ceil(SECTOR as u64));
    }

    pub(super) fn set_len(&mut self, len: u64) {
        let before = self.cache.len;
        self.cache.set_len(len);
        self.lens.push(len);
        if len < before {
            self.touch(len / SECTOR as u64, before.div_ceil(SECTOR as u64));
        }
    }

    /// Remembers what the cache holds in `[from, until)` as one more possible outcome.
    fn touch(&mut self, from: u64, until: u64) {
        for sector in from..until {
            let images = self.dirty.entry(sector).or_default();
            if images.len() >= IMAGES_MAX {
                images.remove(0);
            }
            images.push(self.cache.image(sector));
        }
    }

    pub(super) fn sync(&mut self) {
        for (sector, images) in std::mem::take(&mut self.dirty) {
            self.lost.remove(&sector);
            if let Some(image) = images.last() {
                self.platter.put(sector * SECTOR as u64, image.as_slice());
            }
        }
        if !self.lens.is_empty() {
            self.lens.clear();
            self.lost_lens.clear();
            self.platter.set_len(self.cache.len);
        }
    }

    pub(super) fn fail_sync(&mut self) {
        for (sector, mut images) in std::mem::take(&mut self.dirty) {
            self.lost.entry(sector).or_default().append(&mut images);
        }
        self.lost_lens.append(&mut self.lens);
    }

    /// False if there is no such bit.
    pub(super) fn flip(&mut self, bit: u64) -> bool {
        let (at, mask) = (bit / 8, 1u8 << (bit % 8));
        if at >= self.cache.len {
            return false;
        }
        for content in [&mut self.cache, &mut self.platter] {
            let mut byte = [0];
            content.read(at, &mut byte);
            content.put(at, &byte.map(|b| b ^ mask));
        }
        let (sector, within) = (at / SECTOR as u64, (at % SECTOR as u64) as usize);
        for images in [&mut self.dirty, &mut self.lost] {
            for image in images.get_mut(&sector).into_iter().flatten() {
                if let Some(byte) = image.get_mut(within) {
                    *byte ^= mask;
                }
            }
        }
        true
    }

    /// The file as a power cut leaves it.
    fn after_cut(&self, random: &mut SplitMix) -> Self {
        let mut out = self.platter.clone();
        let luck = Luck::draw(random);
        let lens: Vec<u64> = self.lost_lens.iter().chain(&self.lens).copied().collect();
        let len = luck.pick(random, &lens).copied().unwrap_or(self.platter.len);
        let mut images: BTreeMap<u64, Vec<&Image>> = BTreeMap::new();
        for (sector, more) in self.lost.iter().chain(&self.dirty) {
            images.entry(*sector).or_default().extend(more);
        }
        for (sector, images) in images {
            if let Some(image) = luck.pick(random, &images) {
                out.put(sector * SECTOR as u64, image.as_slice());
            }
        }
        // What lies beyond the length is not part of the file, whatever reached the platter.
        out.len = out.len.max(out.pages.len() as u64 * PAGE as u64);
        out.set_len(len);
        Self {
            cache: out.clone(),
            platter: out,
            ..Self::default()
        }
    }
}

impl Inode {
    /// The file as a power cut leaves it: a new one, so that old handles do not reach it.
    pub(super) fn after_cut(&self, random: &mut SplitMix) -> Self {
        Self {
            data: Mutex::new(self.data.lock().after_cut(random)),
            locked: AtomicBool::new(false),
            public: AtomicBool::new(self.public.load(std::sync::atomic::Ordering::SeqCst)),
        }
    }
}

/// How likely an unflushed thing is to have arrived. Drawn for each file and directory, because the
/// interesting outcomes are the lopsided ones: nothing arrived, all did, all but one.
#[derive(Clone, Copy)]
pub(super) struct Luck {
    percent: u64,
    latest: bool,
}

impl Luck {
    pub(super) fn draw(random: &mut SplitMix) -> Self {
        let percent = match random.below(6) {
            0 => 0,
            1 => 100,
            2 => 10,
            3 => 90,
            _ => 50,
        };
        Self {
            percent,
            latest: random.chance(60),
        }
    }

    pub(super) fn arrived(self, random: &mut SplitMix) -> bool {
        random.chance(self.percent)
    }

    /// One of `images`, or none: what the platter had.
    fn pick<'a, T>(self, random: &mut SplitMix, images: &'a [T]) -> Option<&'a T> {
        if !self.arrived(random) {
            return None;
        }
        if self.latest {
            return images.last();
        }
        let index = random.below(images.len() as u64);
        images.get(usize::try_from(index).unwrap_or(0))
    }
}
