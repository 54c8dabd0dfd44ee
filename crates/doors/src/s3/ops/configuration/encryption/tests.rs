use super::*;

fn document(rule: &str) -> String {
    format!(
        "<ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule>{rule}</Rule>\
         </ServerSideEncryptionConfiguration>"
    )
}

fn code(document: &str) -> String {
    stated(document.as_bytes())
        .unwrap_err()
        .code()
        .as_str()
        .to_owned()
}

#[test]
fn what_is_stated_is_shown_again() {
    let rule = "<ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>k&amp;1\
                </KMSMasterKeyID></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled>\
                <BlockedEncryptionTypes><EncryptionType>NONE</EncryptionType></BlockedEncryptionTypes>";
    let stated_once = stated(document(rule).as_bytes()).unwrap();
    assert_eq!(stated_once.key_id.as_deref(), Some("k&1"));
    assert!(!stated_once.blocks_customer_keys());
    assert_eq!(stated(shown(&stated_once).as_bytes()).unwrap(), stated_once);
    assert!(shown(&stated_once).ends_with(&format!(
        "<Rule>{rule}</Rule></ServerSideEncryptionConfiguration>"
    )));
}

#[test]
fn what_is_not_said_is_as_in_a_bucket_that_says_nothing() {
    let aes = "<ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>\
               </ApplyServerSideEncryptionByDefault>";
    assert_eq!(
        stated(document(aes).as_bytes()).unwrap(),
        DefaultEncryption::unset()
    );
    let blocked = "<BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes>";
    assert_eq!(
        stated(document(blocked).as_bytes()).unwrap(),
        DefaultEncryption::unset()
    );
}

#[test]
fn what_is_no_rule_is_refused() {
    let with = |inner: &str| {
        document(&format!(
            "<ApplyServerSideEncryptionByDefault>{inner}</ApplyServerSideEncryptionByDefault>"
        ))
    };
    assert_eq!(code("<Other/>"), "MalformedXML");
    assert_eq!(code("<ServerSideEncryptionConfiguration/>"), "MalformedXML");
    assert_eq!(code(&with("<SSEAlgorithm>ROT13</SSEAlgorithm>")), "MalformedXML");
    let keyed = "<SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>";
    assert_eq!(code(&with(keyed)), "InvalidArgument");
    let other = "<BlockedEncryptionTypes><EncryptionType>SSE-X</EncryptionType></BlockedEncryptionTypes>";
    assert_eq!(code(&document(other)), "MalformedXML");
}
