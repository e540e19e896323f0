//! Places in a JSON document, like `$.a.b[0]`, `$.list[*]` or `@.v`. Pure.

use serde_json::Value;

/// A place in a JSON document. `$` begins at the document, `@` at the element of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    text: String,
    begins: Begin,
    steps: Vec<Step>,
}

/// Where a path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// `$`: the document.
    Document,
    /// `@`: the element that is being read.
    Element,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
    /// Every element of a list, every value of an object.
    Every,
}

impl Path {
    /// Reads `$` or `@`, then any number of `.key`, `[index]` and `[*]`. A key holds anything but dots and brackets.
    ///
    /// # Errors
    /// What is wrong with it; the caller shows it as a configuration problem.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refused = || format!("\"{text}\" is not a path: expected $ or @, followed by .key or [index]");
        let (begins, mut rest) = if let Some(rest) = text.strip_prefix('$') {
            (Begin::Document, rest)
        } else {
            (Begin::Element, text.strip_prefix('@').ok_or_else(refused)?)
        };
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[', ']']).unwrap_or(after.len());
                if end == 0 {
                    return Err(refused());
                }
                steps.push(Step::Key(after[..end].to_owned()));
                rest = &after[end..];
            } else {
                let (index, after) =
                    rest.strip_prefix('[').and_then(|after| after.split_once(']')).ok_or_else(refused)?;
                steps.push(match index {
                    "*" => Step::Every,
                    _ => Step::Index(index.parse().map_err(|_| refused())?),
                });
                rest = after;
            }
        }
        Ok(Self { text: text.to_owned(), begins, steps })
    }

    /// Says whether a text is meant as a path.
    pub fn is_meant_by(text: &str) -> bool {
        text.starts_with(['$', '@'])
    }

    /// Returns the path as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns where it begins.
    pub const fn begins(&self) -> Begin {
        self.begins
    }

    /// Says whether it may lead to several places.
    pub fn is_many(&self) -> bool {
        self.steps.contains(&Step::Every)
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns what stands there; the first of several.
    pub(super) fn find<'a>(&self, from: &'a Value) -> Option<&'a Value> {
        self.steps.iter().try_fold(from, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Index(index) => value.get(index),
            Step::Every => children(value).next(),
        })
    }

    /// Calls `take` with everything that stands there, in the order of the document; returns whether it led anywhere.
    pub(super) fn each<'a>(&self, from: &'a Value, take: &mut dyn FnMut(&'a Value)) -> bool {
        walk(&self.steps, from, take)
    }
}

/// The depth is that of the path.
fn walk<'a>(steps: &[Step], value: &'a Value, take: &mut dyn FnMut(&'a Value)) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        take(value);
        return true;
    };
    match step {
        Step::Key(key) => value.get(key).is_some_and(|inner| walk(rest, inner, take)),
        Step::Index(index) => value.get(index).is_some_and(|inner| walk(rest, inner, take)),
        // An empty list is a message without values, not a wrong one.
        Step::Every if value.is_array() || value.is_object() => {
            children(value).fold(children(value).next().is_none(), |found, inner| walk(rest, inner, take) || found)
        }
        Step::Every => false,
    }
}

fn children(value: &Value) -> impl Iterator<Item = &Value> {
    let (list, object) = (value.as_array(), value.as_object());
    list.into_iter().flatten().chain(object.into_iter().flat_map(|object| object.values()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Path;

    #[test]
    fn paths_have_one_small_form() {
        for bad in ["", "v", "$v", "$.", "$..a", "$[x]", "$[1", "$.a]", "$[-1]", "@a", "$[**]"] {
            assert!(Path::parse(bad).is_err(), "{bad}");
        }
        for fine in ["$", "$.a", "$[0]", "$.a b[10].c-d", "@", "@.v", "$.list[*]", "$[*][*].x"] {
            assert!(Path::parse(fine).is_ok(), "{fine}");
        }
    }

    #[test]
    fn a_path_with_stars_leads_to_every_element_in_order() {
        let document = json!({"a": [{"b": [1, 2]}, {"c": 0}, {"b": []}, {"b": [3]}]});
        let found = |path: &str| {
            let mut found = Vec::new();
            let led = Path::parse(path).unwrap().each(&document, &mut |value| found.push(value.to_string()));
            (led, found.join(" "))
        };
        assert_eq!(found("$.a[*].b[*]"), (true, "1 2 3".to_owned()));
        assert_eq!(found("$.a[2].b[*]"), (true, String::new()), "an empty list leads somewhere");
        assert_eq!(found("$.x[*]"), (false, String::new()));
        assert_eq!(found("$.a[0].b[0][*]"), (false, String::new()), "a number has no elements");
    }
}
