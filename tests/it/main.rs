//! Behaviour at the real boundaries: HTTP, queues, blobs, the command line. One binary, so that it is linked once.

#![allow(clippy::too_many_lines, clippy::too_many_arguments, reason = "a test may tell one long story")]

mod amend;
mod chaos;
mod command_line;
mod commands;
mod console;
mod container;
mod disaster_recovery;
mod doctor;
mod documentation;
mod echo;
mod events;
mod figures;
mod host;
mod infra;
mod json_answers;
mod kills;
mod missing_store;
mod monitoring;
mod one_person;
mod operators;
mod propagate;
mod proxy;
mod races;
mod refused;
mod removal;
mod standalone;
mod start_up;
mod subscribe;
mod support_bundle;
mod sweep;
mod sweep_handover;
mod sweep_population;
mod sweep_repairs;
mod sweep_scope;
mod telemetry;
mod together;
mod trace;
mod unreadable;
mod watch;
mod webhook;
mod year;
mod year_troubles;
