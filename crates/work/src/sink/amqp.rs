//! Events by AMQP 0-9-1, as RabbitMQ speaks it. Source: the AMQP 0-9-1 specification and its reference of methods
//! (`amqp0-9-1.extended.xml`); publisher confirms are RabbitMQ's extension.
//!
//! Messages are persistent and mandatory: one that the broker can hand to no queue comes back, and counts as not
//! taken. All are sent, then their confirms awaited.

use bytes::Bytes;
use craton_base::Result;

use super::{
    Message,
    connection::Connection,
    unavailable,
    wire::{Reader, Writer},
};
use crate::target::Amqp;

const HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";
const FRAME_END: u8 = 0xCE;
/// The longest frame that is asked for, in bytes.
const FRAME_BYTES_MAX: u32 = 128 << 10;
/// A frame's head and end.
const FRAME_EXTRA: usize = 8;
const CHANNEL: u16 = 1;

// Kinds of frames.
const METHOD: u8 = 1;
const CONTENT_HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;

// Methods: class and number.
const CONNECTION_START: (u16, u16) = (10, 10);
const CONNECTION_START_OK: (u16, u16) = (10, 11);
const CONNECTION_TUNE: (u16, u16) = (10, 30);
const CONNECTION_TUNE_OK: (u16, u16) = (10, 31);
const CONNECTION_OPEN: (u16, u16) = (10, 40);
const CONNECTION_OPEN_OK: (u16, u16) = (10, 41);
const CONNECTION_CLOSE: (u16, u16) = (10, 50);
const CHANNEL_OPEN: (u16, u16) = (20, 10);
const CHANNEL_OPEN_OK: (u16, u16) = (20, 11);
const CHANNEL_CLOSE: (u16, u16) = (20, 40);
const BASIC_PUBLISH: (u16, u16) = (60, 40);
const BASIC_RETURN: (u16, u16) = (60, 50);
const BASIC_ACK: (u16, u16) = (60, 80);
const BASIC_NACK: (u16, u16) = (60, 120);
const CONFIRM_SELECT: (u16, u16) = (85, 10);
const CONFIRM_SELECT_OK: (u16, u16) = (85, 11);

pub(super) struct Link {
    connection: Connection,
    exchange: String,
    routing_key: String,
    frame_bytes: usize,
    /// How many messages were sent on this channel: the tag of the last.
    sent: u64,
}

struct Method {
    id: (u16, u16),
    arguments: Reader,
}

impl Link {
    pub(super) async fn connect(settings: &Amqp) -> Result<Self> {
        let mut out = Self {
            connection: Connection::open(&settings.address, settings.tls).await?,
            exchange: settings.exchange.clone(),
            routing_key: settings.routing_key.clone(),
            frame_bytes: FRAME_BYTES_MAX as usize,
            sent: 0,
        };
        out.connection.write(HEADER).await?;
        out.expect(CONNECTION_START).await?;
        out.log_in(settings).await?;
        out.tune().await?;
        let open = Writer::default().short_text(&settings.vhost).short_text("").u8(0);
        out.call(0, CONNECTION_OPEN, open, CONNECTION_OPEN_OK).await?;
        let channel = Writer::default().short_text("");
        out.call(CHANNEL, CHANNEL_OPEN, channel, CHANNEL_OPEN_OK).await?;
        let confirm = Writer::default().u8(0);
        out.call(CHANNEL, CONFIRM_SELECT, confirm, CONFIRM_SELECT_OK)
            .await?;
        Ok(out)
    }

    async fn log_in(&mut self, settings: &Amqp) -> Result<()> {
        let user = settings.user.as_deref().unwrap_or("guest");
        let password = settings.password.as_ref().map_or(&b"guest"[..], |p| p.expose());
        let response = [b"\0", user.as_bytes(), b"\0", password].concat();
        let arguments = Writer::default()
            .u32(0)
            .short_text("PLAIN")
            .long_bytes(&response)
            .short_text("en_US");
        self.method(0, CONNECTION_START_OK, arguments).await
    }

    async fn tune(&mut self) -> Result<()> {
        let mut tune = self.expect(CONNECTION_TUNE).await?;
        let channels = tune.u16()?;
        let frame = match tune.u32()? {
            0 => FRAME_BYTES_MAX,
            most => most.min(FRAME_BYTES_MAX),
        };
        if frame < 4096 {
            return Err(unavailable("the broker's frames are too short"));
        }
        self.frame_bytes = frame as usize;
        // No heartbeats: every exchange has a time-out of its own.
        let arguments = Writer::default().u16(channels).u32(frame).u16(0);
        self.method(0, CONNECTION_TUNE_OK, arguments).await
    }

