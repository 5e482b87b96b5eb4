//! The table of docs/failover.md, "What goes with what", row by row.

const PAGE: &str = include_str!("../../docs/failover.md");

/// A row: the whole line, and its cells.
pub struct Row {
    pub line: &'static str,
    pub routing: &'static str,
    pub address: &'static str,
    pub mirror: &'static str,
    pub domains: &'static str,
    pub check: &'static str,
    pub records: &'static str,
    pub why: &'static str,
}

impl Row {
    pub fn all() -> Vec<Self> {
        let (_, table) = PAGE
            .split_once("| routing | address | mirror | domains | check | records | why |\n")
            .expect("the page has its table");
        let lines = table.lines().skip(1);
        lines
            .take_while(|line| line.starts_with('|'))
            .map(Self::of)
            .collect()
    }

    fn of(line: &'static str) -> Self {
        let cells: Vec<&'static str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let &[routing, address, mirror, domains, check, records, why] = &cells[..] else {
            panic!("a row has seven cells: {line}");
        };
        Self {
            line,
            routing,
            address,
            mirror,
            domains,
            check,
            records,
            why,
        }
    }

    /// The site's domains in such a row, where the first is this one.
    pub fn names(&self, domain: &str) -> Vec<String> {
        let (www, wildcard) = (format!("www.{domain}"), format!("*.{domain}"));
        let others = match self.domains {
            "one" => vec![],
            "several" => vec![www],
            "wildcard" => vec![wildcard],
            "any" => vec![www, wildcard],
            other => panic!("{other:?} in {}", self.line),
        };
        std::iter::once(domain.to_owned()).chain(others).collect()
    }
}
