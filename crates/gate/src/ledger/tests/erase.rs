use super::*;

#[test]
fn an_erased_subject_is_gone_and_the_ledger_still_verifies() {
    let world = World::new();
    let ledger = world.open();
    for n in 0..300 {
        world.decide(&ledger, ["alice", "bob"][n % 2], &format!("/b/objects/{n}"));
    }
    // Not integrated yet, and not even committed by a round.
    world.decide(&ledger, "alice", "/b/objects/last");
    let (before, _) = {
        ledger.integrate().unwrap();
        ledger.reader().checkpoint().unwrap()
    };
    assert_eq!(ledger.erase_subject("alice").unwrap(), 1);
    ledger.integrate().unwrap();
    for reader in [ledger.reader(), &world.reader()] {
        let options = VerifyOptions {
            earlier: Some(&before),
            ..VerifyOptions::default()
        };
        let verified = reader.verify(options).unwrap();
        assert_eq!(verified.erased, 151);
        let left = reader
            .list(&Filter {
                principal: Some("alice".to_owned()),
                ..Filter::default()
            })
            .unwrap();
        assert!(left.entries.is_empty());
        let bob = reader
            .list(&Filter {
                principal: Some("bob".to_owned()),
                ..Filter::default()
            })
            .unwrap();
        assert_eq!(bob.entries.len(), 150);
        assert_eq!(reader.get(1).unwrap().record, None);
        assert_eq!(reader.prove(1).unwrap_err().kind(), craton_base::Kind::Invalid);
    }
    let newest = ledger
        .reader()
        .list(&Filter {
            limit: 1,
            ..Filter::default()
        })
        .unwrap()
        .entries
        .remove(0);
    assert_eq!(newest.record.unwrap().operation, "EraseSubject");
}

#[test]
fn a_subject_that_acts_again_is_a_new_one() {
    let world = World::new();
    let ledger = world.open();
    world.decide(&ledger, "alice", "/b/objects/old");
    ledger.erase_subject("alice").unwrap();
    let id = world.decide(&ledger, "alice", "/b/objects/new");
    ledger.integrate().unwrap();
    let filter = Filter {
        principal: Some("alice".to_owned()),
        ..Filter::default()
    };
    let entries = ledger.reader().list(&filter).unwrap().entries;
    assert_eq!(entries.iter().map(|e| e.id).collect::<Vec<_>>(), vec![id]);
    assert_eq!(ledger.erase_subject("alice").unwrap(), 1);
    assert_eq!(ledger.erase_subject("alice").unwrap(), 0);
    assert_eq!(ledger.erase_subject("nobody").unwrap(), 0);
    ledger.integrate().unwrap();
    assert_eq!(
        ledger.reader().verify(VerifyOptions::default()).unwrap().erased,
        2
    );
}

/// A write that was prepared before the erasure and commits after it brings the key along: it must not come back.
#[test]
fn a_late_record_does_not_bring_an_erased_key_back() {
    let world = World::new();
    let ledger = world.open();
    let mut record = read("alice", "/b/objects/late");
    let change = ledger.write_change(&mut record).unwrap();
    assert_eq!(ledger.erase_subject("alice").unwrap(), 1);
    world
        .namespace
        .commit(&[Batch {
            preconditions: vec![],
            changes: vec![change],
        }])
        .unwrap();
    ledger.integrate().unwrap();
    assert_eq!(ledger.explain_id(record.id()).unwrap(), None);
    drop(ledger);
    let ledger = world.open();
    assert_eq!(ledger.explain_id(record.id()).unwrap(), None);
    assert_eq!(
        ledger.reader().verify(VerifyOptions::default()).unwrap().erased,
        1
    );
}

/// No principal's name stands in the clear in anything that is stored.
#[test]
fn names_are_nowhere_in_the_clear() {
    let world = World::new();
    let ledger = world.open();
    world.decide(&ledger, "alice-in-wonderland", "/b/objects/a");
    let mut record = read("alice-in-wonderland", "/b/objects/late");
    let Change::Put(_, pending) = ledger.write_change(&mut record).unwrap() else {
        panic!("a put")
    };
    let mut stored = vec![pending.to_vec()];
    let take = |record: &[u8], stored: &mut Vec<Vec<u8>>| stored.push(record.to_vec());
    let journal = world.journal();
    RecordJournal::read(&*journal, 0, 1, 1 << 20, &mut |record| {
        take(record, &mut stored);
        Ok(())
    })
    .unwrap();
    assert_eq!(stored.len(), 2);
    ledger.integrate().unwrap();
    for (key, value) in tamper::stored(&world.namespace) {
        stored.push(key.name.to_vec());
        stored.push(value.to_vec());
    }
    for bytes in stored {
        assert!(
            !bytes
                .windows(10)
                .any(|piece| piece == b"wonderland" || piece == b"AKIAEXAMPL")
        );
    }
}
