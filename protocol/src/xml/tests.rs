use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Result<Document, XmlError> {
    Document::parse(text.as_bytes())
}

#[test]
fn elements_attributes_and_text_are_found_whatever_their_prefixes() {
    let document = parse(
        "\u{feff}<?xml version=\"1.0\"?><!-- c --><soap:Envelope xmlns:soap=\"urn:x\"><soap:Body kind='a &amp; b'><R N=\"1\">\n 5 &lt; 6 \
         <![CDATA[& <so>]]></R><R/><Deep><R>in</R></Deep></soap:Body></soap:Envelope>\n",
    )
    .unwrap();
    let body = document.root().child("Body").unwrap();
    assert_eq!((document.root().name(), body.attribute("kind")), ("Envelope", Some("a & b")));
    assert_eq!(body.children().map(Node::name).collect::<Vec<_>>(), ["R", "R", "Deep"]);
    assert_eq!(body.child_text("R"), "5 < 6 & <so>");
    assert_eq!((body.child("R").unwrap().attribute("N"), body.child("X").map(Node::name)), (Some("1"), None));
    assert_eq!(document.root().descend(&["Body", "Deep", "R"]).unwrap().text(), "in");
    assert_eq!((body.child_text("X"), document.root().descend(&["Body", "R", "R"]).map(Node::name)), ("", None));
}

#[test]
fn what_could_grow_is_refused() {
    let billion_laughs = "<!DOCTYPE a [<!ENTITY b \"lol\">]><a>&b;</a>";
    assert!(matches!(parse(billion_laughs), Err(XmlError::Declares { .. })));
    assert!(matches!(parse("<a>&b;</a>"), Err(XmlError::Declares { .. })));
    assert!(matches!(parse("<a x=\"&b;\"/>"), Err(XmlError::Declares { .. })));
    assert!(matches!(parse("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>"), Err(XmlError::Declares { .. })));
    let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(parse(&nested(DEPTH_MAX)).is_ok());
    assert!(matches!(parse(&nested(DEPTH_MAX + 1)), Err(XmlError::TooMuch { .. })));
    let wide = |count: usize| format!("<a>{}</a>", "<b/>".repeat(count));
    assert!(parse(&wide(ELEMENTS_MAX - 1)).is_ok());
    assert!(matches!(parse(&wide(ELEMENTS_MAX)), Err(XmlError::TooMuch { .. })));
    let attributes: String = (0..=ATTRIBUTES_MAX).map(|number| format!(" a{number}=''")).collect();
    assert!(matches!(parse(&format!("<a{attributes}/>")), Err(XmlError::TooMuch { .. })));
    let long = "x".repeat(DOCUMENT_MAX_BYTES + 1);
    assert_eq!(parse(&long).unwrap_err(), XmlError::TooLong { bytes: DOCUMENT_MAX_BYTES + 1 });
}

#[test]
fn what_is_not_whole_is_refused() {
    for text in
        ["", " ", "<a>", "<a></b>", "</a>", "<a/><b/>", "x<a/>", "<a/>x", "<a", "<a x=1 x=2/>", "<a>&#0;</a>", "<a>&amp</a>"]
    {
        assert!(parse(text).is_err(), "{text}");
    }
    assert_eq!(Document::parse(b"<a>\xff</a>").unwrap_err(), XmlError::NotUtf8);
}

#[test]
fn neither_a_document_nor_an_error_shows_a_text() {
    let document = parse("<ACCOUNT><NUMBER>123456789</NUMBER></ACCOUNT>").unwrap();
    assert_eq!(format!("{document:?} {:?}", document.root()), "[\"ACCOUNT\", \"NUMBER\"] ACCOUNT");
    let error = parse("<NUMBER>123456789").unwrap_err();
    assert!(!format!("{error:?} {error}").contains("123456789"));
}

proptest! {
    #[test]
    fn bytes_from_outside_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[<>&;/!?a-c\\[\\]\"'= #x0-9-]{0,60}") {
        let _ = Document::parse(&bytes);
        let _ = Document::parse(text.as_bytes());
    }

    #[test]
    fn any_text_is_read_as_it_was_written(text in "[\\PC\\r\\n\\t]{0,40}", attribute in "\\PC{0,20}") {
        let mut bytes = Vec::new();
        Writer::new(&mut bytes).declaration().open("a", &[("x", &attribute)]).element("b", &format!("|{text}|")).close("a");
        let document = Document::parse(&bytes).unwrap();
        prop_assert_eq!(document.root().attribute("x"), Some(attribute.as_str()));
        prop_assert_eq!(document.root().child_text("b"), format!("|{text}|"));
    }
}
