//! Files that are not photos, or that cannot be decoded safely, are refused with a clear reason.

use std::time::Duration;

use photorelay_core::photo::{PhotoLimits, Refusal, decode};

use crate::sources::{GOOD, Picture, fixture, refusal, upright};

#[test]
fn each_bad_fixture_is_refused_for_its_own_reason() {
    let cases = [
        ("bad-1x1.gif", "placeholder"),
        ("bad-bomb-60000x60000.png", "too-many-pixels"),
        ("bad-empty.jpg", "empty"),
        ("bad-html.jpg", "not-a-photo"),
        ("bad-huge-dimensions.jpg", "too-many-pixels"),
        ("bad-truncated.jpg", "truncated"),
    ];
    for (name, code) in cases {
        assert_eq!(refusal(&fixture(name)).code(), code, "{name}");
    }
}

#[test]
fn a_refusal_says_in_words_what_was_found() {
    assert_eq!(refusal(&fixture("bad-html.jpg")).to_string(), "this is HTML, not a JPEG, PNG or GIF photo");
    assert_eq!(
        refusal(&fixture("bad-bomb-60000x60000.png")).to_string(),
        "the photo has 60000x60000 pixels, which exceeds the limit of 20000 a side"
    );
}

/// Peak resident memory of this process; other tests of the same process add little to it.
#[cfg(target_os = "linux")]
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[cfg(target_os = "linux")]
#[test]
fn a_lie_about_the_size_costs_neither_memory_nor_time() {
    for name in ["bad-bomb-60000x60000.png", "bad-huge-dimensions.jpg"] {
        let bytes = fixture(name);
        let (before, start) = (peak_memory(), std::time::Instant::now());
        refusal(&bytes);
        assert!(start.elapsed() < Duration::from_secs(2), "{name} took {:?}", start.elapsed());
        let grown = peak_memory() - before;
        assert!(grown < 64 << 20, "{name} took {grown} bytes");
    }
}

#[test]
fn a_photo_that_is_cut_off_anywhere_is_refused() {
    for name in GOOD {
        let bytes = fixture(name);
        assert!(decode(&bytes, &PhotoLimits::default()).is_ok(), "{name}");
        let cuts = (1..24).map(|part| bytes.len() * part / 24);
        for cut in cuts {
            let refused = refusal(&bytes[..cut]);
            assert_eq!(refused.code(), "truncated", "{name} cut at {cut} of {}: {refused}", bytes.len());
        }
    }
}

#[test]
fn a_photo_of_which_only_the_end_marker_is_missing_is_whole() {
    for name in GOOD {
        let bytes = fixture(name);
        let whole = upright(&bytes).fingerprint();
        assert_eq!(upright(&bytes[..bytes.len() - 1]).fingerprint(), whole, "{name}");
    }
}

#[test]
fn what_follows_the_end_of_a_photo_does_no_harm() {
    for name in ["astronaut-648.jpg", "cat-432-alpha.png", "coffee-120.gif"] {
        let mut bytes = fixture(name);
        let alone = upright(&bytes).fingerprint();
        bytes.extend_from_slice(b"trailing data");
        assert_eq!(upright(&bytes).fingerprint(), alone, "{name}");
    }
}

#[test]
fn each_limit_holds_by_itself() {
    let bytes = fixture("rocket-640x427.jpg");
    let within =
        PhotoLimits { max_bytes: bytes.len(), max_side: 640, max_pixels: 640 * 427, max_memory: 640 * 427 * 3 };
    assert!(decode(&bytes, &within).is_ok());
    let (width, height) = (640, 427);
    for (limits, expected) in [
        (
            PhotoLimits { max_bytes: bytes.len() - 1, ..within },
            Refusal::TooLarge { bytes: bytes.len(), limit: bytes.len() - 1 },
        ),
        (PhotoLimits { max_side: 639, ..within }, Refusal::SideTooLong { width, height, limit: 639 }),
        (
            PhotoLimits { max_pixels: within.max_pixels - 1, ..within },
            Refusal::TooManyPixels { width, height, limit: within.max_pixels - 1 },
        ),
        (
            PhotoLimits { max_memory: within.max_memory - 1, ..within },
            Refusal::TooMuchMemory { width, height, memory: within.max_memory, limit: within.max_memory - 1 },
        ),
    ] {
        assert_eq!(decode(&bytes, &limits).unwrap_err(), expected);
    }
}

/// Cameras of "24 megapixels" have some more, and pictures of 8K screens and panoramas are people's photos too.
#[test]
fn no_limit_but_memory_stops_a_photo_of_40_megapixels_or_a_long_one() {
    let small = Picture::from_fn(16, 16, |_, _| [90; 3]).jpeg(90);
    let frame = small.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    for (width, height) in [(6048_u16, 4024_u16), (7680, 4320), (2048, 12_288), (19_999, 2000)] {
        let mut bytes = small.clone();
        bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
        bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
        // Nothing but what its header announces is missing.
        assert_eq!(refusal(&bytes), Refusal::Truncated, "{width}x{height}");
    }
}

#[test]
fn a_progressive_photo_is_counted_with_the_coefficients_that_decoding_holds() {
    let limits = PhotoLimits { max_memory: 648 * 648 * 6, ..PhotoLimits::default() };
    assert!(decode(&fixture("astronaut-648.jpg"), &limits).is_ok());
    assert_eq!(decode(&fixture("astronaut-648-progressive.jpg"), &limits).unwrap_err().code(), "too-much-memory");
}

#[test]
fn a_placeholder_of_one_pixel_is_recognised_in_every_format() {
    let jpeg = Picture::from_fn(1, 1, |_, _| [255; 3]).jpeg(90);
    let mut png = Vec::new();
    image::RgbImage::new(1, 1).write_to(&mut std::io::Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
    for bytes in [jpeg, png, fixture("bad-1x1.gif")] {
        assert_eq!(refusal(&bytes), Refusal::Placeholder { width: 1, height: 1 });
    }
}

#[test]
fn the_content_type_is_what_the_bytes_are_whatever_they_are_called() {
    for (name, content_type) in
        [("cat-648.jpg", "image/jpeg"), ("cat-432-alpha.png", "image/png"), ("coffee-120.gif", "image/gif")]
    {
        assert_eq!(upright(&fixture(name)).content_type(), content_type);
    }
}
