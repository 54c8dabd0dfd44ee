//! Configurations of which a bucket has several, each by an id: inventory, analytics, metrics, archiving tiers.

use craton_base::{BucketName, Error, Kind, ObjectKey, ResourcePath};
use craton_gate::{ConfigurationChange, ID_BYTES_MAX, NamedConfiguration, Permit, Subresource, WritePermit};
use craton_objects::inventory::{Field, no_orc};
use s3s::{
    S3Request, S3Result,
    dto::{
        AnalyticsConfiguration, DeleteBucketAnalyticsConfigurationInput,
        DeleteBucketAnalyticsConfigurationOutput, DeleteBucketIntelligentTieringConfigurationInput,
        DeleteBucketIntelligentTieringConfigurationOutput, DeleteBucketInventoryConfigurationInput,
        DeleteBucketInventoryConfigurationOutput, DeleteBucketMetricsConfigurationInput,
        DeleteBucketMetricsConfigurationOutput, GetBucketAnalyticsConfigurationInput,
        GetBucketAnalyticsConfigurationOutput, GetBucketIntelligentTieringConfigurationInput,
        GetBucketIntelligentTieringConfigurationOutput, GetBucketInventoryConfigurationInput,
        GetBucketInventoryConfigurationOutput, GetBucketMetricsConfigurationInput,
        GetBucketMetricsConfigurationOutput, IntelligentTieringConfiguration, InventoryConfiguration,
        ListBucketAnalyticsConfigurationsInput, ListBucketAnalyticsConfigurationsOutput,
        ListBucketIntelligentTieringConfigurationsInput, ListBucketIntelligentTieringConfigurationsOutput,
        ListBucketInventoryConfigurationsInput, ListBucketInventoryConfigurationsOutput,
        ListBucketMetricsConfigurationsInput, ListBucketMetricsConfigurationsOutput, MetricsConfiguration,
        PutBucketAnalyticsConfigurationInput, PutBucketAnalyticsConfigurationOutput,
        PutBucketIntelligentTieringConfigurationInput, PutBucketIntelligentTieringConfigurationOutput,
        PutBucketInventoryConfigurationInput, PutBucketInventoryConfigurationOutput,
        PutBucketMetricsConfigurationInput, PutBucketMetricsConfigurationOutput,
    },
    xml::DeserializeContent,
};

use super::{absent, changing, configure, decode, encode, malformed_xml, reading, refused, settle};
use crate::s3::answer::fail_base;

/// How many configurations are in one page of a list.
const PAGE: usize = 100;

/// Ids are letters, digits, `-`, `_` and `.`.
fn check_id(id: &str) -> S3Result<()> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if !id.is_empty() && id.len() <= ID_BYTES_MAX && id.bytes().all(good) {
        return Ok(());
    }
    Err(refused(
        "InvalidConfigurationId",
        "The specified configuration id is invalid",
    ))
}

fn find<T: for<'xml> DeserializeContent<'xml>>(
    permit: &Permit,
    subresource: Subresource,
    root: &str,
    id: &str,
) -> S3Result<T> {
    let found = permit.named_configuration(subresource, id).map_err(Into::into);
    match settle(permit, found)? {
        Some(found) => decode(root, found.document()),
        None => Err(absent(
            "NoSuchConfiguration",
            "The specified configuration does not exist.",
        )),
    }
}

/// A page of configurations.
struct Listed<T> {
    list: Option<Vec<T>>,
    next: Option<String>,
}

fn list<T: for<'xml> DeserializeContent<'xml>>(
    permit: &Permit,
    subresource: Subresource,
    root: &str,
    token: Option<&str>,
) -> S3Result<Listed<T>> {
    let after = token.map(position).transpose()?;
    let limit = PAGE.saturating_add(1);
    let found = permit.named_configurations(subresource, after.as_deref(), limit);
    let mut found: Vec<NamedConfiguration> = settle(permit, found.map_err(Into::into))?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let last = found.last().map(|named| named.id.clone());
    let list: Vec<T> = found
        .iter()
        .map(|named| decode(root, named.configuration.document()))
        .collect::<S3Result<_>>()?;
    Ok(Listed {
        list: (!list.is_empty()).then_some(list),
        next: last.filter(|_| more).map(token_of),
    })
}

/// A token is the last id that was listed, made opaque so that nobody comes to rely on it.
fn token_of(id: String) -> String {
    hex::encode(id)
}

fn position(token: &str) -> S3Result<String> {
    let id = hex::decode(token).ok().and_then(|id| String::from_utf8(id).ok());
    id.filter(|id| check_id(id).is_ok())
        .ok_or_else(|| refused("InvalidArgument", "The continuation token provided is incorrect"))
}

