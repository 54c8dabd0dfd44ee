//! Functions on numbers: names, conversions, arithmetic, comparison.
//!
//! MORK has some of these for some types (arithmetic for signed integers and floats, bits for unsigned
//! ones, `u32_eq`); here each is there for every type that it means something for.

use super::{
    Failure,
    bits::{Integer, take, ternary},
};

mod float;

/// A type of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    U8,
    U16,
    U32,
    U64,
    U128,
    I8,
    I16,
    I32,
    I64,
    I128,
    F32,
    F64,
}

const TYPES: [(&str, Type); 12] = [
    ("u8", Type::U8),
    ("u16", Type::U16),
    ("u32", Type::U32),
    ("u64", Type::U64),
    ("u128", Type::U128),
    ("i8", Type::I8),
    ("i16", Type::I16),
    ("i32", Type::I32),
    ("i64", Type::I64),
    ("i128", Type::I128),
    ("f32", Type::F32),
    ("f64", Type::F64),
];

impl Type {
    fn named(name: &str) -> Option<Self> {
        TYPES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, kind)| *kind)
    }
}

/// A function of numbers of one type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Function {
    of: Type,
    does: Does,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    FromText,
    ToText,
    As(Type),
    /// By its name, which the type's own list knows.
    Named(&'static str),
}

/// Named `<type>_<name>`, integers only.
const BITS: [&str; 18] = [
    "zeros",
    "ones",
    "one",
    "not",
    "swap_bytes",
    "leading_zeros",
    "leading_ones",
    "count_zeros",
    "count_ones",
    "reverse_bits",
    "nand",
    "andn",
    "nor",
    "xor",
    "xnor",
    "shl",
    "shr",
    "ternarylogic",
];
/// Named `<type>_<name>`, integers only, of any number of arguments.
const FOLDED_BITS: [&str; 3] = ["and", "or", "parity"];
/// Named `<type>_<name>`.
const COMPARISONS: [&str; 6] = ["eq", "ne", "lt", "le", "gt", "ge"];
/// Named `<name>_<type>`.
const ARITHMETIC: [&str; 12] = [
    "neg", "abs", "signum", "sub", "div", "mod", "pow", "clamp", "sum", "product", "max", "min",
];

fn listed(name: &str, lists: &[&'static [&'static str]]) -> Option<&'static str> {
    lists
        .iter()
        .flat_map(|list| list.iter())
        .find(|known| **known == name)
        .copied()
}

impl Function {
    pub(super) fn named(name: &str) -> Option<Self> {
        if let Some((of, rest)) = name.split_once('_')
            && let Some(of) = Type::named(of)
        {
            let is_float = matches!(of, Type::F32 | Type::F64);
            let does = match rest {
                "from_string" => Does::FromText,
                "to_string" => Does::ToText,
                _ => match rest.strip_prefix("as_") {
                    Some(to) => Does::As(Type::named(to)?),
                    None if is_float => Does::Named(listed(rest, &[&COMPARISONS])?),
                    None => Does::Named(listed(rest, &[&BITS, &FOLDED_BITS, &COMPARISONS])?),
                },
            };
            return Some(Self { of, does });
        }
        let (rest, of) = name.rsplit_once('_')?;
        let of = Type::named(of)?;
        let does = match of {
            Type::F32 | Type::F64 => float::named(rest).or_else(|| listed(rest, &[&ARITHMETIC]))?,
            _ => listed(rest, &[&ARITHMETIC])?,
        };
        Some(Self {
            of,
            does: Does::Named(does),
        })
    }

    pub(super) fn call(self, arguments: &[&[u8]]) -> Result<Vec<u8>, Failure> {
        match self.of {
            Type::U8 => integer::<u8>(self.does, arguments),
            Type::U16 => integer::<u16>(self.does, arguments),
            Type::U32 => integer::<u32>(self.does, arguments),
            Type::U64 => integer::<u64>(self.does, arguments),
            Type::U128 => integer::<u128>(self.does, arguments),
            Type::I8 => integer::<i8>(self.does, arguments),
            Type::I16 => integer::<i16>(self.does, arguments),
            Type::I32 => integer::<i32>(self.does, arguments),
            Type::I64 => integer::<i64>(self.does, arguments),
            Type::I128 => integer::<i128>(self.does, arguments),
            Type::F32 => float::call::<f32>(self.does, arguments),
            Type::F64 => float::call::<f64>(self.does, arguments),
        }
    }
}

/// A number on its way from one type to another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wide {
    Unsigned(u128),
    Signed(i128),
    Float(f64),
    Single(f32),
}

impl Wide {
    /// As Rust's `as`: integers are cut, floats saturate.
    fn to(self, to: Type) -> Vec<u8> {
        macro_rules! cast {
            ($type:ty) => {
                match self {
                    Self::Unsigned(number) => number as $type,
                    Self::Signed(number) => number as $type,
                    Self::Float(number) => number as $type,
                    Self::Single(number) => number as $type,
                }
                .to_be_bytes()
                .to_vec()
            };
        }
        match to {
            Type::U8 => cast!(u8),
            Type::U16 => cast!(u16),
            Type::U32 => cast!(u32),
            Type::U64 => cast!(u64),
            Type::U128 => cast!(u128),
            Type::I8 => cast!(i8),
            Type::I16 => cast!(i16),
            Type::I32 => cast!(i32),
            Type::I64 => cast!(i64),
            Type::I128 => cast!(i128),
            Type::F32 => cast!(f32),
            Type::F64 => cast!(f64),
        }
    }
}

