//! The console at HTTP and in a browser: what its pages show, what they do, and whom they do nothing for.

mod alone;
mod browser;
mod day;
mod door;
mod foreseen;
mod hostile;
mod noted;
mod pages;
mod sheet;
mod visitor;
