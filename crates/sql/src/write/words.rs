//! The order of words in `CREATE TABLE`: `PARTITIONED BY (…)` may stand before or behind a table's properties, and the parser knows it as
//! `PARTITION BY`, behind them.

use datafusion::sql::sqlparser::{
    keywords::Keyword,
    tokenizer::{Token, TokenWithSpan},
};

/// A statement's tokens in the order that the parser wants.
pub(crate) fn arranged(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut words = tokens.iter().filter_map(keyword);
    if (words.next(), words.next()) != (Some(Keyword::CREATE), Some(Keyword::TABLE)) {
        return tokens;
    }
    let Some((start, end)) = clause(&tokens) else {
        return tokens;
    };
    let (before, rest) = tokens.split_at(start);
    let (partitions, after) = rest.split_at(end.saturating_sub(start).min(rest.len()));
    let mut partitions = partitions.to_vec();
    if let Some(TokenWithSpan { token, .. }) = partitions.first_mut() {
        *token = Token::make_keyword("PARTITION");
    }
    // Properties that follow come first.
    let is_word = |t: &&TokenWithSpan| !matches!(t.token, Token::Whitespace(_));
    let first = after.iter().find(is_word).and_then(keyword);
    let moved = match first {
        Some(Keyword::WITH | Keyword::TBLPROPERTIES | Keyword::OPTIONS) => group_end(after, 0).unwrap_or(0),
        _ => 0,
    };
    let (properties, after) = after.split_at(moved);
    [before, properties, &partitions, after].concat()
}

fn keyword(token: &TokenWithSpan) -> Option<Keyword> {
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() => match word.value.to_ascii_uppercase().as_str() {
            "PARTITIONED" => Some(Keyword::PARTITIONED),
            _ => Some(word.keyword),
        },
        _ => None,
    }
}

/// Where `PARTITIONED BY (…)` is, outside of brackets and before a query.
fn clause(tokens: &[TokenWithSpan]) -> Option<(usize, usize)> {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate() {
        match &token.token {
            Token::LParen => depth = depth.saturating_add(1),
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        match keyword(token) {
            Some(Keyword::AS | Keyword::SELECT) if depth == 0 => return None,
            Some(Keyword::PARTITIONED | Keyword::PARTITION) if depth == 0 => {
                return group_end(tokens, at).map(|end| (at, end));
            }
            _ => {}
        }
    }
    None
}

/// Behind the first group in brackets from a place on.
fn group_end(tokens: &[TokenWithSpan], from: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        match token.token {
            Token::LParen => depth = depth.saturating_add(1),
            Token::RParen if depth == 1 => return at.checked_add(1),
            Token::RParen => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}
