//! The operations that this door has, by `s3s`'s trait: each only names the function that does it.
//!
//! What is not here answers `NotImplemented`; [`super::ROUTES`] lists both.

// Two types for each operation: by name they would be a page of names.
use s3s::{S3, S3Request, S3Response, S3Result, dto::*};

use super::call::Call;
use super::ops::{
    bucket, configuration, copy, delete, get, list, lock, multipart, object_acl, put, restore, tagging,
    versions,
};

/// The operations.
pub(super) struct Handlers;

macro_rules! operations {
    ($($name:ident($input:ty) -> $output:ty = $does:path;)+) => {
        /// The operations as the trait names them.
        #[cfg(test)]
        pub(super) const NAMES: &[&str] = &[$(stringify!($name),)+ "get_object"];

        #[async_trait::async_trait]
        impl S3 for Handlers {
            $(
                async fn $name(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                    let call = Call::of(&request)?;
                    call.ended($does(request).await).map(S3Response::new)
                }
            )+

            async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
                let call = Call::of(&request)?;
                call.ended(get::get_object(request).await)
            }

            async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
                let call = Call::of(&request)?;
                call.ended(get::head_object(request).await)
            }
        }
    };
}

operations! {
    list_buckets(ListBucketsInput) -> ListBucketsOutput = bucket::list_buckets;
    create_bucket(CreateBucketInput) -> CreateBucketOutput = bucket::create_bucket;
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput = bucket::delete_bucket;
    head_bucket(HeadBucketInput) -> HeadBucketOutput = bucket::head_bucket;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput = bucket::get_bucket_location;
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput = versions::get_bucket_versioning;
    put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput = versions::put_bucket_versioning;
    list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput = versions::list_object_versions;
    get_object_lock_configuration(GetObjectLockConfigurationInput) -> GetObjectLockConfigurationOutput
        = lock::get_object_lock_configuration;
    put_object_lock_configuration(PutObjectLockConfigurationInput) -> PutObjectLockConfigurationOutput
        = lock::put_object_lock_configuration;
    get_object_retention(GetObjectRetentionInput) -> GetObjectRetentionOutput = lock::get_object_retention;
    put_object_retention(PutObjectRetentionInput) -> PutObjectRetentionOutput = lock::put_object_retention;
    get_object_legal_hold(GetObjectLegalHoldInput) -> GetObjectLegalHoldOutput = lock::get_object_legal_hold;
    put_object_legal_hold(PutObjectLegalHoldInput) -> PutObjectLegalHoldOutput = lock::put_object_legal_hold;
    get_object_acl(GetObjectAclInput) -> GetObjectAclOutput = object_acl::get;
    put_object_acl(PutObjectAclInput) -> PutObjectAclOutput = object_acl::put;
    get_object_attributes(GetObjectAttributesInput) -> GetObjectAttributesOutput = get::get_object_attributes;
    get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput = tagging::get_object_tagging;
    put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput = tagging::put_object_tagging;
    delete_object_tagging(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput
        = tagging::delete_object_tagging;
    restore_object(RestoreObjectInput) -> RestoreObjectOutput = restore::restore_object;
    put_object(PutObjectInput) -> PutObjectOutput = put::put_object;
    copy_object(CopyObjectInput) -> CopyObjectOutput = copy::copy_object;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput = delete::delete_object;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput = delete::delete_objects;
    list_objects(ListObjectsInput) -> ListObjectsOutput = list::list_objects;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output = list::list_objects_v2;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput = multipart::create;
    upload_part(UploadPartInput) -> UploadPartOutput = multipart::upload_part;
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput = copy::upload_part_copy;
    list_parts(ListPartsInput) -> ListPartsOutput = multipart::list_parts;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput = multipart::list_uploads;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput
        = multipart::complete;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput = multipart::abort;
    get_bucket_acl(GetBucketAclInput) -> GetBucketAclOutput = configuration::acl::get;
    put_bucket_acl(PutBucketAclInput) -> PutBucketAclOutput = configuration::acl::put;
    get_bucket_policy(GetBucketPolicyInput) -> GetBucketPolicyOutput = configuration::access::get_policy;
    put_bucket_policy(PutBucketPolicyInput) -> PutBucketPolicyOutput = configuration::access::put_policy;
    delete_bucket_policy(DeleteBucketPolicyInput) -> DeleteBucketPolicyOutput = configuration::access::delete_policy;
    get_bucket_policy_status(GetBucketPolicyStatusInput) -> GetBucketPolicyStatusOutput = configuration::access::get_policy_status;
    get_public_access_block(GetPublicAccessBlockInput) -> GetPublicAccessBlockOutput = configuration::access::get_block;
    put_public_access_block(PutPublicAccessBlockInput) -> PutPublicAccessBlockOutput = configuration::access::put_block;
    delete_public_access_block(DeletePublicAccessBlockInput) -> DeletePublicAccessBlockOutput = configuration::access::delete_block;
    get_bucket_ownership_controls(GetBucketOwnershipControlsInput) -> GetBucketOwnershipControlsOutput = configuration::access::get_ownership;
    put_bucket_ownership_controls(PutBucketOwnershipControlsInput) -> PutBucketOwnershipControlsOutput = configuration::access::put_ownership;
    delete_bucket_ownership_controls(DeleteBucketOwnershipControlsInput) -> DeleteBucketOwnershipControlsOutput = configuration::access::delete_ownership;
    get_bucket_cors(GetBucketCorsInput) -> GetBucketCorsOutput = configuration::cors::get;
    put_bucket_cors(PutBucketCorsInput) -> PutBucketCorsOutput = configuration::cors::put;
    delete_bucket_cors(DeleteBucketCorsInput) -> DeleteBucketCorsOutput = configuration::cors::delete;
    get_bucket_tagging(GetBucketTaggingInput) -> GetBucketTaggingOutput = configuration::tagging::get;
    put_bucket_tagging(PutBucketTaggingInput) -> PutBucketTaggingOutput = configuration::tagging::put;
    delete_bucket_tagging(DeleteBucketTaggingInput) -> DeleteBucketTaggingOutput = configuration::tagging::delete;
    delete_bucket_encryption(DeleteBucketEncryptionInput) -> DeleteBucketEncryptionOutput = configuration::encryption::delete;
    get_bucket_lifecycle_configuration(GetBucketLifecycleConfigurationInput) -> GetBucketLifecycleConfigurationOutput = configuration::lifecycle::get;
    put_bucket_lifecycle_configuration(PutBucketLifecycleConfigurationInput) -> PutBucketLifecycleConfigurationOutput = configuration::lifecycle::put;
    delete_bucket_lifecycle(DeleteBucketLifecycleInput) -> DeleteBucketLifecycleOutput = configuration::lifecycle::delete;
    get_bucket_logging(GetBucketLoggingInput) -> GetBucketLoggingOutput = configuration::logging::get;
    put_bucket_logging(PutBucketLoggingInput) -> PutBucketLoggingOutput = configuration::logging::put;
    get_bucket_notification_configuration(GetBucketNotificationConfigurationInput) -> GetBucketNotificationConfigurationOutput = configuration::notification::get;
    put_bucket_notification_configuration(PutBucketNotificationConfigurationInput) -> PutBucketNotificationConfigurationOutput = configuration::notification::put;
    get_bucket_replication(GetBucketReplicationInput) -> GetBucketReplicationOutput = configuration::replication::get;
    put_bucket_replication(PutBucketReplicationInput) -> PutBucketReplicationOutput = configuration::replication::put;
    delete_bucket_replication(DeleteBucketReplicationInput) -> DeleteBucketReplicationOutput = configuration::replication::delete;
    get_bucket_request_payment(GetBucketRequestPaymentInput) -> GetBucketRequestPaymentOutput = configuration::simple::get_payment;
    put_bucket_request_payment(PutBucketRequestPaymentInput) -> PutBucketRequestPaymentOutput = configuration::simple::put_payment;
    get_bucket_accelerate_configuration(GetBucketAccelerateConfigurationInput) -> GetBucketAccelerateConfigurationOutput = configuration::simple::get_accelerate;
    get_bucket_website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput = configuration::simple::get_website;
    delete_bucket_website(DeleteBucketWebsiteInput) -> DeleteBucketWebsiteOutput = configuration::simple::delete_website;
    get_bucket_inventory_configuration(GetBucketInventoryConfigurationInput) -> GetBucketInventoryConfigurationOutput = configuration::named::inventory::get;
    put_bucket_inventory_configuration(PutBucketInventoryConfigurationInput) -> PutBucketInventoryConfigurationOutput = configuration::named::inventory::put;
    delete_bucket_inventory_configuration(DeleteBucketInventoryConfigurationInput) -> DeleteBucketInventoryConfigurationOutput = configuration::named::inventory::delete;
    list_bucket_inventory_configurations(ListBucketInventoryConfigurationsInput) -> ListBucketInventoryConfigurationsOutput = configuration::named::inventory::list;
    get_bucket_analytics_configuration(GetBucketAnalyticsConfigurationInput) -> GetBucketAnalyticsConfigurationOutput = configuration::named::analytics::get;
    put_bucket_analytics_configuration(PutBucketAnalyticsConfigurationInput) -> PutBucketAnalyticsConfigurationOutput = configuration::named::analytics::put;
    delete_bucket_analytics_configuration(DeleteBucketAnalyticsConfigurationInput) -> DeleteBucketAnalyticsConfigurationOutput = configuration::named::analytics::delete;
    list_bucket_analytics_configurations(ListBucketAnalyticsConfigurationsInput) -> ListBucketAnalyticsConfigurationsOutput = configuration::named::analytics::list;
    get_bucket_metrics_configuration(GetBucketMetricsConfigurationInput) -> GetBucketMetricsConfigurationOutput = configuration::named::metrics::get;
    put_bucket_metrics_configuration(PutBucketMetricsConfigurationInput) -> PutBucketMetricsConfigurationOutput = configuration::named::metrics::put;
    delete_bucket_metrics_configuration(DeleteBucketMetricsConfigurationInput) -> DeleteBucketMetricsConfigurationOutput = configuration::named::metrics::delete;
    list_bucket_metrics_configurations(ListBucketMetricsConfigurationsInput) -> ListBucketMetricsConfigurationsOutput = configuration::named::metrics::list;
    get_bucket_intelligent_tiering_configuration(GetBucketIntelligentTieringConfigurationInput) -> GetBucketIntelligentTieringConfigurationOutput = configuration::named::tiering::get;
    put_bucket_intelligent_tiering_configuration(PutBucketIntelligentTieringConfigurationInput) -> PutBucketIntelligentTieringConfigurationOutput = configuration::named::tiering::put;
    delete_bucket_intelligent_tiering_configuration(DeleteBucketIntelligentTieringConfigurationInput) -> DeleteBucketIntelligentTieringConfigurationOutput = configuration::named::tiering::delete;
    list_bucket_intelligent_tiering_configurations(ListBucketIntelligentTieringConfigurationsInput) -> ListBucketIntelligentTieringConfigurationsOutput = configuration::named::tiering::list;
}
