//! Writing a generated configuration with explanations as comments.

use yaml::{Comment, Value};

use crate::Config;
use crate::field::Shape;
use crate::section::{FieldInfo, Section, SectionInfo};
use crate::v1alpha1::{self, V1Alpha1};

/// Which comments are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comments {
    /// What each field means.
    pub docs: bool,
    /// What fields that are not set could look like.
    pub examples: bool,
}

/// Writes a configuration with comments.
#[must_use]
pub fn render(config: &Config, comments: Comments) -> String {
    if !comments.docs && !comments.examples {
        return config.encode();
    }
    let legacy = config.v1alpha1().map(|_| {
        (SectionInfo { docs: V1Alpha1::DOCS, fields: V1Alpha1::FIELDS }, v1alpha1::EXAMPLE)
    });
    let others = config.all().iter().map(|d| (d.info().section, d.info().example));
    let documents = legacy.into_iter().chain(others).zip(config.values());
    let texts: Vec<String> = documents
        .map(|((section, example), value)| {
            let example = yaml::parse(example.as_bytes()).ok();
            let example = example.and_then(|documents| Some(documents.first()?.root.to_value()));
            let mut writer = Writer { comments, out: yaml::Comments::default() };
            writer.section(section, &value, example.as_ref(), &mut Vec::new());
            yaml::to_string_with(&value, &writer.out)
        })
        .collect();
    texts.join("---\n")
}

struct Writer {
    comments: Comments,
    out: yaml::Comments,
}

impl Writer {
    fn section(
        &mut self,
        section: SectionInfo,
        value: &Value,
        example: Option<&Value>,
        path: &mut Vec<String>,
    ) {
        let Some(entries) = value.as_map() else { return };
        for field in section.flat() {
            let Some(value) = value.entry(field.name) else { continue };
            path.push(field.name.to_owned());
            let example = example.and_then(|example| example.entry(field.name));
            self.below(&(field.shape)(), value, example, path);
            if self.comments.docs && field.instead.is_empty() && !field.ignored {
                let summary = field.docs.lines().next().unwrap_or_default().to_owned();
                let mut comment = self.out.at(path).cloned().unwrap_or_default();
                match value {
                    Value::Map(_) | Value::Seq(_) => comment.head = vec![summary],
                    _ => comment.line = Some(summary),
                }
                self.out.insert(path.clone(), comment);
            }
            path.pop();
        }
        if let (true, Some((last, _))) = (self.comments.examples, entries.last()) {
            let foot: Vec<String> = section
                .flat()
                .into_iter()
                .filter(|field| field.instead.is_empty() && !field.ignored)
                .filter(|field| value.entry(field.name).is_none())
                .filter_map(|field| Some((field, example?.entry(field.name)?)))
                .flat_map(|(field, example)| sample(field, example))
                .collect();
            if !foot.is_empty() {
                path.push(last.clone());
                let mut comment: Comment = self.out.at(path).cloned().unwrap_or_default();
                comment.foot.extend(foot);
                self.out.insert(path.clone(), comment);
                path.pop();
            }
        }
    }

    fn below(
        &mut self,
        shape: &Shape,
        value: &Value,
        example: Option<&Value>,
        path: &mut Vec<String>,
    ) {
        match (shape, value) {
            (Shape::Section(section), _) => self.section(*section, value, example, path),
            (Shape::List(item), Value::Seq(items)) => {
                for (number, value) in items.iter().enumerate() {
                    path.push(number.to_string());
                    self.below(item, value, None, path);
                    path.pop();
                }
            }
            (Shape::Map(item), Value::Map(entries)) => {
                for (key, value) in entries {
                    path.push(key.clone());
                    self.below(item, value, None, path);
                    path.pop();
                }
            }
            _ => {}
        }
    }
}

/// A sample of a field that is not set, as comment lines.
fn sample(field: &FieldInfo, example: &Value) -> Vec<String> {
    let block = Value::Map(vec![(field.name.to_owned(), example.clone())]);
    let title = format!("# {}", field.docs.lines().next().unwrap_or_default());
    let text = yaml::to_string(&block);
    [String::new(), title].into_iter().chain(text.lines().map(str::to_owned)).collect()
}
