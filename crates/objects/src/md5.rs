//! MD5 (RFC 1321), of one stream or of several at once.
//!
//! S3's entity tags are MD5, and MD5 is one long chain of dependent steps: a core is mostly idle in it.
//! [`update_all`] takes the steps of up to [`LANES`] streams together in vector registers, which hashes
//! several streams in little more than the time of one.
//!
//! Invariant: how a stream is cut into pieces, and what is hashed beside it, does not change its digest.
//!
//! Deliberately absent: any use as a secure hash; MD5 is not one.

use bytes::Bytes;
use wide::u32x8;

/// How many streams are hashed at once.
pub(crate) const LANES: usize = 8;

/// With fewer streams than this, one after another is faster: with the registers that every x86-64 has, 8 lanes take
/// 3.7 times as long as one stream.
pub(crate) const LANES_WORTH: usize = 4;

const BLOCK: usize = 64;
type Block = [u8; BLOCK];
type State = [u32; 4];

/// The digest of a stream so far.
#[derive(Clone)]
pub(crate) struct Md5 {
    state: State,
    /// The last bytes, which are not a whole block yet.
    tail: Vec<u8>,
    /// Bytes so far.
    len: u64,
}

impl Default for Md5 {
    fn default() -> Self {
        Self {
            state: [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476],
            tail: Vec::with_capacity(BLOCK),
            len: 0,
        }
    }
}

impl Md5 {
    /// The digest of `data`.
    #[cfg(test)]
    pub(crate) fn of(data: &[u8]) -> [u8; 16] {
        let mut md5 = Self::default();
        md5.update(data);
        md5.finish()
    }

    /// Appends bytes.
    pub(crate) fn update(&mut self, data: &[u8]) {
        let blocks = self.begin(data);
        ::md5::block_api::compress(&mut self.state, blocks);
    }

    /// Takes in `data` but for the whole blocks that it returns, which must be compressed next.
    fn begin<'a>(&mut self, mut data: &'a [u8]) -> &'a [Block] {
        self.len = self.len.wrapping_add(data.len() as u64);
        if !self.tail.is_empty() {
            let missing = BLOCK.saturating_sub(self.tail.len()).min(data.len());
            let (head, rest) = data.split_at_checked(missing).unwrap_or((data, &[]));
            self.tail.extend_from_slice(head);
            data = rest;
            if let Ok(block) = Block::try_from(self.tail.as_slice()) {
                ::md5::block_api::compress(&mut self.state, &[block]);
                self.tail.clear();
            }
        }
        let (blocks, rest) = data.as_chunks::<BLOCK>();
        self.tail.extend_from_slice(rest);
        blocks
    }

    /// The digest of all the bytes.
    #[must_use]
    pub(crate) fn finish(mut self) -> [u8; 16] {
        let bits = self.len.wrapping_mul(8).to_le_bytes();
        self.tail.push(0x80);
        let whole = if self.tail.len() > BLOCK - bits.len() {
            2 * BLOCK
        } else {
            BLOCK
        };
        self.tail.resize(whole - bits.len(), 0);
        self.tail.extend_from_slice(&bits);
        ::md5::block_api::compress(&mut self.state, self.tail.as_chunks::<BLOCK>().0);
        let mut out = [0; 16];
        for (to, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(self.state) {
            *to = word.to_le_bytes();
        }
        out
    }
}

/// A stream and what is appended to it.
pub(crate) struct Append<'a> {
    /// The stream.
    pub(crate) md5: &'a mut Md5,
    /// What comes next, in order.
    pub(crate) pieces: &'a [Bytes],
}

/// An [`Append`] under way.
struct Lane<'a> {
    md5: &'a mut Md5,
    pieces: std::slice::Iter<'a, Bytes>,
    blocks: &'a [Block],
}

impl Lane<'_> {
    /// Whether there are blocks to compress.
    fn ready(&mut self) -> bool {
        while self.blocks.is_empty() {
            let Some(piece) = self.pieces.next() else {
                return false;
            };
            self.blocks = self.md5.begin(piece);
        }
        true
    }
}

