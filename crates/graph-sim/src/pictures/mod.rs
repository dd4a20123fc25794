//! Photos: what they are made of, and the bytes of each size, made on first read.
//!
//! A photo is a recipe (source, variant, noise), so a hundred thousand people and a long history cost next to nothing;
//! the same recipe always gives the same bytes. Every variant has a band of its own: no two people look alike. Nothing
//! here knows people, clocks or HTTP.

mod cache;
mod content;
mod drawing;
mod library;
mod pixels;
mod splice;
mod studio;

pub(crate) use content::Picture;
pub(crate) use pixels::OFFICIAL_EDGES;
pub(crate) use studio::Studio;
