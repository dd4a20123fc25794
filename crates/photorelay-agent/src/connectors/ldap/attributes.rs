//! Names of attributes that every directory has, and the filter for its users.

pub(super) const GUID: &str = "objectGUID";
pub(super) const CONSISTENCY: &str = "mS-DS-ConsistencyGuid";
pub(super) const SID: &str = "objectSid";
pub(super) const ACCOUNT: &str = "sAMAccountName";
/// Users, enabled or disabled; to be put into `(&...)`.
pub(super) const USERS: &str = "(objectCategory=person)(objectClass=user)";