fn check_inventory(permit: &WritePermit, stated: &InventoryConfiguration) -> S3Result<()> {
    let to = &stated.destination.s3_bucket_destination;
    if !to.bucket.starts_with("arn:aws:s3:::") {
        return Err(refused(
            "InvalidS3DestinationBucket",
            "Invalid destination bucket ARN",
        ));
    }
    let known = matches!(to.format.as_str(), "CSV" | "ORC" | "Parquet")
        && matches!(stated.schedule.frequency.as_str(), "Daily" | "Weekly")
        && matches!(stated.included_object_versions.as_str(), "All" | "Current");
    if !known {
        return Err(malformed_xml());
    }
    if to.format.as_str() == "ORC" {
        return Err(fail_base(&no_orc()));
    }
    let fields = stated.optional_fields.iter().flatten();
    let known = |name: &str| Field::ALL.iter().any(|field| field.names().0 == name);
    if !fields.clone().all(|field| known(field.as_str())) {
        return Err(malformed_xml());
    }
    match stated.is_enabled {
        true => check_destination(permit, stated),
        false => Ok(()),
    }
}

/// Where an inventory is written must be there, and who configures it must be allowed to write there, and to list.
fn check_destination(permit: &WritePermit, stated: &InventoryConfiguration) -> S3Result<()> {
    let to = &stated.destination.s3_bucket_destination;
    let name = to.bucket.strip_prefix("arn:aws:s3:::").unwrap_or_default();
    let missing = || {
        refused(
            "InvalidS3DestinationBucket",
            "The destination bucket does not exist",
        )
    };
    let name = BucketName::new(name).map_err(|_| missing())?;
    if !settle(permit, permit.bucket_exists(&name).map_err(Into::into))? {
        return Err(missing());
    }
    let prefix = to.prefix.as_deref().unwrap_or_default();
    let from = permit.resource().bucket().cloned().ok_or_else(missing)?;
    let listed = stated.filter.as_ref().map_or("", |filter| filter.prefix.as_str());
    let lists = permit.also(
        "s3:ListBucketVersions",
        &ResourcePath::Objects(from, listed.to_owned()),
    );
    let everything = ObjectKey::new(&format!("{prefix}*"));
    let writes = everything.is_ok_and(|key| permit.also("s3:PutObject", &ResourcePath::Object(name, key)));
    if lists && writes {
        return Ok(());
    }
    permit.failed(Kind::Denied, "AccessDenied");
    let message = "Access Denied: who sets up an inventory needs s3:ListBucketVersions for the source and \
                   s3:PutObject for the destination.";
    Err(fail_base(&Error::new(Kind::Denied, "AccessDenied", message)))
}

const fn check_analytics(_: &WritePermit, _: &AnalyticsConfiguration) -> S3Result<()> {
    Ok(())
}

const fn check_metrics(_: &WritePermit, _: &MetricsConfiguration) -> S3Result<()> {
    Ok(())
}

fn check_tiering(_: &WritePermit, stated: &IntelligentTieringConfiguration) -> S3Result<()> {
    if !matches!(stated.status.as_str(), "Enabled" | "Disabled") || stated.tierings.is_empty() {
        return Err(malformed_xml());
    }
    for tiering in &stated.tierings {
        let least = match tiering.access_tier.as_str() {
            "ARCHIVE_ACCESS" => 90,
            "DEEP_ARCHIVE_ACCESS" => 180,
            _ => return Err(malformed_xml()),
        };
        if !(least..=730).contains(&tiering.days) {
            let message = format!("Days must be {least} to 730 for {}", tiering.access_tier.as_str());
            return Err(refused("InvalidArgument", message));
        }
    }
    Ok(())
}

