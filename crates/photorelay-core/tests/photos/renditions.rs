//! Renditions are square, small enough, as good as fits, and always the same.

use jpeg_encoder::SamplingFactor;
use photorelay_core::id::Digest;
use photorelay_core::photo::{Format, PhotoLimits, Refusal, RenditionSpec, Upright, decode, decode_for, sniff};

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
fn a_thumbnail_shows_what_one_of_all_pixels_shows() {
    let odd = Picture::of_jpeg(&fixture("cat-648.jpg")).crop(3, 5, 501);
    let half = odd.jpeg_with(90, |encoder| encoder.set_sampling_factor(SamplingFactor::F_2_1));
    let restarted = odd.jpeg_with(90, |encoder| {
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        encoder.set_restart_interval(7);
    });
    let mut photos: Vec<(&str, Vec<u8>)> = GOOD.iter().map(|name| (*name, fixture(name))).collect();
    photos.extend([
        ("odd, all colours", odd.jpeg(90)),
        ("odd, a quarter of the colours", odd.jpeg_420(90)),
        ("odd, half of the colours", half),
        ("odd, with restart markers", restarted),
    ]);
    for (name, bytes) in photos {
        let whole = upright(&bytes);
        for side in [150, 96, 48, 24] {
            let spec = RenditionSpec { name: "small".to_owned(), side, max_bytes: 1 << 20 };
            let small = decode_for(&bytes, &PhotoLimits::default(), side).unwrap();
            assert_eq!((small.width(), small.height()), (whole.width(), whole.height()), "{name}");
            let [expected, shown] = [&whole, &small].map(|photo| Picture::of_jpeg(&photo.render(&spec).unwrap().bytes));
            let apart = shown.apart(&expected);
            // In so few pixels, what compression alone changes is more.
            let most = if side < 48 { 5.0 } else { 3.0 };
            assert!(apart <= most, "{name}, {side} pixels: {apart:.2}");
        }
    }
}

#[test]
fn a_photo_is_refused_for_the_same_reason_however_small_it_is_wanted() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [folder.join("tests/photos/files"), folder.join("../../tests/fixtures/photos")];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|file| file.unwrap().path());
    for file in files.filter(|file| file.is_file()) {
        let (bytes, limits) = (std::fs::read(&file).unwrap(), PhotoLimits::default());
        let whole = decode(&bytes, &limits).map(|photo| (photo.width(), photo.height()));
        let small = decode_for(&bytes, &limits, 16).map(|photo| (photo.width(), photo.height()));
        assert_eq!(whole, small, "{}", file.display());
    }
}

#[test]
fn a_photo_with_restart_markers_is_refused_for_the_same_reason_however_small_it_is_wanted() {
    let picture = Picture::of_jpeg(&fixture("cat-648.jpg")).crop(3, 5, 501);
    let whole = picture.jpeg_with(90, |encoder| {
        encoder.set_restart_interval(7);
    });
    let markers: Vec<usize> =
        (0..whole.len() - 1).filter(|at| whole[*at] == 0xff && (0xd0..=0xd7).contains(&whole[at + 1])).collect();
    let scan = whole.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
    let (first, middle) = (markers[0], markers[markers.len() / 2]);
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        bytes
    };
    let bits = "bits that only progressive scans have";
    let files = [
        ("one marker out of order", changed(&|bytes| bytes[middle + 1] ^= 3)),
        ("one marker missing", changed(&|bytes| drop(bytes.drain(middle..middle + 2)))),
        ("one marker too many", changed(&|bytes| drop(bytes.splice(middle..middle, [0xff, 0xd3])))),
        ("an interval missing", changed(&|bytes| drop(bytes.drain(first..markers[1])))),
        ("cut off", changed(&|bytes| bytes.truncate(middle))),
        (bits, changed(&|bytes| bytes[scan + 13] = 14)),
        ("whole", whole.clone()),
    ];
    let size = |photo: Result<Upright, Refusal>| photo.map(|photo| (photo.width(), photo.height()));
    for (damage, bytes) in files {
        let expected = size(decode(&bytes, &PhotoLimits::default()));
        assert_eq!(expected.is_ok(), ["whole", bits].contains(&damage), "{damage}: {expected:?}");
        for side in [100, 50, 25] {
            assert_eq!(size(decode_for(&bytes, &PhotoLimits::default(), side)), expected, "{damage}, {side} pixels");
        }
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
