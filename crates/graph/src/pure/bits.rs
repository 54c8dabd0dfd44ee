//! What the functions on numbers need of a type of integers.

use super::Failure;

/// A type of integers, as symbols of its bytes.
pub(super) trait Integer: Copy + Ord {
    const ZERO: Self;
    const ONE: Self;
    const ONES: Self;
    const LEAST: Self;
    const MOST: Self;
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
    fn to_bytes(self) -> Vec<u8>;
    fn from_text(text: &str) -> Option<Self>;
    fn to_text(self) -> String;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Option<Self>;
    fn rem(self, other: Self) -> Option<Self>;
    fn pow(self, exponent: Self) -> Self;
    fn neg(self) -> Self;
    fn abs(self) -> Self;
    fn signum(self) -> Self;
    fn not(self) -> Self;
    fn and(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    fn xor(self, other: Self) -> Self;
    fn shl(self, by: u32) -> Option<Self>;
    fn shr(self, by: u32) -> Option<Self>;
    fn swap(self) -> Self;
    fn reverse(self) -> Self;
    fn leading_zeros(self) -> u32;
    fn count_ones(self) -> u32;
    fn count_zeros(self) -> u32;
    fn leading_ones(self) -> u32;
    /// With its sign kept: what a conversion begins from.
    fn widen(self) -> super::number::Wide;
}

macro_rules! integer {
    ($($type:ty, $abs:expr, $signum:expr, $wide:ident);* $(;)?) => {$(
        impl Integer for $type {
            const ZERO: Self = 0;
            const ONE: Self = 1;
            const ONES: Self = !0;
            const LEAST: Self = Self::MIN;
            const MOST: Self = Self::MAX;
            fn from_bytes(bytes: &[u8]) -> Option<Self> { Some(Self::from_be_bytes(bytes.try_into().ok()?)) }
            fn to_bytes(self) -> Vec<u8> { self.to_be_bytes().to_vec() }
            fn from_text(text: &str) -> Option<Self> { text.parse().ok() }
            fn to_text(self) -> String { self.to_string() }
            fn add(self, other: Self) -> Self { self.wrapping_add(other) }
            fn sub(self, other: Self) -> Self { self.wrapping_sub(other) }
            fn mul(self, other: Self) -> Self { self.wrapping_mul(other) }
            fn div(self, other: Self) -> Option<Self> { self.checked_div(other) }
            fn rem(self, other: Self) -> Option<Self> { self.checked_rem(other) }
            fn pow(self, exponent: Self) -> Self { self.wrapping_pow(exponent as u32) }
            fn neg(self) -> Self { self.wrapping_neg() }
            fn abs(self) -> Self { $abs(self) }
            fn signum(self) -> Self { $signum(self) }
            fn not(self) -> Self { !self }
            fn and(self, other: Self) -> Self { self & other }
            fn or(self, other: Self) -> Self { self | other }
            fn xor(self, other: Self) -> Self { self ^ other }
            fn shl(self, by: u32) -> Option<Self> { self.checked_shl(by) }
            fn shr(self, by: u32) -> Option<Self> { self.checked_shr(by) }
            fn swap(self) -> Self { self.swap_bytes() }
            fn reverse(self) -> Self { self.reverse_bits() }
            fn leading_zeros(self) -> u32 { <$type>::leading_zeros(self) }
            fn count_ones(self) -> u32 { <$type>::count_ones(self) }
            fn count_zeros(self) -> u32 { <$type>::count_zeros(self) }
            fn leading_ones(self) -> u32 { <$type>::leading_ones(self) }
            fn widen(self) -> super::number::Wide { super::number::Wide::$wide(self.into()) }
        }
    )*};
}

integer! {
    u8, std::convert::identity, unsigned_signum, Unsigned;
    u16, std::convert::identity, unsigned_signum, Unsigned;
    u32, std::convert::identity, unsigned_signum, Unsigned;
    u64, std::convert::identity, unsigned_signum, Unsigned;
    u128, std::convert::identity, unsigned_signum, Unsigned;
    i8, i8::wrapping_abs, i8::signum, Signed;
    i16, i16::wrapping_abs, i16::signum, Signed;
    i32, i32::wrapping_abs, i32::signum, Signed;
    i64, i64::wrapping_abs, i64::signum, Signed;
    i128, i128::wrapping_abs, i128::signum, Signed;
}

fn unsigned_signum<T: Integer>(number: T) -> T {
    number.min(T::ONE)
}

/// Any function of three bits, bit by bit: `table` has the answer for `x y z` at bit `4x + 2y + z`.
pub(super) fn ternary<T: Integer>(x: T, y: T, z: T, table: u8) -> T {
    let mut out = T::ZERO;
    for place in 0..8_u8 {
        if table >> place & 1 == 1 {
            let pick = |value: T, bit: u8| if place >> bit & 1 == 1 { value } else { value.not() };
            out = out.or(pick(x, 2).and(pick(y, 1)).and(pick(z, 0)));
        }
    }
    out
}

/// Reads an argument of type `T`.
pub(super) fn take<T: Integer>(bytes: &[u8]) -> Result<T, Failure> {
    T::from_bytes(bytes).ok_or_else(|| {
        format!(
            "an argument of {} bytes where {} are needed",
            bytes.len(),
            size_of::<T>()
        )
    })
}
