//! The agent at its real boundaries: queue, storage, folder, directory and command line. One binary, so that it is
//! linked once.

mod agent_commands;
mod agent_decisions;
mod agent_first_fill;
mod agent_forged;
mod agent_forget;
mod agent_history;
mod agent_policy;
mod agent_receipts;
mod agent_succession;
mod agent_undo;
mod agent_work;
mod cloud_managed;
mod directory;
mod directory_chaos;
mod directory_faults;
mod directory_nonsense;
mod directory_scope;
mod directory_together;
mod folder;
mod folder_renditions;
mod forward;
mod ldap_proxy;
mod mim_agent;
mod mim_feed;
mod mim_import;
mod mim_ldif;
mod mim_losses;
mod missing_store;
mod people;
mod photo_server;
mod preview;
mod program;
mod stubborn;
mod tcp;
mod undo_requests;
