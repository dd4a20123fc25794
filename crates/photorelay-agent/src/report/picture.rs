//! A value of a target as it may stand in a page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use photorelay_core::photo::{self, PhotoLimits};

/// What is shown of a value.
#[derive(Debug)]
pub(super) enum ReportPicture {
    /// A `data:` URL.
    Shown(String),
    None,
    /// It is no photo that can be decoded, and is not embedded.
    NotAPhoto,
}

impl ReportPicture {
    pub(super) fn of(value: Option<&Bytes>) -> Self {
        let Some(bytes) = value else { return Self::None };
        let format = photo::sniff(bytes).filter(|_| photo::decode(bytes, &PhotoLimits::default()).is_ok());
        match format {
            Some(format) => Self::Shown(format!("data:{};base64,{}", format.content_type(), BASE64.encode(bytes))),
            None => Self::NotAPhoto,
        }
    }
}
