//! The reasons for refusing a photo, each with a short stable code for the audit trail and a message for humans.

/// Final for these bytes: retrying does not help. Contains no byte of the photo.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the file is empty")]
    Empty,
    #[error("the file has {bytes} bytes, which exceeds the limit of {limit}")]
    TooLarge { bytes: usize, limit: usize },
    #[error("this is {found}, not a JPEG, PNG or GIF photo")]
    NotAPhoto { found: &'static str },
    #[error("this is a {width}x{height} pixel placeholder for \"no photo\"")]
    Placeholder { width: u32, height: u32 },
    #[error("the photo has {width}x{height} pixels, which exceeds the limit of {limit} a side")]
    SideTooLong { width: u32, height: u32, limit: u32 },
    #[error("the photo has {width}x{height} pixels, which exceeds the limit of {limit} pixels")]
    TooManyPixels { width: u32, height: u32, limit: u64 },
    #[error(
        "decoding this photo of {width}x{height} pixels takes {memory} bytes of memory, which exceeds the limit of \
         {limit}"
    )]
    TooMuchMemory { width: u32, height: u32, memory: u64, limit: u64 },
    #[error(
        "decoding the {scans} scans of this photo takes {visits} steps, which exceeds the limit of {limit}; real photos \
         have about ten scans"
    )]
    TooComplex { scans: usize, visits: u64, limit: u64 },
    #[error(
        "the photo has {width}x{height} pixels: the square in its middle, which directories show, would be a sliver of it"
    )]
    TooNarrow { width: u32, height: u32 },
    /// A valid photo.
    #[error("the photo uses {feature}, which photorelay does not decode")]
    Unsupported { feature: &'static str },
    #[error("the photo is cut off before its end")]
    Truncated,
    /// With the decoder's own error message.
    #[error("the photo is damaged: {detail}")]
    Corrupt { detail: String },
    #[error("the photo does not fit into the {max_bytes} bytes of {rendition}, however much it is compressed")]
    DoesNotFit { rendition: String, max_bytes: usize },
}

impl Refusal {
    /// A stable code, written to audit entries and used in metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Empty => "empty",
            Refusal::TooLarge { .. } => "too-large",
            Refusal::NotAPhoto { .. } => "not-a-photo",
            Refusal::Placeholder { .. } => "placeholder",
            Refusal::SideTooLong { .. } | Refusal::TooManyPixels { .. } => "too-many-pixels",
            Refusal::TooMuchMemory { .. } => "too-much-memory",
            Refusal::TooComplex { .. } => "too-complex",
            Refusal::TooNarrow { .. } => "too-narrow",
            Refusal::Unsupported { .. } => "unsupported",
            Refusal::Truncated => "truncated",
            Refusal::Corrupt { .. } => "corrupt",
            Refusal::DoesNotFit { .. } => "does-not-fit",
        }
    }

    /// Makes the detail printable and short, because it may repeat parts of the file.
    pub(super) fn corrupt(detail: impl std::fmt::Display) -> Self {
        let printable = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
        Refusal::Corrupt { detail: detail.to_string().chars().take(160).map(printable).collect() }
    }
}

/// Runs third-party decoding code; a panic in it refuses this photo and affects nothing else.
pub(super) fn contained<T>(doing: &str, work: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    // Everything that the closure touched is dropped during the panic, so no broken state remains visible.
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
