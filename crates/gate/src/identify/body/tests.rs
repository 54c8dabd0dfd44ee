use std::{collections::VecDeque, future::poll_fn};

use super::*;
use crate::identify::{chain::Chain, key::SigningKey, sign::Body as SignBody};

/// A body of given pieces.
pub(crate) struct Pieces(pub(crate) VecDeque<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        Poll::Ready(self.0.pop_front().map(|b| Ok(Frame::data(b))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}

fn body(payload: Payload, pieces: &[&[u8]]) -> VerifiedBody<Pieces> {
    let pieces = pieces.iter().map(|p| Bytes::copy_from_slice(p)).collect();
    VerifiedBody::new(Pieces(pieces), payload)
}

/// Reads to the end; the data and the trailers, or the error and how much came before it.
fn drain(mut body: VerifiedBody<Pieces>) -> std::result::Result<(Vec<u8>, Trailers), (Error, usize)> {
    let trailers = body.trailers();
    let mut data = Vec::new();
    loop {
        let next = futures::executor::block_on(poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)));
        match next {
            Some(Ok(frame)) => data.extend_from_slice(&frame.into_data().unwrap()),
            Some(Err(e)) => {
                let again = futures::executor::block_on(poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)));
                assert!(matches!(again, Some(Err(_))), "a failed body never looks ended");
                assert!(!body.is_end_stream());
                assert!(trailers.get().is_none());
                return Err((e, data.len()));
            }
            None => {
                assert!(body.is_end_stream());
                assert!(trailers.get().is_some());
                return Ok((data, trailers));
            }
        }
    }
}

pub(crate) fn read(payload: Payload, pieces: &[&[u8]]) -> Result<(Vec<u8>, Trailers)> {
    drain(body(payload, pieces)).map_err(|(e, _)| e)
}

