use proptest::prelude::*;

use super::*;
use crate::{keys, random::SystemRandom};

fn signer(name: &str, seed: u8) -> Signer {
    Signer::new(name, &SealKey::from_bytes([seed; 32])).unwrap()
}

const NOTE_OF_GO: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const KEY_OF_GO: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

/// The example in the documentation of Go's golang.org/x/mod/sumdb/note.
#[test]
fn the_example_of_go_verifies() {
    let key: Verifier = KEY_OF_GO.parse().unwrap();
    assert_eq!((key.name(), key.id()), ("PeterNeumann", 0xc74f_20a3));
    assert_eq!(key.to_string(), KEY_OF_GO);
    let known = [key];
    let note = verify(NOTE_OF_GO, &known).unwrap();
    assert!(note.text.ends_with("your problem is.\n"));
    assert_eq!(note.signed_by, [0]);
    let other = NOTE_OF_GO.replace("answer", "Answer");
    assert_eq!(verify(&other, &known).unwrap_err().reason(), "NoteRefused");
}

#[test]
fn another_key_is_refused_and_unknown_ones_are_ignored() {
    let (a, b, c) = (signer("a", 1), signer("b", 2), signer("c", 3));
    let note = sign("text\n\nmore\n", &[&a, &b]).unwrap();
    let known =
        |signers: &[&Signer]| -> Vec<Verifier> { signers.iter().map(|s| s.verifier().clone()).collect() };
    let verified = verify(&note, &known(&[&c, &b])).unwrap();
    assert_eq!((verified.text, verified.signed_by), ("text\n\nmore\n", vec![1]));
    assert_eq!(verify(&note, &known(&[&a, &b])).unwrap().signed_by, [0, 1]);
    assert_eq!(verify(&note, &known(&[&c])).unwrap_err().reason(), "NoteRefused");
    assert_eq!(verify(&note, &[]).unwrap_err().reason(), "NoteRefused");
    // The same name with another key, and the same key under another name, are other keys.
    assert!(verify(&note, &known(&[&signer("a", 9), &signer("z", 1)])).is_err());
}

#[test]
fn one_bad_signature_by_a_known_key_refuses_the_note() {
    let (a, b) = (signer("a", 1), signer("b", 2));
    let good = sign("text\n", &[&a]).unwrap();
    let bad = sign("other\n", &[&b]).unwrap();
    let note = format!("{good}{}", bad.split_once("\n\n").unwrap().1);
    assert!(verify(&note, &[a.verifier().clone()]).is_ok());
    assert!(verify(&note, &[a.verifier().clone(), b.verifier().clone()]).is_err());
}

#[test]
fn what_is_no_note_is_malformed() {
    let a = signer("a", 1);
    let known = [a.verifier().clone()];
    let line = a.line("text\n").unwrap();
    assert!(verify(&format!("text\n\n{line}"), &known).is_ok());
    for note in [
        String::new(),
        "text\n".into(),
        "text\n\n".into(),
        format!("text\n{line}"),
        format!("text\n\n{}", line.trim_end()),
        format!("text\n\n{line}\n"),
        format!("text\n\n{line}x\n"),
        format!("te\txt\n\n{line}"),
        format!("text\r\n\n{line}"),
        format!("text\n\n{}", line.replace('—', "-")),
        format!("text\n\n{}", line.replace("— a", "— ")),
        format!("text\n\n{}", line.replace("— a", "— a+")),
        format!("text\n\n{}", line.replace('=', "")),
        "text\n\n— a AAAA\n".into(),
        "text\n\n— a AAAAAA==\n".into(),
    ] {
        assert_eq!(
            verify(&note, &known).unwrap_err().reason(),
            "NoteMalformed",
            "{note:?}"
        );
    }
    for text in ["", "text", "a\tb\n", "a\0\n"] {
        assert!(sign(text, &[&a]).is_err(), "{text:?}");
    }
    assert!(sign("text\n", &[]).is_err());
}

#[test]
fn a_note_has_limits() {
    let a = signer("a", 1);
    let known = [a.verifier().clone()];
    let many = |n: usize| format!("text\n\n{}", a.line("text\n").unwrap().repeat(n));
    assert_eq!(verify(&many(SIGNATURES_MAX), &known).unwrap().signed_by, [0]);
    assert_eq!(
        verify(&many(SIGNATURES_MAX + 1), &known).unwrap_err().kind(),
        Kind::TooLarge
    );
    let long = "x".repeat(NOTE_MAX) + "\n";
    assert_eq!(sign(&long, &[&a]).unwrap_err().kind(), Kind::TooLarge);
    assert_eq!(verify(&long, &known).unwrap_err().kind(), Kind::TooLarge);
}

#[test]
fn names_and_keys_are_checked() {
    for name in ["", "a b", "a+b", "a\u{a0}b", "a\nb", "a\u{7f}"] {
        assert!(Verifier::new(name, [0; 32]).is_err(), "{name:?}");
    }
    for key in [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10Q=",
        "Peter+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+Ahpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ] {
        assert!(key.parse::<Verifier>().is_err(), "{key:?}");
    }
}

#[test]
fn a_signer_does_not_print_its_seed() {
    let signer = signer("a", 0x41);
    assert_eq!(format!("{signer:?}"), format!("Signer({})", signer.verifier()));
    assert!(!format!("{signer:?}").contains(&"41".repeat(32)));
}

proptest! {
    #[test]
    fn round_trip(text in "([ -~é]{0,30}\n){1,6}", name in "[a-z./0-9]{1,20}") {
        let signer = Signer::new(&name, &keys::generate(&SystemRandom).unwrap()).unwrap();
        let note = sign(&text, &[&signer]).unwrap();
        let known = [signer.verifier().to_string().parse().unwrap()];
        prop_assert_eq!(verify(&note, &known).unwrap().text, text);
    }

    #[test]
    fn any_changed_byte_is_refused(at: prop::sample::Index, bit in 0u8..7) {
        let signer = signer("a", 1);
        let mut note = sign("some text\nin two lines\n", &[&signer]).unwrap().into_bytes();
        let at = at.index(note.len());
        note[at] ^= 1 << bit;
        if let Ok(note) = String::from_utf8(note) {
            prop_assert!(verify(&note, &[signer.verifier().clone()]).is_err());
        }
    }

    #[test]
    fn arbitrary_text_is_refused(note in "(?s).{0,200}", key in "(?s).{0,100}") {
        prop_assert!(verify(&note, &[signer("a", 1).verifier().clone()]).is_err());
        prop_assert!(key.parse::<Verifier>().is_err());
    }
}
