//! Budgets that more than one command checks, and what is made of repeated measurements.

pub(crate) const START_MS: f64 = 30.0;
pub(crate) const BINARY_MIB: f64 = 12.0;
pub(crate) const MIB: f64 = 1024.0 * 1024.0;

/// The middle of the measurements; the lower one of two middles.
pub(crate) fn median(mut measurements: Vec<f64>) -> f64 {
    measurements.sort_by(f64::total_cmp);
    measurements.get(measurements.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

/// The measurement that so many percent do not exceed.
pub(crate) fn percentile(mut measurements: Vec<f64>, percent: usize) -> f64 {
    measurements.sort_by(f64::total_cmp);
    let index = (measurements.len() * percent).div_ceil(100).saturating_sub(1);
    measurements.get(index).copied().unwrap_or(f64::NAN)
}
