use std::io::Write;

use proptest::prelude::*;

use super::*;

/// Writes down what is pushed.
#[derive(Default)]
struct Written {
    facts: Vec<String>,
    text: String,
    depth: usize,
    /// Where reading can begin, and how many facts lie before it.
    marks: Vec<(Start, usize)>,
    state: Vec<u8>,
}

impl Written {
    fn piece(&mut self, text: &str) {
        if !self.text.is_empty() && !self.text.ends_with('(') && text != ")" {
            self.text.push(' ');
        }
        self.text.push_str(text);
        if self.depth == 0 {
            self.facts.push(std::mem::take(&mut self.text));
        }
    }
}

impl FactSink for Written {
    fn open(&mut self) -> Result<()> {
        self.depth += 1;
        self.piece("(");
        Ok(())
    }
    fn symbol(&mut self, text: &[u8]) -> Result<()> {
        if text.len() > 1000 {
            return Err(Error::new(
                Kind::TooLarge,
                "SymbolTooLong",
                "a symbol is too long",
            ));
        }
        let mut shown = Vec::new();
        crate::print::symbol(text, &mut shown);
        self.piece(&String::from_utf8(shown).unwrap());
        Ok(())
    }
    fn variable(&mut self, name: &[u8]) -> Result<()> {
        self.piece(&format!("${}", String::from_utf8_lossy(name)));
        Ok(())
    }
    fn close(&mut self) -> Result<()> {
        self.depth -= 1;
        self.piece(")");
        Ok(())
    }
    fn abandon(&mut self) {
        self.text.clear();
        self.depth = 0;
    }
    fn reached(&mut self, mark: Mark) {
        let state = self.state.clone();
        self.marks.push((Start { mark, state }, self.facts.len()));
    }
    fn remember(&mut self, state: &[u8]) {
        self.state = state.to_vec();
    }
}

fn read(text: &str, format: &Format, on_bad: OnBad) -> Result<(Vec<String>, Summary)> {
    let mut sink = Written::default();
    let summary = load(text.as_bytes(), format, on_bad, &mut sink, &mut |_| Ok(()))?;
    assert_eq!(summary.facts, sink.facts.len() as u64);
    Ok((sink.facts, summary))
}

fn facts(text: &str, format: &Format) -> Vec<String> {
    read(text, format, OnBad::Stop).unwrap().0
}

fn csv() -> Format {
    Format::Table {
        relation: "r".into(),
        delimiter: b',',
        header: true,
    }
}

fn tsv(header: bool) -> Format {
    Format::Table {
        relation: "r".into(),
        delimiter: b'\t',
        header,
    }
}

#[test]
fn names_say_formats() {
    assert_eq!(
        Format::of_name("a/b/terms.tsv.gz"),
        Some(Format::Table {
            relation: "terms".into(),
            delimiter: b'\t',
            header: true
        })
    );
    assert_eq!(Format::of_name("x.nt.zst"), Some(Format::NTriples));
    assert_eq!(
        Format::of_name("rows.jsonl"),
        Some(Format::JsonLines {
            relation: "rows".into()
        })
    );
    assert_eq!(Format::of_name("readme"), None);
}

#[test]
fn expressions_as_they_are() {
    let (found, summary) = read(
        "(a $x (b $x $_) ()) foo \n) bad\n(c)",
        &Format::Expressions,
        OnBad::Skip,
    )
    .unwrap();
    assert_eq!(found, ["(a $0 (b $0 $1) ())", "foo", "(c)"]);
    assert_eq!(summary.bad, 1);
    assert!(
        summary.faults[0].contains("line 2, column 1"),
        "{:?}",
        summary.faults
    );
    let error = read("(a)\n(b", &Format::Expressions, OnBad::Stop).unwrap_err();
    assert_eq!(error.reason(), "BadLine");
}

