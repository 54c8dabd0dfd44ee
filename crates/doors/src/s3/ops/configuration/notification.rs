//! Which events go where. An empty configuration means none, as in S3.

use craton_gate::{ConfigurationChange, Notice, Recipient, Subresource};
use craton_objects::notification::{event, target_name};
use s3s::{
    S3Request, S3Result,
    dto::{
        Event, FilterRule, GetBucketNotificationConfigurationInput, GetBucketNotificationConfigurationOutput,
        NotificationConfiguration, NotificationConfigurationFilter, PutBucketNotificationConfigurationInput,
        PutBucketNotificationConfigurationOutput,
    },
};

use super::{changing, complete_ids, decode, document, encode, reading, refused, settle};
use crate::s3::call::Call;

const ROOT: &str = "NotificationConfiguration";

/// The most destinations of one bucket.
const DESTINATIONS_MAX: usize = 100;

/// Every event that can be asked for; `ObjectAccessed` is an extension that MinIO's clients know.
const EVENTS: [&str; 32] = [
    "s3:IntelligentTiering",
    "s3:LifecycleExpiration:*",
    "s3:LifecycleExpiration:Delete",
    "s3:LifecycleExpiration:DeleteMarkerCreated",
    "s3:LifecycleTransition",
    "s3:ObjectAccessed:*",
    "s3:ObjectAccessed:Get",
    "s3:ObjectAccessed:Head",
    "s3:ObjectAcl:Put",
    "s3:ObjectCreated:*",
    "s3:ObjectCreated:CompleteMultipartUpload",
    "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Put",
    "s3:ObjectRemoved:*",
    "s3:ObjectRemoved:Delete",
    "s3:ObjectRemoved:DeleteMarkerCreated",
    "s3:ObjectRestore:*",
    "s3:ObjectRestore:Completed",
    "s3:ObjectRestore:Delete",
    "s3:ObjectRestore:Post",
    "s3:ObjectTagging:*",
    "s3:ObjectTagging:Delete",
    "s3:ObjectTagging:Put",
    "s3:ReducedRedundancyLostObject",
    "s3:Replication:*",
    "s3:Replication:OperationFailedReplication",
    "s3:Replication:OperationMissedThreshold",
    "s3:Replication:OperationNotTracked",
    "s3:Replication:OperationReplicatedAfterThreshold",
    "s3:TestEvent",
    "s3:ObjectAccessed:Attributes",
];

pub(in crate::s3) async fn get(
    request: S3Request<GetBucketNotificationConfigurationInput>,
) -> S3Result<GetBucketNotificationConfigurationOutput> {
    let bucket = &request.input.bucket;
    let action = "s3:GetBucketNotification";
    let permit = reading(&request, bucket, "GetBucketNotificationConfiguration", action).await?;
    let found: NotificationConfiguration = match document(&permit, Subresource::Notification)? {
        Some(found) => decode(ROOT, &found)?,
        None => NotificationConfiguration::default(),
    };
    Ok(GetBucketNotificationConfigurationOutput {
        event_bridge_configuration: found.event_bridge_configuration,
        lambda_function_configurations: found.lambda_function_configurations,
        queue_configurations: found.queue_configurations,
        topic_configurations: found.topic_configurations,
    })
}

pub(in crate::s3) async fn put(
    request: S3Request<PutBucketNotificationConfigurationInput>,
) -> S3Result<PutBucketNotificationConfigurationOutput> {
    let bucket = &request.input.bucket;
    let action = "s3:PutBucketNotification";
    let permit = changing(&request, bucket, "PutBucketNotificationConfiguration", action).await?;
    let call = Call::of(&request)?;
    let request_id = call.session().origin().request_id.clone();
    let skips = request.input.skip_destination_validation == Some(true);
    let mut stated = request.input.notification_configuration;
    check(&stated)?;
    if !skips {
        check_targets(&stated, &call.gate().settings().targets)?;
    }
    complete_ids(ids(&mut stated), &request_id)?;
    let empty = ids(&mut stated).next().is_none() && stated.event_bridge_configuration.is_none();
    let change = if empty {
        ConfigurationChange::remove(Subresource::Notification)
    } else {
        ConfigurationChange::set(Subresource::Notification, encode(ROOT, &stated)?)
    };
    // Who is told anything is told first that they will be, as in S3.
    let test = (!skips).then(|| test_event(&stated)).flatten();
    let done = permit.configure_telling(&[change], test).await;
    settle(&permit, done.map_err(Into::into))?;
    Ok(PutBucketNotificationConfigurationOutput {})
}

/// That queues and topics will be told; functions are not asked.
fn test_event(stated: &NotificationConfiguration) -> Option<Notice> {
    let queues = stated.queue_configurations.iter().flatten();
    let topics = stated.topic_configurations.iter().flatten();
    let queues = queues.map(|c| (&c.id, &c.queue_arn));
    let all = queues.chain(topics.map(|c| (&c.id, &c.topic_arn)));
    let recipients: Vec<Recipient> = all
        .map(|(id, arn)| Recipient {
            rule: id.clone().unwrap_or_default(),
            address: arn.clone(),
        })
        .collect();
    (!recipients.is_empty()).then(|| Notice {
        event: event::TEST.to_owned(),
        recipients,
        ..Notice::default()
    })
}

