//! The inverse cosine transform of one block (ITU-T T.81, A.3.3), by the method of Loeffler, Ligtenberg and Moschytz in
//! whole numbers, so that it gives the same samples everywhere. All columns are transformed at once, and then all rows.

use std::num::Wrapping;
use std::ops::{Add, Mul, Shl, Shr, Sub};

/// Damaged files can overflow it; their samples are wrong anyway.
type Whole = Wrapping<i32>;

/// One value of each column, or of each row; what is done to one is done to all.
#[derive(Clone, Copy)]
struct Lanes<const N: usize>([Whole; N]);

/// The bits behind the point of a factor.
const BITS: usize = 13;
/// The bits by which the result of the first pass is more precise.
const BETWEEN: usize = 2;

const fn factor(value: f64) -> Whole {
    Wrapping((value * (1 << BITS) as f64 + 0.5) as i32)
}

/// Coefficients and their quantisation, both row by row, to samples.
pub(super) fn samples(coefficients: &[i16; 64], quantisation: &[u16; 64]) -> [[u8; 8]; 8] {
    if let Some(mean) = mean_alone(coefficients, quantisation) {
        return [[mean; 8]; 8];
    }
    block(coefficients, quantisation, transform)
}

/// The samples at half the size, 4x4: the same transform of the four lowest frequencies each way.
pub(super) fn half(coefficients: &[i16; 64], quantisation: &[u16; 64]) -> [[u8; 4]; 4] {
    if let Some(mean) = mean_alone(coefficients, quantisation) {
        return [[mean; 4]; 4];
    }
    block(coefficients, quantisation, transform_of_4)
}

/// 2x2 samples, from two frequencies each way.
pub(super) fn quarter(coefficients: &[i16; 64], quantisation: &[u16; 64]) -> [[u8; 2]; 2] {
    block(coefficients, quantisation, |[a, b]| [(a + b) << BITS, (a - b) << BITS])
}

/// The one sample that stands for the block.
pub(super) fn mean(coefficients: &[i16; 64], quantisation: &[u16; 64]) -> u8 {
    let value = Wrapping(i32::from(coefficients[0])) * Wrapping(i32::from(quantisation[0]));
    sample((value + Wrapping(4)) >> 3)
}

/// The sample of a block that is of one brightness.
#[inline]
fn mean_alone(coefficients: &[i16; 64], quantisation: &[u16; 64]) -> Option<u8> {
    let others = coefficients[1..].iter().fold(0, |all, one| all | one);
    (others == 0).then(|| mean(coefficients, quantisation))
}

/// `N` samples each way, by a transform that leaves [`BITS`] bits behind the point.
#[inline]
fn block<const N: usize>(
    coefficients: &[i16; 64],
    quantisation: &[u16; 64],
    transform: impl Fn([Lanes<N>; N]) -> [Lanes<N>; N],
) -> [[u8; N]; N] {
    let mut rows = [Lanes([Wrapping(0); N]); N];
    for (row, lanes) in rows.iter_mut().enumerate() {
        for (column, lane) in lanes.0.iter_mut().enumerate() {
            let at = row * 8 + column;
            *lane = Wrapping(i32::from(coefficients[at])) * Wrapping(i32::from(quantisation[at]));
        }
    }
    let columns = transposed(rounded(transform(rows), BITS - BETWEEN));
    let rows = transposed(rounded(transform(columns), BITS + BETWEEN + 3));
    let mut samples = [[0; N]; N];
    for (line, lanes) in samples.iter_mut().zip(rows) {
        for (into, lane) in line.iter_mut().zip(lanes.0) {
            *into = sample(lane);
        }
    }
    samples
}

#[inline]
fn rounded<const N: usize>(mut values: [Lanes<N>; N], shift: usize) -> [Lanes<N>; N] {
    let half = Lanes([Wrapping(1 << (shift - 1)); N]);
    for lanes in &mut values {
        *lanes = (*lanes + half) >> shift;
    }
    values
}

#[inline]
fn transposed<const N: usize>(values: [Lanes<N>; N]) -> [Lanes<N>; N] {
    let mut turned = values;
    for (at, lanes) in turned.iter_mut().enumerate() {
        for (lane, from) in lanes.0.iter_mut().zip(&values) {
            *lane = from.0[at];
        }
    }
    turned
}

#[inline]
fn sample(value: Whole) -> u8 {
    value.0.saturating_add(128).clamp(0, 255) as u8
}

#[inline]
fn transform_of_4<const N: usize>(v: [Lanes<N>; 4]) -> [Lanes<N>; 4] {
    let (sum, difference) = ((v[0] + v[2]) << BITS, (v[0] - v[2]) << BITS);
    let (wide, narrow) = (const { factor(1.306_562_965) }, const { factor(0.541_196_100) });
    let (outer, inner) = (v[1] * wide + v[3] * narrow, v[1] * narrow - v[3] * wide);
    [sum + outer, difference + inner, difference - inner, sum - outer]
}

