//! What a client is given to reach a table's files: credentials for them alone, or the address that signs its requests.
//!
//! Invariants
//! - nothing is given before the table was read or made by permit; what is given reaches that table's folder and nothing else, and writes only where
//!   the caller may write the table's data;
//! - only requests for the table's files are signed, by a session that could make no others.
//!
//! Source: Iceberg REST catalog, `X-Iceberg-Access-Delegation`, `loadCredentials`, `signRequest`.

use craton_base::{Error, Kind, ResourcePath, Result};
use craton_gate::{
    Ask, Issued, Permit,
    identify::sign::{Body, Signer},
    tables,
};
use craton_tables::{TableName, What};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, request::Parts};
use percent_encoding::{percent_decode_str, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::{
    Call, bad,
    names::ask_about,
    ops::{Answer, noted},
    respond,
    tables::WRITE_DATA,
};
use crate::route::SEGMENT;

/// The header by which a client says what it takes.
const DELEGATION: &str = "x-iceberg-access-delegation";

/// The most headers of a request that is signed.
const HEADERS_MAX: usize = 64;

/// What a client is given with a table.
#[derive(Default)]
pub(super) struct Given {
    pub(super) config: Map<String, Value>,
    pub(super) credentials: Vec<Value>,
}

/// What the client asked for, as far as there is such a thing for it: root has no sessions, so it is given none.
pub(super) async fn given(call: &Call<'_>, permit: &Permit, name: &TableName, id: &str) -> Result<Given> {
    let said = call.headers.get_all(DELEGATION).iter();
    let wanted: Vec<&str> = said
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .collect();
    if wanted.contains(&"vended-credentials") {
        return vended(call, permit, name, id).await;
    }
    let mut given = Given::default();
    if wanted.contains(&"remote-signing") {
        let base = call.base.clone().unwrap_or_default();
        given.config = texts([
            ("s3.remote-signing-enabled", "true".to_owned()),
            ("s3.signer", "S3V4RestSigner".to_owned()),
            ("s3.signer.uri", format!("{base}/_iceberg")),
            ("s3.signer.endpoint", endpoint(call, name, "sign")?),
        ]);
    }
    Ok(given)
}

async fn vended(call: &Call<'_>, permit: &Permit, name: &TableName, id: &str) -> Result<Given> {
    let path = tables::table(call.bucket()?, id);
    let writes = permit.also(WRITE_DATA, &path);
    let Some(issued) = call.gate.vend(call.session, &path, writes).await? else {
        return Ok(Given::default());
    };
    let secret = |secret: &craton_base::Secret| String::from_utf8_lossy(secret.expose()).into_owned();
    let expires_ms = issued.expires.micros() / 1000;
    // DuckDB takes the address and the region from here, and not from the configuration of the catalog.
    let mut config = place(call);
    config.extend(texts([
        ("s3.access-key-id", issued.access_key_id.clone()),
        ("s3.secret-access-key", secret(&issued.secret)),
        ("s3.session-token", secret(&issued.token)),
        ("s3.session-token-expires-at-ms", expires_ms.to_string()),
        (
            "client.refresh-credentials-endpoint",
            endpoint(call, name, "credentials")?,
        ),
    ]));
    let prefix = format!("s3://{}/{}{id}/", call.bucket()?, tables::FOLDER);
    Ok(Given {
        credentials: vec![json!({ "prefix": prefix, "config": config })],
        config,
    })
}

/// Where objects are: at the address that the client used itself.
pub(super) fn place(call: &Call<'_>) -> Map<String, Value> {
    let region = &call.gate.settings().region;
    let mut place = texts([
        ("s3.path-style-access", "true".to_owned()),
        ("s3.region", region.clone()),
        ("client.region", region.clone()),
    ]);
    if let Some(base) = &call.base {
        place.insert("s3.endpoint".to_owned(), base.clone().into());
    }
    place
}

fn texts<const N: usize>(pairs: [(&str, String); N]) -> Map<String, Value> {
    let text = |(name, value): (&str, String)| (name.to_owned(), Value::String(value));
    pairs.into_iter().map(text).collect()
}

/// The path of a table's own endpoint, after the catalog's address.
fn endpoint(call: &Call<'_>, name: &TableName, last: &str) -> Result<String> {
    let namespace = name.namespace.levels().join("\u{1f}");
    let [namespace, table] = [&*namespace, name.name()].map(|text| utf8_percent_encode(text, SEGMENT));
    let bucket = call.bucket()?;
    Ok(format!(
        "v1/{bucket}/namespaces/{namespace}/tables/{table}/{last}"
    ))
}

/// New credentials for who had some.
pub(super) async fn credentials(call: Call<'_>) -> Result<Answer> {
    let name = call.table()?;
    let path = call.gate.table_named(&call.bucket()?, &name.row())?;
    let ask = ask_about(&call, path, &name);
    let permit = call.gate.read(call.session, ask).await?;
    noted(&permit, call.tables.exists(&permit, (&name, What::Table)))?;
    let id = tables::id_of(permit.resource()).unwrap_or_default();
    let given = vended(&call, &permit, &name, id).await?;
    let told = json!({ "storage-credentials": given.credentials });
    Ok(respond(StatusCode::OK, told.to_string()))
}

/// Signs a request for a table's files.
pub(super) async fn sign(call: Call<'_>) -> Result<Answer> {
    let name = call.table()?;
    let body = call.json();
    let wanted = body.as_ref().map_err(|e| bad(e.message())).and_then(Wanted::read);
    let writes = !matches!(&wanted, Ok(wanted) if wanted.reads());
    let path = call.gate.table_named(&call.bucket()?, &name.row())?;
    let ask: Ask = ask_about(&call, path, &name);
    let ask = match writes {
        true => ask.and_action(WRITE_DATA),
        false => ask,
    };
    let permit = call.gate.read(call.session, ask).await?;
    noted(&permit, call.tables.exists(&permit, (&name, What::Table)))?;
    let wanted = wanted?;
    if !wanted.is_of(permit.resource()) {
        let error = Error::new(
            Kind::Denied,
            "AccessDenied",
            "only requests for the table's own files are signed",
        );
        permit.failed(error.kind(), error.reason());
        return Err(error);
    }
    let issued = call.gate.vend(call.session, permit.resource(), writes).await?;
    let issued =
        issued.ok_or_else(|| bad("root and nobody have no sessions to sign with; use a key of a user"))?;
    let told = wanted.signed(&issued, &call.gate.settings().region, permit.now())?;
    Ok(respond(StatusCode::OK, told.to_string()))
}

/// A request that is to be signed.
struct Wanted {
    parts: Parts,
    text: String,
}

impl Wanted {
    fn read(body: &Value) -> Result<Self> {
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let method = text("method").and_then(|m| Method::from_bytes(m.as_bytes()).ok());
        let method = method.ok_or_else(|| bad("method is missing or none"))?;
        let address = text("uri").ok_or_else(|| bad("uri is missing"))?;
        let uri: Uri = address.parse().map_err(|_| bad("uri is no address"))?;
        let request = Request::builder().method(method).uri(uri).body(());
        let (mut parts, ()) = request.map_err(|_| bad("uri is no address"))?.into_parts();
        let given = body.get("headers").and_then(Value::as_object);
        for (name, values) in given.into_iter().flatten().take(HEADERS_MAX) {
            add(&mut parts.headers, name, values)?;
        }
        Ok(Self {
            parts,
            text: address.to_owned(),
        })
    }

    fn reads(&self) -> bool {
        matches!(self.parts.method, Method::GET | Method::HEAD)
    }

    /// Whether it is about what lies in a table's folder: a key there, or a listing of it, or keys in its body, which are looked at when they
    /// are deleted. Buckets are named in the path.
    fn is_of(&self, table: &ResourcePath) -> bool {
        let (Some(bucket), Some(id)) = (table.bucket(), tables::id_of(table)) else {
            return false;
        };
        let folder = format!("{}{id}/", tables::FOLDER);
        let Ok(path) = percent_decode_str(self.parts.uri.path()).decode_utf8() else {
            return false;
        };
        let mut segments = path.trim_start_matches('/').splitn(2, '/');
        let (is_bucket, key) = (
            segments.next() == Some(bucket.as_str()),
            segments.next().unwrap_or_default(),
        );
        let is_inside =
            |key: &str| key.starts_with(&folder) && !key.split('/').any(|s| matches!(s, "." | ".."));
        let query = self.parts.uri.query().unwrap_or_default().split('&');
        let mut pairs = query.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let mut of_bucket = || match self.parts.method {
            Method::GET => pairs.any(|(name, value)| {
                let value = percent_decode_str(value).decode_utf8_lossy();
                name == "prefix" && is_inside(&value)
            }),
            Method::POST => pairs.any(|(name, _)| name == "delete"),
            _ => false,
        };
        is_bucket && (is_inside(key) || (key.is_empty() && of_bucket()))
    }

    fn signed(mut self, issued: &Issued, region: &str, now: craton_base::Timestamp) -> Result<Value> {
        let had: Vec<HeaderName> = self.parts.headers.keys().cloned().collect();
        let signer = Signer {
            access_key_id: issued.access_key_id.clone(),
            secret: issued.secret.clone(),
            session_token: Some(issued.token.clone()),
            region: region.to_owned(),
            service: craton_gate::identify::Service::S3,
        };
        let body = payload(&self.parts.headers)?;
        signer.sign(&mut self.parts, &body, now)?;
        let mut headers = Map::new();
        for name in self.parts.headers.keys().filter(|name| !had.contains(name)) {
            let values = self.parts.headers.get_all(name).iter();
            let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
            headers.insert(name.as_str().to_owned(), json!(values));
        }
        Ok(json!({ "uri": self.text, "headers": headers }))
    }
}

/// What of the body is signed: what the client says itself, or nothing.
fn payload(headers: &HeaderMap) -> Result<Body> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(said) = text("x-amz-content-sha256") else {
        return Ok(Body::Unsigned);
    };
    let mut sha256 = [0; 32];
    match said {
        "UNSIGNED-PAYLOAD" => Ok(Body::Unsigned),
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Ok(Body::Chunked {
            signed: false,
            decoded_length: text("x-amz-decoded-content-length")
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| bad("a body in chunks says its length"))?,
            trailers: headers
                .get_all("x-amz-trailer")
                .iter()
                .filter_map(|value| HeaderName::from_bytes(value.as_bytes()).ok())
                .collect(),
        }),
        other => match hex::decode_to_slice(other, &mut sha256) {
            Ok(()) => Ok(Body::Sha256(sha256)),
            Err(_) => Err(bad("x-amz-content-sha256 is not one that can be signed here")),
        },
    }
}

fn add(headers: &mut HeaderMap, name: &str, values: &Value) -> Result<()> {
    let wrong = || bad(format!("the header {name} can not be signed"));
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
    if matches!(
        name.as_str(),
        "authorization" | "x-amz-date" | "x-amz-security-token"
    ) {
        return Ok(());
    }
    for value in values.as_array().into_iter().flatten() {
        let value = value.as_str().and_then(|text| HeaderValue::from_str(text).ok());
        headers.append(name.clone(), value.ok_or_else(wrong)?);
    }
    Ok(())
}
