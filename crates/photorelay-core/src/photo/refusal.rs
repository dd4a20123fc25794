//! Why a photo is not used: each reason with a short stable code, for the audit trail, and a sentence for people.

/// Final for these bytes: trying again does not help. Holds no byte of the photo.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there are no bytes in it")]
    Empty,
    #[error("the file has {bytes} bytes, more than the {limit} that are read")]
    TooLarge { bytes: usize, limit: usize },
    #[error("this is {found}, not a JPEG, PNG or GIF photo")]
    NotAPhoto { found: &'static str },
    #[error("this is a picture of {width}x{height} pixel, which stands for \"no photo\"")]
    Placeholder { width: u32, height: u32 },
    #[error("the photo claims {width}x{height} pixels, more than are decoded safely")]
    TooManyPixels { width: u32, height: u32 },
    #[error("the photo is cut off before its end")]
    Truncated,
    /// The detail is the decoder's own words.
    #[error("the photo is damaged: {detail}")]
    Corrupt { detail: String },
    #[error("the photo does not fit into the {max_bytes} bytes of {rendition}, however much it is compressed")]
    DoesNotFit { rendition: String, max_bytes: usize },
}

impl Refusal {
    /// Stable: written to audit entries and counted in metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Empty => "empty",
            Refusal::TooLarge { .. } => "too-large",
            Refusal::NotAPhoto { .. } => "not-a-photo",
            Refusal::Placeholder { .. } => "placeholder",
            Refusal::TooManyPixels { .. } => "too-many-pixels",
            Refusal::Truncated => "truncated",
            Refusal::Corrupt { .. } => "corrupt",
            Refusal::DoesNotFit { .. } => "does-not-fit",
        }
    }

    /// Keeps the detail printable and short, as it may repeat something of the file.
    pub(super) fn corrupt(detail: impl std::fmt::Display) -> Self {
        let printable = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
        Refusal::Corrupt { detail: detail.to_string().chars().take(160).map(printable).collect() }
    }
}

/// Runs foreign decoding code; a panic in it refuses this photo and goes no further.
pub(super) fn contained<T>(doing: &str, work: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    // Whatever the closure touched is dropped with the panic, so no broken state can be seen afterwards.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Refusal::corrupt(format_args!("{doing} panicked"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_decoder_refuses_one_photo() {
        let refused = contained("the decoder", || -> Result<(), Refusal> { panic!("index out of bounds") });
        assert_eq!(refused, Err(Refusal::Corrupt { detail: "the decoder panicked".into() }));
    }

    #[test]
    fn the_words_of_a_decoder_are_short_and_printable() {
        let Refusal::Corrupt { detail } = Refusal::corrupt("\u{1b}[31m\n".repeat(100)) else { panic!() };
        assert!(detail.len() == 160 && detail.chars().all(|c| c.is_ascii_graphic()), "{detail}");
    }
}
