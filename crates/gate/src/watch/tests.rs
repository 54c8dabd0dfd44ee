use craton_base::ResourcePath;

use super::{Seen, note, watch};

#[tokio::test]
async fn what_is_noted_of_a_watched_request_is_handed_over() {
    let bucket = ResourcePath::Bucket("data".parse().unwrap());
    let request = async {
        tokio::task::yield_now().await;
        note(|seen| seen.asked("ana", &bucket));
        note(|seen| seen.asked("ana", &ResourcePath::Root));
        note(|seen| seen.operation = Some("HeadBucket"));
        7
    };
    let (out, seen) = watch(request).await;
    assert_eq!(out, 7);
    assert_eq!(seen.principal.as_deref(), Some("ana"));
    assert_eq!(seen.bucket.unwrap().to_string(), "data");
    assert_eq!((seen.door, seen.operation), (None, Some("HeadBucket")));
}

#[tokio::test]
async fn two_requests_do_not_see_each_other() {
    let one = watch(async { note(|seen| seen.door = Some("s3")) });
    let two = watch(async { note(|seen| seen.door = Some("api")) });
    let (one, two) = tokio::join!(one, two);
    assert_eq!((one.1.door, two.1.door), (Some("s3"), Some("api")));
    assert_eq!(watch(async {}).await.1, Seen::default());
}

#[test]
fn a_note_on_a_request_that_nobody_watches_is_not_made() {
    let mut made = false;
    note(|_| made = true);
    assert!(!made);
}
