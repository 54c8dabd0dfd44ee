//! Listing objects, both versions.

use craton_base::ResourcePath;
use craton_gate::{Ask, ReadPermit};
use craton_objects::list::{self as engine, After, ListPage, Listing, PAGE_KEYS_MAX};
use s3s::{
    S3Request, S3Result,
    dto::{
        CommonPrefix, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
        ListObjectsV2Output, OptionalObjectAttributes,
    },
};

use super::{read, restore, settle, with};
use crate::s3::{
    answer::{argument, fail},
    call::Call,
    convert,
};

pub(super) mod rows;

use rows::Shown;

/// How the document of both versions ends.
const DOCUMENT_END: &str = "</ListBucketResult>";

/// The parts of a listing's request that both versions have.
struct Common {
    bucket: String,
    prefix: Option<String>,
    delimiter: Option<String>,
    max_keys: Option<i32>,
    encoding: Option<EncodingType>,
    attributes: Option<Vec<OptionalObjectAttributes>>,
}

/// What both versions answer.
struct Page {
    /// Rows that were shown.
    count: usize,
    last_key: Option<String>,
    next: Option<After>,
    limit: usize,
    encode: bool,
}

async fn page(
    call: &Call,
    operation: &'static str,
    common: &Common,
    after: Option<After>,
    owners: bool,
) -> S3Result<Page> {
    let restores = restore::listed(common.attributes.as_deref())?;
    let prefix = common.prefix.clone().unwrap_or_default();
    let encode = encodes(common.encoding.as_ref())?;
    let limit = convert::limit(common.max_keys, "maxKeys", PAGE_KEYS_MAX)?;
    let permit = permit(call, operation, common, &prefix).await?;
    let listing = Listing {
        prefix,
        delimiter: common.delimiter.clone(),
        after,
        limit,
    };
    let ListPage {
        entries,
        prefixes,
        next,
    } = settle(&permit, engine::list(&permit, &listing).await)?;
    let shown = Shown {
        encode,
        owners,
        restores: restores.then(|| permit.now()),
    };
    let rows = rows::objects(&entries, &prefixes, shown);
    // The rows stand last in the document: the order of its elements means nothing.
    call.amend(DOCUMENT_END, rows + DOCUMENT_END);
    Ok(Page {
        count: entries.len().saturating_add(prefixes.len()),
        last_key: entries.into_iter().next_back().map(|listed| listed.key),
        next,
        limit,
        encode,
    })
}

async fn permit(call: &Call, operation: &'static str, common: &Common, prefix: &str) -> S3Result<ReadPermit> {
    let path = ResourcePath::Objects(convert::bucket(&common.bucket)?, convert::prefix(prefix)?);
    // S3 gives these keys to policies only where the request states them.
    let ask = with(
        Ask::new(operation, "s3:ListBucket", path),
        "s3:prefix",
        common.prefix.clone(),
    );
    let ask = with(ask, "s3:delimiter", common.delimiter.clone());
    read(
        call,
        with(ask, "s3:max-keys", common.max_keys.map(|n| n.to_string())),
    )
    .await
}

pub(super) fn encodes(encoding: Option<&EncodingType>) -> S3Result<bool> {
    match encoding.map(EncodingType::as_str) {
        None => Ok(false),
        Some("url") => Ok(true),
        Some(other) => Err(argument(
            "encoding-type",
            other,
            "Invalid Encoding Method specified in Request",
        )),
    }
}

pub(super) fn common_prefixes(prefixes: Vec<String>, encode: bool) -> Vec<CommonPrefix> {
    prefixes
        .into_iter()
        .map(|p| CommonPrefix {
            prefix: Some(convert::url_encoded(p, encode)),
        })
        .collect()
}

pub(in crate::s3) async fn list_objects(request: S3Request<ListObjectsInput>) -> S3Result<ListObjectsOutput> {
    let call = Call::of(&request)?;
    let input = request.input;
    let common = Common {
        bucket: input.bucket,
        prefix: input.prefix,
        delimiter: input.delimiter.filter(|d| !d.is_empty()),
        max_keys: input.max_keys,
        encoding: input.encoding_type,
        attributes: input.optional_object_attributes,
    };
    let prefix = common.prefix.as_deref().unwrap_or_default();
    let marker = input.marker.unwrap_or_default();
    let after =
        (!marker.is_empty()).then(|| After::from_marker(&marker, prefix, common.delimiter.as_deref()));
    let page = page(&call, "ListObjects", &common, after, true).await?;
    let encoded = |text: String| convert::url_encoded(text, page.encode);
    // S3 names the next marker only with a delimiter: without one it is the last key, unless the page ended between keys.
    let is_last_key = |next: &After| page.last_key.as_deref() == Some(next.text());
    let stated = |next: &&After| common.delimiter.is_some() || !is_last_key(next);
    let next = page.next.as_ref().filter(stated);
    Ok(ListObjectsOutput {
        name: Some(common.bucket),
        prefix: Some(encoded(common.prefix.unwrap_or_default())),
        marker: Some(encoded(marker)),
        max_keys: convert::count(page.limit),
        is_truncated: Some(page.next.is_some()),
        next_marker: next.map(|n| encoded(n.text().to_owned())),
        contents: None,
        common_prefixes: None,
        delimiter: common.delimiter.map(encoded),
        encoding_type: common.encoding,
        request_charged: None,
    })
}

pub(in crate::s3) async fn list_objects_v2(
    request: S3Request<ListObjectsV2Input>,
) -> S3Result<ListObjectsV2Output> {
    let call = Call::of(&request)?;
    let input = request.input;
    let common = Common {
        bucket: input.bucket,
        prefix: input.prefix,
        delimiter: input.delimiter.filter(|d| !d.is_empty()),
        max_keys: input.max_keys,
        encoding: input.encoding_type,
        attributes: input.optional_object_attributes,
    };
    let prefix = common.prefix.as_deref().unwrap_or_default();
    let start_after = input.start_after.filter(|s| !s.is_empty());
    let after = match (&input.continuation_token, &start_after) {
        (Some(token), _) => Some(After::from_token(token).map_err(fail)?),
        (None, Some(key)) => Some(After::from_marker(key, prefix, common.delimiter.as_deref())),
        (None, None) => None,
    };
    let page = page(
        &call,
        "ListObjectsV2",
        &common,
        after,
        input.fetch_owner.unwrap_or_default(),
    )
    .await?;
    let encoded = |text: String| convert::url_encoded(text, page.encode);
    Ok(ListObjectsV2Output {
        name: Some(common.bucket),
        prefix: Some(encoded(common.prefix.unwrap_or_default())),
        max_keys: convert::count(page.limit),
        key_count: convert::count(page.count),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.as_ref().map(After::to_token),
        contents: None,
        common_prefixes: None,
        delimiter: common.delimiter.map(encoded),
        encoding_type: common.encoding,
        start_after: start_after.map(encoded),
        request_charged: None,
    })
}
