//! Manifests: what a graph is, as of a commit. Two of them: the facts, and the names that facts are made of.
//!
//! Beside the facts the first keeps pinned snapshots, what interrupted loads have, and live programs ([`kept`](Pin)).
//!
//! A *level* is one run of a relation in one order, made by one commit; a later level's tuples come after an earlier's, and may
//! remove them. The byte map is in `docs/formats.md`, section "Graphs". Invariants:
//! - GM-1: a run that a manifest names has its entry, made in the same commit or an earlier one;
//! - GM-2: the generations of a table's levels ascend, and a level that was merged takes the newest of its inputs';
//! - GM-3: names are only added: an id that was given out stands for the same for ever;
//! - GM-4: a pinned snapshot's runs, and an unfinished load's, have their entries as those of the levels do.
//!
//! Deliberately absent: how runs are read, when levels are merged.

use craton_base::{Error, Result};
use prost::Message;

use crate::{
    Id, Order, Relation, Shape, Table,
    blobs::{GraphBlobs, RunId},
    dictionary::hashing::Hashing,
    run::{Run, Segment, SegmentInfo},
};

mod kept;

pub use kept::{Live, Pin, Unfinished, check_name};
use kept::{LiveRecord, PinRecord, UnfinishedRecord};

/// The version of both manifests.
const FORMAT: u32 = 1;

/// One run of a relation.
#[derive(Clone)]
pub struct Level {
    /// Which tuples: all of a table, or those with one head.
    pub relation: Relation,
    /// The order that they are kept in.
    pub order: Order,
    /// Which commit's, counted by the manifest.
    pub generation: u64,
    /// Whether its tuples are removed.
    pub removes: bool,
    /// The tuples.
    pub run: Run,
}

/// The texts of symbols with consecutive numbers: one blob.
#[derive(Clone)]
pub struct TextRun {
    /// The number of the first.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// Where in the blob the index begins.
    pub index_at: u64,
    /// The blob.
    pub blob: std::sync::Arc<dyn crate::BlobRead>,
}

/// How many expressions of a width there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counter {
    /// Their table.
    pub table: Table,
    /// The serial that the next one gets.
    pub next: u64,
}

/// The facts of a graph.
#[derive(Clone, Default)]
pub struct FactsManifest {
    /// The generation that the next commit's levels get.
    pub next_generation: u64,
    /// The levels, by relation and order, the oldest first.
    pub levels: Vec<Level>,
    /// Snapshots that are kept.
    pub pins: Vec<Pin>,
    /// What loads have read that are not at their end.
    pub unfinished: Vec<Unfinished>,
    /// Rules whose facts are kept up to date.
    pub live: Vec<Live>,
    /// The commit whose facts these are again ([`crate::past`]), until they change; 0: of none.
    pub brought_back: u64,
}

/// The names of a graph.
#[derive(Clone, Default)]
pub struct NamesManifest {
    /// The number that the next symbol gets.
    pub next_symbol: u64,
    /// Expressions by width.
    pub counters: Vec<Counter>,
    /// From the hash of a name to its id, the oldest first: runs of three columns.
    pub index: Vec<Run>,
    /// Symbols' texts, by number.
    pub texts: Vec<TextRun>,
    /// The tables of expressions; all levels add.
    pub expressions: Vec<Level>,
    /// How names are hashed for the index.
    pub hashing: Hashing,
}

#[derive(Clone, PartialEq, Message)]
struct FactsRecord {
    #[prost(uint32, tag = "1")]
    format: u32,
    #[prost(uint64, tag = "2")]
    next_generation: u64,
    #[prost(message, repeated, tag = "3")]
    levels: Vec<LevelRecord>,
    #[prost(message, repeated, tag = "4")]
    pins: Vec<PinRecord>,
    #[prost(message, repeated, tag = "5")]
    unfinished: Vec<UnfinishedRecord>,
    #[prost(message, repeated, tag = "6")]
    live: Vec<LiveRecord>,
    #[prost(uint64, tag = "7")]
    brought_back: u64,
}

