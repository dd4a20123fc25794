//! Photos: the outline, the decoders of JPEG, PNG and GIF, colour profiles, renditions and fingerprints.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use photorelay_core::photo::{PhotoLimits, Refusal, RenditionSpec, Upright, decode, decode_for};
use photorelay_fuzz::{Limits, contain_panics, guard};

/// Smaller than in production, so that more inputs fit into a second; the ratios are the same.
const PHOTO: PhotoLimits =
    PhotoLimits { max_bytes: 1 << 20, max_side: 2_000, max_pixels: 1_000_000, max_memory: 12 << 20 };
/// What decoding is promised to need, and the whole photo, two renditions and small parts beside it.
const LIMITS: Limits =
    Limits { memory: PHOTO.max_memory as usize + (8 << 20), processor_time: Duration::from_secs(10) };

fuzz_target!(init: contain_panics(), |input: &[u8]| {
    guard(input, LIMITS, |input| {
        let whole = decode(input, &PHOTO);
        [16, 96].iter().for_each(|side| assert_same_size(&whole, &decode_for(input, &PHOTO, *side)));
        match whole {
            Ok(photo) => look(&photo),
            Err(refusal) => assert_is_plain(&refusal),
        }
    });
});

/// What is decoded in a reduced size is accepted or refused as the whole photo is, for the same reason.
fn assert_same_size(whole: &Result<Upright, Refusal>, reduced: &Result<Upright, Refusal>) {
    let [whole, reduced] = [whole, reduced].map(|photo| photo.as_ref().map(|photo| (photo.width(), photo.height())));
    assert_eq!(whole, reduced);
}

fn look(photo: &Upright) {
    let (width, height) = (photo.width(), photo.height());
    assert!(width.max(height) <= PHOTO.max_side && u64::from(width) * u64::from(height) <= PHOTO.max_pixels);
    let fingerprint = photo.fingerprint();
    assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
    for spec in [RenditionSpec::thumbnail_photo(), RenditionSpec::jpeg_photo()] {
        match photo.render(&spec) {
            Ok(rendition) => {
                assert!(rendition.bytes.len() <= spec.max_bytes, "{} bytes", rendition.bytes.len());
                let side = spec.side.min(width).min(height);
                assert_eq!((rendition.width, rendition.height), (side, side));
                let again = decode(&rendition.bytes, &PHOTO);
                // A picture of one pixel is read as a placeholder.
                let again = again.ok().filter(|again| again.content_type() == "image/jpeg");
                assert!(again.is_some() || rendition.width == 1, "a rendition that cannot be read");
            }
            Err(refusal) => assert_is_plain(&refusal),
        }
    }
}

/// What an audit entry, a log and an operator see of it.
fn assert_is_plain(refusal: &Refusal) {
    let text = refusal.to_string();
    assert!(text.len() < 300 && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{text:?}");
}
