//! Everything one simulator owns, shared by its handlers.
//!
//! Each part has a lock of its own; no lock is held across an await, and none while another is taken except where a
//! function says so.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::answers::Answers;
use crate::auth::Tokens;
use crate::config::Config;
use crate::directory::Directory;
use crate::endpoints::Endpoints;
use crate::faults::Faults;
use crate::groups::Groups;
use crate::holds::Holds;
use crate::journal::Journal;
use crate::locked;
use crate::outbox::Outbox;
use crate::people::guid;
use crate::photo_settings::PhotoUpdateSettings;
use crate::pictures::Studio;
use crate::rates::Rates;
use crate::settings::Settings;
use crate::subscriptions::Subscriptions;
use crate::throttle::Usage;
use crate::wire::{Answer, Call};

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) url: String,
    pub(crate) answers: Answers,
    pub(crate) studio: Arc<Studio>,
    pub(crate) settings: Mutex<Settings>,
    pub(crate) directory: Mutex<Directory>,
    pub(crate) groups: Mutex<Groups>,
    pub(crate) tokens: Mutex<Tokens>,
    pub(crate) subscriptions: Mutex<Subscriptions>,
    pub(crate) rates: Mutex<Rates>,
    pub(crate) photo_settings: Mutex<PhotoUpdateSettings>,
    pub(crate) endpoints: Mutex<Endpoints>,
    pub(crate) outbox: Mutex<Outbox>,
    /// What was sent to event hubs and partner topics, one text for each event.
    pub(crate) events: Mutex<Vec<String>>,
    /// Wakes the delivery when something is due earlier than it knows.
    pub(crate) outbox_changed: Notify,
    /// Told whenever the outbox may have become empty.
    pub(crate) outbox_drained: Notify,
    pub(crate) journal: Mutex<Journal>,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) holds: Mutex<Holds>,
    pub(crate) dice: Mutex<fastrand::Rng>,
    pub(crate) mailboxes: Mutex<HashMap<usize, usize>>,
    pub(crate) usage: Mutex<Usage>,
    pub(crate) remote_holds: Mutex<HashMap<u64, Arc<crate::holds::Hold>>>,
    clock_ahead_ms: AtomicI64,
    pub(crate) http: reqwest::Client,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl Inner {
    pub(crate) fn new(config: Config, url: String) -> anyhow::Result<Self> {
        let studio = Arc::new(Studio::open(config.photos.as_deref(), config.seed)?);
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self {
            url,
            answers: Answers::load()?,
            studio,
            settings: Mutex::new(config.settings.clone()),
            directory: Mutex::new(Directory::new(&config)),
            groups: Mutex::default(),
            tokens: Mutex::default(),
            subscriptions: Mutex::default(),
            rates: Mutex::default(),
            photo_settings: Mutex::default(),
            endpoints: Mutex::default(),
            outbox: Mutex::new(Outbox::new(config.seed)),
            events: Mutex::default(),
            outbox_changed: Notify::new(),
            outbox_drained: Notify::new(),
            journal: Mutex::default(),
            faults: Mutex::default(),
            holds: Mutex::default(),
            dice: Mutex::new(fastrand::Rng::with_seed(config.seed ^ 0x5eed)),
            mailboxes: Mutex::default(),
            usage: Mutex::default(),
            remote_holds: Mutex::default(),
            clock_ahead_ms: AtomicI64::new(0),
            http,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            config,
        })
    }

    /// The simulated time: the real one plus what tests have added.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_millis(self.clock_ahead_ms.load(Ordering::SeqCst))
    }

    pub(crate) fn advance(&self, by: std::time::Duration) {
        self.clock_ahead_ms.fetch_add(by.as_millis() as i64, Ordering::SeqCst);
        // Something may be due by the new time.
        self.outbox_changed.notify_one();
    }

    pub(crate) fn set_now(&self, now: Timestamp) {
        let ahead = now.duration_since(Timestamp::now()).as_millis();
        self.clock_ahead_ms.store(i64::try_from(ahead).unwrap_or(0), Ordering::SeqCst);
        self.outbox_changed.notify_one();
    }

    pub(crate) fn settings(&self) -> Settings {
        locked(&self.settings).clone()
    }

    /// An error that a correct client can meet.
    pub(crate) fn error(&self, name: &str, fill: &[(&str, &str)]) -> Answer {
        self.answers.error(name, fill)
    }

    /// An error that a correct client never meets: answered and recorded.
    pub(crate) fn refuse(&self, call: &Call, name: &str, fill: &[(&str, &str)]) -> Answer {
        let details: Vec<String> = fill.iter().map(|(name, value)| format!("{name}={value}")).collect();
        locked(&self.journal).violation(call, format!("{name} {}", details.join(" ")).trim_end().to_owned());
        self.answers.error(name, fill)
    }

    pub(crate) fn fresh_guid(&self) -> Uuid {
        guid(&mut locked(&self.dice))
    }

    /// True with this probability.
    pub(crate) fn chance(&self, probability: f64) -> bool {
        probability > 0.0 && locked(&self.dice).f64() < probability
    }

    pub(crate) fn between(&self, [low, high]: [u64; 2]) -> u64 {
        if high <= low { low } else { locked(&self.dice).u64(low..=high) }
    }
}
