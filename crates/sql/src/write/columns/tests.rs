use datafusion::{
    arrow::datatypes::{DataType, Field, Schema},
    datasource::empty::EmptyTable,
    execution::SessionState,
    prelude::SessionContext,
    sql::{parser::Statement as Parsed, sqlparser::ast::Statement as Sql},
};

use super::*;
use crate::{
    iceberg::positions::{FILE, POSITION, ROW, TARGET},
    names::parse,
    write::{merge, rewrite},
};

fn table_of(name: &str) -> Schema {
    let number = |name: &str| Field::new(name, DataType::Int64, true);
    match name {
        "t" => {
            let list = DataType::List(Arc::new(number("item")));
            let text = Field::new("c", DataType::Utf8, true);
            Schema::new(vec![number("a"), number("b"), text, Field::new("l", list, true)])
        }
        _ => Schema::new(vec![number("a"), number("d")]),
    }
}

fn state() -> SessionState {
    let context = SessionContext::new();
    for name in ["t", "u"] {
        let schema = table_of(name);
        let mut fields = schema.fields().to_vec();
        for name in [ROW, FILE, POSITION] {
            fields.push(Arc::new(Field::new(name, DataType::Int64, true)));
        }
        let target = EmptyTable::new(Arc::new(Schema::new(fields)));
        let plain = EmptyTable::new(Arc::new(schema));
        context.register_table(name, Arc::new(plain)).unwrap();
        let target_name = datafusion::sql::TableReference::bare(format!("{name}{TARGET}"));
        context.register_table(target_name, Arc::new(target)).unwrap();
    }
    context.state()
}

/// The plan of a statement, how many of its columns are not written, and the names of the others.
async fn planned(text: &str) -> Result<(LogicalPlan, usize, Vec<String>), String> {
    let state = state();
    let Parsed::Statement(sql) = parse(text).unwrap() else {
        panic!("{text}")
    };
    let rewritten = match &*sql {
        Sql::Update(update) => Some(rewrite::update(update, &table_of("t")).unwrap()),
        Sql::Delete(delete) => Some(rewrite::delete(delete).unwrap()),
        Sql::Merge(merge) => Some(merge::merge(merge, &table_of("t")).unwrap()),
        _ => None,
    };
    match rewritten {
        Some(rewritten) => {
            let query = Parsed::Statement(Box::new(Sql::Query(Box::new(rewritten.query))));
            let plan = state.statement_to_plan(query).await;
            let plan = plan.map_err(|e| e.to_string())?;
            let names = table_of("t").fields().iter().map(|f| f.name().clone()).collect();
            Ok((plan, 4, names))
        }
        None => {
            let plan = state.statement_to_plan(Parsed::Statement(sql)).await;
            let plan = plan.map_err(|e| e.to_string())?;
            let names = plan.schema().fields().iter().map(|f| f.name().clone()).collect();
            Ok((plan, 0, names))
        }
    }
}

fn source_of(scan: &TableScan) -> Option<ColumnSource> {
    let name = scan.table_name.table().trim_end_matches(TARGET);
    ["t", "u"].contains(&name).then(|| ColumnSource {
        resource: name.to_owned(),
        bucket: "data".to_owned(),
        version: 7,
    })
}

/// Edges, each as `column SIGN table.column`; `*` are all columns.
async fn told(text: &str) -> String {
    let (plan, head, names) = match planned(text).await {
        Ok(planned) => planned,
        Err(error) => return error,
    };
    let found = derived(&plan, (head, &names), &source_of);
    if found.more {
        return "more".to_owned();
    }
    let sign = |by| match by {
        ColumnUse::Identity => '=',
        ColumnUse::Transformation => '~',
        ColumnUse::Aggregation => '+',
        ColumnUse::Conditional => '?',
        ColumnUse::Join => '&',
        ColumnUse::Filter => '/',
        ColumnUse::GroupBy => '#',
        ColumnUse::Sort => '^',
        ColumnUse::Window => '@',
    };
    let edge = |edge: &ColumnEdge| {
        let column = edge.column.as_deref().unwrap_or("*");
        let source = &found.sources[edge.source].resource;
        format!("{column}{}{source}.{}", sign(edge.by), edge.of)
    };
    let edges: Vec<String> = found.edges.iter().map(edge).collect();
    edges.join(" ")
}