#[derive(Clone, PartialEq, Message)]
struct NamesRecord {
    #[prost(uint32, tag = "1")]
    format: u32,
    #[prost(uint64, tag = "2")]
    next_symbol: u64,
    #[prost(message, repeated, tag = "3")]
    counters: Vec<CounterRecord>,
    #[prost(message, repeated, tag = "4")]
    index: Vec<LevelRecord>,
    #[prost(message, repeated, tag = "5")]
    texts: Vec<TextRecord>,
    #[prost(message, repeated, tag = "6")]
    expressions: Vec<LevelRecord>,
    /// The two words of the key that names are hashed under; without them it is SHA-256.
    #[prost(fixed64, repeated, tag = "7")]
    hash_key: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
struct LevelRecord {
    #[prost(uint32, tag = "1")]
    shape: u32,
    #[prost(bool, tag = "2")]
    open: bool,
    #[prost(uint32, tag = "3")]
    items: u32,
    #[prost(fixed64, optional, tag = "4")]
    head: Option<u64>,
    #[prost(uint32, repeated, tag = "5")]
    order: Vec<u32>,
    #[prost(uint64, tag = "6")]
    generation: u64,
    #[prost(bool, tag = "7")]
    removes: bool,
    #[prost(message, repeated, tag = "8")]
    segments: Vec<SegmentRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct SegmentRecord {
    #[prost(bytes = "vec", tag = "1")]
    run: Vec<u8>,
    #[prost(uint64, tag = "2")]
    rows: u64,
    #[prost(uint64, tag = "3")]
    bytes: u64,
    #[prost(uint64, tag = "4")]
    index_at: u64,
    #[prost(fixed64, repeated, tag = "5")]
    first: Vec<u64>,
    #[prost(fixed64, repeated, tag = "6")]
    last: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
struct CounterRecord {
    #[prost(uint32, tag = "1")]
    items: u32,
    #[prost(bool, tag = "2")]
    open: bool,
    #[prost(uint64, tag = "3")]
    next: u64,
}

#[derive(Clone, PartialEq, Message)]
struct TextRecord {
    #[prost(bytes = "vec", tag = "1")]
    run: Vec<u8>,
    #[prost(uint64, tag = "2")]
    first: u64,
    #[prost(uint64, tag = "3")]
    count: u64,
    #[prost(uint64, tag = "4")]
    bytes: u64,
    #[prost(uint64, tag = "5")]
    index_at: u64,
}

impl FactsManifest {
    /// As bytes.
    ///
    /// # Errors
    /// `Internal` if a run is not in the store.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let record = FactsRecord {
            format: FORMAT,
            next_generation: self.next_generation,
            levels: self.levels.iter().map(Level::to_record).collect::<Result<_>>()?,
            pins: self.pins.iter().map(Pin::to_record).collect::<Result<_>>()?,
            unfinished: self
                .unfinished
                .iter()
                .map(Unfinished::to_record)
                .collect::<Result<_>>()?,
            live: self.live.iter().map(Live::to_record).collect(),
            brought_back: self.brought_back,
        };
        Ok(record.encode_to_vec())
    }

    /// From bytes; runs are opened through `blobs`.
    ///
    /// # Errors
    /// `Corrupt` if they are no manifest.
    pub fn decode(bytes: &[u8], blobs: &GraphBlobs) -> Result<Self> {
        let record = FactsRecord::decode(bytes).map_err(damaged)?;
        check_format(record.format)?;
        let levels = record.levels.into_iter().map(|l| Level::from_record(l, blobs));
        let pins = record.pins.into_iter().map(|p| Pin::from_record(p, blobs));
        let unfinished = record
            .unfinished
            .into_iter()
            .map(|u| Unfinished::from_record(u, blobs));
        Ok(Self {
            next_generation: record.next_generation,
            levels: levels.collect::<Result<_>>()?,
            pins: pins.collect::<Result<_>>()?,
            unfinished: unfinished.collect::<Result<_>>()?,
            live: record.live.into_iter().map(Live::from_record).collect(),
            brought_back: record.brought_back,
        })
    }

    /// Every run that it names; one that is both in a level and pinned comes twice.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &Run> {
        let pinned = self.pins.iter().flat_map(|pin| &pin.levels);
        let unfinished = self.unfinished.iter().flat_map(|load| &load.levels);
        let levels = self.levels.iter().chain(pinned).chain(unfinished);
        levels.map(|level| &level.run)
    }
}

impl NamesManifest {
    /// As bytes.
    ///
    /// # Errors
    /// `Internal` if a run is not in the store.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let counter = |c: &Counter| CounterRecord {
            items: u32::try_from(c.table.items).unwrap_or(u32::MAX),
            open: c.table.open,
            next: c.next,
        };
        let record = NamesRecord {
            format: FORMAT,
            next_symbol: self.next_symbol,
            counters: self.counters.iter().map(counter).collect(),
            index: self
                .index
                .iter()
                .map(|run| index_level(run.clone()).to_record())
                .collect::<Result<_>>()?,
            texts: self.texts.iter().map(TextRun::to_record).collect::<Result<_>>()?,
            expressions: self
                .expressions
                .iter()
                .map(Level::to_record)
                .collect::<Result<_>>()?,
            hash_key: match self.hashing {
                Hashing::Sha256 => Vec::new(),
                Hashing::Keyed(key) => key.to_vec(),
            },
        };
        Ok(record.encode_to_vec())
    }

    /// From bytes; runs are opened through `blobs`.
    ///
    /// # Errors
    /// `Corrupt` if they are no manifest.
    pub fn decode(bytes: &[u8], blobs: &GraphBlobs) -> Result<Self> {
        let record = NamesRecord::decode(bytes).map_err(damaged)?;
        check_format(record.format)?;
        let level = |l| Level::from_record(l, blobs);
        let index: Vec<Level> = record.index.into_iter().map(level).collect::<Result<_>>()?;
        let counter = |c: CounterRecord| Counter {
            table: Table::expressions(c.items as usize, c.open),
            next: c.next,
        };
        let text = |t| TextRun::from_record(t, blobs);
        Ok(Self {
            next_symbol: record.next_symbol,
            counters: record.counters.into_iter().map(counter).collect(),
            index: index.into_iter().map(|l| l.run).collect(),
            texts: record.texts.into_iter().map(text).collect::<Result<_>>()?,
            expressions: record.expressions.into_iter().map(level).collect::<Result<_>>()?,
            hashing: match *record.hash_key.as_slice() {
                [] => Hashing::Sha256,
                [first, second] => Hashing::Keyed([first, second]),
                _ => {
                    return Err(Error::corrupt(
                        "the key of a graph's hashes does not have two words",
                    ));
                }
            },
        })
    }

    /// Takes the next serial of expressions of `table`.
    pub fn next_serial(&mut self, table: Table) -> u64 {
        if let Some(counter) = self.counters.iter_mut().find(|c| c.table == table) {
            let serial = counter.next;
            counter.next = serial.saturating_add(1);
            return serial;
        }
        self.counters.push(Counter { table, next: 1 });
        0
    }
}

