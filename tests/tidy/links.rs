//! Pages that point at one another: what a link names is there.

use std::path::Path;

use super::{Source, none, paths_below};
use crate::support::repository;

/// The places in the tree that the links of a page name.
fn links(page: &str) -> Vec<&str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let paths = targets.map(|target| target.split('#').next().unwrap());
    paths.filter(|path| !path.is_empty() && !path.contains(':')).collect()
}

/// The links of the pages that lead nowhere; `is_there` knows the tree.
fn dead(pages: &[Source], is_there: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut dead = Vec::new();
    for (page, text) in pages {
        let beside = Path::new(page).parent().unwrap();
        let lost = links(text).into_iter().filter(|link| !is_there(&beside.join(link)));
        dead.extend(lost.map(|link| format!("{page}: {link} is not there")));
    }
    dead
}

#[test]
fn links_between_pages_lead_somewhere() {
    let pages = paths_below("").into_iter().filter(|path| path.ends_with(".md"));
    let read = |page: String| {
        let text = std::fs::read_to_string(repository(&page)).unwrap();
        (page, text)
    };
    let pages: Vec<Source> = pages.map(read).collect();
    assert!(pages.iter().map(|(_, text)| links(text).len()).sum::<usize>() > 2, "no links");
    none(dead(&pages, |path| repository(path.to_str().unwrap()).exists()));
}

#[test]
fn a_link_that_leads_nowhere_is_told() {
    let text = "[a](b.md) [c](d.md#e) [f](#g) [h](https://example.org/i.md) [](j.md)";
    let pages = [("docs/k.md".to_string(), text.to_string())];
    let told = dead(&pages, |path| path == Path::new("docs/b.md"));
    assert_eq!(told, ["docs/k.md: d.md is not there", "docs/k.md: j.md is not there"]);
}
