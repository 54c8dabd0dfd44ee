use http_body::SizeHint;

use super::*;

#[test]
fn a_body_has_room_for_what_it_says_and_no_more_than_there_is() {
    let exact = |bytes| units(&SizeHint::with_exact(bytes), 2 << 20, ROOM_BYTES);
    assert_eq!((exact(0), exact(1), exact(1024), exact(1025)), (0, 1, 1, 2));
    assert_eq!(exact(u64::MAX), 2048);
    let unknown = SizeHint::default();
    assert_eq!(units(&unknown, 2 << 20, ROOM_BYTES), 2048);
    assert_eq!(units(&unknown, 2 << 20, ANONYMOUS_ROOM_BYTES), 1024);
}

#[tokio::test]
async fn room_is_waited_for_and_given_back() {
    let rooms = Rooms::new();
    let all = u32::try_from(ANONYMOUS_ROOM_BYTES as u64 / UNIT).unwrap();
    let held = take(&rooms.anonymous, all).await.unwrap();
    let waiting = take(&rooms.anonymous, 1);
    let early = timeout(Duration::from_millis(20), waiting).await;
    assert!(early.is_err(), "there was room where there is none");
    let nothing = take(&rooms.anonymous, 0).await.unwrap();
    assert!(nothing._held.is_none(), "no body needs no room");
    drop(held);
    assert!(take(&rooms.anonymous, all).await.unwrap()._held.is_some());
}

#[tokio::test]
async fn one_source_keeps_nobody_of_another_waiting() {
    let rooms = Rooms::new();
    let size = SizeHint::with_exact(FORM_BYTES_MAX as u64);
    let from = |text: &str| text.parse::<IpAddr>().unwrap();
    let form = |source| rooms.read_form(source, &size, http_body_util::Full::new(Bytes::new()));
    let mut held = Vec::new();
    for n in 0..SOURCE_BYTES / FORM_BYTES_MAX {
        let source = from(&format!("2001:db8::{n}"));
        held.push(form(source).await.expect("there is room").1);
    }
    let refused = form(from("2001:db8::ffff"))
        .await
        .err()
        .expect("it is the same network");
    assert_eq!(
        (refused.kind(), refused.reason()),
        (Kind::Busy, TOO_MANY_ATTEMPTS)
    );
    assert!(form(from("2001:db8:0:1::")).await.is_ok());
    held.pop();
    assert!(form(from("2001:db8::1")).await.is_ok());
    held.clear();
    assert!(
        rooms.sources.lock().is_empty(),
        "nothing is kept of who has nothing"
    );
}