#[test]
fn rows_of_fields() {
    assert_eq!(
        facts("id,name\n1,two words\n2,\"a \"\"b\"\", c\"\r\n3,\n", &csv()),
        ["(r 1 \"two words\")", "(r 2 \"a \\\"b\\\", c\")", "(r 3 \"\")"]
    );
    assert_eq!(facts("a,b\n1,\"two\nlines\"\n", &csv()), ["(r 1 \"two\nlines\")"]);
    assert_eq!(
        facts("GO:1\tbiological process\tx\n", &tsv(false)),
        ["(r GO:1 \"biological process\" x)"]
    );
    assert_eq!(facts("a\tb\n1\t\"q\"\n", &tsv(true)), ["(r 1 \"\\\"q\\\"\")"]);
    assert!(facts("a,b\n", &csv()).is_empty());
}

#[test]
fn bad_rows_are_named_and_skipped() {
    let text = "a,b\n1,2\n1,2,3\n4,\"x\"y\n5,6\n7,\"open\n";
    let (found, summary) = read(text, &csv(), OnBad::Skip).unwrap();
    assert_eq!(found, ["(r 1 2)", "(r 5 6)"]);
    assert_eq!(summary.bad, 3);
    assert!(
        summary.faults[0].starts_with("line 3: 3 fields"),
        "{:?}",
        summary.faults
    );
    assert!(
        summary.faults[1].starts_with("line 4: text after"),
        "{:?}",
        summary.faults
    );
    assert!(
        summary.faults[2].starts_with("line 6: a quoted field"),
        "{:?}",
        summary.faults
    );
    assert!(
        read(text, &csv(), OnBad::Stop)
            .unwrap_err()
            .to_string()
            .contains("line 3")
    );
    let long = format!("a\tb\n{}\t1\n2\t3\n", "x".repeat(2000));
    let (found, summary) = read(&long, &tsv(true), OnBad::Skip).unwrap();
    assert_eq!((found, summary.bad), (vec!["(r 2 3)".to_owned()], 1));
}

#[test]
fn json_lines() {
    let format = Format::JsonLines {
        relation: "doc".into(),
    };
    let text = "{\"name\": \"a b\", \"tags\": [\"x\", 2], \"deep\": {\"er\": null}, \"none\": {}}\n\n7\n";
    assert_eq!(
        facts(text, &format),
        [
            "(doc 0 (name \"a b\"))",
            "(doc 0 (tags (0 x)))",
            "(doc 0 (tags (1 2)))",
            "(doc 0 (deep (er null)))",
            "(doc 0 (none {}))",
            "(doc 1 7)",
        ]
    );
    let (_, summary) = read("{\n{\"a\":1}\n", &format, OnBad::Skip).unwrap();
    assert_eq!((summary.facts, summary.bad), (1, 1));
}

#[test]
fn triples() {
    let text = "<http://a/s> <http://a/p> \"x y\" .\n<http://a/s> <http://a/p> \"chat\"@fr .\n_:b <http://a/p> <http://a/o> .\n";
    assert_eq!(
        facts(text, &Format::NTriples),
        [
            "(triple <http://a/s> <http://a/p> \"x y\")",
            "(triple <http://a/s> <http://a/p> (lang \"chat\" fr))",
            "(triple _:b <http://a/p> <http://a/o>)",
        ]
    );
    let text = "@prefix : <http://a/> .\n:s :p 1, 2.5, true ; :q \"2000-01-01\"^^<http://www.w3.org/2001/XMLSchema#date> .";
    assert_eq!(
        facts(text, &Format::Turtle),
        [
            "(triple <http://a/s> <http://a/p> 1)",
            "(triple <http://a/s> <http://a/p> 2.5)",
            "(triple <http://a/s> <http://a/p> true)",
            "(triple <http://a/s> <http://a/q> (typed \"2000-01-01\" <http://www.w3.org/2001/XMLSchema#date>))",
        ]
    );
    let (found, summary) = read(
        "<a b> .\n<http://a/s> <http://a/p> <http://a/o> .\n",
        &Format::NTriples,
        OnBad::Skip,
    )
    .unwrap();
    assert_eq!(found.len(), 1);
    assert!(summary.faults[0].starts_with("line 1: "), "{:?}", summary.faults);
}

