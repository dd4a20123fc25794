//! Why a sweep did not come to its end.

use jiff::Timestamp;
use photorelay_core::store::StoreError;

use crate::graph::GraphError;

#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error("{0}; the next sweep continues from here")]
    Graph(#[from] GraphError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the list of users does not come to an end")]
    EndlessPopulation,
    #[error(
        "the members of the groups of PHOTORELAY_SCOPE_GROUPS cannot be read within the time limit of a run: name fewer \
         or smaller groups, or raise PHOTORELAY_SWEEP_SECONDS and functionTimeout"
    )]
    GroupsTakeTooLong,
    #[error("another sweep is under way; if it has died, the next one can begin at {until}")]
    UnderWay { until: Timestamp },
    #[error("this sweep made no progress for too long, and another one took over")]
    TakenOver,
}
