//! Reads a file of settings as systemd reads an `EnvironmentFile=`: `NAME=VALUE` lines, comments that begin with `#` or `;`,
//! quotes, and a backslash at the end of a line that continues it. So a command sees what the service sees.
//!
//! Nothing is expanded or run, and no error shows a value. What libraries read from the environment by themselves, such as
//! `HTTPS_PROXY`, is not changed by a file.

use std::collections::HashMap;
use std::io::Read as _;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::str::Chars;

/// Settings are short; a larger file is something else.
const LIMIT: u64 = 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum EnvFileError {
    #[error("the file of settings {} cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("the file of settings {}, line {line}: {problem}", path.display())]
    Malformed { path: PathBuf, line: usize, problem: &'static str },
}

/// The variables of the file; of two with one name, the last one counts.
pub fn read(path: &Path) -> Result<HashMap<String, String>, EnvFileError> {
    let unreadable = |source| EnvFileError::Unreadable { path: path.to_owned(), source };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(LIMIT + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > LIMIT {
        return Err(unreadable(std::io::Error::other("it is larger than 1 MiB")));
    }
    parse(&text).map_err(|(line, problem)| EnvFileError::Malformed { path: path.to_owned(), line, problem })
}

type Malformed = (usize, &'static str);

fn parse(text: &str) -> Result<HashMap<String, String>, Malformed> {
    let text = text.replace("\r\n", "\n");
    let (mut variables, mut line) = (HashMap::new(), 1);
    let mut rest = text.trim_start_matches('\u{feff}').chars().peekable();
    loop {
        while rest.next_if(|c| c.is_whitespace()).is_some_and(|c| newline(c, &mut line)) {}
        match rest.peek() {
            None => return Ok(variables),
            Some('#' | ';') => skip_comment(&mut rest, &mut line),
            Some(_) => {
                let name = name(&mut rest).map_err(|problem| (line, problem))?;
                let began = line;
                let value = value(&mut rest, &mut line).map_err(|problem| (began, problem))?;
                variables.insert(name, value);
            }
        }
    }
}

/// Counts a line; always true.
fn newline(c: char, line: &mut usize) -> bool {
    *line += usize::from(c == '\n');
    true
}

/// systemd continues a comment after a backslash at the end of its line, too.
fn skip_comment(rest: &mut Peekable<Chars<'_>>, line: &mut usize) {
    let mut escaped = false;
    for c in rest.by_ref() {
        newline(c, line);
        if c == '\n' && !escaped {
            return;
        }
        escaped = c == '\\' && !escaped;
    }
}

fn name(rest: &mut Peekable<Chars<'_>>) -> Result<String, &'static str> {
    let mut name = String::new();
    while let Some(c) = rest.next_if(|c| !matches!(c, '=' | '\n')) {
        name.push(c);
    }
    if rest.next_if_eq(&'=').is_none() {
        return Err("it is not NAME=VALUE");
    }
    let name = name.trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(is_name) {
        return Err("the name has other characters than letters, digits and _ (there is no `export` in such a file)");
    }
    Ok(name.to_owned())
}

fn value(rest: &mut Peekable<Chars<'_>>, line: &mut usize) -> Result<String, &'static str> {
    let mut value = String::new();
    // How much of the value stands, whatever whitespace follows.
    let mut kept = 0;
    while rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
    while let Some(c) = rest.next() {
        newline(c, line);
        match c {
            '\n' => break,
            '\'' | '"' if value.len() == kept => {
                quoted(c, rest, line, &mut value)?;
                kept = value.len();
                while rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
            }
            '\\' => match rest.next() {
                Some('\n') => *line += 1,
                Some(c) => {
                    value.push(c);
                    kept = value.len();
                }
                None => {}
            },
            c => {
                value.push(c);
                if !c.is_whitespace() {
                    kept = value.len();
                }
            }
        }
    }
    value.truncate(kept);
    Ok(value)
}

fn quoted(
    quote: char,
    rest: &mut Peekable<Chars<'_>>,
    line: &mut usize,
    value: &mut String,
) -> Result<(), &'static str> {
    while let Some(c) = rest.next() {
        newline(c, line);
        match c {
            c if c == quote => return Ok(()),
            '\\' if quote == '"' => match rest.next() {
                Some('\n') => *line += 1,
                Some(c @ ('"' | '\\' | '`' | '$')) => value.push(c),
                Some(c) => value.extend(['\\', c]),
                None => {}
            },
            c => value.push(c),
        }
    }
    Err("a quote is not closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> String {
        parse(text).unwrap().remove("A").unwrap()
    }

    #[test]
    fn values_are_read_as_systemd_reads_them() {
        for (text, value) in [
            ("A=b c  \n", "b c"),
            ("  A =  b", "b"),
            ("A=", ""),
            ("A=\"b # c\"  ", "b # c"),
            ("A='b\\n$c'", "b\\n$c"),
            ("A=\"b\\\"c\\\\ \\d\"", "b\"c\\ \\d"),
            ("A=b\\\nc", "bc"),
            ("A='b\nc'", "b\nc"),
            ("A='b'\"c\"", "bc"),
            ("A=b#c", "b#c"),
            ("A=DC=contoso,DC=com", "DC=contoso,DC=com"),
            ("# A=x\n; A=y\nA=z\r\n", "z"),
            ("A=1\nA=2", "2"),
            ("A=b\\ ", "b "),
        ] {
            assert_eq!(one(text), value, "{text:?}");
        }
        let two = parse("\n\nPhotoStorage__path=/x\nAzureWebJobs.sweep.Disabled=true").unwrap();
        assert_eq!((two.len(), two["PhotoStorage__path"].as_str()), (2, "/x"));
    }

    #[test]
    fn what_is_no_variable_is_an_error_with_its_line_and_without_its_value() {
        for (text, line) in [("A=1\nsecret\n", 2), ("export A=1", 1), ("\nA=1\n\n1B=2", 4), ("A='\nx", 1)] {
            assert_eq!(parse(text).unwrap_err().0, line, "{text:?}");
        }
    }
}
