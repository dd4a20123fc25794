//! Renditions are square, small enough, as good as fits, and always the same.

use photorelay_core::id::Digest;
use photorelay_core::photo::{Format, Refusal, RenditionSpec, sniff};

use crate::sources::{GOOD, Picture, fixture, upright};

#[test]
fn every_photo_fits_both_directory_attributes() {
    for name in GOOD {
        let photo = upright(&fixture(name));
        for spec in [RenditionSpec::thumbnail_photo(), RenditionSpec::jpeg_photo()] {
            let rendition = photo.render(&spec).unwrap();
            let side = spec.side.min(photo.width()).min(photo.height());
            assert_eq!((rendition.width, rendition.height), (side, side), "{name} as {spec}");
            assert!(rendition.bytes.len() <= spec.max_bytes, "{name} as {spec}: {}", rendition.bytes.len());
            assert_eq!((rendition.name, rendition.sha256), (spec.name, Digest::of(&rendition.bytes)), "{name}");
            assert_eq!(sniff(&rendition.bytes), Some(Format::Jpeg), "{name}");
            let shown = upright(&rendition.bytes);
            assert_eq!((shown.width(), shown.height()), (side, side), "{name}");
        }
    }
}

#[test]
fn the_same_photo_gives_the_same_bytes() {
    let bytes = fixture("cat-648.jpg");
    for spec in [RenditionSpec::thumbnail_photo(), RenditionSpec::jpeg_photo()] {
        assert_eq!(upright(&bytes).render(&spec).unwrap(), upright(&bytes).render(&spec).unwrap());
    }
}

#[test]
fn a_small_photo_is_not_enlarged() {
    let photo = upright(&Picture::from_fn(50, 70, |x, y| [x as u8 * 5, y as u8 * 3, 90]).jpeg(90));
    let rendition = photo.render(&RenditionSpec::thumbnail_photo()).unwrap();
    assert_eq!((rendition.width, rendition.height), (50, 50));
}

#[test]
fn the_middle_of_the_photo_is_shown() {
    // Blue at both ends, which cropping removes.
    let wide = Picture::from_fn(300, 100, |x, _| if (100..200).contains(&x) { [220, 60, 40] } else { [0, 0, 255] });
    let shown = Picture::thumbnail(&upright(&wide.jpeg(95)));
    assert!(shown.mean()[2] < 50.0, "{:?}", shown.mean());
}

#[test]
fn a_tight_limit_is_used_up_before_quality_is_given_away() {
    let photo = upright(&fixture("cat-648-444.jpg"));
    let spec = |max_bytes| RenditionSpec { max_bytes, ..RenditionSpec::jpeg_photo() };
    for max_bytes in [40_000, 60_000, 90_000, 102_400] {
        let size = photo.render(&spec(max_bytes)).unwrap().bytes.len();
        assert!(size <= max_bytes && size * 100 >= max_bytes * 95, "{size} of {max_bytes}");
    }
    let generous = photo.render(&spec(1 << 20)).unwrap();
    assert_eq!(photo.render(&spec(generous.bytes.len())).unwrap(), generous);
}

#[test]
fn what_does_not_fit_even_at_low_quality_is_refused_by_name() {
    let spec: RenditionSpec = "badge:96:1024".parse().unwrap();
    let refused = upright(&fixture("astronaut-648.jpg")).render(&spec).unwrap_err();
    assert_eq!(refused, Refusal::DoesNotFit { rendition: "badge".into(), max_bytes: 1024 });
    assert_eq!(refused.code(), "does-not-fit");
}

#[test]
fn neither_pixels_nor_bytes_are_printed() {
    let photo = upright(&fixture("astronaut-96.jpg"));
    let rendition = photo.render(&RenditionSpec::thumbnail_photo()).unwrap();
    for text in [format!("{photo:?}"), format!("{rendition:?}"), format!("{:?}", photo.fingerprint())] {
        assert!(text.len() < 250, "{text}");
    }
}
