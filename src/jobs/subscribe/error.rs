//! Why there is no subscription, with what an operator can do about it.

use uuid::Uuid;

use crate::graph::GraphError;

#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    #[error(transparent)]
    Graph(#[from] GraphError),
    #[error(
        "Graph cannot reach the endpoints ({message}): check that PHOTORELAY_PUBLIC_URL leads to this program from the \
         internet, without sign-in and with a trusted certificate"
    )]
    EndpointRefused { message: String },
    #[error("Graph allows no more subscriptions ({message}): delete unused ones, or wait until they expire")]
    QuotaExceeded { message: String },
    #[error(
        "other subscriptions to users of this application are in the way ({}): stop the program that creates them, or \
         delete them with `photorelay unsubscribe --id ID`",
        ids(.0)
    )]
    TakenElsewhere(Vec<Uuid>),
    #[error("PHOTORELAY_CLIENT_STATE_FILE or PHOTORELAY_CLIENT_STATE is missing")]
    NoClientState,
    #[error("subscriptions disappear as soon as they are created: the tenant's audit log shows what deletes them")]
    Vanishing,
}

fn ids(ids: &[Uuid]) -> String {
    if ids.is_empty() {
        return "Graph does not say which".to_owned();
    }
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
