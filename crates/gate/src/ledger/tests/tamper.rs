//! Whatever is changed of what is stored, somebody notices.

use bytes::Bytes;
use craton_base::Sequence;
use craton_crypto::note::checkpoint::Checkpoint;
use craton_store::namespace::{Direction, Key, Span};

use super::{
    super::{
        integrate::pending_span,
        tree::{Tree, envelopes},
        values::{CHECKPOINT, STATE, Values},
    },
    *,
};

const KINDS: [Kind; 4] = [
    Kind::Ledger,
    Kind::LedgerPending,
    Kind::LedgerSubject,
    Kind::Setting,
];

/// All that the ledger has stored in a namespace.
pub(super) fn stored(namespace: &MemoryNamespace) -> Vec<(Key, Bytes)> {
    let mut out = Vec::new();
    for kind in KINDS {
        let span = Span {
            kind,
            ..pending_span()
        };
        let page = namespace
            .scan(&span, Sequence::MAX, Direction::Forward, 10_000)
            .unwrap();
        assert!(!page.more);
        out.extend(page.entries.into_iter().map(|(key, entry)| (key, entry.value)));
    }
    out
}

fn put(namespace: &MemoryNamespace, key: &Key, value: impl Into<Bytes>) {
    let batch = Batch {
        preconditions: vec![],
        changes: vec![Change::Put(key.clone(), value.into())],
    };
    namespace.commit(&[batch]).unwrap().remove(0).unwrap();
}

/// Opening the ledger and verifying it, as an auditor does.
fn verify(namespace: &Arc<MemoryNamespace>, earlier: Option<&str>) -> Result<Verified> {
    let reader = Reader::open(namespace.clone(), &key())?;
    reader.verify(VerifyOptions {
        earlier,
        ..VerifyOptions::default()
    })
}

/// A small ledger with every kind of value: subjects, an erased one, pending entries.
fn small(records: usize) -> World {
    let world = World::new();
    let ledger = world.open();
    world.decide(&ledger, "erased", "/b/objects/a");
    ledger.erase_subject("erased").unwrap();
    for n in 0..records {
        world.decide(&ledger, ["alice", "bob"][n % 2], &format!("/b/objects/{n}"));
    }
    ledger.integrate().unwrap();
    world.write(&ledger, "/b/objects/pending");
    world
}

#[test]
fn every_byte_of_every_value_counts() {
    let world = small(4);
    let whole = verify(&world.namespace, None).unwrap();
    assert_eq!((whole.records, whole.erased, whole.waiting), (7, 1, 1));
    let values = stored(&world.namespace);
    let kinds: std::collections::BTreeSet<_> = values.iter().map(|(key, _)| key.kind).collect();
    assert_eq!(kinds.len(), KINDS.len());
    let mut flips = 0;
    for (key, value) in &values {
        for at in 0..value.len() {
            let mut bad = value.to_vec();
            bad[at] ^= 1 << (at % 8);
            put(&world.namespace, key, bad);
            assert!(verify(&world.namespace, None).is_err(), "{:?} byte {at}", key);
            flips += 1;
        }
        put(&world.namespace, key, value.clone());
    }
    assert!(flips > 3000, "{flips}");
    verify(&world.namespace, None).unwrap();
}

/// The same over tiles that are full and a second level, thinned out.
#[test]
fn bytes_of_larger_trees_count() {
    let world = small(530);
    let step = std::env::var("CRATON_TAMPER_STEP").map_or(1201, |text| text.parse().unwrap());
    for (key, value) in stored(&world.namespace) {
        for at in (0..value.len()).step_by(step) {
            let mut bad = value.to_vec();
            bad[at] ^= 0x40;
            put(&world.namespace, &key, bad);
            assert!(verify(&world.namespace, None).is_err(), "{key:?} byte {at}");
        }
        put(&world.namespace, &key, value);
    }
    verify(&world.namespace, None).unwrap();
}

