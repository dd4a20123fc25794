//! The orientation that EXIF states: tag 0x0112 of the first directory of a TIFF structure.
//!
//! The standard wants a number of type SHORT. Some software writes LONG, which browsers ignore and image libraries apply.
//! Both types are applied here, because the writer meant it, and a face that lies on its side is the worse mistake.

use image::metadata::Orientation;

const ORIENTATION: u16 = 0x0112;
const SHORT: u16 = 3;
const LONG: u16 = 4;

/// `None` without a valid one.
pub(super) fn orientation(exif: &[u8]) -> Option<Orientation> {
    let is_little = match exif.first_chunk()? {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = *exif.get(at..)?.first_chunk()?;
        Some(if is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let long = |at: usize| {
        let bytes = *exif.get(at..)?.first_chunk()?;
        Some(if is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    if short(2)? != 42 {
        return None;
    }
    let directory = usize::try_from(long(4)?).ok()?;
    let entries = usize::from(short(directory)?);
    let entry = (0..entries)
        .map_while(|entry| directory.checked_add(2 + 12 * entry))
        .take_while(|at| at + 12 <= exif.len())
        .find(|at| short(*at) == Some(ORIENTATION))?;
    let value = match short(entry + 2)? {
        SHORT => u32::from(short(entry + 8)?),
        LONG => long(entry + 8)?,
        _ => return None,
    };
    Orientation::from_exif(u8::try_from(value).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exif(kind: u8, value: [u8; 4], is_little: bool) -> Vec<u8> {
        if is_little {
            let head = b"II*\0\x08\0\0\0\x01\0\x12\x01";
            [head.as_slice(), &[kind, 0, 1, 0, 0, 0], &value, &[0; 4]].concat()
        } else {
            let head = b"MM\0*\0\0\0\x08\0\x01\x01\x12";
            [head.as_slice(), &[0, kind, 0, 0, 0, 1], &value, &[0; 4]].concat()
        }
    }

    #[test]
    fn both_byte_orders_and_both_types_are_read() {
        let cases = [
            exif(3, [6, 0, 0, 0], true),
            exif(4, [6, 0, 0, 0], true),
            exif(3, [0, 6, 0, 0], false),
            exif(4, [0, 0, 0, 6], false),
        ];
        for case in cases {
            assert_eq!(orientation(&case), Some(Orientation::Rotate90), "{case:?}");
        }
    }

    #[test]
    fn nonsense_is_no_orientation() {
        let good = exif(3, [6, 0, 0, 0], true);
        for length in 0..20 {
            assert_eq!(orientation(&good[..length]), None);
        }
        for bad in [exif(3, [9, 0, 0, 0], true), exif(4, [6, 0, 0, 1], true), exif(2, [6, 0, 0, 0], true)] {
            assert_eq!(orientation(&bad), None, "{bad:?}");
        }
        let far = [b"II*\0".as_slice(), &[0xff; 4]].concat();
        assert_eq!(orientation(&far), None);
    }
}
