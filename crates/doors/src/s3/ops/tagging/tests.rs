use super::*;

fn header(xml: &str) -> std::result::Result<String, &'static str> {
    header_of_xml(xml).map_err(|e| e.reason())
}

#[test]
fn a_form_says_tags_in_xml() {
    let xml = "<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet><Tag><Key>b=c</Key><Value>1 2</Value></Tag>\
               <Tag><Key>a</Key><Value></Value></Tag></TagSet></Tagging>";
    assert_eq!(header(xml).as_deref(), Ok("a=&b%3Dc=1%202"));
    assert_eq!(header("<Tagging><TagSet/></Tagging>").as_deref(), Ok(""));
    for bad in [
        "",
        "a=1",
        "<Tagging/>",
        "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
    ] {
        assert_eq!(header(bad), Err("MalformedXML"), "{bad}");
    }
    let bad = "<Tagging><TagSet><Tag><Key>?</Key><Value/></Tag></TagSet></Tagging>";
    assert_eq!(header(bad), Err("InvalidTag"));
}