#[test]
fn cut_removed_and_exchanged_values_are_found() {
    let world = small(300);
    let values = stored(&world.namespace);
    let good = world.namespace.fork();
    let broken = |what: &str, change: &dyn Fn(&MemoryNamespace)| {
        let namespace = Arc::new(good.fork());
        change(&namespace);
        assert!(verify(&namespace, None).is_err(), "{what}");
    };
    for (key, value) in &values {
        for len in [0, value.len() / 2, value.len() - 1] {
            broken("cut", &|namespace| put(namespace, key, value.slice(..len)));
        }
        broken("longer", &|namespace| {
            put(namespace, key, [value, &b"x"[..]].concat())
        });
        // A pending entry, an erased subject's mark and a principal's entry may be gone for good reasons, or
        // are at least no record that is missing from the tree.
        let may_go =
            key.kind == Kind::LedgerPending || (key.kind == Kind::LedgerSubject && key.name[0] == b'p');
        if !may_go {
            broken(&format!("{key:?} removed"), &|namespace| {
                let batch = Batch {
                    preconditions: vec![],
                    changes: vec![Change::Delete(key.clone())],
                };
                namespace.commit(&[batch]).unwrap().remove(0).unwrap();
            });
        }
        for (other, with) in &values {
            if other != key && value != with {
                broken("exchanged", &|namespace| {
                    put(namespace, key, with.clone());
                    put(namespace, other, value.clone());
                });
            }
        }
    }
}

/// Somebody who has the ledger's sealing key, but not its signing key, changes what is inside the seals.
#[test]
fn changes_below_the_seals_are_found_by_the_tree() {
    let world = small(300);
    let values = Values::new(world.namespace.clone(), &key()).unwrap();
    let good = world.namespace.fork();
    let broken = |what: &str, name: &str, plain: &[u8]| {
        let namespace = Arc::new(good.fork());
        let change = values
            .put(Kind::Ledger, name.as_bytes(), plain, &*world.random)
            .unwrap();
        namespace
            .commit(&[Batch {
                preconditions: vec![],
                changes: vec![change],
            }])
            .unwrap()
            .remove(0)
            .unwrap();
        assert!(verify(&namespace, None).is_err(), "{what} of {name}");
    };
    let names: Vec<String> = stored(&world.namespace)
        .into_iter()
        .filter(|(key, _)| key.kind == Kind::Ledger && key.name != STATE)
        .map(|(key, _)| String::from_utf8(key.name.to_vec()).unwrap())
        .collect();
    assert_eq!(names.len(), 6, "{names:?}");
    for name in names {
        let plain = values.need(&name).unwrap();
        let step = plain.len().div_ceil(400).max(1);
        for at in (0..plain.len()).step_by(step) {
            let mut bad = plain.clone();
            bad[at] ^= 1 << (at % 8);
            broken("a bit", &name, &bad);
        }
        broken("the end", &name, &plain[..plain.len() - 1]);
        if let Some(whole) = plain.len().checked_sub(32).filter(|_| name.starts_with("tile/")) {
            broken("the last hash", &name, &plain[..whole]);
        }
        if name.starts_with("bundle/") {
            for bad in reordered(&plain) {
                broken("the order", &name, &bad);
            }
        }
    }
}

/// Bundles whose envelopes are exchanged, missing, or there twice.
fn reordered(bundle: &[u8]) -> Vec<Vec<u8>> {
    let all: Vec<&[u8]> = envelopes(bundle).map(Option::unwrap).collect();
    let encode = |envelopes: &[&[u8]]| {
        let mut tree = Vec::new();
        for envelope in envelopes {
            tree.extend((envelope.len() as u32).to_be_bytes());
            tree.extend_from_slice(envelope);
        }
        tree
    };
    let mut swapped = all.clone();
    swapped.swap(0, 1);
    let mut doubled = all.clone();
    doubled.insert(1, all[0]);
    let mut replaced = all.clone();
    replaced[1] = all[0];
    vec![
        encode(&swapped),
        encode(&all[1..]),
        encode(&all[..all.len() - 1]),
        encode(&doubled),
        encode(&replaced),
    ]
}

