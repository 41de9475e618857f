//! JSON in one form: names sorted, no white space. Two values are equal if and only if their canonical texts are.

use serde::Serialize;
use serde_json::Value;

/// The canonical text of a value.
pub(crate) fn canonical(value: &Value) -> String {
    let mut text = Vec::new();
    write(value, &mut text);
    String::from_utf8(text).expect("JSON is written as UTF-8")
}

fn write(value: &Value, text: &mut Vec<u8>) {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            text.push(b'{');
            for (index, name) in names.into_iter().enumerate() {
                separate(index, text);
                write_scalar(name, text);
                text.push(b':');
                write(&members[name], text);
            }
            text.push(b'}');
        }
        Value::Array(elements) => {
            text.push(b'[');
            for (index, element) in elements.iter().enumerate() {
                separate(index, text);
                write(element, text);
            }
            text.push(b']');
        }
        scalar => write_scalar(scalar, text),
    }
}

fn write_scalar<S: Serialize>(scalar: &S, text: &mut Vec<u8>) {
    serde_json::to_writer(text, scalar).expect("writing into memory can't fail");
}

fn separate(index: usize, text: &mut Vec<u8>) {
    if index > 0 {
        text.push(b',');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::canonical;

    #[test]
    fn names_are_sorted_at_every_level() {
        assert_eq!(canonical(&json!({"b": [{"d": 1, "c": "\n"}], "a": null})), r#"{"a":null,"b":[{"c":"\n","d":1}]}"#);
    }
}
