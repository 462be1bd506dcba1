//! What a header declares, read line by line: cbindgen writes one declaration on a line of its own,
//! with its comment before it.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Constant,
    Type,
    Field,
    Function,
}

/// One thing that the header declares; a field's name is that of its struct and its own.
#[derive(Debug)]
pub struct Declaration {
    pub kind: Kind,
    pub name: String,
    /// A constant's value.
    pub value: String,
    /// Whether there is a comment directly before it that says something.
    pub documented: bool,
}

/// The last identifier in `text`.
fn last_identifier(text: &str) -> &str {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let text = text.trim_end_matches(|c| !is_part(c));
    text.rsplit(|c| !is_part(c)).next().unwrap_or(text)
}

/// Everything that `header` declares, in order.
pub fn declarations(header: &str) -> Vec<Declaration> {
    let mut found = Vec::new();
    let mut structure = String::new();
    let mut comment = String::new();
    let mut in_comment = false;
    let mut in_declaration = false;
    for line in header.lines() {
        let code = line.trim();
        if in_comment || code.starts_with("/*") {
            if !in_comment {
                comment.clear();
            }
            comment.push_str(code);
            in_comment = !code.ends_with("*/");
            continue;
        }
        if in_declaration {
            in_declaration = !code.ends_with(';');
            continue;
        }
        let documented = comment.contains(char::is_alphanumeric);
        comment.clear();
        let mut add = |kind, name: &str, value: &str| {
            found.push(Declaration {
                kind,
                name: name.to_owned(),
                value: value.to_owned(),
                documented,
            });
        };
        if let Some(definition) = code.strip_prefix("#define ") {
            // The include guard has no value.
            if let Some((name, value)) = definition.split_once(' ') {
                add(Kind::Constant, name, value.trim());
            }
        } else if code.is_empty() || code.starts_with(['#', '}']) || code.starts_with("extern \"C\"") {
            if code.starts_with('}') {
                structure.clear();
            }
        } else if let Some(opened) = code.strip_suffix('{') {
            structure = last_identifier(opened).to_owned();
            add(Kind::Type, &structure, "");
        } else if !structure.is_empty() {
            let field = last_identifier(code.split('[').next().unwrap_or(code));
            add(Kind::Field, &format!("{structure}.{field}"), "");
        } else if let Some((_, pointer)) = code
            .strip_prefix("typedef ")
            .and_then(|code| code.split_once("(*"))
        {
            add(Kind::Type, pointer.split(')').next().unwrap_or(pointer), "");
            in_declaration = !code.ends_with(';');
        } else if code.starts_with("typedef ") {
            add(Kind::Type, last_identifier(code), "");
        } else {
            let (head, _) = code.split_once('(').unwrap_or((code, ""));
            add(Kind::Function, last_identifier(head), "");
            in_declaration = !code.ends_with(';');
        }
    }
    found
}
