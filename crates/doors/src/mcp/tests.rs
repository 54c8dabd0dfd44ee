use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::{
    inside::{Refused, object, query},
    message::{
        HEADER_MISMATCH, INVALID_PARAMS, INVALID_REQUEST, Message, Method, PARSE_ERROR, UNSUPPORTED_VERSION,
    },
    metadata::means_us,
};

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(n, v)| (n.parse().unwrap(), HeaderValue::from_static(v)))
        .collect()
}

const MODERN: [(&str, &str); 2] = [
    ("mcp-protocol-version", "2026-07-28"),
    ("mcp-method", "tools/call"),
];

fn call(version: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "find", "arguments": { "bucket": "b" },
        "_meta": { "io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": {} },
    } })
}

fn code(headers: &HeaderMap, message: &Value) -> i32 {
    Message::read(headers, message.to_string().as_bytes())
        .unwrap_err()
        .error
        .code
}

#[test]
fn a_message_that_stands_for_itself_says_everything_twice() {
    let mut good = headers(&MODERN);
    good.insert("mcp-name", HeaderValue::from_static("find"));
    let read = Message::read(&good, call("2026-07-28").to_string().as_bytes()).unwrap();
    assert!(read.is_modern);
    let Method::CallTool { name, arguments } = read.method else {
        panic!()
    };
    assert_eq!((name.as_str(), &arguments["bucket"]), ("find", &json!("b")));
    good.insert("mcp-name", HeaderValue::from_static("=?base64?ZmluZA==?="));
    assert!(Message::read(&good, call("2026-07-28").to_string().as_bytes()).is_ok());
    for (name, value) in [
        ("mcp-name", "put"),
        ("mcp-method", "tools/list"),
        ("mcp-protocol-version", "2025-11-25"),
    ] {
        let mut other = good.clone();
        other.insert(name, HeaderValue::from_static(value));
        assert_eq!(code(&other, &call("2026-07-28")), HEADER_MISMATCH, "{name}");
        other.remove(name);
        assert_eq!(
            code(&other, &call("2026-07-28")),
            HEADER_MISMATCH,
            "without {name}"
        );
    }
    let mut double = good.clone();
    double.append("mcp-name", HeaderValue::from_static("find"));
    assert_eq!(code(&double, &call("2026-07-28")), HEADER_MISMATCH);
    let mut lacking = call("2026-07-28");
    lacking["params"]["_meta"]
        .as_object_mut()
        .unwrap()
        .remove("io.modelcontextprotocol/clientCapabilities");
    assert_eq!(code(&good, &lacking), INVALID_PARAMS);
    let newer = headers(&[
        ("mcp-protocol-version", "2099-01-01"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "find"),
    ]);
    assert_eq!(code(&newer, &call("2099-01-01")), UNSUPPORTED_VERSION);
}

#[test]
fn earlier_revisions_have_a_handshake() {
    let read = |message: Value| Message::read(&HeaderMap::new(), message.to_string().as_bytes()).unwrap();
    for (asked, told) in [
        ("2025-06-18", "2025-06-18"),
        ("2024-11-05", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
    ] {
        let hello = json!({ "jsonrpc": "2.0", "id": "a", "method": "initialize", "params": { "protocolVersion": asked } });
        let Method::Initialize(version) = read(hello).method else {
            panic!()
        };
        assert_eq!(version, told);
    }
    let plain = |method: &str| read(json!({ "jsonrpc": "2.0", "id": 1, "method": method }));
    assert_eq!(
        (plain("ping").method, plain("tools/list").method),
        (Method::Ping, Method::ListTools)
    );
    assert_eq!(plain("resources/list").method, Method::Unknown);
    assert!(
        read(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))
            .id
            .is_none()
    );
}

#[test]
fn what_is_no_message_is_told_so() {
    let none = HeaderMap::new();
    let read = |body: &str| Message::read(&none, body.as_bytes()).unwrap_err().error.code;
    assert_eq!(read("{"), PARSE_ERROR);
    for wrong in [
        "[]",
        "1",
        "{}",
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
        r#"{"id":1,"method":"ping"}"#,
    ] {
        assert_eq!(read(wrong), INVALID_REQUEST, "{wrong}");
    }
    let wrong = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find","arguments":[]}}"#;
    assert_eq!(read(wrong), INVALID_PARAMS);
}

#[test]
fn paths_and_queries_are_encoded() {
    assert_eq!(object("b", "a/ä ?#%"), "/b/a/%C3%A4%20%3F%23%25");
    assert_eq!(
        query([("a", Some("1&b=2".to_owned())), ("c", None)]),
        "a=1%26b%3D2"
    );
}

#[test]
fn a_denial_names_its_decision() {
    let told = Refused::new("AccessDenied", "Access Denied (decision 1-2f)").into_value();
    assert_eq!(told["error"]["decision"], "1-2f");
    assert_eq!(
        Refused::new("NoSuchKey", "no").into_value()["error"]["decision"],
        Value::Null
    );
}

#[test]
fn a_token_is_for_this_door_by_its_address_alone() {
    let base = Some("http://a:1");
    assert_eq!(means_us("http://a:1/_mcp", base), Some(true));
    assert_eq!(
        (means_us("http://a:1", base), means_us("http://a:1/", base)),
        (Some(false), Some(false))
    );
    for other in [
        "http://a:1/_mcp/x",
        "http://a:12",
        "http://b:1/_mcp",
        "https://a:1/_mcp",
        "",
    ] {
        assert_eq!(means_us(other, base), None, "{other}");
    }
    assert_eq!(means_us("http://a:1/_mcp", None), None);
}