/// A statement, and where its columns come from. What decides the rows comes first; then each column, its sources in the order in which they are scanned.
const STATEMENTS: &[(&str, &str)] = &[
    // Columns and expressions.
    ("SELECT 1 AS x", ""),
    ("SELECT a FROM t", "a=t.a"),
    ("SELECT a AS x, b AS y FROM t", "x=t.a y=t.b"),
    ("SELECT * FROM u", "a=u.a d=u.d"),
    ("SELECT a + b AS x FROM t", "x~t.a x~t.b"),
    ("SELECT a + 1 AS x, a AS y FROM t", "x~t.a y=t.a"),
    ("SELECT CAST(a AS VARCHAR) AS x FROM t", "x~t.a"),
    ("SELECT upper(c) || '!' AS x FROM t", "x~t.c"),
    ("SELECT coalesce(a, b) AS x FROM t", "x~t.a x~t.b"),
    ("SELECT a IS NULL AS x FROM t", "x~t.a"),
    ("SELECT l[1] AS x FROM t", "x~t.l"),
    (
        "SELECT CASE WHEN a > 1 THEN b ELSE 0 END AS x FROM t",
        "x?t.a x=t.b",
    ),
    (
        "SELECT CASE a WHEN 1 THEN b ELSE b + 1 END AS x FROM t",
        "x?t.a x=t.b x~t.b",
    ),
    // Filters and order.
    ("SELECT a AS x FROM t WHERE b > 1", "*/t.b x=t.a"),
    (
        "SELECT a AS x FROM t WHERE a BETWEEN b AND 5",
        "*/t.a */t.b x=t.a",
    ),
    (
        "SELECT a AS x FROM t WHERE c LIKE 'x%' OR NOT (b IS NULL)",
        "*/t.b */t.c x=t.a",
    ),
    ("SELECT a AS x FROM t ORDER BY b", "*^t.b x=t.a"),
    ("SELECT a AS x FROM t ORDER BY b + 1 DESC LIMIT 3", "*^t.b x=t.a"),
    ("SELECT DISTINCT a AS x FROM t", "x=t.a"),
    (
        "SELECT DISTINCT ON (b) a AS x FROM t ORDER BY b, c",
        "*#t.b *^t.b *^t.c x=t.a",
    ),
    // Aggregates and windows.
    ("SELECT sum(a) AS x FROM t", "x+t.a"),
    ("SELECT count(*) AS x FROM t", ""),
    ("SELECT sum(a + b) AS x FROM t", "x+t.a x+t.b"),
    ("SELECT sum(a) + max(b) AS x FROM t", "x+t.a x+t.b"),
    (
        "SELECT b AS y, sum(a) AS x FROM t GROUP BY b",
        "*#t.b y=t.b x+t.a",
    ),
    (
        "SELECT b + 1 AS y, sum(a) AS x FROM t GROUP BY b + 1",
        "*#t.b y~t.b x+t.a",
    ),
    (
        "SELECT b, sum(a) AS x FROM t GROUP BY b HAVING max(c) > 'x'",
        "*#t.b */t.c b=t.b x+t.a",
    ),
    ("SELECT sum(a) FILTER (WHERE b > 1) AS x FROM t", "x+t.a x/t.b"),
    ("SELECT array_agg(a ORDER BY b) AS x FROM t", "x+t.a x^t.b"),
    (
        "SELECT a, b, sum(a) AS x FROM t GROUP BY ROLLUP (a, b)",
        "*#t.a *#t.b a=t.a b=t.b x+t.a",
    ),
    (
        "SELECT row_number() OVER (PARTITION BY a ORDER BY b) AS x FROM t",
        "x@t.a x@t.b",
    ),
    ("SELECT sum(a) OVER (PARTITION BY b) AS x FROM t", "x+t.a x@t.b"),
    ("SELECT lag(a) OVER (ORDER BY b) AS x FROM t", "x~t.a x@t.b"),
    // Joins and sets.
    ("SELECT t.b AS x FROM t, u", "x=t.b"),
    (
        "SELECT t.b AS x, u.d AS y FROM t JOIN u ON t.a = u.a",
        "*&t.a *&u.a x=t.b y=u.d",
    ),
    (
        "SELECT t.b AS x FROM t LEFT JOIN u ON t.a = u.a AND u.d > 2",
        "*&t.a *&u.a *&u.d x=t.b",
    ),
    ("SELECT d AS y FROM t JOIN u USING (a)", "*&t.a *&u.a y=u.d"),
    (
        "SELECT t.b AS x FROM t LEFT SEMI JOIN u ON t.a = u.a",
        "*&t.a *&u.a x=t.b",
    ),
    (
        "SELECT p.a AS x, q.b AS y FROM t p JOIN t q ON p.a = q.b",
        "*&t.a *&t.b x=t.a y=t.b",
    ),
    (
        "SELECT t.c AS x, s.m AS y FROM t JOIN (SELECT a, max(d) AS m FROM u GROUP BY a) s ON s.a = t.a",
        "*&t.a *&u.a *#u.a x=t.c y+u.d",
    ),
    ("SELECT a AS x FROM t UNION ALL SELECT d FROM u", "x=t.a x=u.d"),
    ("SELECT a AS x FROM t UNION SELECT d + 1 FROM u", "x=t.a x~u.d"),
    (
        "SELECT a AS x FROM t INTERSECT SELECT a FROM u",
        "*&t.a *&u.a x=t.a",
    ),
    ("SELECT a AS x FROM t EXCEPT SELECT a FROM u", "*&t.a *&u.a x=t.a"),
    ("SELECT a FROM t INTERSECT SELECT a FROM t", "*&t.a a=t.a"),
    // Queries in queries.
    (
        "SELECT y AS x FROM (SELECT z AS y FROM (SELECT a AS z FROM t) p) q",
        "x=t.a",
    ),
    (
        "WITH w AS (SELECT a + 1 AS k FROM t WHERE b = 2) SELECT k AS x FROM w",
        "*/t.b x~t.a",
    ),
    (
        "SELECT b AS x FROM t WHERE a IN (SELECT a FROM u WHERE d > 1)",
        "*/t.a */u.a */u.d x=t.b",
    ),
    (
        "SELECT b AS x FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a)",
        "*/t.a */u.a x=t.b",
    ),
    ("SELECT (SELECT max(d) FROM u) AS x FROM t", "x+u.d"),
    (
        "SELECT (SELECT max(d) FROM u WHERE u.a = t.a) AS x FROM t",
        "x/t.a x/u.a x+u.d",
    ),
    (
        "WITH RECURSIVE r AS (SELECT a AS n, b AS m FROM t UNION ALL SELECT u.d, r.n FROM r JOIN u ON u.a = r.n) SELECT n, m FROM r",
        "*&t.a *&u.a *&u.d n=t.a n=u.d m=t.a m=t.b m=u.d",
    ),
    // Rows of their own.
    ("SELECT column1 AS x FROM (VALUES (1), (2)) v", ""),
    ("SELECT unnest(l) AS x FROM t", "x~t.l"),
    ("SELECT a AS x, unnest(l) AS y FROM t", "x=t.a y~t.l"),
    // Changes of rows.
    (
        "UPDATE t SET a = b + 1 WHERE c = 'x'",
        "*/t.c a~t.b b=t.b c=t.c l=t.l",
    ),
    (
        "UPDATE t SET a = u.d FROM u WHERE u.a = t.b",
        "*/t.b */u.a a=u.d b=t.b c=t.c l=t.l",
    ),
    ("DELETE FROM t WHERE a IN (SELECT a FROM u)", "*/t.a */u.a"),
    (
        "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED AND u.d > 5 THEN DELETE WHEN MATCHED THEN UPDATE SET b = u.d \
         WHEN NOT MATCHED THEN INSERT (a, b) VALUES (u.a, u.d)",
        "*&u.a *?u.d *&t.a a=u.a a?u.d a=t.a b=u.d b?u.d c?u.d c=t.c l?u.d l=t.l",
    ),
];

