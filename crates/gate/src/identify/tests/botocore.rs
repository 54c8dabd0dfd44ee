//! Requests signed by botocore: odd keys, queries, headers and payload modes. Made by
//! `tests/oracle/sigv4/generate.py`.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    service: String,
    #[serde(default)]
    body: String,
}

fn cases() -> Vec<Case> {
    let text = include_str!("../../../../../tests/oracle/sigv4/vectors.json");
    serde_json::from_str::<Vectors>(text).unwrap().cases
}

fn request(case: &Case) -> Parts {
    let headers: Vec<_> = case
        .headers
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    parts(&case.method, &case.target, &headers)
}

#[test]
fn all_verify_and_their_bodies_too() {
    let cases = cases();
    assert!(cases.len() >= 200, "only {} cases", cases.len());
    let verifier = verifier();
    let mut modes = std::collections::BTreeSet::new();
    for case in &cases {
        let (parts, body) = (request(case), hex::decode(&case.body).unwrap());
        let service = Service::from_name(&case.service).unwrap();
        let caller = match service {
            Service::S3 => verifier.identify(&parts),
            other => verifier.identify_with_body(&parts, other, &body),
        };
        let caller = caller.unwrap_or_else(|e| panic!("{}: {e:?}", case.name));
        let Caller::Identified(who) = caller else {
            panic!("{} is anonymous", case.name)
        };
        modes.insert(who.payload.mode().text().get(..9).map(str::to_owned));
        let length = who.payload.decoded_length();
        let (data, trailers) =
            body::tests::read(who.payload, &[&body]).unwrap_or_else(|e| panic!("{}: {e:?}", case.name));
        assert_eq!(
            data.len() as u64,
            length.unwrap_or(body.len() as u64),
            "{}",
            case.name
        );
        if length.is_some() {
            assert_eq!(trailers.get().unwrap().len(), 1, "{}", case.name);
        }
    }
    let has = |start: &str| modes.contains(&Some(start.to_owned()));
    assert!(has("UNSIGNED-") && has("STREAMING"), "{modes:?}");
}

/// None of them verifies under another secret, or with its path one byte longer.
#[test]
fn none_verifies_changed() {
    let verifier = verifier();
    for case in cases().iter().filter(|c| c.service == "s3") {
        let mut parts = request(case);
        let (path, query) = case.target.split_once('?').unwrap_or((&case.target, ""));
        set_uri(&mut parts, &format!("{path}x?{query}"));
        assert_eq!(
            refusal_by(&verifier, &parts).reason(),
            "SignatureDoesNotMatch",
            "{}",
            case.name
        );
    }
}
