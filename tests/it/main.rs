//! Behaviour at the real boundaries: HTTP, queues, blobs, the command line. One binary, so that it is linked once.

mod agent_policy;
mod amend;
mod azurite;
mod chaos;
mod commands;
mod directory;
mod doctor;
mod echo;
mod floors;
mod kills;
mod process;
mod propagate;
mod proxy;
mod races;
mod refused;
mod removal;
mod samba;
mod subscribe;
mod sweep;
mod sweep_repairs;
mod sweep_scope;
mod telemetry;
mod watch;
mod webhook;
mod world;
mod year;
