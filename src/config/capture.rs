//! What is captured of a photo, and how often.

use std::time::Duration;

use photorelay_core::photo::RenditionSpec;
use photorelay_core::settings::Reader;

#[derive(Debug, Clone)]
pub struct CaptureSettings {
    pub renditions: Vec<RenditionSpec>,
    /// How long a photo must be gone, and an ETag unchanged, before it is believed.
    pub hold: Duration,
    /// Captures per user within 24 hours.
    pub captures_per_day: u32,
}

const RENDITIONS: &str = "thumbnailPhoto:96:10240";

impl Default for CaptureSettings {
    fn default() -> Self {
        Self {
            renditions: vec![RENDITIONS.parse().expect("the default is one rendition")],
            hold: Duration::from_secs(15 * 60),
            captures_per_day: 20,
        }
    }
}

impl CaptureSettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let defaults = Self::default();
        let renditions = renditions(reader);
        let hold = reader.seconds("PHOTORELAY_HOLD_SECONDS", defaults.hold);
        let captures_per_day = reader.optional("PHOTORELAY_CAPTURES_PER_DAY").unwrap_or(defaults.captures_per_day);
        Some(Self { renditions: renditions?, hold, captures_per_day })
    }
}

fn renditions(reader: &mut Reader<'_>) -> Option<Vec<RenditionSpec>> {
    let text: String = reader.or_default("PHOTORELAY_RENDITIONS", RENDITIONS)?;
    let specs: Result<Vec<RenditionSpec>, _> = text.split(',').map(|spec| spec.trim().parse()).collect();
    specs.map_err(|error| reader.problem(&format!("PHOTORELAY_RENDITIONS: {error}"))).ok()
}
