//! Detects the kind of a file from its first bytes.
//!
//! It must never trust a file name or a content type, and never reads more than a few hundred bytes.

/// The supported kinds of photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    Jpeg,
    Png,
    Gif,
}

impl Format {
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Jpeg => "image/jpeg",
            Format::Png => "image/png",
            Format::Gif => "image/gif",
        }
    }
}

/// The kind of photo; `None` for anything else.
pub fn sniff(bytes: &[u8]) -> Option<Format> {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Some(Format::Jpeg),
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(Format::Png),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Format::Gif),
        _ => None,
    }
}

/// A readable name for a file that is not a photo. Reveals nothing about the content but its kind.
pub(super) fn name_of_other(bytes: &[u8]) -> &'static str {
    match bytes {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => return "WebP",
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => return "TIFF",
        [b'B', b'M', ..] => return "BMP",
        [b'%', b'P', b'D', b'F', ..] => return "PDF",
        [b'P', b'K', 3, 4, ..] => return "ZIP",
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => return name_of_brand(brand),
        _ => {}
    }
    let head = &bytes[..bytes.len().min(256)];
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with("<!doctype html") || text.starts_with("<html") {
        "HTML"
    } else if text.starts_with("<svg") || text.contains("<svg") {
        "SVG"
    } else if text.starts_with('<') {
        "XML"
    } else if text.starts_with('{') || text.starts_with('[') {
        "JSON"
    } else if head.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~')) {
        "text"
    } else {
        "unknown data"
    }
}

fn name_of_brand(brand: &[u8]) -> &'static str {
    match brand {
        [b'a', b'v', b'i', b'f' | b's', ..] => "AVIF",
        [b'h', b'e', ..] | [b'm', b'i', b'f', b'1', ..] | [b'm', b's', b'f', b'1', ..] => "HEIC",
        _ => "MP4",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_photo_is_called_by_its_name() {
        let cases: [(&[u8], &str); 9] = [
            (b"\xef\xbb\xbf\r\n <!DOCTYPE HTML><title>Sign in</title>", "HTML"),
            (b"<?xml version='1.0'?><svg/>", "SVG"),
            (b"<?xml version='1.0'?><Error/>", "XML"),
            (b"{\"error\": {}}", "JSON"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "WebP"),
            (b"\0\0\0\x18ftypheic", "HEIC"),
            (b"%PDF-1.7", "PDF"),
            (b"not found", "text"),
            (b"\0\x01\x02\x03", "unknown data"),
        ];
        for (bytes, name) in cases {
            assert_eq!((sniff(bytes), name_of_other(bytes)), (None, name));
        }
    }

    #[test]
    fn half_a_magic_number_is_not_a_photo() {
        for bytes in [&b"\xff\xd8"[..], b"\x89PNG\r\n\x1a", b"GIF89", b"GIF88a"] {
            assert_eq!(sniff(bytes), None);
        }
    }
}
