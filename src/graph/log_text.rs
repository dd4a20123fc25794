//! Makes text from outside fit for logs: short, on one line, and without addresses or URLs.

const MAX_MESSAGE_CHARS: usize = 200;
const MAX_CODE_CHARS: usize = 64;

/// Letters, digits and the few signs that codes and ids have.
pub(super) fn token_like(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).take(MAX_CODE_CHARS).collect()
}

/// Shortens a text from outside to one line and leaves out words that may be an address or a URL.
pub(super) fn fit_for_logs(text: &str) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(if word.contains('@') || word.contains("://") { "[left out]" } else { word });
    }
    match line.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_from_outside_are_one_short_line_without_addresses() {
        let text = format!("Resource 'adele@contoso.test' at\r\nhttps://x.test/?code=K {}", "long ".repeat(100));
        let line = fit_for_logs(&text);
        assert!(line.starts_with("Resource [left out] at [left out] long"), "{line}");
        assert!(line.chars().count() <= MAX_MESSAGE_CHARS + 3 && !line.contains('\n'), "{line}");
    }
}