#[inline]
fn transform<const N: usize>(v: [Lanes<N>; 8]) -> [Lanes<N>; 8] {
    // The even part.
    let middle = (v[2] + v[6]) * const { factor(0.541_196_100) };
    let (a, b) = (middle - v[6] * const { factor(1.847_759_065) }, middle + v[2] * const { factor(0.765_366_865) });
    let (sum, difference) = ((v[0] + v[4]) << BITS, (v[0] - v[4]) << BITS);
    let even = [sum + b, difference + a, difference - a, sum - b];

    // The odd part.
    let (z1, z2, z3, z4) = (v[7] + v[1], v[5] + v[3], v[7] + v[3], v[5] + v[1]);
    let both = (z3 + z4) * const { factor(1.175_875_602) };
    let z1 = z1 * const { factor(0.899_976_223) };
    let z2 = z2 * const { factor(2.562_915_447) };
    let z3 = both - z3 * const { factor(1.961_570_560) };
    let z4 = both - z4 * const { factor(0.390_180_644) };
    let odd = [
        v[1] * const { factor(1.501_321_110) } - z1 + z4,
        v[3] * const { factor(3.072_711_026) } - z2 + z3,
        v[5] * const { factor(2.053_119_869) } - z2 + z4,
        v[7] * const { factor(0.298_631_336) } - z1 + z3,
    ];
    let (up, down) = (|at: usize| even[at] + odd[at], |at: usize| even[at] - odd[at]);
    [up(0), up(1), up(2), up(3), down(3), down(2), down(1), down(0)]
}

impl<const N: usize> Lanes<N> {
    #[inline]
    fn each(mut self, change: impl Fn(Whole) -> Whole) -> Self {
        self.0.iter_mut().for_each(|lane| *lane = change(*lane));
        self
    }

    #[inline]
    fn both(mut self, other: Self, join: impl Fn(Whole, Whole) -> Whole) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(lane, other)| *lane = join(*lane, other));
        self
    }
}

impl<const N: usize> Add for Lanes<N> {
    type Output = Self;

    #[inline]
    fn add(self, other: Self) -> Self {
        self.both(other, Add::add)
    }
}

impl<const N: usize> Sub for Lanes<N> {
    type Output = Self;

    #[inline]
    fn sub(self, other: Self) -> Self {
        self.both(other, Sub::sub)
    }
}

impl<const N: usize> Mul<Whole> for Lanes<N> {
    type Output = Self;

    #[inline]
    fn mul(self, factor: Whole) -> Self {
        self.each(|lane| lane * factor)
    }
}

impl<const N: usize> Shl<usize> for Lanes<N> {
    type Output = Self;

    #[inline]
    fn shl(self, bits: usize) -> Self {
        self.each(|lane| lane << bits)
    }
}

impl<const N: usize> Shr<usize> for Lanes<N> {
    type Output = Self;

    #[inline]
    fn shr(self, bits: usize) -> Self {
        self.each(|lane| lane >> bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, term by term.
    fn by_definition(coefficients: &[i16; 64]) -> [f64; 64] {
        use std::f64::consts::{FRAC_1_SQRT_2, PI};
        let scale = |k: usize| if k == 0 { FRAC_1_SQRT_2 } else { 1.0 };
        let wave = |x: usize, k: usize| ((2 * x + 1) as f64 * k as f64 * PI / 16.0).cos() * scale(k);
        std::array::from_fn(|at| {
            let (y, x) = (at / 8, at % 8);
            let term = |k: usize| f64::from(coefficients[k]) * wave(y, k / 8) * wave(x, k % 8);
            (0..64).map(term).sum::<f64>() / 4.0 + 128.0
        })
    }

    #[test]
    fn every_coefficient_means_what_the_standard_says() {
        for at in 0..64 {
            for value in [-300, 700] {
                let mut coefficients = [0; 64];
                coefficients[at] = value;
                let expected = by_definition(&coefficients);
                for (got, expected) in samples(&coefficients, &[1; 64]).into_iter().flatten().zip(expected) {
                    let apart = (f64::from(got) - expected.clamp(0.0, 255.0)).abs();
                    assert!(apart <= 1.0, "coefficient {at} of {value}: {got} instead of {expected}");
                }
            }
        }
    }

    #[test]
    fn a_reduced_block_is_the_definition_for_fewer_samples() {
        use std::f64::consts::{FRAC_1_SQRT_2, PI};
        let scale = |k: usize| if k == 0 { FRAC_1_SQRT_2 } else { 1.0 };
        let expected = |side: usize, u: usize, v: usize, value: f64, x: usize, y: usize| {
            let wave = |x: usize, k: usize| ((2 * x + 1) as f64 * k as f64 * PI / (2 * side) as f64).cos() * scale(k);
            (value * wave(x, u) * wave(y, v) / 4.0 + 128.0).clamp(0.0, 255.0)
        };
        let close = |got: u8, expected: f64| assert!((f64::from(got) - expected).abs() <= 1.0, "{got} {expected}");
        for (u, v) in (0..4).flat_map(|u| (0..4).map(move |v| (u, v))) {
            let mut coefficients = [0; 64];
            coefficients[v * 8 + u] = 500;
            for (y, line) in half(&coefficients, &[1; 64]).into_iter().enumerate() {
                line.into_iter().enumerate().for_each(|(x, got)| close(got, expected(4, u, v, 500.0, x, y)));
            }
            if u.max(v) < 2 {
                for (y, line) in quarter(&coefficients, &[1; 64]).into_iter().enumerate() {
                    line.into_iter().enumerate().for_each(|(x, got)| close(got, expected(2, u, v, 500.0, x, y)));
                }
            }
        }
        assert_eq!(mean(&[80; 64], &[2; 64]), 148);
    }

    #[test]
    fn impossible_coefficients_do_no_harm() {
        for (coefficients, quantisation) in [([i16::MIN; 64], [u16::MAX; 64]), ([i16::MAX; 64], [u16::MAX; 64])] {
            samples(&coefficients, &quantisation);
            half(&coefficients, &quantisation);
            quarter(&coefficients, &quantisation);
            mean(&coefficients, &quantisation);
        }
    }
}