fn ids(stated: &mut NotificationConfiguration) -> impl Iterator<Item = &mut Option<String>> {
    let queues = stated
        .queue_configurations
        .iter_mut()
        .flatten()
        .map(|c| &mut c.id);
    let topics = stated
        .topic_configurations
        .iter_mut()
        .flatten()
        .map(|c| &mut c.id);
    let functions = stated.lambda_function_configurations.iter_mut().flatten();
    queues.chain(topics).chain(functions.map(|c| &mut c.id))
}

/// One destination, whatever its kind.
struct Destination<'a> {
    arn: &'a str,
    events: &'a [Event],
    filter: Filter<'a>,
}

#[derive(Clone, Copy, Default)]
struct Filter<'a> {
    prefix: Option<&'a str>,
    suffix: Option<&'a str>,
}

fn check(stated: &NotificationConfiguration) -> S3Result<()> {
    let destinations = destinations(stated)?;
    if destinations.len() > DESTINATIONS_MAX {
        let message = format!("A bucket has at most {DESTINATIONS_MAX} event destinations.");
        return Err(refused("InvalidArgument", message));
    }
    for (at, one) in destinations.iter().enumerate() {
        one.check()?;
        if destinations
            .iter()
            .skip(at.saturating_add(1))
            .any(|other| one.overlaps(other))
        {
            return Err(refused(
                "InvalidArgument",
                "Configurations overlap. Configurations on the same bucket cannot share a common event type.",
            ));
        }
    }
    Ok(())
}

/// Refuses destinations that are none of the administrator's targets.
fn check_targets(stated: &NotificationConfiguration, known: &[String]) -> S3Result<()> {
    let is_known = |one: &Destination<'_>| {
        target_name(one.arn).is_some_and(|name| known.iter().any(|target| target == name))
    };
    match destinations(stated)?.iter().find(|one| !is_known(one)) {
        None => Ok(()),
        Some(one) => Err(refused(
            "InvalidArgument",
            format!(
                "Unable to validate the following destination configurations: {}",
                one.arn
            ),
        )),
    }
}

fn destinations(stated: &NotificationConfiguration) -> S3Result<Vec<Destination<'_>>> {
    let queues = stated.queue_configurations.iter().flatten();
    let topics = stated.topic_configurations.iter().flatten();
    let functions = stated.lambda_function_configurations.iter().flatten();
    let queues = queues.map(|c| (c.queue_arn.as_str(), &c.events, &c.filter));
    let topics = topics.map(|c| (c.topic_arn.as_str(), &c.events, &c.filter));
    let functions = functions.map(|c| (c.lambda_function_arn.as_str(), &c.events, &c.filter));
    queues
        .chain(topics)
        .chain(functions)
        .map(|(arn, events, stated)| {
            let filter = filter(stated.as_ref())?;
            Ok(Destination { arn, events, filter })
        })
        .collect()
}

fn filter(stated: Option<&NotificationConfigurationFilter>) -> S3Result<Filter<'_>> {
    let rules = stated.and_then(|f| f.key.as_ref()?.filter_rules.as_ref());
    let mut out = Filter::default();
    for FilterRule { name, value } in rules.into_iter().flatten() {
        let value = value.as_deref().unwrap_or_default();
        if value.len() > 1024 {
            return Err(refused(
                "InvalidArgument",
                "Size of filter rule value cannot exceed 1024 bytes",
            ));
        }
        let name = name
            .as_ref()
            .map(|n| n.as_str().to_ascii_lowercase())
            .unwrap_or_default();
        let place = match name.as_str() {
            "prefix" => &mut out.prefix,
            "suffix" => &mut out.suffix,
            _ => {
                let message = "filter rule name must be either prefix or suffix";
                return Err(refused("InvalidArgument", message));
            }
        };
        if place.replace(value).is_some() {
            let message = format!("Cannot specify more than one {name} rule in a filter.");
            return Err(refused("InvalidArgument", message));
        }
    }
    Ok(out)
}

impl Destination<'_> {
    fn check(&self) -> S3Result<()> {
        if !self.arn.starts_with("arn:") || self.arn.split(':').count() < 6 {
            return Err(refused("InvalidArgument", "The ARN could not be parsed"));
        }
        if self.events.is_empty() {
            return Err(super::malformed_xml());
        }
        match self.events.iter().find(|e| !EVENTS.contains(&e.as_ref())) {
            None => Ok(()),
            Some(event) => {
                let message = format!(
                    "The event {:?} is not supported for notifications",
                    event.as_ref()
                );
                Err(refused("InvalidArgument", message))
            }
        }
    }

    /// Whether one event on one key would go to both.
    fn overlaps(&self, other: &Self) -> bool {
        let event = self
            .events
            .iter()
            .any(|a| other.events.iter().any(|b| share(a.as_ref(), b.as_ref())));
        let ends = |a: Option<&str>, b: Option<&str>, inside: fn(&str, &str) -> bool| {
            let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
            inside(a, b) || inside(b, a)
        };
        event
            && ends(self.filter.prefix, other.filter.prefix, |a, b| a.starts_with(b))
            && ends(self.filter.suffix, other.filter.suffix, |a, b| a.ends_with(b))
    }
}

/// Whether two events are the same, or one is all of the other's kind.
fn share(a: &str, b: &str) -> bool {
    let covers = |all: &str, one: &str| all.strip_suffix('*').is_some_and(|kind| one.starts_with(kind));
    a == b || covers(a, b) || covers(b, a)
}

#[cfg(test)]
mod tests;
