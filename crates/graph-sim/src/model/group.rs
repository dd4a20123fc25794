//! Groups, as far as membership goes.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

/// The direct members of each group: people and groups.
#[derive(Debug, Default)]
pub(crate) struct Groups(BTreeMap<Uuid, Vec<Uuid>>);

impl Groups {
    pub(crate) fn set(&mut self, id: Uuid, members: &[Uuid]) {
        self.0.insert(id, members.to_vec());
    }

    pub(crate) fn contains(&self, id: Uuid) -> bool {
        self.0.contains_key(&id)
    }

    /// The people and groups in a group or in groups of it; `None` if there is no such group.
    pub(crate) fn transitive_members(&self, group: Uuid) -> Option<BTreeSet<Uuid>> {
        let mut open: Vec<Uuid> = self.0.get(&group)?.clone();
        let mut all = BTreeSet::new();
        while let Some(member) = open.pop() {
            if all.insert(member) {
                open.extend(self.0.get(&member).into_iter().flatten());
            }
        }
        Some(all)
    }
}
