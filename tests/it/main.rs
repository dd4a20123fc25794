//! Behaviour at the real boundaries: HTTP, queues, blobs, the command line. One binary, so that it is linked once.

mod commands;
mod echo;
mod propagate;
mod refused;
mod webhook;
mod world;
