//! Unusual files: each shows its picture, or is refused for the reason that is true. See `files/README.md`.

use photorelay_core::photo::{PhotoLimits, Refusal, RenditionSpec, decode};

use crate::sources::{Picture, file, refusal, upright};

/// Top left, top right, bottom left, bottom right.
const QUARTERS: [[u8; 3]; 4] = [[200, 40, 40], [40, 180, 60], [50, 60, 190], [220, 210, 90]];

/// The mean colours of the four quarters of what a directory would show.
fn quarters(name: &str) -> [[f64; 3]; 4] {
    let shown = Picture::thumbnail(&upright(&file(name)));
    let half = shown.width / 2;
    [(0, 0), (half, 0), (0, half), (half, half)].map(|(left, top)| shown.crop(left, top, half).mean())
}

#[track_caller]
fn assert_shows_quarters(names: &[&str]) {
    for name in names {
        for (got, expected) in quarters(name).iter().zip(QUARTERS) {
            let apart = got.iter().zip(expected).map(|(a, b)| (a - f64::from(b)).abs()).fold(0.0, f64::max);
            assert!(apart <= 4.0, "{name}: {got:.0?} instead of {expected:?}");
        }
    }
}

#[track_caller]
fn assert_shows_scene(names: &[&str]) {
    let whole = RenditionSpec { name: "whole".to_owned(), side: 400, max_bytes: 1 << 20 };
    let show = |name: &str| Picture::of_jpeg(&upright(&file(name)).render(&whole).unwrap().bytes);
    let scene = show("scene.jpg");
    for name in names {
        let apart = scene.apart(&show(name));
        assert!(apart <= 6.0, "{name}: the mean difference is {apart:.1}");
    }
}

#[test]
fn one_scan_for_each_colour_component_shows_all_colours() {
    assert_shows_quarters(&["quarters-one-scan-each-420.jpg", "quarters-one-scan-each-440.jpg"]);
    assert_shows_scene(&["scene-one-scan-each-420.jpg", "scene-one-scan-each-440.jpg"]);
}

#[test]
fn the_jfif_marker_counts_for_more_than_component_ids_and_adobes_more_than_their_number() {
    assert_shows_quarters(&["quarters-jfif-with-ids-rgb.jpg", "quarters-rgb-by-adobe.jpg"]);
}

#[test]
fn inks_are_inverted_with_and_without_adobes_marker() {
    assert_shows_quarters(&["quarters-cmyk-without-adobe.jpg"]);
    assert_shows_scene(&["scene-cmyk-without-adobe.jpg"]);
}

#[test]
fn missing_blocks_before_the_end_marker_are_noticed() {
    assert_eq!(refusal(&file("quarters-half-with-end.jpg")), Refusal::Truncated);
}

#[test]
fn a_photo_without_end_marker_is_taken_because_every_block_is_there() {
    assert_shows_quarters(&["quarters-without-end.jpg"]);
    assert_shows_scene(&["scene-without-end.jpg", "scene-tail-without-end.jpg"]);
}

#[test]
fn bytes_between_segments_are_skipped() {
    assert_shows_quarters(&["quarters-2-bytes-between-segments.jpg", "quarters-14-bytes-between-segments.jpg"]);
    assert_shows_scene(&["scene-bytes-before-scan.jpg", "scene-bytes-between-segments.jpg"]);
}

#[test]
fn rare_but_valid_jpegs_are_decoded() {
    assert_shows_quarters(&[
        "quarters-luma-subsampled.jpg",
        "quarters-97-scans.jpg",
        "quarters-webcam-without-tables.jpg",
        "quarters-sampling-3x1.jpg",
        "quarters-lines-after-scan.jpg",
    ]);
}

#[test]
fn what_is_not_decoded_is_called_unsupported_and_not_damaged() {
    let refused = refusal(&file("quarters-arithmetic.jpg"));
    assert_eq!(refused.code(), "unsupported");
    assert_eq!(refused.to_string(), "the photo uses arithmetic coding, which photorelay does not decode");
}

