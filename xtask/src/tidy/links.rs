//! Links between documents resolve: every relative link in a Markdown file names something that exists.

use std::path::Path;

use super::{Finding, Tree};

pub(super) fn check(tree: &Tree, root: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|f| f.is("md")) {
        let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
        for (line, target) in links(&file.text) {
            let exists = tree.text(&folder.join(target).to_string_lossy()).is_some()
                || root.join(folder).join(target).exists();
            if !exists {
                found.push(Finding::new(
                    &file.path,
                    line,
                    format!("the link to {target} leads nowhere"),
                ));
            }
        }
    }
    found
}

/// The relative targets, without their fragments, of the links outside code blocks.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut out = Vec::new();
    let mut code = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            code = !code;
        }
        if code {
            continue;
        }
        for piece in line.split("](").skip(1) {
            let target = piece.split([')', ' ', '#']).next().unwrap_or("");
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                out.push((number, target));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::messages;
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let page = "[a](b.md#x) [c](gone.md) [d](https://example.org) [e](#here)\n```\n[f](gone.md)\n```\n";
        assert_eq!(
            messages(check, &[("docs/a.md", page), ("docs/b.md", "")]),
            ["docs/a.md:1: the link to gone.md leads nowhere"]
        );
    }
}
