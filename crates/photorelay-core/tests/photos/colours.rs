//! Decoded photos are upright and have the intended colours, however the file stores them.

use std::io::Cursor;

use image::codecs::png::PngEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageEncoder, RgbImage, Rgba};
use jpeg_encoder::ColorType;
use moxcms::{ColorProfile, Layout, ToneReprCurve, TransformOptions};
use photorelay_core::photo::{PhotoLimits, RenditionSpec, decode_for};

use crate::sources::{Picture, assert_same_colour, encode, exif, fixture, upright};

fn thumbnail_mean(bytes: &[u8]) -> [f64; 3] {
    Picture::thumbnail(&upright(bytes)).mean()
}

/// Plain colours in four quarters, so that both positions and colours can be checked.
fn quarters() -> Picture {
    Picture::from_fn(64, 64, |x, y| match (x < 32, y < 32) {
        (true, true) => [200, 40, 40],
        (false, true) => [40, 180, 60],
        (true, false) => [50, 60, 190],
        (false, false) => [220, 210, 90],
    })
}

fn assert_shows(bytes: &[u8], expected: &Picture, tolerance: i16, what: &str) {
    let photo = upright(bytes);
    assert_eq!((photo.width(), photo.height()), (expected.width, expected.height), "{what}");
    let shown = Picture::thumbnail(&photo);
    let side = shown.width;
    for (x, y) in [(8, 8), (side - 9, 8), (8, side - 9), (side - 9, side - 9)] {
        let centre = (expected.width.max(expected.height) - side) / 2;
        let (left, top) = if expected.width > expected.height { (centre, 0) } else { (0, centre) };
        let (got, wanted) = (shown.pixel(x, y), expected.pixel(x + left, y + top));
        let apart = got.iter().zip(wanted).map(|(a, b)| (i16::from(*a) - i16::from(b)).abs()).max().unwrap();
        assert!(apart <= tolerance, "{what} at {x},{y}: {got:?} instead of {wanted:?}");
    }
}

fn as_stored(picture: &Picture, orientation: u8) -> RgbImage {
    let back = match orientation {
        6 => 8,
        8 => 6,
        own_inverse => own_inverse,
    };
    let image = RgbImage::from_raw(picture.width, picture.height, picture.rgb.clone()).unwrap();
    let mut image = DynamicImage::from(image);
    image.apply_orientation(Orientation::from_exif(back).unwrap());
    image.into_rgb8()
}

#[test]
fn every_exif_orientation_of_a_jpeg_and_a_png_is_undone() {
    let quarters = quarters();
    let wide = Picture::from_fn(64, 48, |x, y| quarters.pixel(x, y));
    for orientation in 1..=8 {
        let stored = as_stored(&wide, orientation);
        let picture = Picture { width: stored.width(), height: stored.height(), rgb: stored.as_raw().clone() };
        let jpeg = picture.jpeg_with(95, |encoder| encoder.add_exif_metadata(&exif(orientation)).unwrap());
        assert_shows(&jpeg, &wide, 8, &format!("JPEG, orientation {orientation}"));

        let mut png = Vec::new();
        let mut encoder = PngEncoder::new(&mut png);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        encoder.write_image(&stored, stored.width(), stored.height(), image::ExtendedColorType::Rgb8).unwrap();
        assert_shows(&png, &wide, 8, &format!("PNG, orientation {orientation}"));
    }
}

#[test]
fn a_turned_photograph_gives_the_same_picture_as_the_upright_one() {
    let straight = upright(&fixture("astronaut-648.jpg")).fingerprint();
    for name in ["astronaut-360-exif3.jpg", "astronaut-360-exif6.jpg", "astronaut-360-exif8.jpg"] {
        let turned = upright(&fixture(name)).fingerprint();
        assert!(straight.is_close(&turned), "{name}: {}", straight.distance(&turned));
    }
}

#[test]
fn a_portrait_is_measured_upright() {
    let stored = Picture::from_fn(40, 30, |_, _| [90; 3]);
    let photo = upright(&stored.jpeg_with(90, |encoder| encoder.add_exif_metadata(&exif(6)).unwrap()));
    assert_eq!((photo.width(), photo.height()), (30, 40));
}

