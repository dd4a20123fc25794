//! A connector space with MIM's rules for imports: what a run adds, replaces and deletes, and what it obsoletes.

use std::collections::{BTreeMap, BTreeSet};

/// The value of an attribute in the connector space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue {
    Text(String),
    Binary(Vec<u8>),
}

/// An object of the connector space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorObject {
    pub class: String,
    pub anchor: String,
    pub attributes: BTreeMap<String, AttributeValue>,
}

impl ConnectorObject {
    /// The value of a text attribute.
    pub fn text(&self, attribute: &str) -> Option<&str> {
        match self.attributes.get(attribute)? {
            AttributeValue::Text(text) => Some(text),
            AttributeValue::Binary(_) => None,
        }
    }

    /// The value of a binary attribute.
    pub fn binary(&self, attribute: &str) -> Option<&[u8]> {
        match self.attributes.get(attribute)? {
            AttributeValue::Binary(bytes) => Some(bytes),
            AttributeValue::Text(_) => None,
        }
    }
}

/// The objects of one management agent by their DN.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectorSpace {
    objects: BTreeMap<String, ConnectorObject>,
}

/// What a run did to the connector space.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ImportCounts {
    pub(crate) adds: usize,
    pub(crate) updates: usize,
    pub(crate) deletes: usize,
}

/// The objects that a run has reported.
#[derive(Debug, Default)]
pub(crate) struct Reported(BTreeSet<String>);

impl Reported {
    /// False for an object that the run reported before.
    pub(crate) fn insert(&mut self, dn: &str) -> bool {
        self.0.insert(dn.to_owned())
    }
}

impl ConnectorSpace {
    /// By DN.
    pub fn get(&self, dn: &str) -> Option<&ConnectorObject> {
        self.objects.get(dn)
    }

    pub fn len(&self) -> usize {
        self.objects.len()
    }

    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// All objects with their DNs, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ConnectorObject)> {
        self.objects.iter().map(|(dn, object)| (dn.as_str(), object))
    }

    /// Replaces the whole object, in a delta too: an attribute that is left out is gone.
    pub(crate) fn put(&mut self, dn: &str, object: ConnectorObject, changes: &mut ImportCounts) {
        match self.objects.insert(dn.to_owned(), object.clone()) {
            None => changes.adds += 1,
            Some(before) if before != object => changes.updates += 1,
            Some(_) => {}
        }
    }

    /// Deleting an object that is not there is no error.
    pub(crate) fn delete(&mut self, dn: &str, changes: &mut ImportCounts) {
        changes.deletes += usize::from(self.objects.remove(dn).is_some());
    }

    /// After a full import without an error: deletes what it did not report.
    pub(crate) fn obsolete(&mut self, reported: &Reported, changes: &mut ImportCounts) {
        let before = self.objects.len();
        self.objects.retain(|dn, _| reported.0.contains(dn));
        changes.deletes += before - self.objects.len();
    }
}
