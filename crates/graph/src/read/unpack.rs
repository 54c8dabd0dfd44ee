//! Compressed input: gzip (also of several members) and zstd, told by their first bytes.

use std::io::{self, Chain, Cursor, Read};

use craton_base::{Error, Kind, Result};

const GZIP: &[u8] = &[0x1F, 0x8B];
const ZSTD: &[u8] = &[0x28, 0xB5, 0x2F, 0xFD];

type Begun<R> = Chain<Cursor<Vec<u8>>, R>;

/// Reads what `input` holds, decompressed if its first bytes say that it is compressed.
///
/// # Errors
/// `Unavailable` if it can not be read, `Invalid` if it begins like a compressed stream and is none.
pub fn unpacked<R: Read + Send + 'static>(mut input: R) -> Result<Box<dyn Read + Send>> {
    let mut first = vec![0; ZSTD.len()];
    let mut filled = 0;
    while let Some(free) = first.get_mut(filled..).filter(|free| !free.is_empty()) {
        match input.read(free).map_err(unavailable)? {
            0 => break,
            read => filled += read,
        }
    }
    first.truncate(filled);
    let (gzip, zstd) = (first.starts_with(GZIP), first.starts_with(ZSTD));
    let input: Begun<R> = Cursor::new(first).chain(input);
    if gzip {
        return Ok(Box::new(flate2::read::MultiGzDecoder::new(input)));
    }
    if zstd {
        return Ok(Box::new(Frames {
            input: Some(input),
            frame: None,
        }));
    }
    Ok(Box::new(input))
}

fn unavailable(error: io::Error) -> Error {
    Error::new(Kind::Unavailable, "InputUnavailable", "the input can not be read").with_source(error)
}

/// All frames of a zstd stream.
struct Frames<R: Read> {
    input: Option<Begun<R>>,
    frame: Option<ruzstd::decoding::StreamingDecoder<Begun<R>, ruzstd::decoding::FrameDecoder>>,
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                let read = frame.read(out)?;
                if read > 0 || out.is_empty() {
                    return Ok(read);
                }
                self.input = self
                    .frame
                    .take()
                    .map(ruzstd::decoding::StreamingDecoder::into_inner);
            }
            let Some(mut input) = self.input.take() else {
                return Ok(0);
            };
            let mut first = [0];
            if input.read(&mut first)? == 0 {
                return Ok(0);
            }
            let (begun, rest) = input.into_inner();
            let mut bytes = first.to_vec();
            let from = usize::try_from(begun.position()).unwrap_or(usize::MAX);
            bytes.extend_from_slice(begun.get_ref().get(from..).unwrap_or_default());
            let input = Cursor::new(bytes).chain(rest);
            let frame = ruzstd::decoding::StreamingDecoder::new(input).map_err(io::Error::other)?;
            self.frame = Some(frame);
        }
    }
}
