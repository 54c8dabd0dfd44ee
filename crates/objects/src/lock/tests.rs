use craton_base::{BucketId, BucketName, Sequence};

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1000);

fn until(seconds: u64, mode: Mode) -> Retention {
    Retention {
        mode,
        until: Timestamp::from_seconds(seconds),
    }
}

fn locked(retention: Option<Retention>, legal_hold: Option<bool>) -> LockRecord {
    let lock = LockRecord {
        legal_hold,
        ..LockRecord::default()
    };
    lock.with_retention(retention)
}

fn bucket(lock: Option<BucketLock>) -> BucketInfo {
    BucketInfo {
        name: BucketName::new("bucket").unwrap(),
        id: BucketId(1),
        created: NOW,
        owner: String::new(),
        region: String::new(),
        strict: false,
        versioning: Versioning::Enabled,
        lock,
        sequence: Sequence(1),
    }
}

/// Every lock, tried with and without a bypass.
#[test]
fn who_may_remove_what() {
    use Mode::{Compliance, Governance};
    let cases = [
        (locked(None, None), true, true),
        (locked(None, Some(false)), true, true),
        (locked(None, Some(true)), false, false),
        (locked(Some(until(1001, Governance)), None), false, true),
        (locked(Some(until(1001, Governance)), Some(true)), false, false),
        (locked(Some(until(1000, Governance)), None), true, true),
        (locked(Some(until(1001, Compliance)), None), false, false),
        (locked(Some(until(1000, Compliance)), None), true, true),
    ];
    for (lock, plain, bypassed) in cases {
        assert_eq!(lock.check_removal(NOW, false).is_ok(), plain, "{lock:?}");
        assert_eq!(lock.check_removal(NOW, true).is_ok(), bypassed, "{lock:?}");
    }
}

/// From a retention until 2000 to another: what is allowed without and with a bypass.
#[test]
fn what_a_retention_may_become() {
    use Mode::{Compliance, Governance};
    let cases = [
        (Governance, Some(until(2000, Governance)), true, true),
        (Governance, Some(until(3000, Governance)), true, true),
        (Governance, Some(until(1500, Governance)), false, true),
        (Governance, Some(until(3000, Compliance)), false, true),
        (Governance, None, false, true),
        (Compliance, Some(until(2000, Compliance)), true, true),
        (Compliance, Some(until(3000, Compliance)), true, true),
        (Compliance, Some(until(1999, Compliance)), false, false),
        (Compliance, Some(until(3000, Governance)), false, false),
        (Compliance, None, false, false),
    ];
    for (mode, next, plain, bypassed) in cases {
        let lock = locked(Some(until(2000, mode)), None);
        assert_eq!(
            lock.check_change(next, NOW, false).is_ok(),
            plain,
            "{mode:?} {next:?}"
        );
        assert_eq!(
            lock.check_change(next, NOW, true).is_ok(),
            bypassed,
            "{mode:?} {next:?}"
        );
        let ended = locked(Some(until(1000, mode)), None);
        assert!(
            ended.check_change(next, NOW, false).is_ok(),
            "what has ended binds nobody"
        );
    }
}

#[test]
fn what_a_request_states_wins_over_the_default() {
    let default = DefaultRetention {
        mode: Mode::Governance as u32,
        period: RetentionPeriod::Days(2),
    };
    let bucket = bucket(Some(BucketLock {
        default: Some(default),
    }));
    let nothing = LockRequest::default();
    let day = 24 * 60 * 60;
    let lock = nothing.of(&bucket, NOW).unwrap();
    assert_eq!(lock.retention(), Some(until(1000 + 2 * day, Mode::Governance)));
    let stated = LockRequest {
        retention: Some(until(1200, Mode::Compliance)),
        legal_hold: Some(true),
    };
    let lock = stated.of(&bucket, NOW).unwrap();
    assert_eq!(
        (lock.retention(), lock.legal_hold),
        (stated.retention, Some(true))
    );
    assert_eq!(LockRequest::kept(stated.stated().as_ref()), stated);
    let held = LockRequest {
        retention: None,
        legal_hold: Some(true),
    };
    let lock = held.of(&bucket, NOW).unwrap();
    assert_eq!(lock.retention(), Some(until(1000 + 2 * day, Mode::Governance)));
}

#[test]
fn a_lock_needs_a_bucket_that_has_it_and_a_time_to_come() {
    let stated = LockRequest {
        retention: Some(until(1001, Mode::Governance)),
        legal_hold: None,
    };
    let code = |r: Result<()>| r.err().map_or("ok", |e| e.code());
    assert_eq!(code(stated.check(&bucket(None), NOW)), "InvalidRequest");
    let with = bucket(Some(BucketLock::default()));
    assert_eq!(code(stated.check(&with, NOW)), "ok");
    assert_eq!(
        code(stated.check(&with, Timestamp::from_seconds(1001))),
        "InvalidArgument"
    );
    assert_eq!(code(LockRequest::default().check(&bucket(None), NOW)), "ok");
    assert_eq!(LockRequest::default().of(&with, NOW), None);
}
