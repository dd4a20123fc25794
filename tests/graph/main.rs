//! The Graph client and its credentials against a server that answers from a script, over real connections.

mod credentials;
mod people;
mod photo_batches;
mod photos;
mod requests;
mod server;
mod simulator;
mod subscriptions;
mod tokens;
mod users;
