//! Events by Kafka. Source: <https://kafka.apache.org/protocol> (`Metadata` v1, `Produce` v3, `SaslHandshake` v1,
//! `SaslAuthenticate` v0: the oldest that current brokers take) and the record batches of KIP-98.
//!
//! A message's partition is chosen by its subject, so that what happens to one object stays in order. All
//! replicas must have it (`acks=all`) before it counts as taken.

use std::collections::BTreeMap;

use craton_base::Result;

use super::{
    ANSWER_BYTES_MAX, Message,
    connection::Connection,
    unavailable,
    wire::{Reader, Writer},
};
use crate::target::Kafka;

const PRODUCE: (i16, i16) = (0, 3);
const METADATA: (i16, i16) = (3, 1);
const SASL_HANDSHAKE: (i16, i16) = (17, 1);
const SASL_AUTHENTICATE: (i16, i16) = (36, 0);

/// How long a broker may take to replicate, in milliseconds.
const REPLICATION_MILLIS_MAX: i32 = 5000;

/// The error of a partition whose leader is another.
const RETRIABLE: [i16; 3] = [5, 6, 7];

pub(super) struct Link {
    settings: Kafka,
    /// The address of each partition's leader, by partition; empty: to be asked.
    leaders: Vec<String>,
    connections: BTreeMap<String, Connection>,
    correlation: i32,
}

impl Link {
    pub(super) fn new(settings: &Kafka) -> Self {
        Self {
            settings: settings.clone(),
            leaders: Vec::new(),
            connections: BTreeMap::new(),
            correlation: 0,
        }
    }

    pub(super) async fn send(&mut self, messages: &[Message], taken: &mut usize) -> Result<()> {
        if self.leaders.is_empty() {
            self.leaders = self.find_leaders().await?;
        }
        // Runs of messages for one partition, so that those taken are always the first ones.
        let mut rest = messages;
        while let Some(first) = rest.first() {
            let partition = self.partition(&first.subject);
            let len = rest
                .iter()
                .take_while(|m| self.partition(&m.subject) == partition)
                .count();
            let (run, after) = rest.split_at(len);
            self.produce(partition, run).await?;
            *taken = taken.saturating_add(len);
            rest = after;
        }
        Ok(())
    }