/// Somebody who has both keys rewrites the ledger: who kept an earlier checkpoint finds out.
#[test]
fn a_rewritten_ledger_is_found_by_an_earlier_checkpoint() {
    let world = World::new();
    let ledger = world.open();
    for n in 0..40 {
        world.decide(&ledger, "alice", &format!("/b/objects/{n}"));
    }
    ledger.integrate().unwrap();
    let (earlier, at) = ledger.reader().checkpoint().unwrap();
    let set_back = Arc::new(world.namespace.fork());
    for n in 40..60 {
        world.decide(&ledger, "alice", &format!("/b/objects/{n}"));
    }
    ledger.integrate().unwrap();
    let (later, _) = ledger.reader().checkpoint().unwrap();
    verify(&world.namespace, Some(&earlier)).unwrap();
    // Set back to an old copy.
    verify(&set_back, None).unwrap();
    assert!(verify(&set_back, Some(&later)).is_err());
    // Without record 7, everything after it moved up, all signed again.
    let values = Values::new(world.namespace.clone(), &key()).unwrap();
    let (state, _) = values.state().unwrap().unwrap();
    let (mut tree, mut written) = (Tree::default(), Vec::new());
    for index in (0..state.size).filter(|index| *index != 7) {
        let envelope = ledger.reader().envelope(index, state.size).unwrap();
        tree.append(&envelope, &mut written).unwrap();
    }
    tree.partial(0, &mut written);
    let note = Checkpoint {
        origin: ledger.reader().origin().to_owned(),
        size: tree.size,
        root: tree.root(),
        extensions: vec![],
    };
    written.push((
        CHECKPOINT.to_owned(),
        note.sign(&ledger.0.signer).unwrap().into_bytes(),
    ));
    for (name, plain) in written {
        let change = values
            .put(Kind::Ledger, name.as_bytes(), &plain, &*world.random)
            .unwrap();
        world
            .namespace
            .commit(&[Batch {
                preconditions: vec![],
                changes: vec![change],
            }])
            .unwrap();
    }
    assert_eq!(verify(&world.namespace, None).unwrap().records, 60);
    let found = verify(&world.namespace, Some(&earlier)).unwrap_err();
    assert!(
        found.message().contains(&format!("first {} records", at.size)),
        "{found}"
    );
}

/// Every bit of the journal, before it is integrated: the ledger does not open, or says that there is a gap,
/// or nothing of a record has changed.
#[test]
fn every_bit_of_the_journal_counts() {
    let world = World::new();
    let ledger = world.open();
    let mut made = vec![RecordId { boot: 1, counter: 0 }];
    for n in 0..3 {
        made.push(world.decide(&ledger, "alice", &format!("/b/objects/{n}")));
        ledger.flush().unwrap();
    }
    drop(ledger);
    let [path] = world.disk.files().try_into().unwrap();
    let (mut refused, mut gap, mut same) = (0, 0, 0);
    for bit in 0..world.disk.file_len(&path).unwrap() * 8 {
        let disk = world.disk.after_cut(bit);
        disk.flip_bit(&path, bit).unwrap();
        let namespace = Arc::new(world.namespace.fork());
        let parts = |journal| LedgerParts {
            namespace: namespace.clone(),
            committer: Arc::new(Committer::inline(namespace.clone())),
            journal: Arc::new(journal),
            ..world.parts("kernel")
        };
        let opened = Journal::open(Arc::new(disk)).and_then(|journal| Ledger::open(parts(journal)));
        match opened {
            Err(_) => refused += 1,
            Ok(ledger) => {
                let found = ids(ledger.reader());
                if gaps(ledger.reader()).is_empty() {
                    assert_eq!(found[..made.len()], made, "bit {bit}");
                    same += 1;
                } else {
                    gap += 1;
                }
                verify(&namespace, None).unwrap();
            }
        }
    }
    assert!(
        refused > 1000 && same < 2000,
        "refused {refused}, gap {gap}, same {same}"
    );
}