/// Appends to several streams at once.
pub(crate) fn update_all<'a>(appends: impl IntoIterator<Item = Append<'a>>) {
    let mut waiting = appends.into_iter();
    let mut lanes: Vec<Lane<'a>> = Vec::with_capacity(LANES);
    loop {
        lanes.retain_mut(Lane::ready);
        while lanes.len() < LANES {
            let Some(Append { md5, pieces }) = waiting.next() else {
                break;
            };
            let mut lane = Lane {
                md5,
                pieces: pieces.iter(),
                blocks: &[],
            };
            if lane.ready() {
                lanes.push(lane);
            }
        }
        if lanes.len() < LANES_WORTH {
            break;
        }
        step(&mut lanes);
    }
    for mut lane in lanes {
        while lane.ready() {
            let blocks = std::mem::take(&mut lane.blocks);
            ::md5::block_api::compress(&mut lane.md5.state, blocks);
        }
    }
}

/// Compresses as many blocks of each lane as all of them have.
fn step(lanes: &mut [Lane<'_>]) {
    let steps = lanes.iter().map(|l| l.blocks.len()).min().unwrap_or(0);
    let mut states = [[0u32; LANES]; 4];
    // Lanes that nobody uses repeat the first one's blocks; their states are thrown away.
    let first = lanes.first().map_or(&[][..], |l| l.blocks);
    let mut runs = [first; LANES];
    for (n, (run, lane)) in runs.iter_mut().zip(lanes.iter_mut()).enumerate() {
        let (now, later) = lane.blocks.split_at_checked(steps).unwrap_or((lane.blocks, &[]));
        *run = now;
        lane.blocks = later;
        for (word, row) in lane.md5.state.iter().zip(&mut states) {
            if let Some(at) = row.get_mut(n) {
                *at = *word;
            }
        }
    }
    let mut state = states.map(u32x8::new);
    let mut runs = runs.map(<[Block]>::iter);
    for _ in 0..steps {
        let blocks = runs.each_mut().map(|run| run.next().unwrap_or(&[0; BLOCK]));
        compress(&mut state, blocks);
    }
    let states = state.map(u32x8::to_array);
    for (n, lane) in lanes.iter_mut().enumerate() {
        for (word, row) in lane.md5.state.iter_mut().zip(&states) {
            if let Some(new) = row.get(n) {
                *word = *new;
            }
        }
    }
}

/// The words of eight blocks: word by word, a lane for each block.
fn words(blocks: [&Block; LANES]) -> [u32x8; 16] {
    let half = |block: &Block, from: usize| -> u32x8 {
        let mut out = [0u32; LANES];
        let bytes = block.as_chunks::<4>().0.iter().skip(from);
        for (word, bytes) in out.iter_mut().zip(bytes) {
            *word = u32::from_le_bytes(*bytes);
        }
        u32x8::new(out)
    };
    let low = u32x8::transpose(blocks.map(|b| half(b, 0)));
    let high = u32x8::transpose(blocks.map(|b| half(b, 8)));
    let mut out = [u32x8::ZERO; 16];
    for (to, from) in out.iter_mut().zip(low.into_iter().chain(high)) {
        *to = from;
    }
    out
}

/// One block of each lane: RFC 1321, section 3.4, with its names.
fn compress(state: &mut [u32x8; 4], blocks: [&Block; LANES]) {
    let x = words(blocks);
    let mut now = *state;
    round1(&mut now, &x);
    round2(&mut now, &x);
    round3(&mut now, &x);
    round4(&mut now, &x);
    for (word, add) in state.iter_mut().zip(now) {
        *word += add;
    }
}

/// A round: its function, its four rotations, and for each four steps their words and constants.
macro_rules! round {
    ($name:ident, $f:ident, [$s0:literal, $s1:literal, $s2:literal, $s3:literal],
     $([$k0:literal $k1:literal $k2:literal $k3:literal] [$t0:literal $t1:literal $t2:literal $t3:literal])*) => {
        #[inline(always)]
        fn $name(state: &mut [u32x8; 4], x: &[u32x8; 16]) {
            let [mut a, mut b, mut c, mut d] = *state;
            $(
                a = b + rotate::<$s0>(a + $f(b, c, d) + x[$k0] + u32x8::splat($t0));
                d = a + rotate::<$s1>(d + $f(a, b, c) + x[$k1] + u32x8::splat($t1));
                c = d + rotate::<$s2>(c + $f(d, a, b) + x[$k2] + u32x8::splat($t2));
                b = c + rotate::<$s3>(b + $f(c, d, a) + x[$k3] + u32x8::splat($t3));
            )*
            *state = [a, b, c, d];
        }
    };
}

round! { round1, f, [7, 12, 17, 22],
    [0 1 2 3] [0xd76a_a478 0xe8c7_b756 0x2420_70db 0xc1bd_ceee]
    [4 5 6 7] [0xf57c_0faf 0x4787_c62a 0xa830_4613 0xfd46_9501]
    [8 9 10 11] [0x6980_98d8 0x8b44_f7af 0xffff_5bb1 0x895c_d7be]
    [12 13 14 15] [0x6b90_1122 0xfd98_7193 0xa679_438e 0x49b4_0821]
}

round! { round2, g, [5, 9, 14, 20],
    [1 6 11 0] [0xf61e_2562 0xc040_b340 0x265e_5a51 0xe9b6_c7aa]
    [5 10 15 4] [0xd62f_105d 0x0244_1453 0xd8a1_e681 0xe7d3_fbc8]
    [9 14 3 8] [0x21e1_cde6 0xc337_07d6 0xf4d5_0d87 0x455a_14ed]
    [13 2 7 12] [0xa9e3_e905 0xfcef_a3f8 0x676f_02d9 0x8d2a_4c8a]
}

round! { round3, h, [4, 11, 16, 23],
    [5 8 11 14] [0xfffa_3942 0x8771_f681 0x6d9d_6122 0xfde5_380c]
    [1 4 7 10] [0xa4be_ea44 0x4bde_cfa9 0xf6bb_4b60 0xbebf_bc70]
    [13 0 3 6] [0x289b_7ec6 0xeaa1_27fa 0xd4ef_3085 0x0488_1d05]
    [9 12 15 2] [0xd9d4_d039 0xe6db_99e5 0x1fa2_7cf8 0xc4ac_5665]
}

round! { round4, i, [6, 10, 15, 21],
    [0 7 14 5] [0xf429_2244 0x432a_ff97 0xab94_23a7 0xfc93_a039]
    [12 3 10 1] [0x655b_59c3 0x8f0c_cc92 0xffef_f47d 0x8584_5dd1]
    [8 15 6 13] [0x6fa8_7e4f 0xfe2c_e6e0 0xa301_4314 0x4e08_11a1]
    [4 11 2 9] [0xf753_7e82 0xbd3a_f235 0x2ad7_d2bb 0xeb86_d391]
}

#[inline(always)]
fn rotate<const N: u32>(x: u32x8) -> u32x8 {
    (x << N) | (x >> (32 - N))
}

#[inline(always)]
fn f(x: u32x8, y: u32x8, z: u32x8) -> u32x8 {
    z ^ (x & (y ^ z))
}

#[inline(always)]
fn g(x: u32x8, y: u32x8, z: u32x8) -> u32x8 {
    y ^ (z & (x ^ y))
}

#[inline(always)]
fn h(x: u32x8, y: u32x8, z: u32x8) -> u32x8 {
    x ^ y ^ z
}

#[inline(always)]
fn i(x: u32x8, y: u32x8, z: u32x8) -> u32x8 {
    y ^ (x | !z)
}

#[cfg(test)]
mod tests;