fn text(bytes: &[u8]) -> Result<&str, Failure> {
    std::str::from_utf8(bytes).map_err(|_| "the text is not UTF-8".into())
}

fn wrong_count() -> Failure {
    "a wrong number of arguments".into()
}

fn integer<T: Integer>(does: Does, arguments: &[&[u8]]) -> Result<Vec<u8>, Failure> {
    match (does, arguments) {
        (Does::FromText, [of]) => T::from_text(text(of)?)
            .map(T::to_bytes)
            .ok_or_else(|| "the text is not such a number".into()),
        (Does::ToText, [of]) => Ok(take::<T>(of)?.to_text().into_bytes()),
        (Does::As(to), [of]) => Ok(take::<T>(of)?.widen().to(to)),
        (Does::FromText | Does::ToText | Does::As(_), _) => Err(wrong_count()),
        (Does::Named(name), _) => {
            let folded = folded::<T>(name, arguments);
            if let Some(result) = folded {
                return result.map(T::to_bytes);
            }
            match arguments {
                [] => none::<T>(name).map(T::to_bytes),
                [x] => one::<T>(name, take(x)?),
                [x, by] if matches!(name, "shl" | "shr") => {
                    shift::<T>(name, take(x)?, take(by)?).map(T::to_bytes)
                }
                [x, y] => two::<T>(name, take(x)?, take(y)?),
                [x, y, z] if name == "clamp" => clamp::<T>(take(x)?, take(y)?, take(z)?).map(T::to_bytes),
                [x, y, z, table] if name == "ternarylogic" => {
                    Ok(ternary::<T>(take(x)?, take(y)?, take(z)?, take(table)?).to_bytes())
                }
                _ => Err(wrong_count()),
            }
        }
    }
}

fn folded<T: Integer>(name: &str, arguments: &[&[u8]]) -> Option<Result<T, Failure>> {
    let (mut total, step): (T, fn(T, T) -> T) = match name {
        "sum" => (T::ZERO, T::add),
        "product" => (T::ONE, T::mul),
        "max" => (T::LEAST, |a, b| a.max(b)),
        "min" => (T::MOST, |a, b| a.min(b)),
        "and" => (T::ONES, T::and),
        "or" => (T::ZERO, T::or),
        "parity" => (T::ZERO, T::xor),
        _ => return None,
    };
    for argument in arguments {
        match take(argument) {
            Ok(number) => total = step(total, number),
            Err(why) => return Some(Err(why)),
        }
    }
    Some(Ok(total))
}

fn none<T: Integer>(name: &str) -> Result<T, Failure> {
    match name {
        "zeros" => Ok(T::ZERO),
        "ones" => Ok(T::ONES),
        "one" => Ok(T::ONE),
        _ => Err(wrong_count()),
    }
}

fn one<T: Integer>(name: &str, x: T) -> Result<Vec<u8>, Failure> {
    Ok(match name {
        "neg" => x.neg().to_bytes(),
        "abs" => x.abs().to_bytes(),
        "signum" => x.signum().to_bytes(),
        "not" => x.not().to_bytes(),
        "swap_bytes" => x.swap().to_bytes(),
        "reverse_bits" => x.reverse().to_bytes(),
        "leading_zeros" => x.leading_zeros().to_bytes(),
        "leading_ones" => x.leading_ones().to_bytes(),
        "count_zeros" => x.count_zeros().to_bytes(),
        "count_ones" => x.count_ones().to_bytes(),
        _ => return Err(wrong_count()),
    })
}

fn two<T: Integer>(name: &str, x: T, y: T) -> Result<Vec<u8>, Failure> {
    let no_result = || "division by zero or beyond the type".to_owned();
    let number = match name {
        "sub" => x.sub(y),
        "div" => x.div(y).ok_or_else(no_result)?,
        "mod" => x.rem(y).ok_or_else(no_result)?,
        "pow" => x.pow(y),
        "nand" => x.and(y).not(),
        "andn" => x.and(y.not()),
        "nor" => x.or(y).not(),
        "xor" => x.xor(y),
        "xnor" => x.xor(y).not(),
        _ => return compare(name, Some(x.cmp(&y))),
    };
    Ok(number.to_bytes())
}

fn shift<T: Integer>(name: &str, x: T, by: u32) -> Result<T, Failure> {
    let shifted = if name == "shl" { x.shl(by) } else { x.shr(by) };
    shifted.ok_or_else(|| "a shift by more bits than there are".into())
}

fn clamp<T: Integer>(x: T, least: T, most: T) -> Result<T, Failure> {
    if least > most {
        return Err("the least is more than the most".into());
    }
    Ok(x.clamp(least, most))
}

/// One byte, 1 or 0, as `u32_eq` answers in MORK.
fn compare(name: &str, order: Option<std::cmp::Ordering>) -> Result<Vec<u8>, Failure> {
    let holds = match name {
        "eq" => order.is_some_and(std::cmp::Ordering::is_eq),
        "ne" => !order.is_some_and(std::cmp::Ordering::is_eq),
        "lt" => order.is_some_and(std::cmp::Ordering::is_lt),
        "le" => order.is_some_and(std::cmp::Ordering::is_le),
        "gt" => order.is_some_and(std::cmp::Ordering::is_gt),
        "ge" => order.is_some_and(std::cmp::Ordering::is_ge),
        _ => return Err(wrong_count()),
    };
    Ok(vec![u8::from(holds)])
}
