//! The form of an input that scripts a server: `OS HEADER\n` and a body, with a letter for the operation, one for the
//! status, and the value of a header.

/// An input, taken apart. Every input is one; seeds are readable.
#[derive(Debug)]
pub struct Script<'a> {
    operation: u8,
    variant: u8,
    /// Goes into every header that the operation looks at.
    pub header: &'a str,
    pub body: &'a [u8],
}

impl<'a> Script<'a> {
    pub fn of(input: &'a [u8]) -> Self {
        let line = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
        let (line, body) = input.split_at(line);
        let letter = |at: usize| line.get(at).copied().unwrap_or_default().wrapping_sub(b'a');
        let header = line.get(3..).and_then(|header| str::from_utf8(header).ok()).unwrap_or_default();
        Self { operation: letter(0), variant: letter(1), header, body: body.get(1..).unwrap_or_default() }
    }

    /// One of so many operations.
    pub fn operation(&self, of: u8) -> u8 {
        self.operation % of
    }

    /// What the second letter chooses, such as a status.
    pub fn choose<T: Copy>(&self, among: &[T]) -> T {
        among[usize::from(self.variant) % among.len()]
    }
}
