//! A bounded cache of values that are costly to make.

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::locked::locked;

/// Forgets the oldest value first. Few enough values to be found by comparing keys.
#[derive(Debug)]
pub(crate) struct RecentValues<K, V> {
    limit: usize,
    values: Mutex<VecDeque<(K, V)>>,
}

impl<K: PartialEq, V: Clone> RecentValues<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, values: Mutex::default() }
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        locked(&self.values).iter().rev().find(|(known, _)| known == key).map(|(_, value)| value.clone())
    }

    /// Makes the value without holding the lock if it is not known.
    pub(crate) fn get_or_make(&self, key: K, make: impl FnOnce() -> anyhow::Result<V>) -> anyhow::Result<V> {
        if let Some(value) = self.get(&key) {
            return Ok(value);
        }
        let value = make()?;
        let mut values = locked(&self.values);
        values.push_back((key, value.clone()));
        if values.len() > self.limit {
            values.pop_front();
        }
        Ok(value)
    }
}