#[test]
fn ontologies() {
    let text = "format-version: 1.2\n\n[Term]\nid: GO:1\nname: reproduction process\ndef: \"Making \\\"more\\\".\" [X:1]\nis_a: GO:2 ! parent\nrelationship: part_of GO:3 {a=\"b\"} ! whole\n\n[Typedef]\nid: part_of\nname: part of\n";
    assert_eq!(
        facts(text, &Format::Obo),
        [
            "(term GO:1)",
            "(name GO:1 \"reproduction process\")",
            "(def GO:1 \"Making \\\"more\\\".\")",
            "(is_a GO:1 GO:2)",
            "(relationship GO:1 part_of GO:3)",
            "(typedef part_of)",
            "(name part_of \"part of\")",
        ]
    );
    assert!(
        read("[Term]\nname: x\n", &Format::Obo, OnBad::Stop)
            .unwrap_err()
            .to_string()
            .contains("line 2")
    );
}

#[test]
fn features_and_variants() {
    let text = "##gff-version 3\nchr1\t.\tgene\t100\t200\t.\t+\t.\tID=g1;Name=a%20b;Parent=x,y\n##FASTA\n>chr1\nACGT\n";
    assert_eq!(
        facts(text, &Format::Gff3),
        [
            "(feature 0 chr1 . gene 100 200 . + .)",
            "(attribute 0 ID g1)",
            "(attribute 0 Name \"a b\")",
            "(attribute 0 Parent x)",
            "(attribute 0 Parent y)",
        ]
    );
    let text = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\n1\t10\trs1\tA\tG,T\t50\tPASS\tDP=9;DB\tGT:DP\t0|1:7\n";
    assert_eq!(
        facts(text, &Format::Vcf),
        [
            "(variant 0 1 10 rs1 A G,T 50 PASS)",
            "(info 0 DP 9)",
            "(info 0 DB)",
            "(call 0 S1 GT 0|1)",
            "(call 0 S1 DP 7)",
        ]
    );
    assert!(
        read("1\t2\n", &Format::Vcf, OnBad::Stop)
            .unwrap_err()
            .to_string()
            .contains("2 columns")
    );
    assert!(
        read("a\tb\n", &Format::Gff3, OnBad::Stop)
            .unwrap_err()
            .to_string()
            .contains("line 1")
    );
}

#[test]
fn compressed_input_is_told_by_its_first_bytes() {
    let text = b"(a b)\n(c d)\n".repeat(1000);
    let mut gzip = Vec::new();
    for part in text.chunks(5000) {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(part).unwrap();
        gzip.extend(encoder.finish().unwrap());
    }
    let mut zstd = Vec::new();
    for part in text.chunks(5000) {
        zstd.extend(ruzstd::encoding::compress_to_vec(
            part,
            ruzstd::encoding::CompressionLevel::Fastest,
        ));
    }
    for packed in [text.clone(), gzip, zstd, Vec::new(), b"(".to_vec()] {
        let expected = if packed.len() < 2 {
            packed.clone()
        } else {
            text.clone()
        };
        let mut out = Vec::new();
        unpacked(std::io::Cursor::new(packed))
            .unwrap()
            .read_to_end(&mut out)
            .unwrap();
        assert!(out == expected);
    }
}

#[test]
fn a_load_can_be_ended_from_outside() {
    let text = "(a b)\n".repeat(100_000);
    let mut calls = 0;
    let ended = load(
        text.as_bytes(),
        &Format::Expressions,
        OnBad::Stop,
        &mut Written::default(),
        &mut |bytes| {
            calls += 1;
            if bytes > 100_000 {
                Err(Error::new(Kind::Unavailable, "Cancelled", "enough"))
            } else {
                Ok(())
            }
        },
    );
    assert_eq!(ended.unwrap_err().reason(), "Cancelled");
    assert!(calls > 1);
}

