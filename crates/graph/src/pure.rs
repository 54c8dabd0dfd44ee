//! Pure functions: what the sink `pure` evaluates. MM2's names and meanings.
//!
//! An expression `(function argument …)` is evaluated from the inside out; a symbol stands for itself;
//! `(' x)` is `x` as it is; a variable has no value. Numbers are symbols of their bytes, big-endian, as
//! long as their type is; `<type>_from_string` and `<type>_to_string` are the ways from and to text.
//! Integers wrap around, as they do in MORK's release build.
//!
//! Invariants: no input panics; depth costs no stack; the same arguments give the same result on every
//! machine (but for what the platform's mathematical functions do in the last bit).
//!
//! Deliberately absent: facts, matching.

use crate::term::{Item, SYMBOL_BYTES_MAX, TERM_BYTES_MAX, Writer, read, skip};

mod bits;
mod number;
mod text;

pub(crate) use text::hash;

/// Why an expression has no value, for people.
pub type Failure = String;

/// A value: an encoded term without variables.
type Value = Vec<u8>;

/// A function by its name.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Function {
    Tuple,
    IfNonZero,
    Text(text::Function),
    Number(number::Function),
}

impl Function {
    fn named(name: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        Some(match name {
            "tuple" => Self::Tuple,
            "ifnz" => Self::IfNonZero,
            _ => match text::Function::named(name) {
                Some(function) => Self::Text(function),
                None => Self::Number(number::Function::named(name)?),
            },
        })
    }

    fn call(self, arguments: &[Value]) -> Result<Value, Failure> {
        match self {
            Self::Tuple => tuple(arguments),
            Self::IfNonZero => if_non_zero(arguments),
            Self::Text(function) => function.call(arguments),
            Self::Number(function) => {
                let mut symbols = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    symbols.push(symbol(argument)?);
                }
                make_symbol(&function.call(&symbols)?)
            }
        }
    }
}

/// A function that was found by its name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Named(Function);

impl Named {
    /// The function of a name.
    #[must_use]
    pub fn find(name: &[u8]) -> Option<Self> {
        Function::named(name).map(Self)
    }

    /// Its value for encoded terms without variables, which is one too.
    ///
    /// # Errors
    /// Why it has none.
    pub fn call(self, arguments: &[Vec<u8>]) -> Result<Vec<u8>, Failure> {
        self.0.call(arguments)
    }
}

struct Call {
    function: Function,
    name: Vec<u8>,
    missing: u32,
    arguments: Vec<Value>,
}

/// Evaluates the encoded expression; its value is an encoded term without variables.
pub fn evaluate(expression: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut at = 0;
    let mut calls: Vec<Call> = Vec::new();
    let mut bytes = 0_usize;
    loop {
        let mut value = match begin(expression, &mut at)? {
            Begun::Value(value) => value,
            Begun::Call(call) if call.missing == 0 => finish(&call)?,
            Begun::Call(call) => {
                calls.push(call);
                continue;
            }
        };
        loop {
            bytes = bytes.saturating_add(value.len());
            if bytes > TERM_BYTES_MAX {
                return Err("the values of an expression are larger than a term may be".into());
            }
            let Some(call) = calls.last_mut() else {
                return Ok(value);
            };
            call.arguments.push(value);
            call.missing -= 1;
            if call.missing > 0 {
                break;
            }
            let Some(call) = calls.pop() else {
                return Err("the expression breaks off".into());
            };
            value = finish(&call)?;
        }
    }
}

fn finish(call: &Call) -> Result<Value, Failure> {
    call.function
        .call(&call.arguments)
        .map_err(|why| format!("{}: {why}", String::from_utf8_lossy(&call.name)))
}

enum Begun {
    Value(Value),
    Call(Call),
}

/// Reads a symbol, a quotation or the head of a call.
fn begin(expression: &[u8], at: &mut usize) -> Result<Begun, Failure> {
    let broken = || "the expression breaks off".to_owned();
    let start = *at;
    let (item, next) = read(expression, start).ok_or_else(broken)?;
    *at = next;
    let arity = match item {
        Item::Symbol(_) => {
            return Ok(Begun::Value(
                expression.get(start..next).ok_or_else(broken)?.to_vec(),
            ));
        }
        Item::NewVariable | Item::Reference(_) => return Err("a variable has no value".into()),
        Item::Expression(0) => return Err("an empty expression has no value".into()),
        Item::Expression(arity) => arity,
    };
    let Some((Item::Symbol(name), next)) = read(expression, next) else {
        return Err("what is called is not a symbol".into());
    };
    *at = next;
    if name == b"'" {
        if arity != 2 {
            return Err("a quotation has one argument".into());
        }
        let end = skip(expression, next).ok_or_else(broken)?;
        *at = end;
        let quoted = expression.get(next..end).ok_or_else(broken)?;
        if !crate::term::is_ground(quoted) {
            return Err("a quotation with a variable in it has no value".into());
        }
        return Ok(Begun::Value(quoted.to_vec()));
    }
    let function = Function::named(name)
        .ok_or_else(|| format!("there is no function {}", String::from_utf8_lossy(name)))?;
    Ok(Begun::Call(Call {
        function,
        name: name.to_vec(),
        missing: arity - 1,
        arguments: Vec::new(),
    }))
}

fn tuple(arguments: &[Value]) -> Result<Value, Failure> {
    let arity = u32::try_from(arguments.len()).unwrap_or(u32::MAX);
    expression(arity, arguments.iter().map(Vec::as_slice))
}

fn expression<'a>(arity: u32, items: impl Iterator<Item = &'a [u8]>) -> Result<Value, Failure> {
    let mut writer = Writer::default();
    writer.expression(arity).map_err(|error| error.to_string())?;
    for item in items {
        writer.ground(item).map_err(|error| error.to_string())?;
    }
    Ok(writer.as_bytes().to_vec())
}

/// `(ifnz condition then value)` or `(ifnz condition then value else value)`.
fn if_non_zero(arguments: &[Value]) -> Result<Value, Failure> {
    let (condition, then, value, otherwise) = match arguments {
        [condition, then, value] => (condition, then, value, None),
        [condition, then, value, word, other] => (condition, then, value, Some((word, other))),
        _ => return Err("it is (ifnz condition then value) or with else value".into()),
    };
    if symbol(then)? != b"then" || otherwise.is_some_and(|(word, _)| symbol(word) != Ok(b"else")) {
        return Err("it is (ifnz condition then value) or with else value".into());
    }
    if symbol(condition)?.iter().any(|byte| *byte != 0) {
        return Ok(value.clone());
    }
    otherwise
        .map(|(_, other)| other.clone())
        .ok_or_else(|| "the condition is zero and there is no else".into())
}

/// The text of a value that is a symbol.
fn symbol(value: &[u8]) -> Result<&[u8], Failure> {
    match read(value, 0) {
        Some((Item::Symbol(text), _)) => Ok(text),
        _ => Err("an argument is not a symbol".into()),
    }
}

fn make_symbol(text: &[u8]) -> Result<Value, Failure> {
    if text.len() > SYMBOL_BYTES_MAX {
        return Err("the value is longer than a symbol may be".into());
    }
    let mut writer = Writer::default();
    writer.symbol(text).map_err(|error| error.to_string())?;
    Ok(writer.as_bytes().to_vec())
}

#[cfg(test)]
mod tests;
