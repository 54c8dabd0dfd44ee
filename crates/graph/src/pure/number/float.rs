//! Functions on floats.

use super::{super::bits, Does, Failure, Wide, compare, text, wrong_count};

/// Named `<name>_<type>`, floats only.
const NAMES: [&str; 42] = [
    "inf",
    "neginf",
    "e",
    "pi",
    "tau",
    "phi",
    "to_radians",
    "to_degrees",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "acosh",
    "atanh",
    "floor",
    "ceil",
    "round",
    "sqrt",
    "cbrt",
    "exp",
    "exp2",
    "ln",
    "log2",
    "log10",
    "trunc",
    "recip",
    "fract",
    "copysign",
    "powf",
    "powi",
    "atan2",
    "hypot",
    "neg",
    "abs",
    "signum",
    "clamp",
];

pub(super) fn named(name: &str) -> Option<&'static str> {
    NAMES.iter().find(|known| **known == name).copied()
}

/// Where a fold begins, and its step.
type Fold<T> = (T, fn(T, T) -> T);

/// A type of floats, as symbols of its bytes.
pub(super) trait Float: Copy + PartialOrd {
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
    fn to_bytes(self) -> Vec<u8>;
    fn from_text(text: &str) -> Option<Self>;
    fn to_text(self) -> String;
    fn widen(self) -> Wide;
    fn constant(name: &str) -> Option<Self>;
    fn one(self, name: &str) -> Option<Self>;
    fn two(self, name: &str, other: Self) -> Option<Self>;
    fn powi(self, exponent: i32) -> Self;
    fn clamp(self, least: Self, most: Self) -> Self;
    /// Where to begin and how to go on.
    fn fold(name: &str) -> Option<Fold<Self>>;
}

macro_rules! float {
    ($type:ident, $wide:ident) => {
        impl Float for $type {
            fn from_bytes(bytes: &[u8]) -> Option<Self> {
                Some(Self::from_be_bytes(bytes.try_into().ok()?))
            }
            fn to_bytes(self) -> Vec<u8> {
                self.to_be_bytes().to_vec()
            }
            fn from_text(text: &str) -> Option<Self> {
                text.parse().ok()
            }
            fn to_text(self) -> String {
                format!("{self:?}")
            }
            fn widen(self) -> Wide {
                Wide::$wide(self)
            }
            fn constant(name: &str) -> Option<Self> {
                Some(match name {
                    "inf" => Self::INFINITY,
                    "neginf" => Self::NEG_INFINITY,
                    "e" => std::$type::consts::E,
                    "pi" => std::$type::consts::PI,
                    "tau" => std::$type::consts::TAU,
                    "phi" => 1.618_033_988_749_895_f64 as $type,
                    _ => return None,
                })
            }
            fn one(self, name: &str) -> Option<Self> {
                Some(match name {
                    "neg" => -self,
                    "abs" => self.abs(),
                    "signum" => self.signum(),
                    "to_radians" => self.to_radians(),
                    "to_degrees" => self.to_degrees(),
                    "sin" => self.sin(),
                    "cos" => self.cos(),
                    "tan" => self.tan(),
                    "asin" => self.asin(),
                    "acos" => self.acos(),
                    "atan" => self.atan(),
                    "sinh" => self.sinh(),
                    "cosh" => self.cosh(),
                    "tanh" => self.tanh(),
                    "asinh" => self.asinh(),
                    "acosh" => self.acosh(),
                    "atanh" => self.atanh(),
                    "floor" => self.floor(),
                    "ceil" => self.ceil(),
                    "round" => self.round(),
                    "sqrt" => self.sqrt(),
                    "cbrt" => self.cbrt(),
                    "exp" => self.exp(),
                    "exp2" => self.exp2(),
                    "ln" => self.ln(),
                    "log2" => self.log2(),
                    "log10" => self.log10(),
                    "trunc" => self.trunc(),
                    "recip" => self.recip(),
                    "fract" => self.fract(),
                    _ => return None,
                })
            }
            fn two(self, name: &str, other: Self) -> Option<Self> {
                Some(match name {
                    "sub" => self - other,
                    "div" => self / other,
                    "mod" => self % other,
                    "pow" | "powf" => self.powf(other),
                    "copysign" => self.copysign(other),
                    "atan2" => self.atan2(other),
                    "hypot" => self.hypot(other),
                    _ => return None,
                })
            }
            fn powi(self, exponent: i32) -> Self {
                <$type>::powi(self, exponent)
            }
            fn clamp(self, least: Self, most: Self) -> Self {
                self.max(least).min(most)
            }
            fn fold(name: &str) -> Option<Fold<Self>> {
                Some(match name {
                    "sum" => (0.0, |a, b| a + b),
                    "product" => (1.0, |a, b| a * b),
                    "max" => (Self::NEG_INFINITY, <$type>::max),
                    "min" => (Self::INFINITY, <$type>::min),
                    _ => return None,
                })
            }
        }
    };
}

float!(f32, Single);
float!(f64, Float);

fn take<T: Float>(bytes: &[u8]) -> Result<T, Failure> {
    T::from_bytes(bytes).ok_or_else(|| {
        format!(
            "an argument of {} bytes where {} are needed",
            bytes.len(),
            size_of::<T>()
        )
    })
}

pub(super) fn call<T: Float>(does: Does, arguments: &[&[u8]]) -> Result<Vec<u8>, Failure> {
    let name = match (does, arguments) {
        (Does::FromText, [of]) => {
            let number = T::from_text(text(of)?);
            return number
                .map(T::to_bytes)
                .ok_or_else(|| "the text is not such a number".into());
        }
        (Does::ToText, [of]) => return Ok(take::<T>(of)?.to_text().into_bytes()),
        (Does::As(to), [of]) => return Ok(take::<T>(of)?.widen().to(to)),
        (Does::Named(name), _) => name,
        _ => return Err(wrong_count()),
    };
    if let Some((mut total, step)) = T::fold(name) {
        for argument in arguments {
            total = step(total, take(argument)?);
        }
        return Ok(total.to_bytes());
    }
    let number = match arguments {
        [] => T::constant(name),
        [x] => take::<T>(x)?.one(name),
        [x, exponent] if name == "powi" => Some(take::<T>(x)?.powi(bits::take(exponent)?)),
        [x, y] => {
            let (x, y) = (take::<T>(x)?, take::<T>(y)?);
            match x.two(name, y) {
                None => return compare(name, x.partial_cmp(&y)),
                number => number,
            }
        }
        [x, least, most] if name == "clamp" => return clamp::<T>(take(x)?, take(least)?, take(most)?),
        _ => None,
    };
    number.map(T::to_bytes).ok_or_else(wrong_count)
}

fn clamp<T: Float>(x: T, least: T, most: T) -> Result<Vec<u8>, Failure> {
    match least.partial_cmp(&most) {
        None | Some(std::cmp::Ordering::Greater) => Err("the least is more than the most".into()),
        // A NaN stays one, as it does in Rust's `clamp`.
        _ if x.partial_cmp(&x).is_none() => Ok(x.to_bytes()),
        _ => Ok(x.clamp(least, most).to_bytes()),
    }
}
