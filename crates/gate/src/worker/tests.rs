use std::collections::BTreeSet;

use super::*;

#[test]
fn every_worker_has_a_policy_that_parses_and_a_name_of_its_own() {
    let names: BTreeSet<_> = Worker::ALL.iter().map(|w| w.name()).collect();
    assert_eq!(names.len(), Worker::ALL.len());
    for worker in Worker::ALL {
        let user = worker.identity().unwrap().actor.principal;
        assert_eq!(user.kind, PrincipalKind::System);
        assert_eq!(*user.name, format!("system:{}", worker.name()));
        assert_eq!(Worker::named(worker.name()), Some(worker));
        assert!(
            craton_base::PrincipalName::new(&user.name).is_err(),
            "a user can not have this name"
        );
    }
}

#[test]
fn no_worker_may_change_who_may_do_what() {
    for worker in Worker::ALL {
        for action in worker.actions() {
            assert!(!action.starts_with("iam:") && !action.contains('*'), "{action}");
            assert!(
                !action.contains("Policy") && !action.contains("BypassGovernance"),
                "{action}"
            );
        }
    }
}

#[test]
fn a_worker_may_do_what_its_policy_says_and_nothing_else() {
    use craton_base::ResourcePath;

    use crate::policy::{Context, Request};

    let user = Worker::Events.identity().unwrap().actor;
    let allowed = |action, resource: &ResourcePath| {
        let request = Request {
            action,
            resource: &crate::access::arn(action, resource),
            context: &Context::new(),
        };
        user.policies.decide(&request).allowed
    };
    let outbox = ResourcePath::System("outbox".into());
    assert!(allowed("craton:DeliverEvents", &outbox));
    assert!(allowed(
        "craton:Run",
        &ResourcePath::System("runs/events/outbox".into())
    ));
    assert!(!allowed(
        "craton:ReadLedger",
        &ResourcePath::System("ledger".into())
    ));
    let bucket = ResourcePath::Bucket(craton_base::BucketName::new("data").unwrap());
    assert!(!allowed("s3:ListBucket", &bucket));
}
