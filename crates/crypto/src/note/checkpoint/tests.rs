use proptest::prelude::*;

use super::*;
use crate::keys::SealKey;

/// The text of the example in the specification.
const TEXT: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

fn signer() -> Signer {
    Signer::new("log", &SealKey::from_bytes([5; 32])).unwrap()
}

#[test]
fn the_example_of_the_specification_parses() {
    let checkpoint = Checkpoint::parse(TEXT).unwrap();
    assert_eq!(checkpoint.origin, "example.com/behind-the-sofa");
    assert_eq!(checkpoint.size, 20_852_163);
    assert_eq!(
        hex::encode(checkpoint.root),
        "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62"
    );
    assert!(checkpoint.extensions.is_empty());
    assert_eq!(checkpoint.text().unwrap(), TEXT);
}

#[test]
fn other_texts_are_malformed() {
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    for text in [
        String::new(),
        "log\n".into(),
        "log\n1\n".into(),
        format!("log\n1\n{root}"),
        format!("\n1\n{root}\n"),
        format!("log\n01\n{root}\n"),
        format!("log\n+1\n{root}\n"),
        format!("log\n-1\n{root}\n"),
        format!("log\n18446744073709551616\n{root}\n"),
        format!("log\n1\n{}\n", &root[4..]),
        format!("log\n1\n{}\n", root.trim_end_matches('=')),
        format!("log\n1\n{root}\n\n"),
        format!("log\n1\n{root}\n\nextension\n"),
        format!("log\n1\n{root}\na\tb\n"),
    ] {
        assert!(Checkpoint::parse(&text).is_err(), "{text:?}");
    }
}

#[test]
fn a_checkpoint_of_another_log_is_refused() {
    let checkpoint = Checkpoint::parse(TEXT).unwrap();
    let (note, known) = (checkpoint.sign(&signer()).unwrap(), [signer().verifier().clone()]);
    assert_eq!(
        Checkpoint::verify(&note, &checkpoint.origin, &known).unwrap(),
        checkpoint
    );
    for (origin, known) in [("log", &known[..]), (&checkpoint.origin, &[])] {
        assert_eq!(
            Checkpoint::verify(&note, origin, known).unwrap_err().reason(),
            "NoteRefused"
        );
    }
}

proptest! {
    #[test]
    fn round_trip(origin in "[a-z./ é]{1,30}", size: u64, root: [u8; 32],
                  extensions in prop::collection::vec("[ -~]{1,30}", 0..4)) {
        let checkpoint = Checkpoint { origin, size, root, extensions };
        let note = checkpoint.sign(&signer()).unwrap();
        let verified = Checkpoint::verify(&note, &checkpoint.origin, &[signer().verifier().clone()]);
        prop_assert_eq!(verified.unwrap(), checkpoint);
    }

    #[test]
    fn lines_can_not_be_smuggled_in(line in "[a-z]{0,5}\n[a-z]{0,5}") {
        let good = Checkpoint::parse(TEXT).unwrap();
        let as_origin = Checkpoint { origin: line.clone(), ..good.clone() };
        let as_extension = Checkpoint { extensions: vec![line], ..good };
        prop_assert!(as_origin.text().is_err());
        prop_assert!(as_extension.text().is_err());
    }
}
