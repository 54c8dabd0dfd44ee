use super::*;

fn some() -> (World, Ledger) {
    let world = World::new();
    let ledger = world.open();
    for n in 0..300 {
        world.decide(&ledger, "alice", &format!("/b/objects/{n}"));
    }
    ledger.integrate().unwrap();
    (world, ledger)
}

#[test]
fn receipts_verify_with_nothing_but_the_verifier_key() {
    let (_world, ledger) = some();
    let verifier = ledger.reader().verifier().to_string();
    assert!(verifier.starts_with(ledger.reader().origin()));
    for index in [0, 1, 17, 255, 256, 299, 300] {
        let json = ledger.reader().prove(index).unwrap().to_json().unwrap();
        let entry = verify_receipt(&json, &verifier).unwrap();
        assert_eq!(entry, ledger.reader().get(index).unwrap());
    }
    assert_eq!(ledger.reader().prove(301).unwrap_err().reason(), "NoSuchRecord");
    let other = World {
        random: Arc::new(SimRandom::new(8)),
        ..World::new()
    };
    let other = other.open().reader().verifier().to_string();
    let json = ledger.reader().prove(3).unwrap().to_json().unwrap();
    assert_eq!(
        verify_receipt(&json, &other).unwrap_err().reason(),
        "ReceiptRefused"
    );
}

#[test]
fn a_receipt_with_one_byte_changed_is_refused() {
    let (_world, ledger) = some();
    let verifier = ledger.reader().verifier().to_string();
    let receipt = ledger.reader().prove(77).unwrap();
    let good = serde_json::to_string(&receipt).unwrap().into_bytes();
    let mut same = 0;
    for at in 0..good.len() {
        for bit in [0, 1, 5] {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            let Ok(json) = String::from_utf8(bad) else {
                continue;
            };
            // Changes that leave the same value are no change: the escape of a character, say.
            if Receipt::from_json(&json).is_ok_and(|changed| changed == receipt) {
                same += 1;
                continue;
            }
            assert!(
                verify_receipt(&json, &verifier).is_err(),
                "byte {at}, bit {bit}: {json}"
            );
        }
    }
    assert!(same < 20, "{same}");
}

#[test]
fn parts_of_two_receipts_do_not_make_a_third() {
    let (world, ledger) = some();
    let verifier = ledger.reader().verifier();
    let a = ledger.reader().prove(5).unwrap();
    world.decide(&ledger, "bob", "/b/objects/more");
    ledger.integrate().unwrap();
    let b = ledger.reader().prove(6).unwrap();
    a.verify(verifier).unwrap();
    b.verify(verifier).unwrap();
    let mixed = [
        Receipt {
            record: b.record.clone(),
            ..a.clone()
        },
        Receipt {
            record_bytes: b.record_bytes.clone(),
            record: b.record.clone(),
            ..a.clone()
        },
        Receipt {
            salt: b.salt.clone(),
            ..a.clone()
        },
        Receipt {
            envelope: b.envelope.clone(),
            ..a.clone()
        },
        Receipt {
            index: b.index,
            ..a.clone()
        },
        Receipt {
            proof: b.proof.clone(),
            ..a.clone()
        },
        Receipt {
            checkpoint: b.checkpoint.clone(),
            ..a.clone()
        },
        Receipt {
            proof: a.proof[1..].to_vec(),
            ..a.clone()
        },
        Receipt {
            proof: vec![a.proof[0].clone(); 1000],
            ..a.clone()
        },
    ];
    for receipt in mixed {
        assert!(receipt.verify(verifier).is_err(), "{receipt:?}");
    }
}

#[test]
fn checkpoints_are_consistent() {
    let world = World::new();
    let ledger = world.open();
    let mut seen = Vec::new();
    for n in 0..30 {
        for m in 0..n * 2 {
            world.decide(&ledger, "alice", &format!("/b/objects/{n}/{m}"));
        }
        ledger.integrate().unwrap();
        seen.push(ledger.reader().checkpoint().unwrap());
    }
    let (_, newest) = seen.last().unwrap().clone();
    for (note, old) in &seen {
        let proof = ledger.reader().consistency(old.size, newest.size).unwrap();
        merkle_verify(old.size, &old.root, newest.size, &newest.root, &proof).unwrap();
        let options = VerifyOptions {
            earlier: Some(note),
            ..VerifyOptions::default()
        };
        ledger.reader().verify(options).unwrap();
    }
    assert!(ledger.reader().consistency(0, newest.size + 1).is_err());
}

use craton_crypto::merkle::proof::verify_consistency as merkle_verify;
