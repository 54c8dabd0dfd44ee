use std::collections::BTreeSet;

use super::*;

#[test]
fn the_codes_are_sorted_and_their_statuses_exist() {
    assert!(S3_CODES.is_sorted_by(|a, b| a.0 < b.0));
    for (code, status) in S3_CODES {
        assert_eq!(by_code(code).unwrap().status.as_u16(), *status);
    }
}

#[test]
fn every_kind_has_an_answer_of_its_class() {
    for kind in Kind::ALL {
        let answer = s3(kind, "NotACode");
        assert_eq!(by_code(answer.code), Some(answer), "{kind:?}");
        let ours = matches!(kind, Kind::Corrupt | Kind::Internal | Kind::Unavailable);
        assert_eq!(answer.status.is_server_error(), ours, "{kind:?}");
        assert_eq!(http_status(kind).is_server_error(), ours, "{kind:?}");
    }
    let codes: BTreeSet<u8> = Kind::ALL.into_iter().map(exit_code).collect();
    assert_eq!(codes.len(), Kind::ALL.len());
    assert!(!codes.contains(&0));
}

#[test]
fn every_fault_of_objects_is_a_code() {
    for fault in craton_objects::Fault::ALL {
        let answer = s3(fault.kind(), fault.code());
        assert_eq!(answer.code, fault.code());
        assert!(
            answer.status.is_client_error() || fault.code() == "NotImplemented",
            "{fault:?}"
        );
    }
}

#[test]
fn faults_of_ours_keep_their_text() {
    let error = Error::corrupt("blob 0123 does not verify");
    assert_eq!(message(&error), INTERNAL_MESSAGE);
    assert_eq!(message(&Error::invalid("a name is wrong")), "a name is wrong");
}