/// The operations of one kind of configuration: its type, its field in inputs and outputs, the field of its list,
/// its actions, its check; then each operation's input, output and name.
macro_rules! kind {
    (
        $module:ident, $type:ident, $subresource:ident, $field:ident, $listed:ident,
        $read:literal, $write:literal, $check:ident;
        $get:ident $got:ident $get_name:literal, $put:ident $did_put:ident $put_name:literal,
        $delete:ident $deleted:ident $delete_name:literal, $list:ident $page:ident $list_name:literal
    ) => {
        pub(in crate::s3) mod $module {
            use super::*;

            const ROOT: &str = stringify!($type);
            const KIND: Subresource = Subresource::$subresource;

            pub(in crate::s3) async fn get(request: S3Request<$get>) -> S3Result<$got> {
                let input = &request.input;
                let permit = reading(&request, &input.bucket, $get_name, $read).await?;
                let found: $type = find(&permit, KIND, ROOT, &input.id)?;
                Ok($got {
                    $field: Some(found),
                })
            }

            pub(in crate::s3) async fn put(request: S3Request<$put>) -> S3Result<$did_put> {
                let input = &request.input;
                let permit = changing(&request, &input.bucket, $put_name, $write).await?;
                check_id(&input.id)?;
                if input.$field.id != input.id {
                    let message = "The id of the configuration is not the one that the request names.";
                    return Err(refused("InvalidArgument", message));
                }
                $check(&permit, &input.$field)?;
                settle(
                    &permit,
                    permit.require_room(KIND, &input.id).map_err(Into::into),
                )?;
                let document = encode(ROOT, &input.$field)?;
                let change = ConfigurationChange::set_named(KIND, &input.id, document);
                configure(&permit, &[change]).await?;
                Ok($did_put {})
            }

            pub(in crate::s3) async fn delete(request: S3Request<$delete>) -> S3Result<$deleted> {
                let input = &request.input;
                let permit = changing(&request, &input.bucket, $delete_name, $write).await?;
                find::<$type>(&permit, KIND, ROOT, &input.id)?;
                configure(
                    &permit,
                    &[ConfigurationChange::remove_named(KIND, &input.id)],
                )
                .await?;
                Ok($deleted {})
            }

            pub(in crate::s3) async fn list(request: S3Request<$list>) -> S3Result<$page> {
                let input = &request.input;
                let permit = reading(&request, &input.bucket, $list_name, $read).await?;
                let listed = super::list(&permit, KIND, ROOT, input.continuation_token.as_deref())?;
                Ok($page {
                    continuation_token: input.continuation_token.clone(),
                    $listed: listed.list,
                    is_truncated: Some(listed.next.is_some()),
                    next_continuation_token: listed.next,
                })
            }
        }
    };
}

kind!(
    inventory, InventoryConfiguration, Inventory, inventory_configuration, inventory_configuration_list,
    "s3:GetInventoryConfiguration", "s3:PutInventoryConfiguration", check_inventory;
    GetBucketInventoryConfigurationInput GetBucketInventoryConfigurationOutput "GetBucketInventoryConfiguration",
    PutBucketInventoryConfigurationInput PutBucketInventoryConfigurationOutput "PutBucketInventoryConfiguration",
    DeleteBucketInventoryConfigurationInput DeleteBucketInventoryConfigurationOutput "DeleteBucketInventoryConfiguration",
    ListBucketInventoryConfigurationsInput ListBucketInventoryConfigurationsOutput "ListBucketInventoryConfigurations"
);

kind!(
    analytics, AnalyticsConfiguration, Analytics, analytics_configuration, analytics_configuration_list,
    "s3:GetAnalyticsConfiguration", "s3:PutAnalyticsConfiguration", check_analytics;
    GetBucketAnalyticsConfigurationInput GetBucketAnalyticsConfigurationOutput "GetBucketAnalyticsConfiguration",
    PutBucketAnalyticsConfigurationInput PutBucketAnalyticsConfigurationOutput "PutBucketAnalyticsConfiguration",
    DeleteBucketAnalyticsConfigurationInput DeleteBucketAnalyticsConfigurationOutput "DeleteBucketAnalyticsConfiguration",
    ListBucketAnalyticsConfigurationsInput ListBucketAnalyticsConfigurationsOutput "ListBucketAnalyticsConfigurations"
);

kind!(
    metrics, MetricsConfiguration, Metrics, metrics_configuration, metrics_configuration_list,
    "s3:GetMetricsConfiguration", "s3:PutMetricsConfiguration", check_metrics;
    GetBucketMetricsConfigurationInput GetBucketMetricsConfigurationOutput "GetBucketMetricsConfiguration",
    PutBucketMetricsConfigurationInput PutBucketMetricsConfigurationOutput "PutBucketMetricsConfiguration",
    DeleteBucketMetricsConfigurationInput DeleteBucketMetricsConfigurationOutput "DeleteBucketMetricsConfiguration",
    ListBucketMetricsConfigurationsInput ListBucketMetricsConfigurationsOutput "ListBucketMetricsConfigurations"
);

kind!(
    tiering, IntelligentTieringConfiguration, IntelligentTiering, intelligent_tiering_configuration, intelligent_tiering_configuration_list,
    "s3:GetIntelligentTieringConfiguration", "s3:PutIntelligentTieringConfiguration", check_tiering;
    GetBucketIntelligentTieringConfigurationInput GetBucketIntelligentTieringConfigurationOutput "GetBucketIntelligentTieringConfiguration",
    PutBucketIntelligentTieringConfigurationInput PutBucketIntelligentTieringConfigurationOutput "PutBucketIntelligentTieringConfiguration",
    DeleteBucketIntelligentTieringConfigurationInput DeleteBucketIntelligentTieringConfigurationOutput "DeleteBucketIntelligentTieringConfiguration",
    ListBucketIntelligentTieringConfigurationsInput ListBucketIntelligentTieringConfigurationsOutput "ListBucketIntelligentTieringConfigurations"
);
