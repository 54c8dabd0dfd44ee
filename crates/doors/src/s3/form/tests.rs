use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// A body in given pieces.
struct Pieces(VecDeque<Bytes>);

impl Pieces {
    fn of(body: &[u8], size: usize) -> Self {
        Self(body.chunks(size.max(1)).map(Bytes::copy_from_slice).collect())
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        Poll::Ready(self.0.pop_front().map(|p| Ok(Frame::data(p))))
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Read {
    fields: Vec<(String, String)>,
    filename: Option<String>,
    file: Vec<u8>,
}

fn read(body: &[u8], size: usize) -> Result<Read, &'static str> {
    futures::executor::block_on(async {
        let mut reader = Reader::new(Pieces::of(body, size), "b");
        let front = reader.front().await?;
        let fields = front
            .fields
            .iter()
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect();
        let mut file = Vec::new();
        if front.filename.is_some() {
            let mut body = reader.file();
            while let Some(frame) = body.frame().await {
                let piece = frame?.into_data().unwrap();
                assert!(!piece.is_empty());
                file.extend_from_slice(&piece);
            }
            assert!(body.frame().await.is_none());
        }
        let filename = front.filename;
        Ok(Read {
            fields,
            filename,
            file,
        })
    })
    .map_err(|e: Error| e.reason())
}

fn field(name: &str, value: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn file(content: &[u8]) -> Vec<u8> {
    let head = "--b\r\ncontent-disposition:form-data;name=file; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n";
    [head.as_bytes(), content, b"\r\n"].concat()
}

fn form(content: &[u8]) -> Vec<u8> {
    let fields = field("Key", "k/${filename}") + &field("x-amz-meta-a", "");
    [fields.as_bytes(), &file(content), b"--b--\r\n"].concat()
}

fn expected(content: &[u8]) -> Read {
    Read {
        fields: vec![
            ("key".into(), "k/${filename}".into()),
            ("x-amz-meta-a".into(), String::new()),
        ],
        filename: Some("a.txt".into()),
        file: content.to_vec(),
    }
}

#[test]
fn a_form_in_pieces_of_every_size() {
    let contents: [&[u8]; 7] = [
        b"",
        b"hello",
        b"\r\n",
        b"--b",
        b"\r\n--\r\n-b\r\n--",
        b"\r\r\n\r\n-\r\n--a--b--",
        &[0xff, 0, b'\r'],
    ];
    for content in contents {
        let body = form(content);
        for size in 1..=body.len() {
            assert_eq!(read(&body, size), Ok(expected(content)), "{content:?} by {size}");
        }
    }
}

#[test]
fn a_form_that_is_cut_short_never_ends_well() {
    let body = form(b"content");
    let end = body.len() - 2; // the last line's end may be missing
    for cut in 0..end {
        let got = read(&body[..cut], 7);
        assert_eq!(
            got,
            Err("IncompleteBody"),
            "{:?}",
            String::from_utf8_lossy(&body[..cut])
        );
    }
    assert_eq!(read(&body[..end], 7), Ok(expected(b"content")));
}

#[test]
fn what_follows_the_file_does_not_count_but_must_end() {
    let front = [field("key", "k").as_bytes(), &file(b"x")].concat();
    let with = |rest: &str| read(&[&front, rest.as_bytes()].concat(), 5);
    let more = field("submit", "Upload") + &field("key", "another");
    let got = with(&(more.clone() + "--b--\r\nepilogue")).unwrap();
    assert_eq!((got.fields.len(), got.file), (1, b"x".to_vec()));
    assert_eq!(with(&more), Err("IncompleteBody"));
    assert_eq!(
        with("--bc--\r\n"),
        Err("IncompleteBody"),
        "only begins like the boundary"
    );
    let long = field("more", &"x".repeat(REST_BYTES_MAX)) + "--b--";
    assert_eq!(with(&long), Err("MalformedPOSTRequest"));
}

#[test]
fn a_form_without_a_file() {
    let body = field("key", "k") + "--b--";
    let got = read(body.as_bytes(), 3).unwrap();
    assert_eq!((got.fields.len(), got.filename), (1, None));
    assert_eq!(read(b"--b--", 3).unwrap().fields.len(), 0);
}

#[test]
fn limits() {
    let many = |n: usize| {
        let fields: String = (0..n).map(|i| field(&format!("f{i}"), "")).collect();
        read(&[fields.as_bytes(), &file(b"x"), b"--b--"].concat(), 8192).map(|r| r.fields.len())
    };
    assert_eq!(many(FIELDS_MAX), Ok(FIELDS_MAX));
    assert_eq!(many(FIELDS_MAX + 1), Err("MaxPostPreDataLengthExceededError"));
    let long = |n: usize| {
        let fields = field("a", "1") + &field("key", &"x".repeat(n));
        read(&[fields.as_bytes(), &file(b"x"), b"--b--"].concat(), 1000).map(|_| ())
    };
    assert_eq!(long(FIELDS_BYTES_MAX - 5), Ok(()));
    assert_eq!(
        long(FIELDS_BYTES_MAX - 4),
        Err("MaxPostPreDataLengthExceededError")
    );
    let endless = [field("a", "").as_bytes(), b"--b\r\nx: ", &[b'y'; 100_000]].concat();
    assert_eq!(read(&endless, 1000), Err("MalformedPOSTRequest"));
    assert_eq!(read(&[b'y'; 100_000], 1000), Err("MalformedPOSTRequest"));
    let value = [
        b"--b\r\ncontent-disposition: form-data; name=a\r\n\r\n".as_slice(),
        &[b'y'; 100_000],
    ]
    .concat();
    assert_eq!(read(&value, 1000), Err("MaxPostPreDataLengthExceededError"));
}

#[test]
fn forms_that_are_not_valid() {
    let part = |head: &str| format!("--b\r\n{head}\r\n\r\nv\r\n--b--");
    for head in [
        "",
        "\r\nContent-Disposition: form-data; name=a",
        "Content-Type: text/plain",
        "Content-Disposition: form-data",
        "Content-Disposition: attachment; name=a",
        "Content-Disposition: form-data; name=\"a",
        "Content-Disposition: form-data; name=\"\"",
        "Content-Disposition: form-data; name=a; name=b",
        "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b",
        "Content-Disposition: form-data; name=\"a\" x",
        "Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64",
        "Content-Disposition form-data",
    ] {
        assert_eq!(
            read(part(head).as_bytes(), 9),
            Err("MalformedPOSTRequest"),
            "{head:?}"
        );
    }
    let twice = field("key", "a") + &field("KEY", "b") + "--b--";
    assert_eq!(read(twice.as_bytes(), 9), Err("InvalidArgument"));
    let not_text = [
        b"--b\r\ncontent-disposition: form-data; name=a\r\n\r\n\xff".as_slice(),
        b"\r\n--b--",
    ]
    .concat();
    assert_eq!(read(&not_text, 9), Err("MalformedPOSTRequest"));
    assert_eq!(read(b"--bb\r\n", 9), Err("MalformedPOSTRequest"));
}

#[test]
fn names_of_files() {
    let name = |text: &str| {
        PartHead::parse(format!("Content-Disposition: form-data; name=\"file\"; filename={text}").as_bytes())
            .unwrap()
            .filename
            .unwrap()
    };
    assert_eq!(name("\"a b.txt\""), "a b.txt");
    assert_eq!(name("a.txt"), "a.txt");
    assert_eq!(name("\"a;b=c.txt\" ; x=y"), "a;b=c.txt");
    assert_eq!(name(r#""a\"b.txt""#), "a\"b.txt");
    assert_eq!(name(r#""C:\dir\a.txt""#), r"C:\dir\a.txt");
    assert_eq!(name("\"żółw.txt\""), "żółw.txt");
}

#[test]
fn boundaries() {
    assert_eq!(
        boundary("multipart/form-data; boundary=--xY7'").unwrap(),
        "--xY7'"
    );
    assert_eq!(
        boundary("multipart/form-data;charset=utf-8; Boundary=\"a b\"").unwrap(),
        "a b"
    );
    let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
    for bad in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=a\"b",
        "multipart/form-data; boundary=\"a \"",
        "multipart/form-data; boundary=a\r\nb",
        &long,
    ] {
        assert_eq!(
            boundary(bad).unwrap_err().reason(),
            "MalformedPOSTRequest",
            "{bad:?}"
        );
    }
}

proptest! {
    /// Content of the bytes that boundaries are made of comes out as it went in.
    #[test]
    fn any_content(content in "[\r\n\\-ab]{0,40}", size in 1usize..60) {
        prop_assume!(!format!("{content}\r\n").contains("\r\n--b") );
        let body = form(content.as_bytes());
        prop_assert_eq!(read(&body, size), Ok(expected(content.as_bytes())));
    }

    /// No bytes make it panic or never end.
    #[test]
    fn any_bytes(body in "(--b|\r\n|Content-Disposition: form-data; name=|file|\"|;|x|--){0,60}", size in 1usize..60) {
        drop(read(body.as_bytes(), size));
    }
}