/// The payload of a request and the wire form of `chunks` under it.
fn chunked(signed: bool, chunks: &[&[u8]], trailers: &[(&'static str, &str)]) -> (Payload, Vec<u8>) {
    let names = trailers
        .iter()
        .map(|(n, _)| http::HeaderName::from_static(n))
        .collect();
    let decoded_length = chunks.iter().map(|c| c.len() as u64).sum();
    let said = SignBody::Chunked {
        signed,
        decoded_length,
        trailers: names,
    };
    let (payload, mut writer) = crate::identify::tests::payload_of(&said);
    let mut wire = Vec::new();
    chunks.iter().for_each(|c| writer.chunk(c, &mut wire));
    let trailers: Vec<_> = trailers
        .iter()
        .map(|(n, v)| (http::HeaderName::from_static(n), *v))
        .collect();
    writer.finish(&trailers, &mut wire);
    (payload, wire)
}

fn reason(payload: Payload, pieces: &[&[u8]]) -> &'static str {
    read(payload, pieces).expect_err("must fail").reason()
}

const CRC: &str = "x-amz-checksum-crc32";

fn big(byte: u8) -> Vec<u8> {
    vec![byte; 8192]
}

#[test]
fn a_signed_hash_is_checked_before_the_last_piece() {
    let sha256 = craton_crypto::hash::sha256(b"hello world");
    let payload = || Payload {
        mode: Mode::Sha256(sha256),
        ..Payload::unsigned()
    };
    let (data, trailers) = read(payload(), &[b"hello ", b"world"]).unwrap();
    assert_eq!(
        (data.as_slice(), trailers.get().unwrap().len()),
        (b"hello world".as_slice(), 0)
    );
    for wrong in [
        &[b"hello ".as_slice(), b"w0rld"][..],
        &[b"hello "],
        &[],
        &[b"hello world", b"!"],
    ] {
        let (error, before) = drain(body(payload(), wrong)).expect_err("wrong body");
        assert_eq!(error.reason(), "XAmzContentSHA256Mismatch");
        let sent: usize = wrong.iter().map(|p| p.len()).sum();
        assert!(
            before == 0 || before < sent,
            "the last piece came out before the verdict"
        );
    }
}

#[test]
fn an_empty_body_is_done_at_once_only_if_it_should_be_empty() {
    let payload = |of: &[u8]| Payload {
        mode: Mode::Sha256(craton_crypto::hash::sha256(of)),
        ..Payload::unsigned()
    };
    assert!(body(payload(b""), &[]).is_end_stream());
    assert!(!body(payload(b"x"), &[]).is_end_stream());
    assert!(body(Payload::unsigned(), &[]).is_end_stream());
    let (signed, _) = chunked(true, &[], &[]);
    assert!(!body(signed, &[]).is_end_stream());
}

#[test]
fn every_mode_reads_back_split_anywhere() {
    for signed in [true, false] {
        for trailers in [&[][..], &[(CRC, "AAAAAA==")]] {
            let (_, wire) = chunked(signed, &[b"some data"], trailers);
            for at in 0..=wire.len() {
                let (payload, _) = chunked(signed, &[b"some data"], trailers);
                let (data, got) = read(payload, &[&wire[..at], &wire[at..]]).unwrap();
                assert_eq!(data, b"some data");
                assert_eq!(got.get().unwrap().len(), trailers.len());
            }
            let (payload, _) = chunked(signed, &[b"some data"], trailers);
            let bytes: Vec<_> = wire.chunks(1).collect();
            assert_eq!(read(payload, &bytes).unwrap().0, b"some data");
        }
    }
}

#[test]
fn no_prefix_of_a_chunked_body_ends_cleanly() {
    for signed in [true, false] {
        let trailers = [(CRC, "AAAAAA==")];
        let (_, wire) = chunked(signed, &[b"some data"], &trailers);
        for at in 0..wire.len() {
            let (payload, _) = chunked(signed, &[b"some data"], &trailers);
            let (error, before) = drain(body(payload, &[&wire[..at]])).map_or_else(
                |e| e,
                |_| {
                    // The one line end that minio-go adds is not part of the body.
                    panic!("cut at {at} of {} ended cleanly", wire.len())
                },
            );
            assert_eq!(error.reason(), "IncompleteBody");
            assert!(before < 9, "all the data came out of a cut body");
        }
    }
}

#[test]
fn every_changed_byte_of_a_signed_body_is_refused() {
    for trailers in [&[][..], &[(CRC, "AAAAAA==")]] {
        let (_, wire) = chunked(true, &[b"some data"], trailers);
        for at in 0..wire.len() {
            for flip in [0x01, 0x20, 0x80] {
                let (payload, _) = chunked(true, &[b"some data"], trailers);
                let mut changed = wire.clone();
                changed[at] ^= flip;
                let outcome = drain(body(payload, &[&changed]));
                match outcome {
                    // Upper case in a chunk's size or a trailer's name means the same.
                    Ok((data, _)) => {
                        assert!(
                            flip == 0x20 && changed[at].is_ascii_uppercase(),
                            "byte {at} ^ {flip}"
                        );
                        assert_eq!(data, b"some data");
                    }
                    Err((_, before)) => assert!(before < 9),
                }
            }
        }
    }
}

/// CVE-2021-21390: the signatures of chunks were not enforced.
#[test]
fn cve_2021_21390_chunks_altered_reordered_dropped_or_added() {
    let (a, b) = (big(b'a'), big(b'b'));
    let (_, wire) = chunked(true, &[&a, &b], &[]);
    let chunk = (wire.len() - 86) / 2;
    let (first, rest) = wire.split_at(chunk);
    let (second, end) = rest.split_at(chunk);
    let payload = || chunked(true, &[&a, &b], &[]).0;
    assert_eq!(read(payload(), &[first, second, end]).unwrap().0.len(), 16384);
    assert_eq!(reason(payload(), &[second, first, end]), "SignatureDoesNotMatch");
    assert_eq!(reason(payload(), &[first, first, end]), "SignatureDoesNotMatch");
    assert_eq!(reason(payload(), &[first, end]), "IncompleteBody");
    assert_eq!(reason(payload(), &[second, end]), "SignatureDoesNotMatch");
    assert_eq!(reason(payload(), &[first, second]), "IncompleteBody");
    assert_eq!(reason(payload(), &[first, second, second, end]), "IncompleteBody");
    assert_eq!(reason(payload(), &[first, second, end, end]), "IncompleteBody");
    assert_eq!(reason(payload(), &[first, second, end, b"x"]), "IncompleteBody");
    // The same chunks under another request's signature.
    let mut other = payload();
    let key = SigningKey::derive(
        &"other".into(),
        &crate::identify::Scope {
            date: "20130524".into(),
            region: "us-east-1".into(),
            service: "s3".into(),
        },
    );
    other.chain = Some(Chain::new(Arc::new(key), "20130524T000000Z", "s", [0; 32]));
    assert_eq!(reason(other, &[&wire]), "SignatureDoesNotMatch");
}

#[test]
fn the_decoded_length_must_be_right() {
    for signed in [true, false] {
        let data = big(b'd');
        for length in [0, 1, 8191, 8193, u64::MAX] {
            let (mut payload, wire) = chunked(signed, &[&data], &[]);
            payload.decoded_len = length;
            assert_eq!(reason(payload, &[&wire]), "IncompleteBody", "{length}");
        }
    }
}

#[test]
fn small_signed_chunks_are_refused_except_the_last() {
    let (payload, wire) = chunked(true, &[&big(b'a'), b"small"], &[]);
    assert_eq!(read(payload, &[&wire]).unwrap().0.len(), 8197);
    let (payload, wire) = chunked(true, &[b"small", b"again"], &[]);
    assert_eq!(reason(payload, &[&wire]), "InvalidChunkSizeError");
    let (payload, wire) = chunked(false, &[b"small", b"again"], &[]);
    assert_eq!(read(payload, &[&wire]).unwrap().0, b"smallagain");
}

/// CVE-2025-31489: a body with a trailer got past without its signature being checked.
#[test]
fn cve_2025_31489_the_trailer_must_be_signed() {
    let make = || chunked(true, &[b"data"], &[(CRC, "AAAAAA==")]);
    let text = String::from_utf8(make().1).unwrap();
    let at = text.find("x-amz-trailer-signature").unwrap();
    let forged = [
        &text[..at],
        "x-amz-trailer-signature:",
        &"0".repeat(64),
        "\r\n\r\n",
    ]
    .concat();
    for (wire, want) in [
        ([&text[..at], "\r\n"].concat(), "IncompleteBody"),
        ([&text[..at], "\r\n\r\n"].concat(), "MalformedTrailerError"),
        (forged, "SignatureDoesNotMatch"),
        (text.replace("AAAAAA==", "AAAAAQ=="), "SignatureDoesNotMatch"),
        (
            text.replace("trailer-signature:", "trailer-signature:x"),
            "SignatureDoesNotMatch",
        ),
        (
            text.replace("x-amz-checksum-crc32:", "x-amz-checksum-crc32c:"),
            "MalformedTrailerError",
        ),
        (
            text.replace("x-amz-checksum-crc32:", "x-amz-meta-a:b\r\nx-amz-checksum-crc32:"),
            "MalformedTrailerError",
        ),
        (text.clone() + "\r\n", "IncompleteBody"),
    ] {
        assert_eq!(reason(make().0, &[wire.as_bytes()]), want, "{wire:?}");
    }
}

#[test]
fn trailers_are_only_what_was_announced() {
    let make = || chunked(false, &[b"data"], &[(CRC, "AAAAAA==")]).0;
    let good = "4\r\ndata\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
    assert_eq!(
        read(make(), &[good.as_bytes()]).unwrap().1.value(CRC).as_deref(),
        Some("AAAAAA==")
    );
    for bad in [
        "\r\n",
        "x-amz-checksum-sha1:x\r\n\r\n",
        "x-amz-checksum-crc32:A\r\nx-amz-checksum-crc32:B\r\n\r\n",
        "x-amz-checksum-crc32:A\r\nx-amz-meta-a:B\r\n\r\n",
        "x-amz-checksum-crc32\r\n\r\n",
        "x-amz-checksum-crc32:\u{e9}\r\n\r\n",
        "x-amz-checksum-crc32:A\r\nx-amz-trailer-signature:00\r\n\r\n",
    ] {
        let wire = ["4\r\ndata\r\n0\r\n", bad].concat();
        assert_eq!(
            reason(make(), &[wire.as_bytes()]),
            "MalformedTrailerError",
            "{bad:?}"
        );
    }
}

/// minio-go ends trailers with a bare line feed and an empty line.
#[test]
fn the_line_ends_of_minio_go() {
    let unsigned = "4\r\ndata\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\n\r\n\r\n";
    let (payload, _) = chunked(false, &[b"data"], &[(CRC, "AAAAAA==")]);
    assert_eq!(read(payload, &[unsigned.as_bytes()]).unwrap().0, b"data");
    let (payload, wire) = chunked(true, &[b"data"], &[(CRC, "AAAAAA==")]);
    let wire = String::from_utf8(wire)
        .unwrap()
        .replace("AAAAAA==\r\n", "AAAAAA==\n\r\n");
    assert_eq!(read(payload, &[wire.as_bytes()]).unwrap().0, b"data");
}

#[test]
fn malformed_chunks_are_refused() {
    let long = "0".repeat(LINE_BYTES_MAX + 1);
    for bad in [
        "\r\n",
        "4\ndata",
        "g\r\n",
        "-4\r\ndata\r\n",
        "+4\r\ndata\r\n",
        "0x4\r\ndata\r\n",
        " 4\r\ndata\r\n",
        "4;x=y\r\ndata\r\n",
        "4;\r\ndata\r\n",
        "00000000000000004\r\ndata\r\n",
        "4\r\ndataX\r\n",
        "4\r\ndata\rX",
        "4\r\ndata\n",
        &long,
    ] {
        let (payload, _) = chunked(false, &[b"data"], &[]);
        assert_eq!(reason(payload, &[bad.as_bytes()]), "InvalidRequest", "{bad:?}");
    }
    for size in ["ffffffffffffffff", "5"] {
        let (payload, _) = chunked(false, &[b"data"], &[]);
        assert_eq!(
            reason(payload, &[format!("{size}\r\ndata").as_bytes()]),
            "IncompleteBody"
        );
    }
}

#[test]
fn the_size_is_known_from_the_start() {
    let (payload, wire) = chunked(true, &[b"data"], &[]);
    let body = body(payload, &[&wire]);
    assert_eq!(body.size_hint().exact(), Some(4));
}

#[tokio::test]
async fn an_error_of_ours_below_passes_as_it_is() {
    let late = || Error::new(craton_base::Kind::Invalid, "RequestTimeout", "nothing came");
    let inner = http_body_util::StreamBody::new(futures::stream::iter([
        Ok(http_body::Frame::data(Bytes::from_static(b"a"))),
        Err(late()),
    ]));
    let mut body = VerifiedBody::new(inner, Payload::unsigned());
    let mut last = None;
    while let Some(frame) = http_body_util::BodyExt::frame(&mut body).await {
        match frame {
            Ok(_) => {}
            Err(error) => {
                last = Some(error.reason());
                break;
            }
        }
    }
    assert_eq!(last, Some("RequestTimeout"));
}
