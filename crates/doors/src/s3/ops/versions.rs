//! Versioning of buckets, and listing versions.

use craton_base::ResourcePath;
use craton_gate::{Ask, Versioning};
use craton_objects::{
    bucket as engine,
    list::{After, PAGE_KEYS_MAX, VersionsAfter, VersionsListing, VersionsPage, list_versions},
    version::VersionId,
};
use s3s::{
    S3Request, S3Result,
    dto::{
        BucketVersioningStatus, GetBucketVersioningInput, GetBucketVersioningOutput, ListObjectVersionsInput,
        ListObjectVersionsOutput, MFADelete, PutBucketVersioningInput, PutBucketVersioningOutput,
    },
    s3_error,
};

use super::{
    bucket::about,
    list::{
        encodes,
        rows::{self, Shown},
    },
    read, refuse_if, restore, settle, with, write,
};
use crate::s3::{answer::argument, call::Call, convert};

/// How the document of a listing of versions ends.
const DOCUMENT_END: &str = "</ListVersionsResult>";

pub(in crate::s3) async fn get_bucket_versioning(
    request: S3Request<GetBucketVersioningInput>,
) -> S3Result<GetBucketVersioningOutput> {
    let name = &request.input.bucket;
    let permit = about(&request, name, "GetBucketVersioning", "s3:GetBucketVersioning").await?;
    let bucket = settle(&permit, engine::head(&permit))?;
    let status = match bucket.versioning {
        Versioning::Unversioned => None,
        Versioning::Enabled => Some(BucketVersioningStatus::ENABLED),
        Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
    };
    Ok(GetBucketVersioningOutput {
        mfa_delete: None,
        status: status.map(BucketVersioningStatus::from_static),
    })
}

pub(in crate::s3) async fn put_bucket_versioning(
    request: S3Request<PutBucketVersioningInput>,
) -> S3Result<PutBucketVersioningOutput> {
    let call = Call::of(&request)?;
    let input = request.input;
    let path = ResourcePath::Bucket(convert::bucket(&input.bucket)?);
    let permit = write(
        &call,
        Ask::new("PutBucketVersioning", "s3:PutBucketVersioning", path),
    )
    .await?;
    let configuration = input.versioning_configuration;
    let mfa = configuration.mfa_delete.as_ref().map(MFADelete::as_str);
    refuse_if(mfa == Some(MFADelete::ENABLED), "Deleting with a second factor")?;
    let keep = match configuration.status.as_ref().map(BucketVersioningStatus::as_str) {
        Some(BucketVersioningStatus::ENABLED) => true,
        Some(BucketVersioningStatus::SUSPENDED) => false,
        Some(_) => return Err(s3_error!(MalformedXML)),
        None => {
            return Err(s3_error!(
                IllegalVersioningConfigurationException,
                "The Versioning element must be specified"
            ));
        }
    };
    settle(&permit, engine::set_versioning(&permit, keep).await)?;
    Ok(PutBucketVersioningOutput::default())
}

pub(in crate::s3) async fn list_object_versions(
    request: S3Request<ListObjectVersionsInput>,
) -> S3Result<ListObjectVersionsOutput> {
    let call = Call::of(&request)?;
    let input = request.input;
    let encode = encodes(input.encoding_type.as_ref())?;
    let restores = restore::listed(input.optional_object_attributes.as_deref())?;
    let limit = convert::limit(input.max_keys, "maxKeys", PAGE_KEYS_MAX)?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let path = ResourcePath::Objects(convert::bucket(&input.bucket)?, convert::prefix(&prefix)?);
    let ask = Ask::new("ListObjectVersions", "s3:ListBucketVersions", path);
    let ask = with(ask, "s3:prefix", input.prefix.clone());
    let ask = with(ask, "s3:delimiter", input.delimiter.clone());
    let ask = with(ask, "s3:max-keys", input.max_keys.map(|n| n.to_string()));
    let permit = read(&call, ask).await?;
    let delimiter = input.delimiter.filter(|d| !d.is_empty());
    let key_marker = input.key_marker.unwrap_or_default();
    let version_marker = version_marker(&key_marker, input.version_id_marker.as_deref())?;
    let after = (!key_marker.is_empty())
        .then(|| VersionsAfter::from_markers(&key_marker, version_marker, &prefix, delimiter.as_deref()));
    let listing = VersionsListing {
        prefix,
        delimiter: delimiter.clone(),
        after: settle(&permit, after.transpose())?,
        limit,
    };
    let page = settle(&permit, list_versions(&permit, &listing).await)?;
    let VersionsPage {
        versions,
        prefixes,
        next,
    } = page;
    let shown = Shown {
        encode,
        owners: true,
        restores: restores.then(|| permit.now()),
    };
    // The rows stand last in the document: the order of its elements means nothing.
    call.amend(
        DOCUMENT_END,
        rows::versions(&versions, &prefixes, shown) + DOCUMENT_END,
    );
    let encoded = |text: String| convert::url_encoded(text, encode);
    let truncated = next.is_some();
    let (next_key, next_version) = next.map(markers_of).unzip();
    Ok(ListObjectVersionsOutput {
        common_prefixes: None,
        delete_markers: None,
        delimiter: delimiter.map(encoded),
        encoding_type: input.encoding_type,
        is_truncated: Some(truncated),
        key_marker: Some(encoded(key_marker.clone())),
        max_keys: convert::count(limit),
        name: Some(input.bucket),
        next_key_marker: next_key.map(encoded),
        next_version_id_marker: next_version.flatten().map(VersionId::to_text),
        prefix: Some(encoded(listing.prefix)),
        request_charged: None,
        version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
        versions: None,
    })
}

fn version_marker<'a>(key_marker: &str, version: Option<&'a str>) -> S3Result<Option<&'a str>> {
    match (version, key_marker.is_empty()) {
        (None, _) | (Some(""), true) => Ok(None),
        (Some(version), true) => Err(argument(
            "version-id-marker",
            version,
            "A version-id marker cannot be specified without a key marker.",
        )),
        (Some(""), false) => Err(argument(
            "version-id-marker",
            "",
            "A version-id marker cannot be empty.",
        )),
        (Some(version), false) => Ok(Some(version)),
    }
}

fn markers_of(next: VersionsAfter) -> (String, Option<VersionId>) {
    match next {
        VersionsAfter::Version(key, id) => (key, Some(id)),
        VersionsAfter::Name(After::Key(text) | After::Prefix(text)) => (text, None),
    }
}