    pub(super) async fn send(&mut self, messages: &[Message], taken: &mut usize) -> Result<()> {
        let before = self.sent;
        let mut out = Vec::new();
        for message in messages {
            self.publish(&message.body, &mut out);
        }
        self.connection.write(&out).await?;
        self.sent = before.saturating_add(messages.len() as u64);
        let mut confirmed = before;
        while confirmed < self.sent {
            let mut method = self.receive().await?;
            match method.id {
                BASIC_ACK => {
                    confirmed = confirmed.max(method.arguments.u64()?);
                    let all = confirmed.min(self.sent).saturating_sub(before);
                    *taken = usize::try_from(all).unwrap_or(usize::MAX);
                }
                BASIC_NACK => return Err(unavailable("the broker refuses a message")),
                BASIC_RETURN => return Err(unavailable("the broker has no queue for the message")),
                _ => {}
            }
        }
        Ok(())
    }

    fn publish(&self, body: &Bytes, out: &mut Vec<u8>) {
        const MANDATORY: u8 = 1;
        let (class, number) = BASIC_PUBLISH;
        let publish = Writer::default()
            .u16(class)
            .u16(number)
            .u16(0)
            .short_text(&self.exchange)
            .short_text(&self.routing_key)
            .u8(MANDATORY);
        out.extend(frame(METHOD, CHANNEL, &publish.0));
        // The properties that follow: a content type and a delivery mode, which is 2: persistent.
        const PROPERTIES: u16 = 0x9000;
        let header = Writer::default()
            .u16(class)
            .u16(0)
            .u64(body.len() as u64)
            .u16(PROPERTIES)
            .short_text("application/json")
            .u8(2);
        out.extend(frame(CONTENT_HEADER, CHANNEL, &header.0));
        for piece in body.chunks(self.frame_bytes.saturating_sub(FRAME_EXTRA).max(1)) {
            out.extend(frame(BODY, CHANNEL, piece));
        }
    }

    async fn method(&mut self, channel: u16, id: (u16, u16), arguments: Writer) -> Result<()> {
        let payload = Writer::default().u16(id.0).u16(id.1).bytes(&arguments.0);
        self.connection.write(&frame(METHOD, channel, &payload.0)).await
    }

    async fn call(
        &mut self,
        channel: u16,
        id: (u16, u16),
        arguments: Writer,
        answer: (u16, u16),
    ) -> Result<()> {
        self.method(channel, id, arguments).await?;
        self.expect(answer).await.map(drop)
    }

    async fn expect(&mut self, id: (u16, u16)) -> Result<Reader> {
        let method = self.receive().await?;
        if method.id == id {
            return Ok(method.arguments);
        }
        Err(unavailable(format!(
            "the broker sends {:?}, not {id:?}",
            method.id
        )))
    }

    /// The next method. Content of messages that come back is passed over.
    async fn receive(&mut self) -> Result<Method> {
        loop {
            let mut head = Reader::new(self.connection.read(7).await?);
            let (kind, _, len) = (head.u8()?, head.u16()?, head.u32()?);
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            let mut frame = Reader::new(self.connection.read(len.saturating_add(1)).await?);
            let mut payload = Reader::new(frame.take(len)?);
            if frame.u8()? != FRAME_END {
                return Err(unavailable("the broker's frame has no end"));
            }
            match kind {
                METHOD => {
                    let id = (payload.u16()?, payload.u16()?);
                    if id == CONNECTION_CLOSE || id == CHANNEL_CLOSE {
                        let (code, text) = (payload.u16()?, payload.short_text()?);
                        return Err(unavailable(format!("the broker closes: {code} {text}")));
                    }
                    return Ok(Method {
                        id,
                        arguments: payload,
                    });
                }
                CONTENT_HEADER | BODY | HEARTBEAT => {}
                other => return Err(unavailable(format!("the broker sends a frame of kind {other}"))),
            }
        }
    }
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    Writer::default()
        .u8(kind)
        .u16(channel)
        .long_bytes(payload)
        .u8(FRAME_END)
        .0
}
