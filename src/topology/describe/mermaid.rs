//! A description as a flowchart of Mermaid, for documents.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Description, PartDescription};

/// The description as a flowchart: a box for each part, topics between them.
pub(super) fn write(description: &Description) -> String {
    let mut out = "flowchart LR\n".to_owned();
    let mut topics = BTreeMap::new();
    for part in &description.subtopologies {
        for topic in part.reads.iter().chain(&part.writes) {
            let number = topics.len();
            topics.entry(topic.clone()).or_insert(number);
        }
    }
    for (topic, number) in &topics {
        let _ = writeln!(out, "  t{number}[/\"{}\"/]", escape(topic));
    }
    let mut first = 0;
    for (number, part) in description.subtopologies.iter().enumerate() {
        let _ = writeln!(out, "  subgraph p{number}[\"{}\"]", escape(&part.name));
        write_nodes(part, first, &mut out);
        out.push_str("  end\n");
        write_topic_edges(part, first, &topics, &mut out);
        first += part.nodes.len();
    }
    out
}

fn write_nodes(part: &PartDescription, first: usize, out: &mut String) {
    for (index, node) in part.nodes.iter().enumerate() {
        let stores = if node.stores.is_empty() { String::new() } else { format!("<br/>{}", node.stores.join(", ")) };
        let _ = writeln!(out, "    n{}[\"{}{}\"]", first + index, escape(&node.name), escape(&stores));
    }
    for (index, node) in part.nodes.iter().enumerate() {
        for parent in &node.parents {
            let _ = writeln!(out, "    n{} --> n{}", first + parent, first + index);
        }
    }
}

fn write_topic_edges(part: &PartDescription, first: usize, topics: &BTreeMap<String, usize>, out: &mut String) {
    for (index, node) in part.nodes.iter().enumerate() {
        let Some(number) = node.topic.as_ref().and_then(|topic| topics.get(topic)) else { continue };
        let node_number = first + index;
        let _ = match node.operator.as_str() {
            "sink" => writeln!(out, "  n{node_number} --> t{number}"),
            _ => writeln!(out, "  t{number} --> n{node_number}"),
        };
    }
}

fn escape(text: &str) -> String {
    text.replace('"', "#quot;")
}
