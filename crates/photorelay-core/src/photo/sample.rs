//! A test picture that cannot be mistaken for a face.

use jpeg_encoder::{ColorType, Encoder};

use super::Refusal;

/// Large enough for Graph to create all its sizes from it.
const SIDE: u16 = 648;
const FIELDS: u16 = 8;
const QUALITY: u8 = 90;

/// A JPEG of coloured fields that depend on the seed.
pub fn sample(seed: u64) -> Result<Vec<u8>, Refusal> {
    let mut dice = fastrand::Rng::with_seed(seed);
    let colours: Vec<[u8; 3]> =
        (0..FIELDS * FIELDS).map(|_| [dice.u8(32..224), dice.u8(32..224), dice.u8(32..224)]).collect();
    let field = |at: u16| at * FIELDS / SIDE;
    let pixels = (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (x, y)));
    let rgb: Vec<u8> = pixels.flat_map(|(x, y)| colours[usize::from(field(y) * FIELDS + field(x))]).collect();
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes, QUALITY).encode(&rgb, SIDE, SIDE, ColorType::Rgb).map_err(Refusal::corrupt)?;
    Ok(bytes)
}
