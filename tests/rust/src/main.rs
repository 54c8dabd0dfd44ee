//! What a Rust program does with a bucket, by AWS's own client: `objects`, `listings`, `parts`, `links` or
//! `versions` is the only argument. `BUCKET`, `CRATON_ENDPOINT` and the usual two variables with the key say where.
//! Ends with 0, or with what was wrong.

use std::{error::Error, time::Duration};

use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
    error::{ProvideErrorMetadata, SdkError},
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::{
        BucketVersioningStatus, ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload, CompletedPart,
        Delete, ObjectIdentifier, VersioningConfiguration,
    },
};

type Checked = Result<(), Box<dyn Error>>;
const PART: usize = 5 << 20;

#[tokio::main]
async fn main() -> Checked {
    let s3 = client()?;
    let bucket = std::env::var("BUCKET")?;
    match std::env::args().nth(1).as_deref() {
        Some("objects") => objects(&s3, &bucket).await,
        Some("listings") => listings(&s3, &bucket).await,
        Some("parts") => parts(&s3, &bucket).await,
        Some("links") => links(&s3, &bucket).await,
        Some("versions") => versions(&s3, &bucket).await,
        other => Err(format!("no such test: {other:?}").into()),
    }
}

fn client() -> Result<Client, Box<dyn Error>> {
    let variable = |name: &str| std::env::var(name);
    let key = Credentials::from_keys(variable("AWS_ACCESS_KEY_ID")?, variable("AWS_SECRET_ACCESS_KEY")?, None);
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(variable("CRATON_ENDPOINT")?)
        .force_path_style(true)
        .retry_config(RetryConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .credentials_provider(key);
    Ok(Client::from_conf(config.build()))
}

/// Bytes that do not repeat soon.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ length as u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

fn holds(truth: bool, what: &str) -> Checked {
    if truth { Ok(()) } else { Err(what.into()) }
}

fn refused<T, E: ProvideErrorMetadata, R>(result: Result<T, SdkError<E, R>>, code: &str) -> Checked {
    match result {
        Ok(_) => Err(format!("{code} was expected").into()),
        Err(e) => holds(e.code() == Some(code), &format!("{code} was expected, not {:?}", e.code())),
    }
}

async fn read(s3: &Client, bucket: &str, key: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let got = s3
        .get_object()
        .bucket(bucket)
        .key(key)
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await?;
    Ok(got.body.collect().await?.to_vec())
}

async fn put(s3: &Client, bucket: &str, key: &str, data: Vec<u8>) -> Result<Option<String>, Box<dyn Error>> {
    let put = s3.put_object().bucket(bucket).key(key).body(ByteStream::from(data));
    Ok(put.send().await?.version_id)
}

async fn objects(s3: &Client, bucket: &str) -> Checked {
    let data = noise(100_000);
    let key = "a b/ü+&";
    let put = s3
        .put_object()
        .bucket(bucket)
        .key(key)
        .body(data.clone().into())
        .metadata("who", "me")
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .send()
        .await?;
    holds(put.checksum_sha256.is_some(), "the checksum is told")?;
    holds(read(s3, bucket, key).await? == data, "the content comes back")?;
    let part = s3.get_object().bucket(bucket).key(key).range("bytes=10-19").send().await?;
    holds(part.body.collect().await?.to_vec() == data[10..20], "a range comes back")?;
    let head = s3.head_object().bucket(bucket).key(key).send().await?;
    let who = head.metadata().and_then(|m| m.get("who")).map(String::as_str);
    holds((head.content_length(), who) == (Some(100_000), Some("me")), "its head is right")?;
    refused(s3.get_object().bucket(bucket).key("none").send().await, "NoSuchKey")?;
    let again = s3.put_object().bucket(bucket).key(key).if_none_match("*");
    refused(again.send().await, "PreconditionFailed")?;
    let copy = s3.copy_object().bucket(bucket).key("copy");
    copy.copy_source(format!("{bucket}/a%20b/%C3%BC%2B%26")).send().await?;
    holds(read(s3, bucket, "copy").await? == data, "a copy is the same")?;
    let named = |key: &str| ObjectIdentifier::builder().key(key).build();
    let delete = Delete::builder().objects(named(key)?).objects(named("copy")?).build()?;
    let gone = s3.delete_objects().bucket(bucket).delete(delete).send().await?;
    holds(gone.deleted().len() == 2 && gone.errors().is_empty(), "both are deleted")
}

async fn listings(s3: &Client, bucket: &str) -> Checked {
    for n in 0..25 {
        put(s3, bucket, &format!("d{}/{n:02}", n % 5), noise(n)).await?;
    }
    let mut pages = s3.list_objects_v2().bucket(bucket).max_keys(4).into_paginator().send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        keys.extend(page?.contents().iter().filter_map(|o| o.key().map(str::to_owned)));
    }
    holds(keys.len() == 25 && keys.is_sorted(), "all keys are listed, in order")?;
    let tops = s3.list_objects_v2().bucket(bucket).delimiter("/").send().await?;
    holds(tops.common_prefixes().len() == 5, "keys are grouped")
}

async fn parts(s3: &Client, bucket: &str) -> Checked {
    let data = noise(2 * PART + 7);
    let made = s3
        .create_multipart_upload()
        .bucket(bucket)
        .key("large")
        .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
        .send()
        .await?;
    let id = made.upload_id().ok_or("no id of the upload")?;
    let mut done = CompletedMultipartUpload::builder();
    for (number, piece) in (1..).zip(data.chunks(PART)) {
        let part = s3.upload_part().bucket(bucket).key("large").upload_id(id).part_number(number);
        let part = part.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).body(piece.to_vec().into());
        let sent = part.send().await?;
        let part = CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag);
        done = done.parts(part.set_checksum_crc64_nvme(sent.checksum_crc64_nvme).build());
    }
    let complete = s3.complete_multipart_upload().bucket(bucket).key("large").upload_id(id);
    let complete = complete.multipart_upload(done.build()).send().await?;
    holds(complete.e_tag().is_some_and(|t| t.ends_with("-3\"")), "its tag tells of three parts")?;
    holds(read(s3, bucket, "large").await? == data, "the content comes back")
}

async fn links(s3: &Client, bucket: &str) -> Checked {
    let signed = s3.put_object().bucket(bucket).key("k");
    let signed = signed.presigned(PresigningConfig::expires_in(Duration::from_secs(60))?).await?;
    holds(signed.uri().contains("X-Amz-Signature="), "a link is signed")?;
    println!("{}", signed.uri());
    Ok(())
}

async fn versions(s3: &Client, bucket: &str) -> Checked {
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    s3.put_bucket_versioning().bucket(bucket).versioning_configuration(enabled).send().await?;
    let first = put(s3, bucket, "k", noise(10)).await?.ok_or("no id of a version")?;
    put(s3, bucket, "k", noise(20)).await?;
    let old = s3.get_object().bucket(bucket).key("k").version_id(&first).send().await?;
    holds(old.body.collect().await?.to_vec() == noise(10), "the old version is there")?;
    let marker = s3.delete_object().bucket(bucket).key("k").send().await?;
    holds(marker.delete_marker() == Some(true), "a delete leaves a marker")?;
    let listed = s3.list_object_versions().bucket(bucket).send().await?;
    holds((listed.versions().len(), listed.delete_markers().len()) == (2, 1), "all are listed")?;
    s3.delete_object().bucket(bucket).key("k").version_id(&first).send().await?;
    let gone = s3.get_object().bucket(bucket).key("k").version_id(&first).send().await;
    refused(gone, "NoSuchVersion")
}
