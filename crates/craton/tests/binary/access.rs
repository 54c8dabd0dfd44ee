//! Every route of the API for every kind of caller that may not use it: made from the route table, so
//! that a new route is tested the day it is added.

use craton_doors::api::{ROUTES, Route};
use serde_json::{Value, json};

use crate::server::{Folder, Server, signer};

/// A path that exists as far as names go.
fn path(route: &Route) -> String {
    route
        .path
        .replace("{user}", "ana")
        .replace("{key}", "AKIAAAAAAAAAAAAAAAAA")
        .replace("{policy}", "narrow")
        .replace("{record}", "1-1")
        .replace("{name}", "narrow")
        .replace("{role}", "reader")
        .replace("{session}", "S0")
        .replace("{run}", "1")
        .replace("{worker}", "lifecycle")
        .replace("{bucket}", "data")
        .replace("lifecycle/data/{id}", "inventory/data/daily")
}

/// A body that the route takes.
fn body(route: &Route) -> Vec<u8> {
    let body = match route.operation.name() {
        "PutUserPolicy" => json!({ "Version": "2012-10-17", "Statement": [] }),
        "PutGuardPolicy" | "CheckGuardPolicy" => json!({ "text": "forbid(principal, action, resource);" }),
        "Explain" => {
            json!({ "principal": "ana", "action": "s3:GetObject", "resource": "arn:aws:s3:::data/a" })
        }
        "SetBucketStrict" => json!({ "strict": true }),
        _ => return Vec::new(),
    };
    body.to_string().into_bytes()
}

fn reason(body: &str) -> String {
    let value: Value = serde_json::from_str(body).unwrap();
    value["error"]["reason"].as_str().unwrap().to_owned()
}

#[test]
fn no_route_answers_who_may_not_ask() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let root = server.root();
    assert_eq!(server.ask(Some(&root), "PUT", "/data", b"").0, 200);
    assert_eq!(server.ask(Some(&root), "PUT", "/_api/v1/users/ana", b"").0, 200);
    let (status, key) = server.ask(Some(&root), "POST", "/_api/v1/users/ana/keys", b"");
    assert_eq!(status, 200, "{key}");
    let key: Value = serde_json::from_str(&key).unwrap();
    let nobody = signer(key["id"].as_str().unwrap(), key["secret"].as_str().unwrap());
    let forger = signer(&root.access_key_id, "not the secret");
    let stranger = signer("AKIAAAAAAAAAAAAAAAAA", "any");
    for route in ROUTES {
        let (path, body) = (path(route), body(route));
        let cases = [
            (None, "AccessDenied"),
            (Some(&nobody), "AccessDenied"),
            (Some(&forger), "SignatureDoesNotMatch"),
            (Some(&stranger), "InvalidAccessKeyId"),
        ];
        for (who, expected) in cases {
            let (status, answer) = server.ask(who, route.method, &path, &body);
            assert_eq!(status, 403, "{} {path} {expected}: {answer}", route.method);
            assert_eq!(reason(&answer), expected, "{} {path}", route.method);
        }
    }
    // Each refusal left one denial.
    let (_, denials) = server.ask(
        Some(&root),
        "GET",
        "/_api/v1/ledger/records?kind=denial&limit=1000",
        b"",
    );
    let denials: Value = serde_json::from_str(&denials).unwrap();
    assert_eq!(denials["records"].as_array().unwrap().len(), ROUTES.len() * 4);
    assert_eq!(server.end(), Some(0));
}

#[test]
fn bodies_and_queries_that_are_wrong_are_refused() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    let root = server.root();
    let ask = |method: &str, path: &str, body: &[u8]| {
        let (status, answer) = server.ask(Some(&root), method, path, body);
        (status, reason(&answer))
    };
    assert_eq!(ask("GET", "/_api/v1/nothing", b""), (404, "NoSuchRoute".into()));
    assert_eq!(
        ask("PATCH", "/_api/v1/users", b""),
        (405, "MethodNotAllowed".into())
    );
    assert_eq!(
        ask("GET", "/_api/v1/users?x=1", b""),
        (400, "InvalidArgument".into())
    );
    assert_eq!(
        ask("POST", "/_api/v1/explain", b"{"),
        (400, "MalformedBody".into())
    );
    assert_eq!(
        ask("POST", "/_api/v1/explain", b"{\"principal\":\"a\",\"x\":1}"),
        (400, "MalformedBody".into())
    );
    assert_eq!(
        ask("GET", "/_api/v1/decisions/1-ffff", b""),
        (404, "NoSuchRecord".into())
    );
    let large = vec![b' '; craton_doors::api::BODY_BYTES_MAX + 1];
    assert_eq!(
        ask("PUT", "/_api/v1/users/ana/policies/p", &large),
        (413, "EntityTooLarge".into())
    );
    // Each that was wrong before the gate was asked left one denial; the unknown record was asked for.
    assert_eq!(
        ask("PUT", "/_api/v1/users/root", b""),
        (400, "InvalidArgument".into())
    );
    assert_eq!(
        ask("PUT", "/_api/v1/users/a%20b", b""),
        (400, "InvalidArgument".into())
    );
    let (_, denials) = server.ask(Some(&root), "GET", "/_api/v1/ledger/records?kind=denial", b"");
    let denials: Value = serde_json::from_str(&denials).unwrap();
    assert_eq!(denials["records"].as_array().unwrap().len(), 8, "{denials}");
}