#[test]
fn a_cmyk_photograph_has_the_colours_of_its_rgb_original() {
    let original = thumbnail_mean(&fixture("coffee-648.jpg"));
    assert_same_colour(thumbnail_mean(&fixture("coffee-504-cmyk.jpg")), original, 1.5, "CMYK");
}

#[test]
fn cmyk_is_understood_plain_and_as_ycck_with_and_without_adobes_marker() {
    let picture = quarters();
    let inks: Vec<u8> = picture.rgb.chunks_exact(3).flat_map(|p| [255 - p[0], 255 - p[1], 255 - p[2], 0]).collect();
    for colours in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        let bytes = encode(&inks, (64, 64), colours, 95, |_| {});
        assert_shows(&bytes, &picture, 8, &format!("{colours:?}"));
    }
    // The numbers are Adobe's, inverted, whether its marker says so or not: all viewers read them like this.
    let adobe = encode(&inks, (64, 64), ColorType::Cmyk, 95, |_| {});
    let mark = adobe.windows(9).position(|w| w.starts_with(&[0xff, 0xee]) && w.ends_with(b"Adobe")).unwrap();
    let length = usize::from(u16::from_be_bytes([adobe[mark + 2], adobe[mark + 3]]));
    let plain = [&adobe[..mark], &adobe[mark + 2 + length..]].concat();
    assert_shows(&plain, &picture, 8, "without Adobe's marker");
}

#[test]
fn a_grey_photograph_stays_grey() {
    let [r, g, b] = thumbnail_mean(&fixture("astronaut-648-grey.jpg"));
    assert!((r - g).abs() < 1.0 && (g - b).abs() < 1.0, "{r} {g} {b}");
}

#[test]
fn pixels_of_a_wider_colour_space_are_converted() {
    let picture = quarters();
    for (name, profile) in [("P3", ColorProfile::new_display_p3()), ("Adobe RGB", ColorProfile::new_adobe_rgb())] {
        let to_wide = ColorProfile::new_srgb()
            .create_transform_8bit(Layout::Rgb, &profile, Layout::Rgb, TransformOptions::default())
            .unwrap();
        let mut wide = picture.clone();
        to_wide.transform(&picture.rgb, &mut wide.rgb).unwrap();
        assert!(wide.rgb != picture.rgb);
        let icc = profile.encode().unwrap();
        let with_profile = wide.jpeg_with(95, |encoder| encoder.add_icc_profile(&icc).unwrap());
        assert_shows(&with_profile, &picture, 8, name);
    }
}

/// Viewers convert and then make a picture smaller, which matters only if a small step of a sample is a large one of light.
#[test]
fn the_pixels_of_a_steep_profile_are_converted_before_they_are_blended() {
    let mut linear = ColorProfile::new_srgb();
    linear.cicp = None;
    for curve in [&mut linear.red_trc, &mut linear.green_trc, &mut linear.blue_trc] {
        *curve = Some(ToneReprCurve::Lut(Vec::new()));
    }
    let icc = linear.encode().unwrap();
    // Large enough to be decoded in a reduced size.
    let lines = Picture::from_fn(768, 768, |x, _| if x % 8 < 4 { [0; 3] } else { [255; 3] });
    let jpeg = lines.jpeg_with(95, |encoder| encoder.add_icc_profile(&icc).unwrap());
    for photo in [upright(&jpeg), decode_for(&jpeg, &PhotoLimits::default(), 96).unwrap()] {
        assert_same_colour(Picture::thumbnail(&photo).mean(), [127.5; 3], 3.0, "black and white lines");
    }
    let even = Picture::from_fn(64, 64, |_, _| [55; 3]);
    let jpeg = even.jpeg_with(95, |encoder| encoder.add_icc_profile(&icc).unwrap());
    assert_same_colour(thumbnail_mean(&jpeg), [128.0; 3], 3.0, "linear light");
}

#[test]
fn a_grey_profile_is_applied() {
    let icc = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
    let linear = vec![55; 64 * 64];
    let bytes = encode(&linear, (64, 64), ColorType::Luma, 95, |encoder| encoder.add_icc_profile(&icc).unwrap());
    assert_same_colour(thumbnail_mean(&bytes), [128.0; 3], 3.0, "linear grey");
}