/// Reading goes on at every mark as if it had never stopped.
fn goes_on_at_its_marks(text: &str, format: &Format) -> usize {
    let mut whole = Written::default();
    if load(text.as_bytes(), format, OnBad::Skip, &mut whole, &mut |_| Ok(())).is_err() {
        return 0;
    }
    for (start, before) in &whole.marks {
        let mut rest = Written::default();
        let bytes = usize::try_from(start.mark.bytes).unwrap();
        let input = text.as_bytes().get(bytes..).unwrap();
        load_from(start, input, format, OnBad::Skip, &mut rest, &mut |_| Ok(())).unwrap();
        assert_eq!(rest.facts, whole.facts[*before..], "at {start:?} of {text:?}");
    }
    whole.marks.len()
}

#[test]
fn a_reader_goes_on_at_its_marks() {
    let gff =
        "##gff-version 3\nchr1\ta\tgene\t1\t9\t.\t+\t.\tID=x\n# no\nchr1\ta\tgene\t2\t9\t.\t+\t.\tID=y\n";
    let obo = "format-version: 1.2\n\n[Term]\nid: A\nname: a\n\n[Term]\nid: B\nis_a: A ! a\n";
    let json = "{\"a\":1,\"b\":[2,3]}\nno\n{\"a\":4}\n";
    let vcf = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\tS2\n\
        1\t10\t.\tA\tG\t.\t.\t.\tGT\t0|1\t1|1\nno\n1\t11\t.\tA\tG\t.\t.\tDB\tGT\t0|0\t0|1\n";
    let nt = "<http://a/s> <http://a/p> \"x . y\" .\nno\n# remark\n_:b <http://a/p> _:c . # more\n";
    let turtle = "@base <http://a/> . @prefix : <#> .\n:s :p 'a . b', 1.5 ; :q [ :r \"\"\"long .\n \\\" text \"\"\" ], [] .\n\
        @prefix : <http://b/> . # other\n:s.t :p\\. . <u#v> :p ( 1 2 ) . _:b :p _:b .\n:x :y .\n:a :b :c .";
    for (text, format, marks) in [
        (vcf, Format::Vcf, 4),
        (nt, Format::NTriples, 4),
        (turtle, Format::Turtle, 5),
        ("(a 1) ; one\n(b\n 2) c ) d\n(e)", Format::Expressions, 4),
        ("x,y\n1,\"a\nb\"\n2,c\n3\n", csv(), 4),
        ("x\ty\n1\t2\n", tsv(true), 2),
        (json, Format::JsonLines { relation: "j".into() }, 3),
        (obo, Format::Obo, 2),
        (gff, Format::Gff3, 2),
    ] {
        assert!(goes_on_at_its_marks(text, &format) >= marks, "{format:?}");
    }
}

#[test]
fn a_blank_node_without_a_name_is_the_same_when_it_is_read_again() {
    let text = "<a:s> <a:p> [ <a:q> 1 ; <a:r> [] ], _:d41d8cd98f00b204e9800998ecf8427e .";
    let found = facts(text, &Format::Turtle);
    assert_eq!(found, facts(text, &Format::Turtle));
    assert!(found.contains(&"(triple <a:s> <a:p> _:d41d8cd98f00b204e9800998ecf8427e)".to_owned()));
    let nodes: std::collections::BTreeSet<&str> = found
        .iter()
        .flat_map(|fact| fact.split([' ', ')']))
        .filter(|word| word.starts_with("_:"))
        .collect();
    assert_eq!(nodes.len(), 3, "{found:?}");
    let other = facts("<a:s> <a:p> [ <a:q> 2 ] .", &Format::Turtle);
    assert!(other.iter().all(|fact| !found.contains(fact)), "{other:?}");
}

