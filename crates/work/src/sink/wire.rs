//! Big-endian numbers and strings of binary protocols: written, and read without trust.

use bytes::{Buf as _, Bytes};
use craton_base::Result;

use super::unavailable;

/// What is to be sent.
#[derive(Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

/// What was received.
pub(super) struct Reader(Bytes);

impl Writer {
    pub(super) fn u8(mut self, n: u8) -> Self {
        self.0.push(n);
        self
    }

    pub(super) fn u16(mut self, n: u16) -> Self {
        self.0.extend_from_slice(&n.to_be_bytes());
        self
    }

    pub(super) fn u32(mut self, n: u32) -> Self {
        self.0.extend_from_slice(&n.to_be_bytes());
        self
    }

    pub(super) fn u64(mut self, n: u64) -> Self {
        self.0.extend_from_slice(&n.to_be_bytes());
        self
    }

    pub(super) fn i16(self, n: i16) -> Self {
        self.u16(n.cast_unsigned())
    }

    pub(super) fn i32(self, n: i32) -> Self {
        self.u32(n.cast_unsigned())
    }

    pub(super) fn i64(self, n: i64) -> Self {
        self.u64(n.cast_unsigned())
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// A string of at most 255 bytes with its length before it (AMQP `shortstr`). Longer ones are cut: settings are checked.
    pub(super) fn short_text(self, text: &str) -> Self {
        let text = text.get(..text.floor_char_boundary(255)).unwrap_or_default();
        self.u8(u8::try_from(text.len()).unwrap_or(u8::MAX))
            .bytes(text.as_bytes())
    }

    /// Bytes with a length of 32 bits before them.
    pub(super) fn long_bytes(self, bytes: &[u8]) -> Self {
        self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX))
            .bytes(bytes)
    }

    /// A string with a length of 16 bits before it (Kafka `STRING`).
    pub(super) fn text(self, text: &str) -> Self {
        let text = text.get(..text.floor_char_boundary(0x7fff)).unwrap_or_default();
        self.u16(u16::try_from(text.len()).unwrap_or_default())
            .bytes(text.as_bytes())
    }

    /// A number in zigzag, 7 bits in a byte, the lowest first (Kafka `VARINT` and `VARLONG`).
    pub(super) fn varint(mut self, n: i64) -> Self {
        let mut rest = (n.cast_unsigned() << 1) ^ (n >> 63).cast_unsigned();
        while rest >= 0x80 {
            self.0.push(u8::try_from(rest & 0x7f).unwrap_or_default() | 0x80);
            rest >>= 7;
        }
        self.0.push(u8::try_from(rest).unwrap_or_default());
        self
    }
}

impl Reader {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub(super) fn take(&mut self, len: usize) -> Result<Bytes> {
        if self.0.len() < len {
            return Err(short());
        }
        Ok(self.0.split_to(len))
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        self.0.try_get_u8().map_err(|_| short())
    }

    pub(super) fn u16(&mut self) -> Result<u16> {
        self.0.try_get_u16().map_err(|_| short())
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        self.0.try_get_u32().map_err(|_| short())
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        self.0.try_get_u64().map_err(|_| short())
    }

    pub(super) fn i16(&mut self) -> Result<i16> {
        self.u16().map(u16::cast_signed)
    }

    pub(super) fn i32(&mut self) -> Result<i32> {
        self.u32().map(u32::cast_signed)
    }

    pub(super) fn short_text(&mut self) -> Result<String> {
        let len = self.u8()?;
        Ok(String::from_utf8_lossy(&self.take(len.into())?).into_owned())
    }

    /// A Kafka `STRING` or `NULLABLE_STRING`; null reads as empty.
    pub(super) fn text(&mut self) -> Result<String> {
        let len = usize::try_from(self.i16()?).unwrap_or_default();
        Ok(String::from_utf8_lossy(&self.take(len)?).into_owned())
    }

    /// The count of an array; one that can not fit is refused.
    pub(super) fn count(&mut self) -> Result<usize> {
        let count = usize::try_from(self.i32()?).unwrap_or_default();
        if count > self.0.len() {
            return Err(short());
        }
        Ok(count)
    }
}

fn short() -> craton_base::Error {
    unavailable("the target's answer is too short")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zigzag_numbers_are_those_of_protocol_buffers() {
        for (n, bytes) in [
            (0, vec![0]),
            (-1, vec![1]),
            (1, vec![2]),
            (63, vec![126]),
            (64, vec![0x80, 1]),
            (-64, vec![127]),
            (300, vec![0xd8, 4]),
            (
                i64::MAX,
                vec![0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            ),
        ] {
            assert_eq!(Writer::default().varint(n).0, bytes, "{n}");
        }
    }

    #[test]
    fn what_is_too_short_is_an_error() {
        let mut reader = Reader::new(Bytes::from_static(&[0, 5, b'a']));
        assert!(reader.text().is_err());
        assert!(Reader::new(Bytes::from_static(&[0, 0, 1])).u32().is_err());
        assert!(
            Reader::new(Bytes::from_static(&[0x7f, 0, 0, 0, 1]))
                .count()
                .is_err()
        );
        assert_eq!(Reader::new(Bytes::from_static(&[0xff, 0xff])).text().unwrap(), "");
    }
}
