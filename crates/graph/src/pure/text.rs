//! Functions on the bytes of symbols.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Failure, Value, expression, make_symbol, symbol};
use crate::term::{Item, read};

/// A function on symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Reverse,
    Explode,
    Collapse,
    EncodeHex,
    DecodeHex,
    EncodeBase64,
    DecodeBase64,
    Hash,
}

impl Function {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "reverse_symbol" => Self::Reverse,
            "explode_symbol" => Self::Explode,
            "collapse_symbol" => Self::Collapse,
            "encode_hex" => Self::EncodeHex,
            "decode_hex" => Self::DecodeHex,
            "encode_base64url" => Self::EncodeBase64,
            "decode_base64url" => Self::DecodeBase64,
            "hash_expr" => Self::Hash,
            _ => return None,
        })
    }

    pub(super) fn call(self, arguments: &[Value]) -> Result<Value, Failure> {
        let [argument] = arguments else {
            return Err("it takes one argument".into());
        };
        match self {
            Self::Hash => return make_symbol(&hash(argument).to_le_bytes()),
            Self::Collapse => return collapse(argument),
            _ => {}
        }
        let text = symbol(argument)?;
        match self {
            Self::Reverse => make_symbol(&text.iter().rev().copied().collect::<Vec<u8>>()),
            Self::Explode => explode(text),
            Self::EncodeHex => make_symbol(hex::encode(text).as_bytes()),
            Self::DecodeHex => make_symbol(&hex::decode(text).map_err(|_| "it is not hexadecimal")?),
            Self::EncodeBase64 => make_symbol(URL_SAFE_NO_PAD.encode(text).as_bytes()),
            Self::DecodeBase64 | Self::Hash | Self::Collapse => {
                make_symbol(&URL_SAFE_NO_PAD.decode(text).map_err(|_| "it is not base64url")?)
            }
        }
    }
}

fn explode(text: &[u8]) -> Result<Value, Failure> {
    let mut letters = Vec::with_capacity(text.len());
    for byte in text {
        letters.push(make_symbol(&[*byte])?);
    }
    let arity = u32::try_from(letters.len()).unwrap_or(u32::MAX);
    expression(arity, letters.iter().map(Vec::as_slice))
}

fn collapse(argument: &[u8]) -> Result<Value, Failure> {
    let Some((Item::Expression(arity), mut at)) = read(argument, 0) else {
        return Err("its argument is an expression of symbols".into());
    };
    let mut text = Vec::new();
    for _ in 0..arity {
        let Some((Item::Symbol(part), next)) = read(argument, at) else {
            return Err("its argument is an expression of symbols".into());
        };
        text.extend_from_slice(part);
        at = next;
    }
    make_symbol(&text)
}

/// FNV-1a of 128 bits over the encoded term. Not MORK's hash, which depends on its build.
pub(crate) fn hash(bytes: &[u8]) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013B;
    bytes
        .iter()
        .fold(BASIS, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}
