//! Variables and string literals with what is expanded in them.

use anyhow::{Result, bail};
use tree_sitter::Node;

use super::nodes::{Source, named};
use crate::syntax::{Expression, TextPart};

impl Source<'_> {
    pub(super) fn variable(self, node: Node<'_>) -> Result<Expression> {
        let name = self.text(node)[1..].trim_matches(['{', '}']).to_lowercase();
        match name.split_once(':') {
            None => Ok(Expression::Variable { is_global: false, name }),
            Some(("global", name)) => Ok(Expression::Variable { is_global: true, name: name.to_owned() }),
            Some(_) => self.unknown(node),
        }
    }

    pub(super) fn string(self, node: Node<'_>) -> Result<Expression> {
        let [literal] = named(node).collect::<Vec<_>>()[..] else { return self.unknown(node) };
        let text = self.text(literal);
        match literal.kind() {
            "verbatim_string_characters" => Ok(Expression::Text(text[1..text.len() - 1].replace("''", "'").into())),
            "expandable_string_literal" => self.expandable(literal),
            _ => self.unknown(literal),
        }
    }

    /// The grammar names only what is expanded; the plain text is what lies between.
    fn expandable(self, node: Node<'_>) -> Result<Expression> {
        let (mut parts, mut at) = (Vec::new(), node.start_byte() + 1);
        for part in named(node) {
            parts.push(TextPart::Plain(self.plain(at, part.start_byte())?));
            parts.push(TextPart::Value(match part.kind() {
                "variable" => self.variable(part)?,
                "sub_expression" => Expression::Inline(self.block(part)?),
                _ => return self.unknown(part),
            }));
            at = part.end_byte();
        }
        parts.push(TextPart::Plain(self.plain(at, node.end_byte() - 1)?));
        Ok(Expression::Expandable(parts))
    }

    fn plain(self, from: usize, to: usize) -> Result<String> {
        let mut text = String::new();
        let mut characters = self.text[from..to].chars();
        while let Some(character) = characters.next() {
            text.push(match character {
                '`' => match characters.next() {
                    Some('t') => '\t',
                    Some('n') => '\n',
                    other => bail!("{}: the stand-in does not know the escape {other:?}", self.name),
                },
                '$' | '"' => bail!("{}: a lone {character} in {:?}", self.name, &self.text[from..to]),
                plain => plain,
            });
        }
        Ok(text)
    }
}
