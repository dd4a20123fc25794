//! The photographs in the fixtures, and the ways in which tests change them.

use std::path::PathBuf;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{PixelType, ResizeOptions, Resizer};
use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, SamplingFactor};
use photorelay_core::photo::{PhotoLimits, Refusal, RenditionSpec, Upright, decode};

/// Every fixture that is a photo.
pub(crate) const GOOD: [&str; 17] = [
    "astronaut-240.jpg",
    "astronaut-300x400-portrait.jpg",
    "astronaut-360-exif3.jpg",
    "astronaut-360-exif6.jpg",
    "astronaut-360-exif8.jpg",
    "astronaut-648-grey.jpg",
    "astronaut-648-progressive.jpg",
    "astronaut-648.jpg",
    "astronaut-96-reencoded.jpg",
    "astronaut-96.jpg",
    "cat-432-alpha.png",
    "cat-648-444.jpg",
    "cat-648.jpg",
    "coffee-120.gif",
    "coffee-504-cmyk.jpg",
    "coffee-648.jpg",
    "rocket-640x427.jpg",
];

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/photos");
    std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// One of the unusual files.
pub(crate) fn file(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/photos/files");
    std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(crate) fn upright(bytes: &[u8]) -> Upright {
    decode(bytes, &PhotoLimits::default()).unwrap()
}

pub(crate) fn refusal(bytes: &[u8]) -> Refusal {
    decode(bytes, &PhotoLimits::default()).map(|upright| panic!("taken: {upright:?}")).unwrap_err()
}

/// Pixels of a test picture: rows from the top, three bytes a pixel.
#[derive(Clone, PartialEq)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) rgb: Vec<u8>,
}

impl Picture {
    /// Decodes an upright JPEG independently of the code under test.
    pub(crate) fn of_jpeg(bytes: &[u8]) -> Self {
        let mut decoder = zune_jpeg::JpegDecoder::new(zune_core::bytestream::ZCursor::new(bytes));
        let rgb = decoder.decode().unwrap();
        let info = decoder.info().unwrap();
        Self { width: info.width.into(), height: info.height.into(), rgb }
    }

    /// The thumbnail that photorelay makes of a photo.
    pub(crate) fn thumbnail(photo: &Upright) -> Self {
        Self::of_jpeg(&photo.render(&RenditionSpec::thumbnail_photo()).unwrap().bytes)
    }

    pub(crate) fn from_fn(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 3]) -> Self {
        let pixel = &pixel;
        let rgb = (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect();
        Self { width, height, rgb }
    }

    pub(crate) fn pixel(&self, x: u32, y: u32) -> [u8; 3] {
        let at = ((y * self.width + x) * 3) as usize;
        [self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]]
    }

    pub(crate) fn map(&self, change: impl Fn([u8; 3]) -> [u8; 3]) -> Self {
        let rgb = self.rgb.chunks_exact(3).flat_map(|p| change([p[0], p[1], p[2]])).collect();
        Self { rgb, ..*self }
    }

    pub(crate) fn crop(&self, left: u32, top: u32, side: u32) -> Self {
        let rows = self.rgb.chunks_exact(self.width as usize * 3).skip(top as usize).take(side as usize);
        let columns = left as usize * 3..(left + side) as usize * 3;
        Self { width: side, height: side, rgb: rows.map(|row| &row[columns.clone()]).collect::<Vec<_>>().concat() }
    }

    pub(crate) fn resized(&self, side: u32) -> Self {
        let source = ImageRef::new(self.width, self.height, &self.rgb, PixelType::U8x3).unwrap();
        let mut small = Image::new(side, side, PixelType::U8x3);
        Resizer::new().resize(&source, &mut small, &ResizeOptions::new()).unwrap();
        Self { width: side, height: side, rgb: small.into_vec() }
    }

    pub(crate) fn mean(&self) -> [f64; 3] {
        let mut sums = [0.0; 3];
        for pixel in self.rgb.chunks_exact(3) {
            for (sum, value) in sums.iter_mut().zip(pixel) {
                *sum += f64::from(*value);
            }
        }
        sums.map(|sum| sum / f64::from(self.width * self.height))
    }

    /// The mean difference of two pictures of the same size, in steps of 255.
    pub(crate) fn apart(&self, other: &Self) -> f64 {
        assert_eq!((self.width, self.height), (other.width, other.height));
        let sum: u64 = self.rgb.iter().zip(&other.rgb).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum as f64 / self.rgb.len() as f64
    }

    pub(crate) fn jpeg(&self, quality: u8) -> Vec<u8> {
        self.jpeg_with(quality, |_| {})
    }

    pub(crate) fn jpeg_with(&self, quality: u8, set: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
        encode(&self.rgb, (self.width, self.height), ColorType::Rgb, quality, set)
    }

    /// The same with chroma subsampling, as most encoders do it.
    pub(crate) fn jpeg_420(&self, quality: u8) -> Vec<u8> {
        self.jpeg_with(quality, |encoder| {
            encoder.set_sampling_factor(SamplingFactor::F_2_2);
            encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
        })
    }
}

pub(crate) fn encode(
    samples: &[u8],
    (width, height): (u32, u32),
    colours: ColorType,
    quality: u8,
    set: impl FnOnce(&mut Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(SamplingFactor::F_1_1);
    set(&mut encoder);
    encoder.encode(samples, width as u16, height as u16, colours).unwrap();
    bytes
}

/// An EXIF block that contains only the orientation.
pub(crate) fn exif(orientation: u8) -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    tiff.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    tiff
}

pub(crate) fn assert_same_colour(got: [f64; 3], expected: [f64; 3], tolerance: f64, what: &str) {
    let apart = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(apart <= tolerance, "{what}: {got:.1?} instead of {expected:.1?}");
}