#[tokio::test]
async fn columns_come_from_where_the_statement_says() {
    assert!(STATEMENTS.len() >= 40);
    let mut wrong = Vec::new();
    for (text, expected) in STATEMENTS {
        let found = told(text).await;
        if found != *expected {
            wrong.push(format!("{text}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_too_much_is_not_told_and_that_is_said() {
    // On a stack as statements have it.
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let wide = vec!["a + b"; 150].join(" + ");
            let columns: Vec<String> = (0..400).map(|n| format!("{wide} AS x{n}")).collect();
            let text = format!("SELECT {} FROM t", columns.join(", "));
            // It has more operators than a statement that is taken; its plan is what counts.
            let mut parsed = datafusion::sql::parser::DFParser::parse_sql(&text).unwrap();
            let plan = state()
                .statement_to_plan(parsed.pop_front().unwrap())
                .await
                .unwrap();
            let fields = plan.schema().fields().iter();
            let names: Vec<String> = fields.map(|f| f.name().clone()).collect();
            let found = derived(&plan, (0, &names), &source_of);
            assert!(found.more && found.edges.is_empty());
            assert_eq!(found.sources.len(), 1, "what was read is known");
        });
    };
    let thread = std::thread::Builder::new()
        .stack_size(64 << 20)
        .spawn(work)
        .unwrap();
    thread.join().unwrap();
}
