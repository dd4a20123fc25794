//! Hundreds of damaged files: decoding never panics, and no result exceeds the limits.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, RgbImage};
use jpeg_encoder::ColorType;
use photorelay_core::photo::{PhotoLimits, Refusal, RenditionSpec, decode};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::sources::{Picture, encode, fixture};

/// Small files of every kind, so that many cases run quickly.
fn seeds() -> Vec<Vec<u8>> {
    let picture = Picture::from_fn(40, 33, |x, y| [x as u8 * 6, y as u8 * 7, (x * y) as u8]);
    let image = DynamicImage::from(RgbImage::from_raw(40, 33, picture.rgb.clone()).unwrap());
    let png = |image: DynamicImage| {
        let mut bytes = Vec::new();
        image.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
        bytes
    };
    let icc = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let inks = picture.rgb.repeat(2)[..40 * 33 * 4].to_vec();
    let mut seeds = vec![
        picture.jpeg_with(80, |encoder| encoder.set_progressive(true)),
        picture.jpeg_with(80, |encoder| encoder.set_restart_interval(2)),
        picture.jpeg_with(80, |encoder| encoder.add_icc_profile(&icc).unwrap()),
        picture.jpeg_420(80),
        encode(&inks, (40, 33), ColorType::CmykAsYcck, 80, |_| {}),
        png(DynamicImage::from(image.to_rgba16())),
        png(image),
    ];
    for name in
        ["astronaut-96.jpg", "astronaut-360-exif6.jpg", "coffee-120.gif", "bad-huge-dimensions.jpg", "bad-1x1.gif"]
    {
        seeds.push(fixture(name));
    }
    seeds
}

#[derive(Debug, Clone)]
enum Damage {
    Flip { at: usize, bit: u8 },
    Set { at: usize, value: u8 },
    Cut { at: usize },
    Remove { at: usize, count: usize },
    Repeat { at: usize, count: usize },
    Splice { seed: prop::sample::Index, from: usize, at: usize, count: usize },
}

fn damage() -> impl Strategy<Value = Damage> {
    // The first bytes matter most.
    let at = || prop_oneof![3 => 0..900_usize, 1 => any::<usize>()];
    let count = 1..64_usize;
    prop_oneof![
        4 => (at(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip { at, bit }),
        4 => (at(), prop_oneof![Just(0), Just(0xff), any::<u8>()]).prop_map(|(at, value)| Damage::Set { at, value }),
        1 => any::<usize>().prop_map(|at| Damage::Cut { at }),
        2 => (at(), count.clone()).prop_map(|(at, count)| Damage::Remove { at, count }),
        2 => (at(), count.clone()).prop_map(|(at, count)| Damage::Repeat { at, count }),
        2 => (any::<prop::sample::Index>(), at(), at(), 1..600_usize)
            .prop_map(|(seed, from, at, count)| Damage::Splice { seed, from, at, count }),
    ]
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        match *self {
            Damage::Flip { at, bit } => bytes[at % length] ^= 1 << bit,
            Damage::Set { at, value } => bytes[at % length] = value,
            Damage::Cut { at } => bytes.truncate(at % length),
            Damage::Remove { at, count } => {
                let at = at % length;
                bytes.drain(at..(at + count).min(length));
            }
            Damage::Repeat { at, count } => {
                let at = at % length;
                let piece = bytes[at..(at + count).min(length)].to_vec();
                bytes.splice(at..at, piece);
            }
            Damage::Splice { seed, from, at, count } => {
                let other = seed.get(seeds);
                let (from, at) = (from % other.len(), at % length);
                bytes.splice(at..at, other[from..(from + count).min(other.len())].iter().copied());
            }
        }
    }
}

#[test]
fn a_damaged_photo_is_refused_or_decoded_within_the_limits() {
    let seeds = seeds();
    let limits = PhotoLimits { max_side: 2_000, max_pixels: 1_000_000, ..PhotoLimits::default() };
    let config = ProptestConfig { cases: 800, failure_persistence: None, ..ProptestConfig::default() };
    let damaged = (any::<prop::sample::Index>(), prop::collection::vec(damage(), 1..6));
    let held = TestRunner::new(config).run(&damaged, |(seed, damages)| {
        let mut bytes = seed.get(&seeds).clone();
        damages.iter().for_each(|damage| damage.apply(&mut bytes, &seeds));
        match decode(&bytes, &limits) {
            Ok(photo) => {
                prop_assert!(u64::from(photo.width()) * u64::from(photo.height()) <= limits.max_pixels);
                prop_assert!(photo.width().max(photo.height()) <= limits.max_side);
                photo.fingerprint();
                if let Ok(rendition) = photo.render(&RenditionSpec::thumbnail_photo()) {
                    prop_assert!(rendition.bytes.len() <= 10_240);
                }
            }
            // A panic would be contained, but that is only a last resort.
            Err(Refusal::Corrupt { detail }) => prop_assert!(!detail.contains("panicked"), "{detail}"),
            Err(_) => {}
        }
        Ok(())
    });
    held.unwrap_or_else(|failure| panic!("{failure}"));
}
