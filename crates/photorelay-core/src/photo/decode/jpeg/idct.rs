//! The inverse cosine transform of one block (ITU-T T.81, A.3.3), by the method of Loeffler, Ligtenberg and Moschytz in
//! whole numbers, so that it gives the same samples everywhere.

use std::num::Wrapping;

/// Damaged files can overflow it; their samples are wrong anyway.
type Whole = Wrapping<i32>;

/// The bits behind the point of a factor.
const BITS: usize = 13;
/// The bits by which the result of the first pass is more precise.
const BETWEEN: usize = 2;

const fn factor(value: f64) -> Whole {
    Wrapping((value * (1 << BITS) as f64 + 0.5) as i32)
}

/// Coefficients and their quantisation, both row by row, to samples.
pub(super) fn samples(coefficients: &[i16; 64], quantisation: &[u16; 64]) -> [u8; 64] {
    let mut pass = [Wrapping(0_i32); 64];
    for column in 0..8 {
        let value = |row: usize| {
            let at = row * 8 + column;
            Wrapping(i32::from(coefficients[at])) * Wrapping(i32::from(quantisation[at]))
        };
        let line = transform([0, 1, 2, 3, 4, 5, 6, 7].map(value), BITS - BETWEEN);
        for (row, value) in line.into_iter().enumerate() {
            pass[row * 8 + column] = value;
        }
    }
    let mut samples = [0; 64];
    for (line, samples) in pass.as_chunks::<8>().0.iter().zip(samples.as_chunks_mut::<8>().0) {
        *samples = transform(*line, BITS + BETWEEN + 3).map(|value| (value.0.saturating_add(128)).clamp(0, 255) as u8);
    }
    samples
}

#[inline]
fn transform(v: [Whole; 8], shift: usize) -> [Whole; 8] {
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

    let rounded = |value: Whole| (value + Wrapping(1 << (shift - 1))) >> shift;
    let up = |at: usize| rounded(even[at] + odd[at]);
    let down = |at: usize| rounded(even[at] - odd[at]);
    [up(0), up(1), up(2), up(3), down(3), down(2), down(1), down(0)]
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
                for (got, expected) in samples(&coefficients, &[1; 64]).into_iter().zip(expected) {
                    let apart = (f64::from(got) - expected.clamp(0.0, 255.0)).abs();
                    assert!(apart <= 1.0, "coefficient {at} of {value}: {got} instead of {expected}");
                }
            }
        }
    }

    #[test]
    fn impossible_coefficients_do_no_harm() {
        samples(&[i16::MIN; 64], &[u16::MAX; 64]);
        samples(&[i16::MAX; 64], &[u16::MAX; 64]);
    }
}
