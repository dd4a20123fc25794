//! Names of attributes that Active Directory has, and the filter for its users.

pub(super) const GUID: &str = "objectGUID";
pub(super) const CONSISTENCY: &str = "mS-DS-ConsistencyGuid";
pub(super) const SID: &str = "objectSid";
/// `User_` and the object ID: written by Entra ID where it provisions the user, and by Exchange hybrid ([MS-ADA2] 2.320).
pub(super) const EXTERNAL_ID: &str = "msDS-ExternalDirectoryObjectId";
pub(super) const ACCOUNT: &str = "sAMAccountName";
/// Users, enabled or disabled; to be put into `(&...)`.
pub(super) const USERS: &str = "(objectCategory=person)(objectClass=user)";
/// Every object.
pub(super) const ANYTHING: &str = "(objectClass=*)";
