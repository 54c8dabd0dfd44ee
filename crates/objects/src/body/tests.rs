use super::*;

fn digest(data: &[u8], claims: &Claims) -> Sums {
    let mut digests = Digests::new(Algorithm::Crc64Nvme, claims);
    digests.update(data);
    digests.finish()
}

struct One(&'static str);

impl Trailers for One {
    fn value(&self, name: &str) -> Option<String> {
        (name == Algorithm::Crc32.header()).then(|| self.0.to_owned())
    }
}

#[test]
fn stated_digests_are_compared() {
    let good = Claims {
        md5: Some(Md5::of(b"abc")),
        checksum: None,
    };
    assert!(digest(b"abc", &good).verify(&good, None).is_ok());
    assert_eq!(
        digest(b"abd", &good).verify(&good, None).unwrap_err().code(),
        "BadDigest"
    );

    let value = crate::checksum::of(Algorithm::Sha256, b"abc");
    let sha = Claims {
        md5: None,
        checksum: Some((Algorithm::Sha256, Stated::Value(value))),
    };
    assert!(digest(b"abc", &sha).verify(&sha, None).is_ok());
    assert_eq!(
        digest(b"", &sha).verify(&sha, None).unwrap_err().code(),
        "BadDigest"
    );
}

#[test]
fn a_trailer_must_come_and_match() {
    let claims = Claims {
        md5: None,
        checksum: Some((Algorithm::Crc32, Stated::Trailer)),
    };
    let sums = digest(b"123456789", &claims);
    let check = |t: Option<&'static str>| {
        let trailers = t.map(|t| Arc::new(One(t)) as Arc<dyn Trailers>);
        sums.verify(&claims, trailers.as_ref()).map_err(|e| e.code())
    };
    assert_eq!(check(Some("y/Q5Jg==")), Ok(()));
    assert_eq!(check(Some("AAAAAA==")), Err("BadDigest"));
    assert_eq!(check(Some("nonsense")), Err("InvalidRequest"));
    assert_eq!(check(None), Err("MalformedTrailerError"));
}

#[test]
fn content_md5_is_base64_of_sixteen_bytes() {
    assert_eq!(
        Claims::parse_md5("1B2M2Y8AsgTpgAmY7PhCfg==").unwrap(),
        Md5::of(b"")
    );
    for bad in ["", "AAAA", "****"] {
        assert_eq!(Claims::parse_md5(bad).unwrap_err().code(), "InvalidDigest");
    }
}

#[tokio::test]
async fn the_pipeline_hashes_what_was_pushed() {
    let data: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
    let claims = Claims {
        md5: None,
        checksum: Some((Algorithm::Sha1, Stated::Trailer)),
    };
    let mut pipeline = Pipeline::new(Digests::new(Algorithm::Crc32c, &claims));
    for piece in data.chunks(70_001) {
        pipeline.push(Bytes::copy_from_slice(piece)).await.unwrap();
        assert!(pipeline.waiting_bytes < HASH_BATCH_BYTES);
    }
    let sums = pipeline.finish().await.unwrap();
    assert_eq!(sums.md5, Md5::of(&data));
    assert_eq!(
        sums.of(Algorithm::Crc32c),
        crate::checksum::of(Algorithm::Crc32c, &data)
    );
    assert_eq!(
        sums.of(Algorithm::Sha1),
        crate::checksum::of(Algorithm::Sha1, &data)
    );
}
