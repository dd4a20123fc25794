//! What a command answers, on stdout: a reader that stops reading, such as `head`, ends the command without a word.
//!
//! A marker tells that failure from a connection to a server that broke, which is an error.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};

use anstream::{AutoStream, ColorChoice};
use serde::Serialize;

/// Stdout, for every answer of a command.
#[derive(Debug, Clone, Copy, Default)]
pub struct CommandAnswer;

impl Write for CommandAnswer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stdout().write(bytes).map_err(marked)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush().map_err(marked)
    }
}

/// Prints a line of the answer, in a function that returns a `Result`.
#[macro_export]
macro_rules! answer {
    ($($line:tt)*) => {{
        use ::std::io::Write as _;
        ::std::writeln!($crate::answer::CommandAnswer, $($line)*)
    }};
}

/// Prints the answer: as JSON for programs, or as people read it.
pub fn print<A: Serialize + fmt::Display>(out: &mut dyn Write, answer: &A, is_json: bool) -> io::Result<()> {
    match is_json {
        true => print_json(out, answer),
        false => writeln!(out, "{answer}"),
    }
}

/// Prints the answer as JSON. Nothing else is printed on stdout then.
pub fn print_json<A: Serialize + ?Sized>(out: &mut dyn Write, answer: &A) -> io::Result<()> {
    writeln!(out, "{}", serde_json::to_string_pretty(answer)?)
}

/// Whether the answer may have colours: on a terminal, unless NO_COLOR is set; CLICOLOR_FORCE has them anywhere.
pub fn has_colours() -> bool {
    AutoStream::choice(&io::stdout()) != ColorChoice::Never
}

/// Whether the error is that its reader no longer reads the answer.
pub fn is_unread(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if inner.is_some_and(|inner| inner.is::<Unread>()) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[derive(Debug)]
struct Unread;

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer is not read to its end")
    }
}

impl Error for Unread {}

fn marked(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => io::Error::new(io::ErrorKind::BrokenPipe, Unread),
        _ => error,
    }
}