    fn partition(&self, subject: &str) -> usize {
        let hash = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, subject.as_bytes());
        let count = self.leaders.len().max(1) as u64;
        usize::try_from(hash % count).unwrap_or_default()
    }

    async fn produce(&mut self, partition: usize, messages: &[Message]) -> Result<()> {
        let leader = self.leaders.get(partition).cloned().unwrap_or_default();
        let index = i32::try_from(partition).unwrap_or_default();
        let request = Writer::default()
            .i16(-1)
            .i16(-1)
            .i32(REPLICATION_MILLIS_MAX)
            .i32(1)
            .text(&self.settings.topic)
            .i32(1)
            .i32(index)
            .long_bytes(&batch(messages));
        let mut answer = self.call(&leader, PRODUCE, request).await?;
        let error = produced(&mut answer)?;
        if error == 0 {
            return Ok(());
        }
        if RETRIABLE.contains(&error) {
            self.leaders.clear();
        }
        Err(unavailable(format!("the broker refuses: error {error}")))
    }

    /// Who leads each partition, told by the first broker that answers.
    async fn find_leaders(&mut self) -> Result<Vec<String>> {
        let mut last = unavailable("there is no broker");
        for broker in self.settings.brokers.clone() {
            let request = Writer::default().i32(1).text(&self.settings.topic);
            match self.call(&broker, METADATA, request).await {
                Ok(mut answer) => return leaders(&mut answer),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn call(&mut self, broker: &str, api: (i16, i16), body: Writer) -> Result<Reader> {
        let mut connection = match self.connections.remove(broker) {
            Some(connection) => connection,
            None => self.open(broker).await?,
        };
        let answer = self.exchange(&mut connection, api, body).await?;
        self.connections.insert(broker.to_owned(), connection);
        Ok(answer)
    }

    async fn open(&mut self, broker: &str) -> Result<Connection> {
        let mut connection = Connection::open(broker, self.settings.tls).await?;
        let (Some(user), Some(password)) = (self.settings.user.clone(), self.settings.password.clone())
        else {
            return Ok(connection);
        };
        let handshake = Writer::default().text("PLAIN");
        let mut answer = self.exchange(&mut connection, SASL_HANDSHAKE, handshake).await?;
        if answer.i16()? != 0 {
            return Err(unavailable("the broker does not take SASL PLAIN"));
        }
        let secret = [b"\0", user.as_bytes(), b"\0", password.expose()].concat();
        let authenticate = Writer::default().long_bytes(&secret);
        let mut answer = self
            .exchange(&mut connection, SASL_AUTHENTICATE, authenticate)
            .await?;
        match answer.i16()? {
            0 => Ok(connection),
            _ => Err(unavailable("the broker refuses the user")),
        }
    }

    async fn exchange(
        &mut self,
        connection: &mut Connection,
        (api, version): (i16, i16),
        body: Writer,
    ) -> Result<Reader> {
        self.correlation = self.correlation.wrapping_add(1);
        let request = Writer::default()
            .i16(api)
            .i16(version)
            .i32(self.correlation)
            .text("craton")
            .bytes(&body.0);
        connection
            .write(&Writer::default().long_bytes(&request.0).0)
            .await?;
        let len = Reader::new(connection.read(4).await?).count_of_bytes()?;
        let mut answer = Reader::new(connection.read(len).await?);
        match answer.i32()? == self.correlation {
            true => Ok(answer),
            false => Err(unavailable("the broker answers another request")),
        }
    }
}

impl Reader {
    /// The length of an answer.
    fn count_of_bytes(&mut self) -> Result<usize> {
        usize::try_from(self.i32()?)
            .ok()
            .filter(|len| *len <= ANSWER_BYTES_MAX)
            .ok_or_else(|| unavailable("the broker's answer is too long"))
    }
}

/// The error of the one partition in an answer to `Produce`.
fn produced(answer: &mut Reader) -> Result<i16> {
    let _topics = answer.count()?;
    let _topic = answer.text()?;
    let _partitions = answer.count()?;
    let _partition = answer.i32()?;
    answer.i16()
}

/// The leader's address of each partition of the one topic in an answer to `Metadata`.
fn leaders(answer: &mut Reader) -> Result<Vec<String>> {
    let mut brokers = BTreeMap::new();
    for _ in 0..answer.count()? {
        let id = answer.i32()?;
        let (host, port) = (answer.text()?, answer.i32()?);
        let _rack = answer.text()?;
        brokers.insert(id, format!("{host}:{port}"));
    }
    let _controller = answer.i32()?;
    let _topics = answer.count()?;
    let error = answer.i16()?;
    if error != 0 {
        return Err(unavailable(format!(
            "the broker has no such topic: error {error}"
        )));
    }
    let _name = answer.text()?;
    let _internal = answer.u8()?;
    let mut out = BTreeMap::new();
    for _ in 0..answer.count()? {
        let _error = answer.i16()?;
        let (index, leader) = (answer.i32()?, answer.i32()?);
        // The replicas, all and those in sync.
        for _ in 0..2 {
            for _ in 0..answer.count()? {
                answer.i32()?;
            }
        }
        out.insert(index, leader);
    }
    // Partitions are numbered from 0 without gaps.
    let found: Option<Vec<String>> = out.values().map(|leader| brokers.get(leader).cloned()).collect();
    found
        .filter(|found| !found.is_empty())
        .ok_or_else(|| unavailable("a partition has no leader"))
}

/// A batch of records (magic 2), without compression or transactions.
fn batch(messages: &[Message]) -> Vec<u8> {
    let count = i32::try_from(messages.len()).unwrap_or(i32::MAX);
    let times = || messages.iter().map(|m| m.time_millis);
    let (first, last) = (
        times().min().unwrap_or_default(),
        times().max().unwrap_or_default(),
    );
    let mut after_crc = Writer::default()
        .i16(0)
        .i32(count.saturating_sub(1))
        .i64(first)
        .i64(last)
        .i64(-1)
        .i16(-1)
        .i32(-1)
        .i32(count);
    for (offset, message) in messages.iter().enumerate() {
        let record = record(i64::try_from(offset).unwrap_or_default(), first, message);
        after_crc = after_crc.varint(len(&record)).bytes(&record);
    }
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &after_crc.0);
    let after_length = Writer::default()
        .i32(-1)
        .u8(2)
        .u32(u32::try_from(crc).unwrap_or_default())
        .bytes(&after_crc.0);
    Writer::default().i64(0).long_bytes(&after_length.0).0
}

fn record(offset: i64, first: i64, message: &Message) -> Vec<u8> {
    Writer::default()
        .u8(0)
        .varint(message.time_millis.saturating_sub(first))
        .varint(offset)
        .varint(len(message.subject.as_bytes()))
        .bytes(message.subject.as_bytes())
        .varint(len(&message.body))
        .bytes(&message.body)
        .varint(0)
        .0
}

fn len(bytes: &[u8]) -> i64 {
    i64::try_from(bytes.len()).unwrap_or(i64::MAX)
}
