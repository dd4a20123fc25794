//! A read-only HTTP endpoint for clients that fetch a photo by URL: Cisco Jabber, Gravatar and Libravatar clients, and
//! whatever reads SCIM's `photos[].value`.
//!
//! It reads the audit trail and the stored renditions, not the folder of a target: the trail says whose photo is whose,
//! knows every size and the addresses, and stops showing a photo as soon as it is removed or the user is forgotten,
//! without a second agent. Only the index is kept in memory, less than a kilobyte for each user, and it is brought up
//! by one listing of the trail at intervals. Photos are read when they are asked for, verified by their digest.
//!
//! It must never write, render, resize, redirect, or read a file or blob whose name came from a request, and never show a
//! photo where two users could be meant. It owns the failure "the storage is down": what a client has cached stays valid,
//! everything else is 503.

mod http;
mod index;
mod index_refresh;
mod listener;
mod photos;
mod request_limit;
mod server;

pub use listener::{PhotoListener, TlsFiles};
pub use server::{PhotoServer, PhotoServerSettings};
