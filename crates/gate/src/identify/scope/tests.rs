use super::*;

#[test]
fn dates_read_and_write() {
    let date = AmzDate::parse("20130524T000000Z").unwrap();
    assert_eq!(date.at.seconds(), 1_369_353_600);
    assert_eq!(date.day(), "20130524");
    assert_eq!(AmzDate::from_timestamp(date.at), date);
    assert_eq!(
        AmzDate::parse_http("Fri, 24 May 2013 00:00:00 GMT").unwrap(),
        date
    );
    assert_eq!(AmzDate::parse_http("20130524T000000Z").unwrap(), date);
}

#[test]
fn anything_else_is_no_date() {
    for text in [
        "",
        "T",
        "TZ",
        "20130524",
        "20130524T000000",
        "20130524T000000Z ",
        " 20130524T000000Z",
        "20130524t000000Z",
        "2013-05-24T00:00:00Z",
        "20131324T000000Z",
        "20130532T000000Z",
        "20130524T240000Z",
        "20130524T006000Z",
        "+0130524T000000Z",
        "19690524T000000Z",
        "0020130524T000000Z",
        "20130524T0000000Z",
        "2013052éT00000Z",
        "２0130524T000000Z",
    ] {
        assert!(AmzDate::parse(text).is_none(), "{text:?}");
    }
}

#[test]
fn services_have_their_names() {
    for service in Service::ALL {
        assert_eq!(Service::from_name(service.as_str()), Some(service));
    }
    assert_eq!(Service::from_name("S3"), None);
}
