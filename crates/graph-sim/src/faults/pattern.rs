//! Which calls a fault or a hold applies to.

/// The parts of a call by which it is matched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallLine<'a> {
    pub(crate) method: &'a str,
    /// Decoded path without query.
    pub(crate) path: &'a str,
    pub(crate) in_batch: bool,
    pub(crate) body: &'a [u8],
}

/// `*` in the path stands for any run of characters.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestPattern {
    /// Any method when absent.
    pub method: Option<String>,
    /// Items of a batch are compared as `/v1.0` plus their URL.
    pub path: String,
    pub scope: PatternScope,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PatternScope {
    #[default]
    Any,
    /// Requests of their own, the `$batch` request itself among them.
    Requests,
    BatchItems,
}

impl RequestPattern {
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: Some(method.to_owned()), path: path.to_owned(), scope: PatternScope::Any }
    }

    pub fn within(self, scope: PatternScope) -> Self {
        Self { scope, ..self }
    }

    pub(crate) fn matches(&self, call: CallLine<'_>) -> bool {
        let in_scope = match self.scope {
            PatternScope::Any => true,
            PatternScope::Requests => !call.in_batch,
            PatternScope::BatchItems => call.in_batch,
        };
        in_scope
            && self.method.as_deref().is_none_or(|method| method.eq_ignore_ascii_case(call.method))
            && glob_matches(&self.path.to_lowercase(), &call.path.to_lowercase())
    }
}

fn glob_matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(head) else { return false };
    (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| glob_matches(rest, &text[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_are_anchored_at_both_ends() {
        assert!(glob_matches("/v1.0/users/*/photo", "/v1.0/users/1/photo"));
        assert!(!glob_matches("/v1.0/users/*/photo", "/v1.0/users/1/photo/$value"));
        assert!(glob_matches("*", "/anything"));
        assert!(glob_matches("/v1.0/users/*", "/v1.0/users/ö/photo"));
    }
}
