use super::*;

const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn fail(attempts: &Attempts, times: u32, (source, client): (IpAddr, Option<&str>), now: Duration) {
    for _ in 0..times {
        attempts.count(who(source, client), now);
    }
}

fn is_over(attempts: &Attempts, (source, client): (IpAddr, Option<&str>), now: Duration) -> bool {
    attempts.is_over(&who(source, client), now)
}

/// CVE-2026-33419: attempts were not limited.
#[test]
fn cve_2026_33419_a_source_that_fails_has_to_wait() {
    let (attempts, start) = (Attempts::default(), Duration::from_secs(100));
    let from_a = (A, None);
    fail(&attempts, 59, from_a, start);
    assert!(!is_over(&attempts, from_a, start));
    fail(&attempts, 1, from_a, start);
    assert!(is_over(&attempts, from_a, start), "sixty at once are too many");
    assert!(
        !is_over(&attempts, ("192.0.2.2".parse().unwrap(), None), start),
        "another does not wait"
    );
    let later = start + Duration::from_secs(ATTEMPT_AGAIN_SECONDS);
    assert!(!is_over(&attempts, from_a, later), "one more after a while");
    fail(&attempts, 1, from_a, later);
    assert!(is_over(&attempts, from_a, later));
    assert!(
        !is_over(&attempts, from_a, later + Duration::from_secs(60)),
        "all is forgotten"
    );
}

#[test]
fn a_client_is_counted_whatever_the_source_and_far_later() {
    let (attempts, now) = (Attempts::default(), Duration::ZERO);
    let from = |n: u8| (IpAddr::from([10, 0, 0, n]), Some("AKIAX"));
    (0..20).for_each(|n| fail(&attempts, 29, from(n), now));
    assert!(!is_over(&attempts, from(99), now));
    fail(&attempts, 20, from(20), now);
    assert!(is_over(&attempts, from(99), now));
    assert!(!is_over(&attempts, (from(99).0, Some("AKIAY")), now));
    assert!(!is_over(&attempts, from(99), now + Duration::from_millis(100)));
}

#[test]
fn all_addresses_of_a_network_are_one_source() {
    let (attempts, now) = (Attempts::default(), Duration::ZERO);
    let v6 = |text: &str| (text.parse::<IpAddr>().unwrap(), None);
    for n in 0..60 {
        fail(&attempts, 1, v6(&format!("2001:db8::{n:x}")), now);
    }
    assert!(is_over(&attempts, v6("2001:db8::ffff:1"), now));
    assert!(!is_over(&attempts, v6("2001:db8:0:1::1"), now));
    fail(&attempts, 60, (A, None), now);
    assert!(
        is_over(&attempts, v6("::ffff:192.0.2.1"), now),
        "the form of a socket is no other source"
    );
}

#[test]
fn what_is_kept_is_bounded() {
    let (attempts, now) = (Attempts::default(), Duration::ZERO);
    for n in 0..40_000_u32 {
        fail(
            &attempts,
            1,
            (IpAddr::V4(n.into()), Some(&format!("client-{n}"))),
            now,
        );
    }
    assert_eq!(attempts.until.lock().len(), KEPT_MAX.get());
    let long = "x".repeat(CLIENT_BYTES_MAX + 1);
    assert_eq!(
        who(A, Some(&long)).len(),
        1,
        "a client id of any length takes no memory"
    );
}