/// The index of names has the form of a level of its own kind.
fn index_level(run: Run) -> Level {
    Level {
        relation: Relation::whole(Table::facts(3)),
        order: Order::natural(3),
        generation: 0,
        removes: false,
        run,
    }
}

impl Level {
    fn to_record(&self) -> Result<LevelRecord> {
        let table = self.relation.table;
        Ok(LevelRecord {
            shape: match table.shape {
                Shape::Atom => 1,
                Shape::Fact => 2,
                Shape::Expression => 3,
            },
            open: table.open,
            items: u32::try_from(table.items).unwrap_or(u32::MAX),
            head: self.relation.head.map(|h| h.0),
            order: self.order.columns().iter().copied().map(u32::from).collect(),
            generation: self.generation,
            removes: self.removes,
            segments: self
                .run
                .segments()
                .iter()
                .map(|s| segment_record(s))
                .collect::<Result<_>>()?,
        })
    }

    fn from_record(record: LevelRecord, blobs: &GraphBlobs) -> Result<Self> {
        let shape = match record.shape {
            1 => Shape::Atom,
            2 => Shape::Fact,
            3 => Shape::Expression,
            _ => return Err(Error::corrupt("a graph's manifest names a table of no kind")),
        };
        let relation = Relation {
            table: Table {
                shape,
                open: record.open,
                items: record.items as usize,
            },
            head: record.head.map(Id),
        };
        let columns = record
            .order
            .iter()
            .filter_map(|c| u16::try_from(*c).ok())
            .collect();
        let order = Order::new(columns)?;
        let width = relation.width();
        if order.width() != width {
            return Err(Error::corrupt(
                "a graph's manifest names an order of other columns",
            ));
        }
        let segments = record.segments.into_iter().map(|s| segment(s, width, blobs));
        Ok(Self {
            relation,
            order,
            generation: record.generation,
            removes: record.removes,
            run: Run::new(width, segments.collect::<Result<_>>()?),
        })
    }
}

impl TextRun {
    fn to_record(&self) -> Result<TextRecord> {
        Ok(TextRecord {
            run: id_of(&*self.blob)?.to_vec(),
            first: self.first,
            count: self.count,
            bytes: self.blob.len(),
            index_at: self.index_at,
        })
    }

    fn from_record(record: TextRecord, blobs: &GraphBlobs) -> Result<Self> {
        Ok(Self {
            first: record.first,
            count: record.count,
            index_at: record.index_at,
            blob: blobs.open(run_id(&record.run)?, record.bytes),
        })
    }
}

fn segment_record(segment: &Segment) -> Result<SegmentRecord> {
    let info = segment.info();
    Ok(SegmentRecord {
        run: id_of(&**segment.blob())?.to_vec(),
        rows: info.rows,
        bytes: info.bytes,
        index_at: info.index_at,
        first: info.first.clone(),
        last: info.last.clone(),
    })
}

fn segment(record: SegmentRecord, width: usize, blobs: &GraphBlobs) -> Result<std::sync::Arc<Segment>> {
    if record.first.len() != width || record.last.len() != width {
        return Err(Error::corrupt("a graph's manifest names a run of another width"));
    }
    let blob = blobs.open(run_id(&record.run)?, record.bytes);
    let info = SegmentInfo {
        width,
        rows: record.rows,
        bytes: record.bytes,
        index_at: record.index_at,
        first: record.first,
        last: record.last,
    };
    Ok(Segment::new(info, blob))
}

fn id_of(blob: &dyn crate::BlobRead) -> Result<RunId> {
    blob.reference()
        .map(|r| r.id)
        .ok_or_else(|| Error::internal("a run that is not in the store can not be committed"))
}

fn run_id(bytes: &[u8]) -> Result<RunId> {
    RunId::try_from(bytes).map_err(|_| Error::corrupt("a run's id is not 16 bytes"))
}

fn check_format(format: u32) -> Result<()> {
    if format == FORMAT {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "a graph's manifest has the format {format}, which this version does not read"
    )))
}

fn damaged(error: prost::DecodeError) -> Error {
    Error::corrupt("a graph's manifest does not parse").with_source(error)
}
