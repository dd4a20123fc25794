//! Why a user could not be brought up, and what it means for the item and for the agent as a whole.

use photorelay_core::audit::AuditError;
use photorelay_core::store::StoreError;
use photorelay_core::vault::VaultError;

use crate::connectors::ConnectorError;

#[derive(Debug, thiserror::Error)]
pub enum WriteBackError {
    /// The message or what it points to can never be right: the item is dead-lettered with this reason.
    #[error("{0}")]
    Hopeless(String),
    /// This item may succeed later; other items are not affected.
    #[error("{0}")]
    Failed(String),
    /// The storage or the target as a whole does not work now: the agent pauses.
    #[error("{0}")]
    Down(String),
}

impl From<StoreError> for WriteBackError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { .. }
            | StoreError::Denied { .. }
            | StoreError::Missing { .. }
            | StoreError::Absent { .. }
            | StoreError::Lost { .. }
            | StoreError::Full { .. } => Self::Down(error.to_string()),
            StoreError::TooLarge { .. } | StoreError::Invalid { .. } => Self::Hopeless(error.to_string()),
        }
    }
}

impl From<AuditError> for WriteBackError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Store(error) => error.into(),
            broken => Self::Hopeless(format!("{broken}: run `photorelay audit verify`")),
        }
    }
}

impl From<VaultError> for WriteBackError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Store(error) => error.into(),
            broken => Self::Hopeless(format!("{broken}: run `photorelay audit verify`")),
        }
    }
}

impl From<ConnectorError> for WriteBackError {
    fn from(error: ConnectorError) -> Self {
        match error {
            ConnectorError::Refused(reason) | ConnectorError::OutOfScope(reason) => Self::Hopeless(reason),
            ConnectorError::Failed(reason) => Self::Failed(reason),
            ConnectorError::Down(reason) => Self::Down(reason),
        }
    }
}
