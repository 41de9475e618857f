//! A description for people.

use std::fmt::Write;

use super::{Description, NodeDescription, PartDescription};

/// The description as text.
pub(super) fn write(description: &Description) -> String {
    let mut out = format!("topology {}\n", description.topology);
    for part in &description.subtopologies {
        write_part(part, &mut out);
    }
    for repartition in &description.repartitions {
        let partitions = repartition.partitions.map_or_else(String::new, |partitions| format!(", {partitions} partitions"));
        let _ = writeln!(out, "repartition topic ({}){partitions}", repartition.name);
    }
    for (what, topics) in [
        ("late records", description.late_topics.as_slice()),
        ("dead letters", description.dead_letters.as_slice()),
        ("books", description.books.as_slice()),
    ] {
        if !topics.is_empty() {
            let _ = writeln!(out, "{what} to {}", topics.join(", "));
        }
    }
    out
}

fn write_part(part: &PartDescription, out: &mut String) {
    let _ = writeln!(out, "  {}, one task for each partition of {}", part.name, part.lead);
    if !part.stores.is_empty() {
        let stores: Vec<String> = part.stores.iter().map(|store| format!("{} ({})", store.name, store.kind)).collect();
        let _ = writeln!(out, "    stores: {}", stores.join(", "));
    }
    for (place, node) in part.nodes.iter().enumerate() {
        let children = part.nodes.iter().filter(|child| child.parents.contains(&place));
        write_node(node, children, out);
    }
}

/// A node, and after an arrow those that it sends to.
fn write_node<'a>(node: &NodeDescription, children: impl Iterator<Item = &'a NodeDescription>, out: &mut String) {
    let _ = write!(out, "    {}", label(node));
    let children: Vec<String> = children.map(label).collect();
    if !children.is_empty() {
        let _ = write!(out, " -> {}", children.join(", "));
    }
    out.push('\n');
}

fn label(node: &NodeDescription) -> String {
    match (node.operator.as_str(), &node.topic) {
        ("sink", Some(topic)) => format!("to {topic}"),
        (_, Some(topic)) => format!("from {topic}"),
        (_, None) => node.name.clone(),
    }
}
