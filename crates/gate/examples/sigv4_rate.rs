//! How many signatures one core verifies in a second, and how fast bodies are checked.
//!
//! `cargo run --release -p craton-gate --example sigv4_rate`

use std::{hint::black_box, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use craton_base::{Clock, Result, Secret, clock::SystemClock};
use craton_gate::identify::{
    Caller, Credentials, Lookup, Service, Settings, Verifier,
    body::VerifiedBody,
    sign::{Body, Signer},
};
use http::request::Parts;
use http_body::Body as _;

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

struct OneKey;

impl Credentials for OneKey {
    type Owner = ();

    fn find(&self, id: &str, _: Option<&str>) -> Result<Lookup<()>> {
        Ok(match id {
            KEY => Lookup::Found {
                secret: Secret::from(SECRET),
                owner: (),
            },
            _ => Lookup::UnknownKey,
        })
    }
}

fn parts() -> Option<Parts> {
    let request = http::Request::put("/bucket/some/folder/part-00000.parquet?partNumber=7&uploadId=abcdef")
        .header("host", "localhost:9000")
        .header("content-type", "application/octet-stream")
        .header("x-amz-meta-origin", "example")
        .body(());
    request.ok().map(|r| r.into_parts().0)
}

#[expect(clippy::print_stdout, reason = "an example that reports to the terminal")]
fn report(clock: &SystemClock, what: &str, unit: &str, per_call: f64, mut call: impl FnMut()) {
    let (start, mut calls) = (clock.monotonic(), 0u32);
    while clock.monotonic().saturating_sub(start) < Duration::from_secs(1) {
        (0..16).for_each(|_| call());
        calls += 16;
    }
    let seconds = clock.monotonic().saturating_sub(start).as_secs_f64();
    println!("{what:28} {:12.0} {unit}", f64::from(calls) * per_call / seconds);
}

fn drain(mut body: VerifiedBody<http_body_util::Full<Bytes>>) -> bool {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        match Pin::new(&mut body).poll_frame(&mut cx) {
            std::task::Poll::Ready(Some(Ok(frame))) => drop(black_box(frame)),
            std::task::Poll::Ready(None) => return true,
            _ => return false,
        }
    }
}

fn main() -> Result<()> {
    let clock = SystemClock::new();
    let verifier = Verifier::new(OneKey, Arc::new(clock), Settings::default());
    let signer = Signer {
        access_key_id: KEY.into(),
        secret: SECRET.into(),
        session_token: None,
        region: "us-east-1".into(),
        service: Service::S3,
    };
    let unbuilt = || craton_base::Error::internal("the example's request");
    let mut header = parts().ok_or_else(unbuilt)?;
    signer.sign(&mut header, &Body::Unsigned, clock.now())?;
    let mut presigned = parts().ok_or_else(unbuilt)?;
    signer.presign(&mut presigned, 3600, clock.now())?;
    let mut unknown = parts().ok_or_else(unbuilt)?;
    let nobody = Signer {
        access_key_id: "AKIANOBODYKNOWSTHIS".into(),
        ..signer.clone()
    };
    nobody.sign(&mut unknown, &Body::Unsigned, clock.now())?;
    report(&clock, "header", "requests/s", 1.0, || {
        drop(black_box(verifier.identify(&header)))
    });
    report(&clock, "presigned", "requests/s", 1.0, || {
        drop(black_box(verifier.identify(&presigned)))
    });
    report(&clock, "unknown key", "requests/s", 1.0, || {
        drop(black_box(verifier.identify(&unknown)))
    });

    let data = Bytes::from(vec![7u8; 8 << 20]);
    for (what, signed) in [
        ("body in signed chunks", true),
        ("body in unsigned chunks", false),
    ] {
        let said = Body::Chunked {
            signed,
            decoded_length: data.len() as u64,
            trailers: vec![],
        };
        let mut head = parts().ok_or_else(unbuilt)?;
        let Some(mut writer) = signer.sign(&mut head, &said, clock.now())? else {
            continue;
        };
        let mut wire = Vec::new();
        data.chunks(64 << 10).for_each(|c| writer.chunk(c, &mut wire));
        writer.finish(&[], &mut wire);
        let wire = Bytes::from(wire);
        report(&clock, what, "MiB/s", 8.0, || {
            if let Ok(Caller::Identified(who)) = verifier.identify(&head) {
                black_box(drain(VerifiedBody::new(
                    http_body_util::Full::new(wire.clone()),
                    who.payload,
                )));
            }
        });
    }
    Ok(())
}
