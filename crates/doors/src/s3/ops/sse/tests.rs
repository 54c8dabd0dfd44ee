use std::net::{IpAddr, Ipv4Addr};

use craton_base::Timestamp;
use http::HeaderValue;

use super::*;

/// 32 times 1, and its MD5.
const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const KEY_MD5: &str = "4Funlf7OsLF0HL+vKU+fkg==";

fn origin(secure: bool) -> Origin {
    Origin {
        door: "s3",
        source_ip: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9)),
        tls: secure.then_some("1.3"),
        request_id: "r".into(),
        lease: None,
        run: None,
        trace: None,
        purse: Default::default(),
        user_agent: None,
        referer: None,
        time: Timestamp(0),
    }
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pairs = pairs
        .iter()
        .map(|(n, v)| (n.parse().unwrap(), HeaderValue::from_str(v).unwrap()));
    pairs.collect()
}

fn ask(pairs: &[(&'static str, &str)]) -> Result<Option<Wanted>, String> {
    wanted(&headers(pairs), &origin(true)).map_err(|e| e.code().as_str().to_owned())
}

fn customer(pairs: [&str; 3]) -> HeaderMap {
    let [algorithm, key, md5] = pairs;
    let all = [(OWN.algorithm, algorithm), (OWN.key, key), (OWN.md5, md5)];
    let given: Vec<_> = all.into_iter().filter(|(_, v)| !v.is_empty()).collect();
    headers(&given)
}

fn code<T>(result: S3Result<T>) -> String {
    result.err().map_or("ok".into(), |e| e.code().as_str().to_owned())
}

#[test]
fn methods() {
    assert_eq!(ask(&[]), Ok(None));
    assert_eq!(ask(&[(METHOD, "AES256")]), Ok(Some(Wanted::Managed)));
    assert_eq!(
        ask(&[(METHOD, "aws:kms")]),
        Ok(Some(Wanted::Kms(WantedKms::default())))
    );
    let all = [
        (METHOD, "aws:kms"),
        (KEY_ID, "k"),
        (CONTEXT, "eyJhIjoiYiJ9"),
        (BUCKET_KEY, "True"),
    ];
    let full = WantedKms {
        key: Some("k".into()),
        context: BTreeMap::from([("a".into(), "b".into())]),
        bucket_key: true,
        dual: false,
    };
    assert_eq!(ask(&all), Ok(Some(Wanted::Kms(full))));
    let dual = WantedKms {
        dual: true,
        ..WantedKms::default()
    };
    assert_eq!(ask(&[(METHOD, "aws:kms:dsse")]), Ok(Some(Wanted::Kms(dual))));
}

#[test]
fn contradictions() {
    let invalid = || Err("InvalidArgument".to_owned());
    assert_eq!(ask(&[(METHOD, "rot13")]), invalid());
    assert_eq!(ask(&[(METHOD, "AES256"), (KEY_ID, "k")]), invalid());
    assert_eq!(ask(&[(KEY_ID, "k")]), invalid());
    assert_eq!(ask(&[(METHOD, "aws:kms"), (BUCKET_KEY, "maybe")]), invalid());
    assert_eq!(ask(&[(METHOD, "aws:kms:dsse"), (BUCKET_KEY, "true")]), invalid());
    for context in ["no base64", "W10=", "eyJhIjoxfQ=="] {
        assert_eq!(
            ask(&[(METHOD, "aws:kms"), (CONTEXT, context)]),
            invalid(),
            "{context}"
        );
    }
    let mut both = customer(["AES256", KEY, KEY_MD5]);
    both.insert(METHOD, HeaderValue::from_static("aws:kms"));
    assert_eq!(code(wanted(&both, &origin(true))), "InvalidArgument");
    assert_eq!(code(refuse_on_read(&both)), "InvalidArgument");
}

#[test]
fn a_clients_own_key() {
    let good = customer(["AES256", KEY, KEY_MD5]);
    let found = customer_key(&good, &origin(true)).unwrap().unwrap();
    assert_eq!(found.md5_text(), KEY_MD5);
    assert_eq!(
        wanted(&good, &origin(true)).unwrap(),
        Some(Wanted::Customer(found))
    );
    assert!(source_key(&good, &origin(true)).unwrap().is_none());
    for (given, wanted) in [
        (["", KEY, KEY_MD5], "InvalidArgument"),
        (["AES256", "", KEY_MD5], "InvalidArgument"),
        (["AES256", KEY, ""], "InvalidArgument"),
        (["AES256", KEY, "AAAA"], "InvalidArgument"),
        (["AES128", KEY, KEY_MD5], "InvalidEncryptionAlgorithmError"),
    ] {
        assert_eq!(
            code(customer_key(&customer(given), &origin(true))),
            wanted,
            "{given:?}"
        );
    }
}

#[test]
fn a_key_crosses_no_open_network() {
    let good = customer(["AES256", KEY, KEY_MD5]);
    assert_eq!(code(customer_key(&good, &origin(false))), "InvalidRequest");
    let here = Origin {
        source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        ..origin(false)
    };
    assert!(customer_key(&good, &here).unwrap().is_some());
}
