use craton_base::Timestamp;

use super::*;

struct Fixed;

impl Random for Fixed {
    fn fill(&self, to: &mut [u8]) -> Result<()> {
        to.fill(7);
        Ok(())
    }
}

fn queued(bucket: &str, destination: &str, micros: u64) -> QueuedCopy {
    QueuedCopy {
        bucket: bucket.to_owned(),
        key: "k".to_owned(),
        what: 1,
        version: 0,
        destination: destination.to_owned(),
        time_micros: micros,
    }
}

#[test]
fn entries_of_a_destination_lie_together_in_order_of_time() {
    let name = |bucket: &str, to: &str, at: u64| queued(bucket, to, at).name(&Fixed).unwrap();
    let place = place("a", "arn:x");
    assert!(name("a", "arn:x", 1).starts_with(&place));
    assert!(name("a", "arn:x", 1) < name("a", "arn:x", 256));
    assert!(!name("b", "arn:x", 1).starts_with(&place));
    assert!(!name("a", "arn:y", 1).starts_with(&place));
    // A separator keeps ("a", "bc") from ("ab", "c").
    assert_ne!(super::place("a", "bc"), super::place("ab", "c"));
}

#[test]
fn an_entry_comes_back_as_it_was() {
    let entry = queued("a", "arn:x", Timestamp(5).micros());
    let decoded = QueuedCopy::decode(entry.to_value().meta).unwrap();
    assert_eq!(decoded, entry);
}