/// What it costs an outsider little to make large: each is an error, or all of it is there.
#[test]
fn hostile_texts_are_errors() {
    let deep = 1_000_000;
    let long = "x".repeat(17 << 20);
    let reasons = |text: &str, format: &Format| {
        read(text, format, OnBad::Stop).map_or_else(
            |error| error.reason(),
            |(facts, _)| match facts.len() {
                0 => "Nothing",
                _ => "Read",
            },
        )
    };
    let json = Format::JsonLines { relation: "j".into() };
    for (text, format, reason) in [
        ("(".repeat(deep), Format::Expressions, "BadLine"),
        ("[".repeat(deep), json.clone(), "BadLine"),
        (format!("{}1", "{\"a\":".repeat(deep)), json.clone(), "BadLine"),
        ("[".repeat(deep), Format::Turtle, "TooDeep"),
        (
            format!("<a:s> <a:p> {}", "( ".repeat(deep)),
            Format::Turtle,
            "TooDeep",
        ),
        (
            format!("<a:s> <a:p> \"\"\"{long}"),
            Format::Turtle,
            "StatementTooLong",
        ),
        (
            format!("<a:s> <a:p> <a:{long}> .\n"),
            Format::NTriples,
            "LineTooLong",
        ),
        (format!("a,b\n\"{long}"), csv(), "LineTooLong"),
        (format!("a,b\n\"{}", "\n".repeat(17 << 20)), csv(), "BadLine"),
        (long.clone(), tsv(true), "LineTooLong"),
        (format!("{{\"a\":\"{long}\"}}"), json, "LineTooLong"),
        (format!("[Term]\nid: {long}"), Format::Obo, "LineTooLong"),
        (format!("chr1\t{long}"), Format::Gff3, "LineTooLong"),
        (format!("#CHROM\t{long}"), Format::Vcf, "LineTooLong"),
        (long.clone(), Format::Expressions, "BadLine"),
    ] {
        assert_eq!(reasons(&text, &format), reason, "{format:?} {}", &text[..20]);
    }
    let prefixes: String = (0..5000).map(|n| format!("@prefix p{n}: <a:{n}> .\n")).collect();
    assert_eq!(reasons(&prefixes, &Format::Turtle), "TooManyPrefixes");
}

proptest! {
    #[test]
    fn any_text_goes_on_at_its_marks(text in "[\\[\\](){}a-c:,;=.!\"\\\\\t\n #0-9 ]{0,120}") {
        for format in [tsv(false), Format::JsonLines { relation: "j".into() }, Format::Obo, Format::Gff3, Format::Vcf, Format::Expressions] {
            goes_on_at_its_marks(&text, &format);
        }
    }

    #[test]
    fn any_statements_go_on_at_their_marks(text in "(@prefix a: <b:> \\.|a:a |a:b |<b:c> |_:a |_:ab |\\. |'|\"|\"\"\"|[\\[\\]();,.#\\\\<>\n ]|1\\.5 |\\[\\] ){0,60}") {
        for format in [Format::Turtle, Format::NTriples] {
            goes_on_at_its_marks(&text, &format);
        }
    }

    #[test]
    fn no_text_crashes_a_loader(text in prop_oneof!["[\\[\\](){}a-c:,;=.!\"\\\\\t\n<>#0-9_@^ ]{0,200}", ".{0,200}"]) {
        for format in [csv(), tsv(false), Format::JsonLines { relation: "j".into() }, Format::NTriples, Format::Turtle,
            Format::Obo, Format::Gff3, Format::Vcf, Format::Expressions] {
            let _ = read(&text, &format, OnBad::Skip);
            let _ = read(&text, &format, OnBad::Stop);
        }
    }

    #[test]
    fn a_value_is_read_back_as_one_symbol(text in ".{0,30}") {
        let mut sink = Written::default();
        let mut out = Out { sink: &mut sink, start: Mark::default(), state: Vec::new(), on_bad: OnBad::Stop, summary: Summary::default(), quoted: Vec::new(), missing: Vec::new() };
        prop_assert!(out.value(text.as_bytes()).is_ok());
        let term = crate::parse::term(sink.facts[0].as_bytes()).unwrap();
        let crate::term::Item::Symbol(symbol) = term.items().next().unwrap() else { panic!() };
        let inner = symbol.strip_prefix(b"\"").and_then(|s| s.strip_suffix(b"\""));
        let plain = match inner {
            None => symbol.to_vec(),
            Some(quoted) => String::from_utf8_lossy(quoted).replace("\\\"", "\"").replace("\\\\", "\\").into_bytes(),
        };
        if !text.contains('\\') {
            prop_assert_eq!(plain, text.as_bytes());
        }
    }
}
