//! What is wrong with a request to the API is told and recorded. Who may ask what is tested by the clients' tests, from
//! the route tables.

use serde_json::Value;

use crate::server::{Folder, Server};

fn reason(body: &str) -> String {
    let value: Value = serde_json::from_str(body).unwrap();
    value["error"]["reason"].as_str().unwrap().to_owned()
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
