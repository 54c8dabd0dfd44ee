use super::*;

#[test]
fn a_resource_names_keys_of_the_buckets_that_it_fits() {
    let known = [
        ("data/reports/*", Some("reports/*")),
        ("data/a.csv", Some("a.csv")),
        ("d*/x", Some("x")),
        ("data/home/${aws:username}/x", Some("home/*")),
        ("other/x", None),
        ("data", None),
        ("data/", None),
    ];
    for (resource, key) in known {
        assert_eq!(key_in("data", resource).as_deref(), key, "{resource}");
    }
}

#[test]
fn actions_are_asked_about_where_they_can_be() {
    for (action, kind) in [
        ("s3:GetObject", Some(OBJECT)),
        ("s3:ListBucket", Some(BUCKET)),
        ("craton:ReadGraph", Some(GRAPH)),
        ("craton:ListGraphs", Some(BUCKET)),
        ("s3tables:GetTableData", Some(TABLE)),
        ("s3tables:CreateTable", Some(CATALOG)),
        ("iam:GetUser", None),
        ("s3:ListAllMyBuckets", None),
        ("x", None),
    ] {
        let found = with_kind(action.to_owned()).ok().map(|(_, kind)| kind);
        assert_eq!(found, kind, "{action}");
    }
}

#[test]
fn a_line_in_a_graph_is_at_its_last_whole_item() {
    let graph = GraphName::new("g1").unwrap();
    for (line, prefix) in [
        ("g1/(edge chr1 *", Some("(edge chr1 ")),
        ("g?/(edge chr*", Some("(edge ")),
        ("*/(secret ", Some("(secret ")),
        ("g1/*", None),
        ("g1", None),
        ("g2/(edge *", None),
    ] {
        assert_eq!(facts_in(&graph, line), prefix, "{line}");
    }
}
