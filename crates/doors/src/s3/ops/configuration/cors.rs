//! Cross-origin rules: putting them and reading them back. What they do is in [`crate::s3::cross_origin`].

use craton_gate::{CORS_RULES_MAX, ConfigurationChange, Cors, CorsRule, Subresource};
use s3s::{
    S3Request, S3Result,
    dto::{
        CORSRule, DeleteBucketCorsInput, DeleteBucketCorsOutput, GetBucketCorsInput, GetBucketCorsOutput,
        PutBucketCorsInput, PutBucketCorsOutput,
    },
};

use super::{absent, changing, configure, malformed_xml, reading, refused, settle};

/// The methods that a rule may name.
const METHODS: [&str; 5] = ["DELETE", "GET", "HEAD", "POST", "PUT"];

pub(in crate::s3) async fn get(request: S3Request<GetBucketCorsInput>) -> S3Result<GetBucketCorsOutput> {
    let bucket = &request.input.bucket;
    let permit = reading(&request, bucket, "GetBucketCors", "s3:GetBucketCORS").await?;
    let access = settle(&permit, permit.bucket_access().map_err(Into::into))?;
    let Some(cors) = access.cors() else {
        let message = "The CORS configuration does not exist";
        return Err(absent("NoSuchCORSConfiguration", message));
    };
    Ok(GetBucketCorsOutput {
        cors_rules: Some(cors.rules.iter().map(shown).collect()),
    })
}

fn shown(rule: &CorsRule) -> CORSRule {
    let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    CORSRule {
        allowed_headers: some(&rule.headers),
        allowed_methods: rule.methods.clone(),
        allowed_origins: rule.origins.clone(),
        expose_headers: some(&rule.expose),
        id: rule.id.clone(),
        max_age_seconds: rule.max_age_seconds.and_then(|s| i32::try_from(s).ok()),
    }
}

pub(in crate::s3) async fn put(request: S3Request<PutBucketCorsInput>) -> S3Result<PutBucketCorsOutput> {
    let bucket = &request.input.bucket;
    let permit = changing(&request, bucket, "PutBucketCors", "s3:PutBucketCORS").await?;
    let rules = request.input.cors_configuration.cors_rules;
    if rules.is_empty() || rules.len() > CORS_RULES_MAX {
        return Err(malformed_xml());
    }
    let rules = rules.into_iter().map(checked).collect::<S3Result<_>>()?;
    configure(&permit, &[ConfigurationChange::cors(&Cors { rules })]).await?;
    Ok(PutBucketCorsOutput {})
}

pub(in crate::s3) async fn delete(
    request: S3Request<DeleteBucketCorsInput>,
) -> S3Result<DeleteBucketCorsOutput> {
    let bucket = &request.input.bucket;
    let permit = changing(&request, bucket, "DeleteBucketCors", "s3:PutBucketCORS").await?;
    configure(&permit, &[ConfigurationChange::remove(Subresource::Cors)]).await?;
    Ok(DeleteBucketCorsOutput {})
}

fn checked(rule: CORSRule) -> S3Result<CorsRule> {
    if rule.allowed_methods.is_empty() || rule.allowed_origins.is_empty() {
        return Err(malformed_xml());
    }
    if rule.id.as_ref().is_some_and(|id| id.chars().count() > 255) {
        return Err(refused(
            "InvalidRequest",
            "ID length should not exceed allowed limit of 255",
        ));
    }
    if let Some(other) = rule
        .allowed_methods
        .iter()
        .find(|m| !METHODS.contains(&m.as_str()))
    {
        let message = format!("Found unsupported HTTP method in CORS config. Unsupported method is {other}");
        return Err(refused("InvalidRequest", message));
    }
    one_wildcard("AllowedOrigin", &rule.allowed_origins)?;
    let headers = rule.allowed_headers.unwrap_or_default();
    one_wildcard("AllowedHeader", &headers)?;
    let expose = rule.expose_headers.unwrap_or_default();
    if let Some(wild) = expose.iter().find(|h| h.contains('*')) {
        let message = format!(
            "ExposeHeader \"{wild}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
        );
        return Err(refused("InvalidRequest", message));
    }
    // What goes into headers of answers must be able to.
    let sendable = |text: &String| http::HeaderValue::from_str(text).is_ok();
    if !expose.iter().chain(&headers).all(sendable) {
        return Err(malformed_xml());
    }
    Ok(CorsRule {
        id: rule.id,
        origins: rule.allowed_origins,
        methods: rule.allowed_methods,
        headers,
        expose,
        max_age_seconds: rule.max_age_seconds.map(|s| u32::try_from(s).unwrap_or_default()),
    })
}

fn one_wildcard(element: &str, values: &[String]) -> S3Result<()> {
    match values.iter().find(|v| v.matches('*').count() > 1) {
        None => Ok(()),
        Some(value) => Err(refused(
            "InvalidRequest",
            format!("{element} \"{value}\" can not have more than one wildcard."),
        )),
    }
}
