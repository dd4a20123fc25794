//! Draws heads and shoulders for a simulator that has no photographs.
//!
//! Drawn small and enlarged, because this code also runs unoptimized.

use super::pixels::{LARGEST_EDGE, Rgb, resized};

const EDGE: u32 = 108;

pub(crate) fn drawn(seed: u64) -> Rgb {
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut colour = |low: u8, high: u8| [dice.u8(low..high), dice.u8(low..high), dice.u8(low..high)];
    let (above, below, shirt) = (colour(90, 250), colour(40, 200), colour(20, 220));
    let skin = [dice.u8(120..245), dice.u8(90..190), dice.u8(60..150)];
    let hair = [dice.u8(10..160), dice.u8(10..110), dice.u8(5..80)];
    let (head_x, head_y) = (i64::from(dice.u32(48..60)), i64::from(dice.u32(42..52)));
    let (head, shoulders) = (i64::from(dice.u32(19..26)), i64::from(dice.u32(36..50)));
    let fringe = head_y - i64::from(dice.u32(4..14));

    let mut data = Vec::with_capacity((EDGE * EDGE * 3) as usize);
    for y in 0..i64::from(EDGE) {
        for x in 0..i64::from(EDGE) {
            let within = |cx: i64, cy: i64, r: i64| (x - cx) * (x - cx) + (y - cy) * (y - cy) < r * r;
            let pixel = if within(head_x, head_y, head) {
                if y < fringe { hair } else { skin }
            } else if within(head_x, head_y - 5, head + 3) && y < head_y + 4 {
                hair
            } else if within(head_x, 112, shoulders) {
                shirt
            } else {
                let mix = |a: u8, b: u8| ((i64::from(a) * (108 - y) + i64::from(b) * y) / 108) as u8;
                [mix(above[0], below[0]), mix(above[1], below[1]), mix(above[2], below[2])]
            };
            data.extend_from_slice(&pixel);
        }
    }
    let small = Rgb { width: EDGE, height: EDGE, data };
    resized(&small, LARGEST_EDGE).unwrap_or(small)
}
