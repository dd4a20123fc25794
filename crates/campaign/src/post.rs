//! Posts notifications as Graph does, and remembers which ones were acknowledged.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use photorelay_core::id::UserId;
use testkit::world::notifications;
use url::Url;
use uuid::Uuid;

/// A sender of notifications.
#[derive(Debug)]
pub struct Poster {
    client: reqwest::Client,
    endpoint: Url,
    tenant: Uuid,
    acknowledged: Mutex<HashSet<UserId>>,
    posts: AtomicU64,
    refused: AtomicU64,
    in_flight: AtomicUsize,
}

impl Poster {
    pub fn new(webhook: Url, tenant: Uuid) -> Self {
        Self {
            client: reqwest::Client::builder().no_proxy().build().expect("a client without settings"),
            endpoint: webhook.join("/api/notifications").expect("a plain path"),
            tenant,
            acknowledged: Mutex::default(),
            posts: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
        }
    }

    /// The made-up user of this number.
    pub fn user(number: u64) -> UserId {
        UserId::from_uuid(Uuid::from_u64_pair(0x1f2c_0b0e_0000_4000, 0x8000_0000_0000_0000 | number))
    }

    /// One POST about these users.
    pub async fn post(&self, users: Vec<UserId>) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let body = notifications(self.tenant, &users);
        let request = self.client.post(self.endpoint.clone()).header("content-type", "application/json").body(body);
        match request.send().await {
            Ok(response) if response.status() == 202 => {
                self.posts.fetch_add(1, Ordering::Relaxed);
                self.acknowledged.lock().expect("no one panics with it").extend(users);
            }
            _ => {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// POSTs that were answered 202.
    pub fn acknowledged_posts(&self) -> u64 {
        self.posts.load(Ordering::Relaxed)
    }

    /// POSTs that were not answered 202.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// The users of whom a notification was acknowledged.
    pub fn acknowledged(&self) -> HashSet<UserId> {
        std::mem::take(&mut *self.acknowledged.lock().expect("no one panics with it"))
    }
}
