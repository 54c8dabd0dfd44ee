use super::{Builder, FactSink, VARIABLES_MAX};
use crate::{Form, Id, Names, Table, id::WIDTH_MAX, model::Model, sink::DEPTH_MAX};

fn say(builder: &mut Builder<Model>, words: &str) -> craton_base::Result<()> {
    for word in words.split_whitespace() {
        match (word, word.strip_prefix('$')) {
            ("(", _) => builder.open()?,
            (")", _) => builder.close()?,
            (_, Some(name)) => builder.variable(name.as_bytes())?,
            _ => builder.symbol(word.as_bytes())?,
        }
    }
    Ok(())
}

#[test]
fn a_fact_is_a_tuple_with_its_head_in_front() {
    let model = Model::new();
    let mut builder = model.builder();
    say(&mut builder, "( edge a 7 ) ( edge a 7 )").unwrap();
    assert!(builder.is_between());
    let edge = Names::symbol(&model, b"edge").unwrap().unwrap();
    let a = Names::symbol(&model, b"a").unwrap().unwrap();
    let seven = Id::integer(7).unwrap();
    assert_eq!(model.facts(Table::facts(3)), [[edge.0, a.0, seven.0]]);
}

#[test]
fn equal_expressions_have_one_id() {
    let model = Model::new();
    say(&mut model.builder(), "( p ( q 1 ) ( q 1 ) ) ( q 1 )").unwrap();
    let facts = model.facts(Table::facts(3));
    let [tuple] = facts.as_slice() else {
        panic!("{facts:?}")
    };
    assert_eq!(tuple[1], tuple[2]);
    assert!(matches!(
        Id(tuple[1]).form(),
        Some(Form::Expression { width: 2, .. })
    ));
    assert_eq!(
        model.facts(Table::facts(2)).len(),
        1,
        "a fact is no nested expression"
    );
}

#[test]
fn variables_are_numbered_over_the_whole_fact() {
    let model = Model::new();
    say(&mut model.builder(), "( if $x ( f $_ $y $_ ) $x $y )").unwrap();
    let facts = model.facts(Table::open_facts(5));
    let [tuple] = facts.as_slice() else {
        panic!("{facts:?}")
    };
    let mut inner = Vec::new();
    model.items(Id(tuple[2]), &mut inner).unwrap();
    let variable = |n| Id::variable(n);
    assert_eq!(inner[1..], [variable(1), variable(2), variable(3)]);
    assert_eq!(
        [Id(tuple[1]), Id(tuple[3]), Id(tuple[4])],
        [variable(0), variable(0), variable(2)]
    );
}

#[test]
fn renamed_facts_are_equal() {
    let model = Model::new();
    say(&mut model.builder(), "( p $x $y $x ) ( p $b $a $b ) $z $w").unwrap();
    assert_eq!(model.facts(Table::open_facts(4)).len(), 1);
    assert_eq!(model.facts(Table::atoms(true)).len(), 1);
}

#[test]
fn depth_width_and_variables_have_limits() {
    let model = Model::new();
    let mut builder = model.builder();
    (0..DEPTH_MAX).for_each(|_| builder.open().unwrap());
    assert_eq!(builder.open().unwrap_err().reason(), "TooDeep");
    builder.abandon();
    builder.open().unwrap();
    (0..=WIDTH_MAX).for_each(|_| builder.symbol(b"1").unwrap());
    assert_eq!(builder.close().unwrap_err().reason(), "TooWide");
    builder.abandon();
    builder.open().unwrap();
    (0..VARIABLES_MAX).for_each(|n| builder.variable(n.to_string().as_bytes()).unwrap());
    assert_eq!(builder.variable(b"_").unwrap_err().reason(), "TooManyVariables");
    builder.abandon();
    assert_eq!(builder.close().unwrap_err().reason(), "Unbalanced");
    assert!(model.facts(Table::facts(WIDTH_MAX)).is_empty());
}