#[test]
fn an_orientation_of_type_long_is_applied() {
    assert_shows_scene(&["scene-orientation-long.jpg"]);
}

#[test]
fn a_large_progressive_photo_is_decoded_within_the_memory_of_a_plain_one() {
    for mean in quarters("red-progressive-15-megapixels.jpg") {
        let apart = mean.iter().zip([200.0, 40.0, 40.0]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(apart <= 4.0, "{mean:?}");
    }
}

#[test]
fn a_photo_of_one_column_is_refused_because_a_square_would_not_show_it() {
    let photo = decode(&file("line-1x200.jpg"), &PhotoLimits::default()).unwrap();
    let refused = photo.render(&RenditionSpec::thumbnail_photo()).unwrap_err();
    assert_eq!((refused.code(), refused), ("too-narrow", Refusal::TooNarrow { width: 1, height: 200 }));
}

/// The smallest rendition that can be configured has as many pixels.
#[test]
fn a_square_of_sixteen_pixels_is_shown_however_long_the_photo_is() {
    let banner = |height| Picture::from_fn(700, height, |x, _| if x < 350 { [200, 40, 40] } else { [40, 180, 60] });
    let shown = Picture::thumbnail(&upright(&banner(16).jpeg(95)));
    assert_eq!((shown.width, shown.height), (16, 16));
    let refused = upright(&banner(15).jpeg(95)).render(&RenditionSpec::thumbnail_photo()).unwrap_err();
    assert_eq!(refused, Refusal::TooNarrow { width: 700, height: 15 });
}

#[test]
fn the_gamma_of_a_png_is_applied() {
    assert_shows_quarters(&["quarters-gamma-mac.png", "quarters-gamma-linear-16-bits.png"]);
}

#[test]
fn a_png_may_have_any_number_of_chunks() {
    assert_shows_quarters(&["quarters-many-small-chunks.png"]);
}

#[test]
fn a_gif_needs_only_its_first_frame() {
    assert_shows_quarters(&[
        "quarters-unknown-extension.gif",
        "quarters-2500-frames.gif",
        "quarters-second-frame-outside.gif",
        "quarters-zero-byte-after-frame.gif",
    ]);
}

#[test]
fn a_colour_that_the_table_of_a_gif_does_not_have_is_black() {
    let side = [64, 0];
    let screen = [b"GIF89a".as_slice(), &side, &side, &[0x80, 0, 0], &[200, 40, 40], &[255; 3]].concat();
    let alone = [[0x2c, 0, 0, 0, 0].as_slice(), &side, &side, &[0]].concat();
    // With codes of eight bits, each pixel is a byte, and each row starts a new table of codes.
    let row = [[65, 0x80].as_slice(), &[0; 32], &[100; 32]].concat();
    let pixels = [[7].as_slice(), &row.repeat(64), &[1, 0x81, 0, 0x3b]].concat();
    let shown = Picture::thumbnail(&upright(&[screen.clone(), alone.clone(), pixels.clone()].concat()));
    assert_shows_halves(&shown, [[200.0, 40.0, 40.0], [0.0; 3]]);

    // The table of the frame counts, and a transparent colour stays transparent whether it is in the table or not.
    let transparent = [0x21, 0xf9, 4, 1, 0, 0, 100, 0];
    let with_table = [&alone[..9], &[0x80], &[40, 180, 60], &[255; 3]].concat();
    let shown = Picture::thumbnail(&upright(&[screen, transparent.to_vec(), with_table, pixels].concat()));
    assert_shows_halves(&shown, [[40.0, 180.0, 60.0], [255.0; 3]]);
}

#[track_caller]
fn assert_shows_halves(shown: &Picture, expected: [[f64; 3]; 2]) {
    for (left, expected) in [(0, expected[0]), (40, expected[1])] {
        let mean = shown.crop(left, 0, 24).mean();
        let apart = mean.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(apart <= 4.0, "{mean:.0?} instead of {expected:.0?}");
    }
}
