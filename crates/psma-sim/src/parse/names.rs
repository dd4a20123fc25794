//! What a script calls: the vocabulary that the lint compares with the lists of what is allowed.

use anyhow::Result;
use tree_sitter::Node;

use super::nodes::{Source, all, named};
use crate::syntax::Vocabulary;

/// Collects a vocabulary.
pub(super) struct Names;

impl Names {
    /// Every command that the script does not define itself, every type, every method and static member.
    pub(super) fn of(source: Source<'_>, root: Node<'_>) -> Result<Vocabulary> {
        let (mut found, mut own, mut open) = (Vocabulary::default(), Vec::new(), vec![root]);
        while let Some(node) = open.pop() {
            match node.kind() {
                "command_name" => {
                    found.commands.insert(source.text(node).to_owned());
                }
                "command" => found.types.extend(created(source, node)),
                "function_name" => own.push(source.text(node)),
                "type_spec" => {
                    found.types.insert(source.text(node).to_owned());
                }
                "invokation_expression" | "member_access" => {
                    let is_static = all(node).any(|part| source.text(part) == "::");
                    if is_static || node.kind() == "invokation_expression" {
                        let name = named(node).find(|part| part.kind() == "member_name");
                        found.members.extend(name.map(|name| source.text(name).to_owned()));
                    }
                }
                _ => {}
            }
            open.extend(all(node));
        }
        found.commands.retain(|command| !own.contains(&command.as_str()));
        Ok(found)
    }
}

/// The type that a command `New-Object` names.
fn created(source: Source<'_>, command: Node<'_>) -> Option<String> {
    let mut parts = named(command);
    parts.next().filter(|name| source.text(*name).eq_ignore_ascii_case("New-Object"))?;
    named(parts.next()?).next().map(|element| source.text(element).to_owned())
}
