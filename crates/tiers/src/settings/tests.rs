use super::*;

fn wrong(text: &str) -> String {
    Settings::parse(text).unwrap_err().to_string()
}

#[test]
fn places_are_read() {
    let text = r#"
        [[tier]]
        class = "GLACIER"
        [tier.s3]
        endpoint = "http://127.0.0.1:9000"
        bucket = "cold"
        access-key = "a"
        secret-key = "s"

        [[tier]]
        class = "STANDARD_IA"
        [tier.azure]
        account = "devstoreaccount1"
        key = "a2V5"
        container = "c"

        [[tier]]
        class = "TAPE"
        archive = true
        folder = "/nowhere"
    "#;
    let settings = Settings::parse(text).unwrap();
    let archives: Vec<bool> = settings.tiers.iter().map(OneTier::is_archive).collect();
    assert_eq!(archives, [true, false, true]);
    let [s3, azure, _] = settings.tiers.as_slice() else {
        panic!("three")
    };
    assert!(s3.open().is_ok() && azure.open().is_ok());
    assert!(!format!("{settings:?}").contains("a2V5"), "secrets are not shown");
}

#[test]
fn what_can_not_work_is_named() {
    let folder = |class: &str| format!("[[tier]]\nclass = \"{class}\"\nfolder = \"/x\"\n");
    assert!(wrong(&folder("STANDARD")).contains("STANDARD"));
    assert!(wrong(&folder("glacier")).contains("glacier"));
    assert!(wrong("[[tier]]\nclass = \"GLACIER\"\n").contains("one of s3"));
    let twice = format!("{}{}", folder("GLACIER"), folder("GLACIER"));
    assert!(wrong(&twice).contains("two of this class"));
    let unknown = wrong("[[tier]]\nclass = \"GLACIER\"\nsecret = \"hush\"\n");
    assert!(unknown.contains("line") && !unknown.contains("hush"));
}

#[test]
fn a_service_account_that_is_none_is_refused() {
    let gcs = Gcs {
        bucket: "b".into(),
        service_account: Secret::from("{}".to_owned()),
        prefix: String::new(),
    };
    assert!(gcs.open().is_err());
}
