//! How a host is started, and what it does that the real one does only sometimes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;
use uuid::Uuid;

const LEASE: Duration = Duration::from_secs(600);
const HTTP_LIMIT: Duration = Duration::from_secs(230);
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// What the stand-in does that the host does only sometimes.
#[derive(Debug, Clone, Default)]
pub struct HostFaults {
    /// `DequeueCount` as a number instead of a string.
    pub numeric_dequeue_count: bool,
    pub null_schedule_status: bool,
    pub no_traceparent: bool,
    pub unknown_metadata: bool,
    /// Every message is delivered twice at the same time.
    pub deliver_twice: bool,
    /// A response on which the host would hang is a failure at once.
    pub fail_fast: bool,
    /// A process that ends with 0 is not started again, as in hosts before 2026.
    pub zero_ends: bool,
}

#[derive(Debug, Clone)]
pub struct HostOptions {
    /// The unpacked package.
    pub folder: PathBuf,
    pub listen: SocketAddr,
    /// App settings.
    pub environment: Vec<(String, String)>,
    /// With a SAS. Without it there are no queues.
    pub queue_service: Option<Url>,
    /// For functions that are not anonymous.
    pub key: String,
    /// How long a message is invisible while it is processed: ten minutes, or less in a test.
    pub lease: Duration,
    /// Overrides that of host.json.
    pub function_timeout: Option<Duration>,
    /// After this time the front end gives up on an HTTP request, whatever the function goes on to do.
    pub http_limit: Duration,
    /// How long messages in flight may take when the host is to stop.
    pub stop_limit: Duration,
    /// Where the status of timers is kept from one host to the next.
    pub timer_status: Option<PathBuf>,
    pub faults: HostFaults,
}

impl HostOptions {
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            environment: Vec::new(),
            queue_service: None,
            key: Uuid::new_v4().to_string(),
            lease: LEASE,
            function_timeout: None,
            http_limit: HTTP_LIMIT,
            stop_limit: STOP_LIMIT,
            timer_status: None,
            faults: HostFaults::default(),
        }
    }
}