#[test]
fn a_profile_that_says_srgb_or_nothing_readable_or_something_else_changes_nothing() {
    let picture = quarters();
    let plain = upright(&picture.jpeg(95)).render(&RenditionSpec::thumbnail_photo()).unwrap();
    for icc in [
        ColorProfile::new_srgb().encode().unwrap(),
        b"not a profile at all".to_vec(),
        ColorProfile::new_gray_with_gamma(1.0).encode().unwrap(),
    ] {
        let bytes = picture.jpeg_with(95, |encoder| encoder.add_icc_profile(&icc).unwrap());
        assert_eq!(upright(&bytes).render(&RenditionSpec::thumbnail_photo()).unwrap(), plain);
    }
}

/// A profile is packed in a PNG: a megabyte may say that it is a gigabyte.
#[test]
fn a_profile_larger_than_any_real_one_is_not_unpacked() {
    let picture = quarters();
    let png = |profile: Option<Vec<u8>>| {
        let mut bytes = Vec::new();
        let mut encoder = PngEncoder::new(&mut bytes);
        profile.into_iter().for_each(|profile| encoder.set_icc_profile(profile).unwrap());
        encoder.write_image(&picture.rgb, 64, 64, image::ExtendedColorType::Rgb8).unwrap();
        upright(&bytes).render(&RenditionSpec::thumbnail_photo()).unwrap()
    };
    let real = ColorProfile::new_display_p3().encode().unwrap();
    let mut padded = real.clone();
    padded.resize(5 << 20, 0);
    assert_ne!(png(Some(real)), png(None));
    assert_eq!(png(Some(padded)), png(None));
}

/// Between black and grey, sRGB is no power of light: by a power alone, dark pictures are too bright.
#[test]
fn the_gamma_of_a_png_leads_to_the_curve_of_srgb() {
    let dark = Picture::from_fn(64, 64, |x, _| if x < 32 { [20; 3] } else { [35; 3] });
    let expected = Picture::from_fn(64, 64, |x, _| if x < 32 { [26; 3] } else { [46; 3] });
    assert_shows(&with_gamma(&dark, 55_555), &expected, 2, "1.8");
}

/// Software that means sRGB writes this gamma, and most viewers leave such pictures as they are.
#[test]
fn the_usual_gamma_changes_nothing() {
    let dark = Picture::from_fn(64, 64, |x, _| if x < 32 { [20; 3] } else { [35; 3] });
    assert_shows(&with_gamma(&dark, 45_455), &dark, 1, "2.2");
}

/// A PNG that says by which power of light its samples were made, in parts of 100,000.
fn with_gamma(picture: &Picture, gamma: u32) -> Vec<u8> {
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(&picture.rgb, picture.width, picture.height, image::ExtendedColorType::Rgb8)
        .unwrap();
    let chunk = [b"gAMA".as_slice(), &gamma.to_be_bytes()].concat();
    let checksum = chunk.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
    });
    let behind_header = 8 + 25;
    let chunk = [&4_u32.to_be_bytes(), chunk.as_slice(), &(!checksum).to_be_bytes()].concat();
    [&png[..behind_header], &chunk, &png[behind_header..]].concat()
}

#[test]
fn what_is_transparent_becomes_white() {
    let mut image = image::RgbaImage::new(64, 64);
    for (x, _, pixel) in image.enumerate_pixels_mut() {
        *pixel = if x < 32 { Rgba([0, 0, 0, 0]) } else { Rgba([255, 0, 0, 128]) };
    }
    let mut png = Vec::new();
    image.write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
    let expected = Picture::from_fn(64, 64, |x, _| if x < 32 { [255; 3] } else { [255, 127, 127] });
    assert_shows(&png, &expected, 8, "transparency");
}

#[test]
fn sixteen_bits_a_channel_are_taken() {
    let picture = quarters();
    let image = RgbImage::from_raw(64, 64, picture.rgb.clone()).unwrap();
    let mut png = Vec::new();
    DynamicImage::from(DynamicImage::from(image).into_rgba16())
        .write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png)
        .unwrap();
    assert_shows(&png, &picture, 8, "16 bits");
}

#[test]
fn a_gif_shows_its_first_frame() {
    let original = thumbnail_mean(&fixture("coffee-648.jpg"));
    assert_same_colour(thumbnail_mean(&fixture("coffee-120.gif")), original, 2.0, "GIF");
}
